//! Why a picture cannot be read.

/// Why a picture cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The bytes are no picture; what they look like.
    #[error("it is {0}, no picture that can be read")]
    NotAPicture(&'static str),
    /// The picture says that it is larger than the limit.
    #[error("it is {width}×{height} pixels by its header, more than the limit of {limit}")]
    TooLarge {
        /// Columns.
        width: u64,
        /// Rows.
        height: u64,
        /// Pixels allowed.
        limit: u64,
    },
    /// The file has more bytes than the limit.
    #[error("it has {bytes} bytes, more than the limit of {limit}")]
    TooManyBytes {
        /// Its bytes.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The file ends before the picture does.
    #[error("the file ends before the picture does")]
    Cut,
    /// The decoder gave up.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The system would not read the file.
    #[error("{0}")]
    Io(String),
}
