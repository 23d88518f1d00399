//! A picture as the detector takes it.

use crate::error::Error;

/// An upright picture in colour, 8 bits a channel; the pixels are borrowed.
#[derive(Clone, Copy)]
pub struct Rgb<'a> {
    height: usize,
    width: usize,
    /// (H, W, 3)
    pixels: &'a [u8],
}

impl<'a> Rgb<'a> {
    /// A picture of these pixels, (H, W, 3).
    ///
    /// # Errors
    /// When there are not `height × width × 3` bytes.
    pub fn new(height: usize, width: usize, pixels: &'a [u8]) -> Result<Self, Error> {
        let expected = height * width * 3;
        if pixels.len() != expected {
            let got = pixels.len();
            return Err(Error::Shape {
                height,
                width,
                expected,
                got,
            });
        }
        Ok(Self {
            height,
            width,
            pixels,
        })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The pixels, (H, W, 3).
    pub fn pixels(&self) -> &'a [u8] {
        self.pixels
    }

    /// A row's pixels from column `from` up to, not including, `to`: (`to − from`, 3).
    pub(crate) fn row(&self, y: usize, from: usize, to: usize) -> &'a [u8] {
        let start = y * self.width;
        &self.pixels[(start + from) * 3..(start + to) * 3]
    }
}
