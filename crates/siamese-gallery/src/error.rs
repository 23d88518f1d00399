//! Why a gallery does not do as asked.

use std::io;
use std::path::PathBuf;

/// Why a gallery does not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no gallery at this place.
    #[error(
        "{place} holds no gallery; make one with `siamese gallery create {place} --model MODEL`"
    )]
    None {
        /// The place.
        place: String,
    },
    /// There is one already.
    #[error("{place} holds a gallery already; add to it, or name another place")]
    Exists {
        /// The place.
        place: String,
    },
    /// An index of distances asked of a model that compares embeddings by a head that it has learned.
    #[error(
        "{place} compares pictures by a head that it has learned, and an index orders them by a distance: search exactly, \
         without --approximate, or train with --head distance"
    )]
    LearnedHead {
        /// The model.
        place: String,
    },
    /// Embeddings of another model than the gallery's.
    #[error(
        "the gallery was made with the model {ours} ({fingerprint}), these embeddings are of {theirs} ({other}): \
         use its own model, or re-embed it with `siamese gallery rebuild PLACE --model {theirs}`"
    )]
    OtherModel {
        /// The gallery's model.
        ours: String,
        /// Of the gallery's model.
        fingerprint: String,
        /// The model at hand.
        theirs: String,
        /// Of the model at hand.
        other: String,
    },
    /// An embedding of another length, or with a number that is not finite.
    #[error("{name}: {why}")]
    Embedding {
        /// Of what.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// Another program writes, and did not end in time.
    #[error(
        "another program is writing to {place} and did not end within {seconds} s; try again when it has"
    )]
    Busy {
        /// The gallery.
        place: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The store refused.
    #[error("{place}: {why}")]
    Store {
        /// The gallery.
        place: String,
        /// What it said, in words.
        why: String,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// A line of an exported gallery cannot be read.
    #[error("{}:{line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("{action} {}", path.display())]
    Io {
        /// What was done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A picture or a model.
    #[error(transparent)]
    Embed(#[from] siamese_embed::Error),
    /// Numbers that cannot be searched.
    #[error(transparent)]
    Metrics(#[from] siamese_core::metrics::Error),
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
