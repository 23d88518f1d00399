//! What can go wrong.

/// What can go wrong when faces are looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are not as many bytes as the picture's size says.
    #[error(
        "a picture of {height} rows and {width} columns has {expected} bytes (3 a pixel), got {got}"
    )]
    Shape {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Bytes that there should be.
        expected: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// A setting of the detector that cannot be.
    #[error("{0}")]
    Config(String),
    /// The nets.
    #[error(transparent)]
    Net(#[from] candle_core::Error),
}
