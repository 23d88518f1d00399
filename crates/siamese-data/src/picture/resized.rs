//! A picture at another size, for people to look at and for comparing pictures.

use std::path::Path;

use super::decoded::Picture;
use super::file::{decode_file, limits};
use super::framing::{Colour, Fit, Framing};
use crate::error::DataError;

/// Reads one picture as RGB (H, W, C) of `size` (height, width), turned upright, and stretched where it has another
/// shape.
///
/// # Errors
///
/// [`DataError::Picture`] if the file is missing or no readable picture; the message names it.
pub fn read_image(file: &Path, size: (usize, usize)) -> Result<Vec<u8>, DataError> {
    let picture = decode_file(file, &limits()?, None)?;
    Ok(stretched(&picture, size))
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

impl Picture {
    /// All of its pixels (H, W, C), in that colour.
    pub fn pixels(&self, colour: Colour) -> Vec<u8> {
        self.frame(&Framing {
            height: self.height(),
            width: self.width(),
            colour,
            fit: Fit::Stretch,
        })
    }

    /// RGB (H, W, C) of its own shape, shrunk until no side is longer than `most`; with its (height, width).
    pub fn thumbnail(&self, most: usize) -> (Vec<u8>, (usize, usize)) {
        let size = within(most, (self.height(), self.width()));
        (stretched(self, size), size)
    }
}

/// (height, width) in the same proportion, no side longer than `most`.
pub(crate) fn within(most: usize, (height, width): (usize, usize)) -> (usize, usize) {
    let longest = height.max(width).max(most);
    let side = |length: usize| (length * most / longest).max(1);
    (side(height), side(width))
}

/// RGB (H, W, C) of (height, width); a picture of another size is resized, not cropped.
pub(crate) fn stretched(picture: &Picture, (height, width): (usize, usize)) -> Vec<u8> {
    picture.frame(&Framing {
        height,
        width,
        colour: Colour::Rgb,
        fit: Fit::Stretch,
    })
}
