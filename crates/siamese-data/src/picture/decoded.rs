//! What the `image` crate decodes, as a picture: upright and opaque.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use siamese_framing::{Colour, Picture, over_white};

use super::limits::PictureError;

/// Grey stays grey; what is transparent is laid over white.
pub(super) fn opaque(image: DynamicImage) -> Result<Picture, PictureError> {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let color = image.color();
    let (pixels, channels) = match (color.has_color(), color.has_alpha()) {
        (true, false) => (image.into_rgb8().into_raw(), 3),
        (false, false) => (image.into_luma8().into_raw(), 1),
        (true, true) => (over_white::<4>(image.into_rgba8().into_raw()), 3),
        (false, true) => (over_white::<2>(image.into_luma_alpha8().into_raw()), 1),
    };
    of_pixels((height, width, channels), pixels)
}

/// Upright, where it was not.
pub(super) fn turned(picture: Picture, orientation: Orientation) -> Result<Picture, PictureError> {
    if orientation == Orientation::NoTransforms {
        return Ok(picture);
    }
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let colour = picture.colour();
    let pixels = picture.into_pixels();
    let image = match colour {
        Colour::Rgb => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
        Colour::Grey => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    let mut image = image.ok_or_else(other)?;
    image.apply_orientation(orientation);
    opaque(image)
}

pub(super) fn of_pixels(
    shape: (usize, usize, usize),
    pixels: Vec<u8>,
) -> Result<Picture, PictureError> {
    Picture::of_pixels(shape, pixels).ok_or_else(other)
}

fn other() -> PictureError {
    PictureError::Damaged("it has other pixels than declared".into())
}
