//! What can go wrong between processes.

use std::io;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why processes cannot train together, or no longer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The variables that say which process this is are incomplete or contradict each other.
    #[error("{0}")]
    Variables(String),
    /// The processes did not find each other.
    #[error("{0}")]
    Meeting(String),
    /// A process is gone, or does not answer.
    #[error(
        "process {rank} of {size} {what}: the training ends in all of them; start it again with --resume and as many processes as there are"
    )]
    Lost {
        /// Its rank.
        rank: usize,
        /// How many processes there were.
        size: usize,
        /// What became of it.
        what: String,
    },
    /// The processes do not do the same.
    #[error(
        "process {rank} is not where this one is ({what}): start all of them with the same version of siamese"
    )]
    OutOfStep {
        /// Its rank.
        rank: usize,
        /// What differs.
        what: String,
    },
}

impl Error {
    /// An error of the meeting, with what was being done.
    pub(crate) fn meeting(what: &str, error: &io::Error) -> Self {
        Self::Meeting(format!("{what}: {error}"))
    }
}
