//! From a stored picture to an image: the one place of this folder where pixels are decoded.

use std::io::Cursor;

use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader, RgbImage};

use super::store::Stored;
use crate::picture::framing::{Colour, Fit, Framing};

/// What a picture's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Upright.
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) grey: bool,
}

/// The header of a picture; `None` if it cannot be read.
pub(crate) fn header(stored: &Stored) -> Option<Header> {
    match stored {
        Stored::Raw(raw) => Some(Header {
            height: raw.height,
            width: raw.width,
            grey: raw.channels == 1,
        }),
        Stored::Encoded(bytes) => {
            let (decoder, orientation) = open(bytes).ok()?;
            let (width, height) = decoder.dimensions();
            let grey = !decoder.color_type().has_color();
            let (height, width) = if turned(orientation) {
                (width, height)
            } else {
                (height, width)
            };
            Some(Header {
                height: height as usize,
                width: width as usize,
                grey,
            })
        }
    }
}

/// The image, (H, W, C); an error says what is wrong with the picture.
pub(crate) fn image(stored: Stored, framing: &Framing) -> Result<Vec<u8>, String> {
    let size = (framing.height, framing.width, framing.colour.channels());
    let picture = match stored {
        Stored::Raw(raw) if (raw.height, raw.width, raw.channels) == size => return Ok(raw.pixels),
        Stored::Raw(raw) => {
            let (width, height) = (raw.width as u32, raw.height as u32);
            let picture = match raw.channels {
                1 => GrayImage::from_raw(width, height, raw.pixels).map(DynamicImage::from),
                _ => RgbImage::from_raw(width, height, raw.pixels).map(DynamicImage::from),
            };
            picture.ok_or("its pixels are fewer than its size says")?
        }
        Stored::Encoded(bytes) => {
            let (decoder, orientation) = open(&bytes).map_err(|error| error.to_string())?;
            let mut picture =
                DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
            picture.apply_orientation(orientation);
            picture
        }
    };
    let framed = fitted(picture, framing);
    Ok(match framing.colour {
        Colour::Rgb => framed.into_rgb8().into_raw(),
        Colour::Grey => framed.into_luma8().into_raw(),
    })
}

fn fitted(picture: DynamicImage, framing: &Framing) -> DynamicImage {
    let (width, height) = (framing.width as u32, framing.height as u32);
    match framing.fit {
        _ if (picture.width(), picture.height()) == (width, height) => picture,
        Fit::Stretch => picture.resize_exact(width, height, FilterType::CatmullRom),
        Fit::Crop => picture.resize_to_fill(width, height, FilterType::CatmullRom),
        Fit::Pad => {
            let inner = picture
                .resize(width, height, FilterType::CatmullRom)
                .into_rgb8();
            let mut whole = RgbImage::from_pixel(width, height, image::Rgb([128; 3]));
            let (left, top) = ((width - inner.width()) / 2, (height - inner.height()) / 2);
            image::imageops::replace(&mut whole, &inner, left.into(), top.into());
            whole.into()
        }
    }
}

fn open(bytes: &[u8]) -> image::ImageResult<(impl ImageDecoder + '_, Orientation)> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

fn turned(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}
