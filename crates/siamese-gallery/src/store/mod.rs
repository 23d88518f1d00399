//! Where the rows of a gallery are kept: one contract, and the stores behind it.

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::collections::BTreeMap;

#[cfg(feature = "postgres")]
pub(crate) use self::postgres::Postgres;
use siamese_core::metrics::Distance;
pub(crate) use sqlite::Sqlite;

use crate::about::About;
use crate::entry::{Added, Entry, Filter, Row};
use crate::error::{Error, Result};

/// What has changed in a gallery since a reader last looked.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// How far this goes.
    pub(crate) revision: Revision,
    /// Whether everything is to be forgotten first.
    pub(crate) anew: bool,
    /// Entries that came or changed: number, class, name, embedding.
    pub(crate) came: Vec<(i64, String, String, Vec<f32>)>,
    /// Entries that went.
    pub(crate) went: Vec<i64>,
}

/// A state of a gallery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Revision {
    /// Rises when what went is forgotten, and when all was embedded anew: older readers begin again.
    pub(crate) epoch: i64,
    /// Rises with every change.
    pub(crate) number: i64,
}

/// Rows that were embedded again.
pub(crate) struct Reembedded {
    pub(crate) id: i64,
    pub(crate) hash: String,
    pub(crate) embedding: Vec<f32>,
}

/// A store of rows. Each method that writes is one transaction: when it returns, all of it is on the disk, and until
/// then none of it is seen.
pub(crate) trait Store: Send {
    /// What the gallery says of itself.
    fn about(&mut self) -> Result<About>;

    /// Adds entries; one whose hash is there is not added.
    fn add(&mut self, entries: &[Entry]) -> Result<Vec<Added>>;

    /// Removes entries by their numbers; how many there were.
    fn remove(&mut self, ids: &[i64]) -> Result<usize>;

    /// Gives all entries of a class another; how many there were.
    fn rename(&mut self, from: &str, to: &str) -> Result<usize>;

    /// The next entries by number after `after`, at most `limit`, that the filter takes.
    fn rows(&mut self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Row>>;

    /// How many entries each class has.
    fn classes(&mut self) -> Result<BTreeMap<String, usize>>;

    /// What has changed since `known`; everything, where that is `None`.
    fn changes(&mut self, known: Option<Revision>) -> Result<Changes>;

    /// Puts new embeddings and a new model in the place of all the old ones; entries in `gone` are removed.
    fn rebuild(
        &mut self,
        about: &About,
        gone: &[i64],
        next: &mut dyn FnMut() -> Result<Option<Vec<Reembedded>>>,
    ) -> Result<()>;

    /// What is wrong with the store itself, in words.
    fn check(&mut self) -> Result<Vec<String>>;

    /// Gives room that is not needed back, and forgets what went.
    fn compact(&mut self) -> Result<()>;

    /// Bytes on the disk.
    fn size(&mut self) -> Result<u64>;

    /// Makes an index for approximate search, where the store has such.
    fn index(&mut self) -> Result<()> {
        Err(no_index())
    }

    /// About the `k` nearest of a probe that the filter takes, found by the store's own index.
    fn near(
        &mut self,
        _distance: Distance,
        _probe: &[f32],
        _k: usize,
        _filter: &Filter,
    ) -> Result<Vec<Row>> {
        Err(no_index())
    }
}

fn no_index() -> Error {
    Error::Invalid(
        "a gallery in a folder is searched exactly and has no index; one in PostgreSQL has".into(),
    )
}
