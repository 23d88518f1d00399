//! A small picture as raw pixels.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{
    ExtendedColorType, ImageBuffer, ImageEncoder, Luma, Pixel, Rgb,
    codecs::{jpeg, png},
};
use serde::{Deserialize, Serialize};

use crate::error::{ReportError, Result};

/// Up to this side, in pixels, a page holds a picture exactly.
const EXACT: u32 = 64;
const JPEG_QUALITY: u8 = 85;

/// A picture of `height` rows of `width` pixels of `channels` bytes (1 = grey, 3 = RGB).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Thumbnail {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes per pixel: 1 or 3.
    pub channels: u32,
    /// Row after row, channels interleaved (height, width, channel).
    pub pixels: Vec<u8>,
}

impl Thumbnail {
    /// A thumbnail from interleaved bytes.
    ///
    /// # Errors
    /// When the number of bytes does not fit the shape.
    pub fn new(width: u32, height: u32, channels: u32, pixels: Vec<u8>) -> Result<Self> {
        let thumbnail = Self {
            width,
            height,
            channels,
            pixels,
        };
        thumbnail.check().map(|()| thumbnail)
    }

    /// A thumbnail from planes (channel, height, width), as tensors hold images.
    ///
    /// ```
    /// use siamese_report::Thumbnail;
    ///
    /// let planes = [1, 2, 10, 20, 100, 200];
    /// let thumbnail = Thumbnail::from_planes(2, 1, 3, &planes)?;
    /// assert_eq!(thumbnail.pixels, [1, 10, 100, 2, 20, 200]);
    /// # Ok::<(), siamese_report::ReportError>(())
    /// ```
    ///
    /// # Errors
    /// When the number of bytes does not fit the shape.
    pub fn from_planes(width: u32, height: u32, channels: u32, planes: &[u8]) -> Result<Self> {
        let area = width as usize * height as usize;
        let channel_count = channels as usize;
        if planes.len() != area * channel_count {
            return Err(ReportError::Thumbnail {
                width,
                height,
                channels,
                bytes: planes.len(),
            });
        }
        let pixels = (0..area)
            .flat_map(|at| (0..channel_count).map(move |channel| planes[channel * area + at]))
            .collect();
        Self::new(width, height, channels, pixels)
    }

    /// The picture with no side longer than `most` pixels; as it is where it is small enough.
    ///
    /// ```
    /// use siamese_report::Thumbnail;
    ///
    /// let wide = Thumbnail::new(4, 2, 1, vec![0, 0, 8, 8, 4, 4, 8, 8])?;
    /// let small = wide.shrunk(2);
    /// assert_eq!((small.width, small.height), (2, 1));
    /// # Ok::<(), siamese_report::ReportError>(())
    /// ```
    pub fn shrunk(self, most: u32) -> Self {
        let longest = self.width.max(self.height);
        if longest <= most || self.check().is_err() {
            return self;
        }
        let side = |length: u32| {
            let scaled = u64::from(length) * u64::from(most) / u64::from(longest);
            (scaled as u32).max(1)
        };
        let (width, height, channels) = (side(self.width), side(self.height), self.channels);
        let pixels = match channels {
            1 => resized::<Luma<u8>>(self, width, height),
            _ => resized::<Rgb<u8>>(self, width, height),
        };
        Self {
            width,
            height,
            channels,
            pixels,
        }
    }

    /// The picture as the bytes of a PNG file.
    ///
    /// # Errors
    /// When the pixels do not fit the shape.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut bytes = Cursor::new(Vec::new());
        png::PngEncoder::new_with_quality(
            &mut bytes,
            png::CompressionType::Best,
            png::FilterType::Adaptive,
        )
        .write_image(&self.pixels, self.width, self.height, self.colour())?;
        Ok(bytes.into_inner())
    }

    /// The picture as the bytes of a JPEG file, for photos: a tenth of a PNG's size.
    fn to_jpeg(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut bytes = Vec::new();
        let encoder = jpeg::JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
        encoder.write_image(&self.pixels, self.width, self.height, self.colour())?;
        Ok(bytes)
    }

    fn colour(&self) -> ExtendedColorType {
        match self.channels {
            1 => ExtendedColorType::L8,
            _ => ExtendedColorType::Rgb8,
        }
    }

    /// The picture as a `data:` address, exact where it is small; `None` when the pixels do not fit the shape.
    pub(crate) fn to_data_uri(&self) -> Option<String> {
        use base64::Engine as _;
        let (kind, bytes) = match self.width.max(self.height) {
            side if side <= EXACT => ("png", self.to_png()),
            _ => ("jpeg", self.to_jpeg()),
        };
        let text = base64::engine::general_purpose::STANDARD.encode(bytes.ok()?);
        Some(format!("data:image/{kind};base64,{text}"))
    }

    fn check(&self) -> Result<()> {
        let Self {
            width,
            height,
            channels,
            ref pixels,
        } = *self;
        let expected = u64::from(width) * u64::from(height) * u64::from(channels);
        let fits = pixels.len() as u64 == expected && expected > 0;
        if fits && matches!(channels, 1 | 3) {
            return Ok(());
        }
        Err(ReportError::Thumbnail {
            width,
            height,
            channels,
            bytes: pixels.len(),
        })
    }
}

fn resized<P>(picture: Thumbnail, width: u32, height: u32) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    let buffer = ImageBuffer::<P, _>::from_raw(picture.width, picture.height, picture.pixels);
    let smaller = |large| imageops::resize(&large, width, height, FilterType::Triangle).into_raw();
    buffer.map(smaller).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_gives_back_the_pixels_of_an_asymmetric_picture() {
        let pixels: Vec<u8> = (0..18).map(|byte| byte * 13).collect();
        let thumbnail = Thumbnail::new(3, 2, 3, pixels.clone()).unwrap();
        let read = image::load_from_memory(&thumbnail.to_png().unwrap())
            .unwrap()
            .to_rgb8();
        assert_eq!(read.dimensions(), (3, 2));
        assert_eq!(read.into_raw(), pixels);
    }

    #[test]
    fn a_grey_picture_stays_grey() {
        let thumbnail = Thumbnail::new(2, 3, 1, vec![0, 50, 100, 150, 200, 250]).unwrap();
        let read = image::load_from_memory(&thumbnail.to_png().unwrap()).unwrap();
        assert_eq!(read.color(), image::ColorType::L8);
        assert_eq!(read.into_bytes(), thumbnail.pixels);
    }

    #[test]
    fn a_shrunk_picture_keeps_its_shape_and_its_colours() {
        // left half red, right half blue
        let pixel = |at: usize| {
            if at % 12 < 6 {
                [200, 0, 0]
            } else {
                [0, 0, 100]
            }
        };
        let large = Thumbnail::new(12, 4, 3, (0..48).flat_map(pixel).collect()).unwrap();
        let small = large.clone().shrunk(6);
        assert_eq!((small.width, small.height, small.channels), (6, 2, 3));
        assert_eq!(small.pixels[..3], [200, 0, 0]);
        assert_eq!(small.pixels[15..18], [0, 0, 100]);
        assert!(small.check().is_ok());
        assert_eq!(large.clone().shrunk(12), large);
        let line = Thumbnail::new(100, 1, 1, vec![7; 100]).unwrap().shrunk(10);
        assert_eq!((line.width, line.height, line.pixels), (10, 1, vec![7; 10]));
    }

    #[test]
    fn a_small_picture_is_exact_on_a_page_and_a_photo_is_small() {
        let grey = |side: u32| Thumbnail::new(side, 2, 1, vec![9; side as usize * 2]).unwrap();
        let address = |side| grey(side).to_data_uri().unwrap();
        assert!(address(64).starts_with("data:image/png;base64,"));
        assert!(address(65).starts_with("data:image/jpeg;base64,"));
    }

    #[test]
    fn bytes_that_do_not_fit_are_an_error_that_names_the_shape() {
        let error = Thumbnail::new(3, 2, 3, vec![0; 17])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("3×2") && error.contains("17 bytes"),
            "{error}"
        );
        assert!(Thumbnail::new(3, 2, 4, vec![0; 24]).is_err());
        assert!(Thumbnail::new(0, 2, 3, vec![]).is_err());
        assert!(Thumbnail::from_planes(2, 2, 3, &[0; 11]).is_err());
        assert!(Thumbnail::default().to_data_uri().is_none());
    }
}
