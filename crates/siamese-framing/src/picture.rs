//! A decoded picture: upright and opaque.

use crate::framing::{Colour, Fit, Framing};

/// A decoded picture: upright, opaque, 8 bits a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) colour: Colour,
    /// (H, W, C)
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The channels that it has of its own.
    pub fn colour(&self) -> Colour {
        self.colour
    }

    /// A picture of one or three channels, (H, W, C); `None` where there are not as many bytes.
    pub fn of_pixels(
        (height, width, channels): (usize, usize, usize),
        pixels: Vec<u8>,
    ) -> Option<Self> {
        let colour = match channels {
            1 => Colour::Grey,
            3 => Colour::Rgb,
            _ => return None,
        };
        let expected = height.checked_mul(width)?.checked_mul(channels)?;
        (pixels.len() == expected).then_some(Self {
            height,
            width,
            colour,
            pixels,
        })
    }

    /// A picture of RGBA (H, W, 4), laid over white; `None` where there are not as many bytes.
    pub fn of_rgba((height, width): (usize, usize), pixels: Vec<u8>) -> Option<Self> {
        let expected = height.checked_mul(width)?.checked_mul(4)?;
        if pixels.len() != expected {
            return None;
        }
        Self::of_pixels((height, width, 3), over_white::<4>(pixels))
    }

    /// Its bytes (H, W, C), in its own colour.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// All of its pixels (H, W, C), in that colour.
    pub fn pixels(&self, colour: Colour) -> Vec<u8> {
        self.frame(&Framing {
            height: self.height,
            width: self.width,
            colour,
            fit: Fit::Stretch,
        })
    }

    /// RGB (H, W, C) of (height, width); a picture of another size is resized, not cropped.
    pub fn stretched(&self, (height, width): (usize, usize)) -> Vec<u8> {
        self.frame(&Framing {
            height,
            width,
            colour: Colour::Rgb,
            fit: Fit::Stretch,
        })
    }

    /// RGB (H, W, C) of its own shape, shrunk until no side is longer than `most`; with its (height, width).
    pub fn thumbnail(&self, most: usize) -> (Vec<u8>, (usize, usize)) {
        let size = within(most, (self.height, self.width));
        (self.stretched(size), size)
    }
}

/// (height, width) in the same proportion, no side longer than `most`.
pub fn within(most: usize, (height, width): (usize, usize)) -> (usize, usize) {
    let longest = height.max(width).max(most);
    let side = |length: usize| (length * most / longest).max(1);
    (side(height), side(width))
}

/// Pixels of `C` channels, of which the last is α, laid over white: value · α + 255 · (1 − α), without α.
///
/// Transparent pixels hold any colour, which must not bleed in when they are resized. It works in place, for a picture
/// may be most of the memory there is.
///
/// ```
/// assert_eq!(siamese_framing::over_white::<2>(vec![9, 255, 9, 0]), [9, 255]);
/// ```
pub fn over_white<const C: usize>(mut pixels: Vec<u8>) -> Vec<u8> {
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let count = pixels.len() / C;
    for i in 0..count {
        let alpha = pixels[i * C + C - 1];
        for channel in 0..C - 1 {
            pixels[i * (C - 1) + channel] = blend(pixels[i * C + channel], alpha);
        }
    }
    pixels.truncate(count * (C - 1));
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_as_many_bytes_as_its_size_says_or_there_is_none() {
        assert!(Picture::of_rgba((2, 3), vec![0; 24]).is_some());
        assert!(Picture::of_rgba((2, 3), vec![0; 23]).is_none());
        assert!(Picture::of_rgba((usize::MAX, 3), Vec::new()).is_none());
        assert!(Picture::of_pixels((2, 3, 4), vec![0; 24]).is_none());
    }

    #[test]
    fn what_is_transparent_is_white_and_what_is_opaque_keeps_its_colour() {
        let picture = Picture::of_rgba((1, 3), vec![1, 2, 3, 255, 9, 9, 9, 0, 0, 100, 200, 51]);
        let pixels = picture.unwrap().into_pixels();
        assert_eq!(pixels, [1, 2, 3, 255, 255, 255, 204, 224, 244]);
    }
}
