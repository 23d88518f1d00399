//! What can go wrong.

use std::path::PathBuf;

/// What can go wrong in writing a model as ONNX, and in reading one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Weights that cannot be read from their device.
    #[error("reading the weights: {0}")]
    Weights(#[from] candle_core::Error),
    /// A head whose numbers are none.
    #[error("reading the head: {0}")]
    Head(#[from] siamese_core::Error),
    /// What describes the model cannot be written as JSON.
    #[error("describing the model: {0}")]
    Description(#[from] serde_json::Error),
    /// A part of the tower that is not written as nodes.
    #[error("{what} is not written as ONNX: its authors and timm publish it in other forms")]
    NoForm {
        /// The part, in words.
        what: String,
    },
    /// More than one file of ONNX can hold.
    #[error("the model has {0} bytes of weights: a file of ONNX holds less than 2 GiB")]
    TooLarge(usize),
    /// A file that is no embedder that can be run here.
    #[error("{}: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is the matter, and what to do.
        why: String,
    },
    /// Weights of 8 bits cannot be had by these images.
    #[error("weights of 8 bits: {why}")]
    Quantize {
        /// What is the matter.
        why: String,
    },
    /// The file cannot be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What gives this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
