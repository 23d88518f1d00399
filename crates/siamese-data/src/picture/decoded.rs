//! A decoded picture: upright and opaque.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};

use super::framing::Colour;
use super::limits::PictureError;

/// A decoded picture: upright, what was transparent laid over white, 8 bits a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) colour: Colour,
    /// (H, W, C)
    pub(super) pixels: Vec<u8>,
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

    /// A picture of one or three channels that is decoded already, (H, W, C); `None` where there are not as many bytes.
    pub fn of_pixels(
        (height, width, channels): (usize, usize, usize),
        pixels: Vec<u8>,
    ) -> Option<Self> {
        let colour = match channels {
            1 => Colour::Grey,
            3 => Colour::Rgb,
            _ => return None,
        };
        (pixels.len() == height * width * channels).then_some(Self {
            height,
            width,
            colour,
            pixels,
        })
    }

    /// Grey stays grey. Transparent pixels hold any colour: it must not bleed in when they are resized.
    pub(super) fn opaque(image: DynamicImage) -> Self {
        let (height, width) = (image.height() as usize, image.width() as usize);
        let color = image.color();
        let (pixels, colour) = match (color.has_color(), color.has_alpha()) {
            (true, false) => (image.into_rgb8().into_raw(), Colour::Rgb),
            (false, false) => (image.into_luma8().into_raw(), Colour::Grey),
            (true, true) => (over_white::<4>(image.into_rgba8().into_raw()), Colour::Rgb),
            (false, true) => (
                over_white::<2>(image.into_luma_alpha8().into_raw()),
                Colour::Grey,
            ),
        };
        Self {
            height,
            width,
            colour,
            pixels,
        }
    }

    /// Upright, where it was not.
    pub(super) fn turned(self, orientation: Orientation) -> Result<Self, PictureError> {
        if orientation == Orientation::NoTransforms {
            return Ok(self);
        }
        let (width, height) = (self.width as u32, self.height as u32);
        let image = match self.colour {
            Colour::Rgb => RgbImage::from_raw(width, height, self.pixels).map(DynamicImage::from),
            Colour::Grey => GrayImage::from_raw(width, height, self.pixels).map(DynamicImage::from),
        };
        let other = || PictureError::Damaged("it has other pixels than declared".into());
        let mut image = image.ok_or_else(other)?;
        image.apply_orientation(orientation);
        Ok(Self::opaque(image))
    }
}

/// value · α + 255 · (1 − α), α being the last of `C` channels; in place, for a picture may be most of the memory there is.
fn over_white<const C: usize>(mut pixels: Vec<u8>) -> Vec<u8> {
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
