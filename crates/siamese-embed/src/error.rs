//! Why there is no embedding.

use siamese_data::{DataError, PictureError};

/// Why there is no embedding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] siamese_core::Error),
    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] DataError),
    /// The bytes of a picture cannot be read.
    #[error(transparent)]
    Bytes(#[from] PictureError),
    /// The tower failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The model has no threshold to judge by.
    #[error(
        "the model carries no threshold; fit one with `siamese evaluate MODEL --threshold-at accuracy --save-model FILE`"
    )]
    NoThreshold,
    /// Images are not what the tower takes.
    #[error("the images are {found}, the model takes {wanted}")]
    Shape {
        /// Height, width and channels of the images.
        found: String,
        /// What the model takes.
        wanted: String,
    },
    /// Something that was asked for was not embedded, or there are not as many labels as embeddings.
    #[error("{0}")]
    Rows(String),
}
