//! Why there is no embedding.

use std::io;
use std::path::PathBuf;

use siamese_data::{DataError, PictureError};

/// What is said of a picture in which a face is looked for and none is found.
pub const NO_FACE: &str = "no face was found in it";

/// Why there is no embedding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] siamese_core::Error),
    /// Something else lies where a model was expected.
    #[error("{} is no model: {found}; {advice}", place.display())]
    NoModel {
        /// The file or folder.
        place: PathBuf,
        /// What it looks like.
        found: String,
        /// What to type.
        advice: String,
    },
    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] DataError),
    /// The bytes of a picture cannot be read.
    #[error(transparent)]
    Bytes(#[from] PictureError),
    /// The tower failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
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
    /// A picture shows no face, and the model is of faces.
    #[error("{name}: {NO_FACE}; --crop as-is takes the picture whole")]
    NoFace {
        /// The picture.
        name: String,
    },
    /// The model does not see, or does not judge.
    #[error(transparent)]
    Sight(#[from] siamese_sight::Error),
    /// What a folder says of how its faces were cut out cannot be read.
    #[error("{} does not say how faces were cut out: {why}; `siamese data faces` writes it", path.display())]
    Marker {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file cannot be written.
    #[error("writing {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
