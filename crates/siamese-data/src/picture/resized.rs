//! A picture at another size, for people to look at and for comparing pictures.

use std::path::Path;

use super::file::{decode_file, limits};
use crate::error::DataError;

/// Reads one picture as RGB (H, W, C) of `size` (height, width), turned upright, and stretched where it has another
/// shape.
///
/// # Errors
///
/// [`DataError::Picture`] if the file is missing or no readable picture; the message names it.
pub fn read_image(file: &Path, size: (usize, usize)) -> Result<Vec<u8>, DataError> {
    let picture = decode_file(file, &limits()?, None)?;
    Ok(picture.stretched(size))
}

/// Reads one picture as RGB (H, W, C), upright, of its own shape, shrunk until no side is longer
/// than `most`; with its (height, width).
///
/// # Errors
///
/// [`DataError::Picture`] if the file is missing or no readable picture; the message names it.
pub fn read_thumbnail(file: &Path, most: usize) -> Result<(Vec<u8>, (usize, usize)), DataError> {
    let picture = decode_file(file, &limits()?, None)?;
    Ok(picture.thumbnail(most))
}
