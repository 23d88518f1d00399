//! Where a gallery lies, in a word: a folder, or an address in PostgreSQL.

use std::path::Path;

use crate::about::About;
use crate::error::{Error, Result};
use crate::store::{Sqlite, Store};

/// What a place names.
enum Place<'a> {
    Folder(&'a Path),
    #[cfg(feature = "postgres")]
    Postgres(&'a str),
}

impl<'a> Place<'a> {
    fn of(place: &'a str) -> Result<Self> {
        match place.split_once("://") {
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(place)),
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => Err(Error::Invalid(
                "this build keeps no gallery in PostgreSQL; build it with --features postgres"
                    .into(),
            )),
            Some((scheme, _)) => Err(Error::Invalid(format!(
                "{scheme}:// is no place for a gallery; name a folder, or postgres://…/DATABASE/GALLERY"
            ))),
            None if place.is_empty() => Err(Error::Invalid("the gallery's place is empty".into())),
            None => Ok(Self::Folder(Path::new(place))),
        }
    }
}

/// The store of the gallery at `place`.
pub(crate) fn open(place: &str) -> Result<Box<dyn Store>> {
    Ok(match Place::of(place)? {
        Place::Folder(folder) => Box::new(Sqlite::open(folder)?),
        #[cfg(feature = "postgres")]
        Place::Postgres(place) => Box::new(crate::store::Postgres::open(place)?),
    })
}

/// A new store.
pub(crate) fn create(place: &str, about: &About) -> Result<Box<dyn Store>> {
    Ok(match Place::of(place)? {
        Place::Folder(folder) => Box::new(Sqlite::create(folder, about)?),
        #[cfg(feature = "postgres")]
        Place::Postgres(place) => Box::new(crate::store::Postgres::create(place, about)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_none_says_what_would_be_one() {
        for (place, part) in [("", "empty"), ("http://x/y", "name a folder")] {
            let error = open(place).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        if cfg!(not(feature = "postgres")) {
            let error = open("postgres://host/db/people").map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("--features postgres"), "{error}");
        }
    }
}
