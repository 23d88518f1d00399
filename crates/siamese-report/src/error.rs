//! What can go wrong while a report is written.

use std::path::{Path, PathBuf};

/// An error of this crate: a file that could not be written, or a picture that is not one.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder could not be made or written.
    #[error("writing {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The pixels of a thumbnail do not fit its shape.
    #[error(
        "a thumbnail of {width}×{height} with {channels} channels needs 1 or 3 channels, sides of \
         at least 1 and width·height·channels bytes, but has {bytes} bytes"
    )]
    Thumbnail {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes per pixel.
        channels: u32,
        /// Bytes given.
        bytes: usize,
    },
    /// A picture could not be encoded as PNG.
    #[error("encoding a picture as PNG")]
    Png(#[from] image::ImageError),
    /// Rows of a table that belong together differ in number.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// What was counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
}

/// A result with [`ReportError`].
pub type Result<T> = std::result::Result<T, ReportError>;

/// Names the file in an I/O error.
pub(crate) fn io_at(path: &Path) -> impl FnOnce(std::io::Error) -> ReportError + '_ {
    move |source| ReportError::Io {
        path: path.to_path_buf(),
        source,
    }
}

/// Writes a whole file, or leaves the old one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    siamese_files::write_bytes(path, bytes).map_err(io_at(path))
}
