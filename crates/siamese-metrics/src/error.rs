//! What can be wrong with the numbers handed in.

use std::path::PathBuf;

/// An error of this crate: it names the offending array, index, line or shape.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing to measure.
    #[error("{what}: empty, nothing to measure")]
    Empty {
        /// Which argument.
        what: &'static str,
    },
    /// Two arguments that describe the same things have different lengths.
    #[error("{left} has {left_len} entries and {right} has {right_len}: they must agree")]
    LengthMismatch {
        /// One argument.
        left: &'static str,
        /// Its length.
        left_len: usize,
        /// The other argument.
        right: &'static str,
        /// Its length.
        right_len: usize,
    },
    /// A value is NaN or infinite.
    #[error("{what}[{index}] is {value}: every value must be finite")]
    NotFinite {
        /// Which argument.
        what: &'static str,
        /// Where.
        index: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// Verification needs both like and unlike pairs.
    #[error("{like} like and {unlike} unlike pairs: at least one of each is needed")]
    OneKind {
        /// Number of like pairs.
        like: usize,
        /// Number of unlike pairs.
        unlike: usize,
    },
    /// An argument lies outside what it may be.
    #[error("{what}: {why}")]
    Invalid {
        /// Which argument.
        what: &'static str,
        /// What is wrong and what was expected.
        why: String,
    },
    /// A line of a text file cannot be read.
    #[error("{}:{line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong and what was expected.
        why: String,
    },
    /// A file cannot be read, written or understood.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) fn check_same_length(
    (left, left_len): (&'static str, usize),
    (right, right_len): (&'static str, usize),
) -> Result<()> {
    if left_len == right_len {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        left,
        left_len,
        right,
        right_len,
    })
}

pub(crate) fn check_finite(what: &'static str, values: &[f32]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            what,
            index,
            value: f64::from(values[index]),
        }),
    }
}
