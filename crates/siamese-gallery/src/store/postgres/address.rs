//! What a place in PostgreSQL says.

use postgres::{Client, NoTls};

use super::told::{WAIT, told};
use crate::error::{Error, Result};

/// What a place says.
pub(super) struct Address {
    /// For the client.
    url: String,
    /// For people.
    pub(super) shown: String,
    pub(super) gallery: String,
}

impl Address {
    /// `postgres://user:password@host:port/database/gallery`, or without a database the user's own.
    pub(super) fn of(place: &str) -> Result<Self> {
        let wrong = || {
            Error::Invalid(
                "a gallery in PostgreSQL is named postgres://user:password@host:port/database/gallery".into(),
            )
        };
        let (scheme, rest) = place.split_once("://").ok_or_else(wrong)?;
        let (rest, query) = rest
            .split_once('?')
            .map_or((rest, None), |(r, q)| (r, Some(q)));
        let (host, path) = rest.split_once('/').ok_or_else(wrong)?;
        let (database, gallery) = path.rsplit_once('/').unwrap_or(("", path));
        if gallery.is_empty() {
            return Err(wrong());
        }
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let database = match database {
            "" => String::new(),
            database => format!("/{database}"),
        };
        let open = match host.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user, |(user, _)| user);
                format!("{user}@{host}")
            }
            None => host.to_string(),
        };
        Ok(Self {
            url: format!("{scheme}://{host}{database}{query}"),
            shown: format!("{scheme}://{open}{database}/{gallery}"),
            gallery: gallery.to_string(),
        })
    }

    pub(super) fn connect(&self) -> Result<Client> {
        let connected = || -> Result<Client, postgres::Error> {
            let mut client = Client::connect(&self.url, NoTls)?;
            client.batch_execute(&format!(
                "SET lock_timeout = '{WAIT}s'; SET hnsw.iterative_scan = strict_order; SET client_min_messages = warning"
            ))?;
            Ok(client)
        };
        connected().map_err(|error| told(&self.shown, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_a_gallery_in_a_database_and_its_password_is_not_shown() {
        let address =
            Address::of("postgres://me:secret@host:5433/pictures/people?connect_timeout=3")
                .unwrap();
        assert_eq!(
            address.url,
            "postgres://me:secret@host:5433/pictures?connect_timeout=3"
        );
        assert_eq!(address.shown, "postgres://me@host:5433/pictures/people");
        assert_eq!(address.gallery, "people");
        let address = Address::of("postgres://host/people").unwrap();
        assert_eq!(
            (address.url.as_str(), address.gallery.as_str()),
            ("postgres://host", "people")
        );
        for wrong in ["postgres://host", "postgres://host/", "postgres://host/db/"] {
            assert!(Address::of(wrong).is_err(), "{wrong}");
        }
    }
}
