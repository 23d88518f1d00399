//! Where a gallery lies, in a word: a folder.

use std::path::Path;

use crate::about::About;
use crate::error::{Error, Result};
use crate::store::{Sqlite, Store};

/// The store of the gallery at `place`.
pub(crate) fn open(place: &str) -> Result<Box<dyn Store>> {
    refuse_other(place)?;
    Ok(Box::new(Sqlite::open(Path::new(place))?))
}

/// A new store.
pub(crate) fn create(place: &str, about: &About) -> Result<Box<dyn Store>> {
    refuse_other(place)?;
    Ok(Box::new(Sqlite::create(Path::new(place), about)?))
}

fn refuse_other(place: &str) -> Result<()> {
    match place.split_once("://") {
        Some((scheme, _)) => Err(Error::Invalid(format!(
            "{scheme}:// is no place for a gallery; name a folder"
        ))),
        None if place.is_empty() => Err(Error::Invalid("the gallery's place is empty".into())),
        None => Ok(()),
    }
}
