//! A picture of any size as an image of a set.

use std::path::Path;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, GenericImage};

use super::decode::{Picture, PictureLimits, decode_file};
use super::framing::{Colour, Fit, Framing};
use crate::error::DataError;

/// What lies around a picture that is padded.
const PAD: u8 = 128;

impl Picture {
    /// The picture as an image (H, W, C): resized with antialiasing (Catmull-Rom), then grey or RGB.
    ///
    /// A picture that has the size already is taken as it is.
    pub fn frame(&self, framing: &Framing) -> Vec<u8> {
        let size = (framing.height, framing.width);
        let image = match framing.fit {
            _ if size == (self.height(), self.width()) => self.image.clone(),
            Fit::Stretch => resized(&self.image, size, &ResizeOptions::new()),
            Fit::Crop => resized(
                &self.image,
                size,
                &ResizeOptions::new().fit_into_destination(Some((0.5, 0.5))),
            ),
            Fit::Pad => padded(&self.image, size),
        };
        match framing.colour {
            Colour::Rgb => image.into_rgb8().into_raw(),
            Colour::Grey => image.into_luma8().into_raw(),
        }
    }
}

/// Reads the picture in a file as an image (H, W, C).
///
/// # Errors
///
/// [`DataError::Picture`] names the file and says what is wrong with it.
pub fn read_picture(
    file: &Path,
    framing: &Framing,
    limits: &PictureLimits,
) -> Result<Vec<u8>, DataError> {
    let picture = decode_file(file, limits).map_err(DataError::picture(file))?;
    Ok(picture.frame(framing))
}

fn resized(
    image: &DynamicImage,
    (height, width): (usize, usize),
    options: &ResizeOptions,
) -> DynamicImage {
    let (width, height) = (width as u32, height as u32);
    let mut out = match image {
        DynamicImage::ImageLuma8(_) => DynamicImage::new_luma8(width, height),
        _ => DynamicImage::new_rgb8(width, height),
    };
    let options = options.resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    if Resizer::new().resize(image, &mut out, &options).is_err() {
        // it refuses no grey or RGB picture of one pixel or more; this is slower, and as right
        return image.resize_exact(width, height, image::imageops::FilterType::CatmullRom);
    }
    out
}

fn padded(image: &DynamicImage, (height, width): (usize, usize)) -> DynamicImage {
    let scale =
        (height as f64 / f64::from(image.height())).min(width as f64 / f64::from(image.width()));
    let side =
        |length: u32, most: usize| ((f64::from(length) * scale).round() as usize).clamp(1, most);
    let inner = (side(image.height(), height), side(image.width(), width));
    let inside = resized(image, inner, &ResizeOptions::new());
    let (width, height) = (width as u32, height as u32);
    let mut out = match image {
        DynamicImage::ImageLuma8(_) => {
            image::GrayImage::from_pixel(width, height, image::Luma([PAD])).into()
        }
        _ => DynamicImage::from(image::RgbImage::from_pixel(
            width,
            height,
            image::Rgb([PAD; 3]),
        )),
    };
    let (left, top) = ((width - inside.width()) / 2, (height - inside.height()) / 2);
    match out.copy_from(&inside, left, top) {
        Ok(()) => out,
        Err(_) => inside, // it is no larger than what it is laid on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> Picture {
        let image = image::GrayImage::from_fn(width, height, |x, y| image::Luma([value(x, y)]));
        Picture {
            image: image.into(),
        }
    }

    fn framing(height: usize, width: usize, fit: Fit) -> Framing {
        Framing {
            height,
            width,
            colour: Colour::Grey,
            fit,
        }
    }

    #[test]
    fn a_picture_of_the_size_is_taken_as_it_is() {
        let picture = grey(3, 2, |x, y| (x * 70 + y * 9) as u8);
        for fit in [Fit::Crop, Fit::Pad, Fit::Stretch] {
            assert_eq!(picture.frame(&framing(2, 3, fit)), [0, 70, 140, 9, 79, 149]);
        }
    }

    #[test]
    fn crop_takes_the_middle_pad_the_whole_and_stretch_both() {
        // 4 rows of 12 columns: the outer thirds are black, the middle white
        let picture = grey(12, 4, |x, _| if (4..8).contains(&x) { 255 } else { 0 });
        let crop = picture.frame(&framing(4, 4, Fit::Crop));
        assert!(crop.iter().all(|&v| v == 255), "{crop:?}");
        let pad = picture.frame(&framing(12, 12, Fit::Pad));
        assert_eq!(
            (pad[0], pad[12 * 11], pad[12 * 6], pad[12 * 6 + 6]),
            (PAD, PAD, 0, 255)
        );
        let stretch = picture.frame(&framing(4, 6, Fit::Stretch));
        assert!(stretch[0] < 30 && stretch[2] > 220 && stretch[3] > 220 && stretch[5] < 30);
    }

    /// Against the plain sum: each output pixel is the weighted mean of the input under the widened cubic.
    #[test]
    fn shrinking_agrees_with_a_naive_cubic_within_a_level() {
        let (width, height) = (23usize, 17usize);
        let value = |x: usize, y: usize| ((x * 37 + y * 91 + x * y * 5) % 256) as u8;
        let picture = grey(width as u32, height as u32, |x, y| {
            value(x as usize, y as usize)
        });
        let got = picture.frame(&framing(5, 7, Fit::Stretch));
        let cubic = |t: f64| match t.abs() {
            t if t < 1.0 => 1.5 * t * t * t - 2.5 * t * t + 1.0,
            t if t < 2.0 => -0.5 * t * t * t + 2.5 * t * t - 4.0 * t + 2.0,
            _ => 0.0,
        };
        let weights = |out: usize, count: usize, length: usize| -> Vec<f64> {
            let scale = length as f64 / count as f64;
            let centre = (out as f64 + 0.5) * scale;
            let raw: Vec<f64> = (0..length)
                .map(|i| cubic((i as f64 + 0.5 - centre) / scale))
                .collect();
            let sum: f64 = raw.iter().sum();
            raw.iter().map(|w| w / sum).collect()
        };
        for y in 0..5 {
            for x in 0..7 {
                let (wy, wx) = (weights(y, 5, height), weights(x, 7, width));
                let mut sum = 0.0;
                for (j, a) in wy.iter().enumerate() {
                    for (i, b) in wx.iter().enumerate() {
                        sum += a * b * f64::from(value(i, j));
                    }
                }
                let off = (f64::from(got[y * 7 + x]) - sum.clamp(0.0, 255.0)).abs();
                assert!(off < 2.0, "{x} {y}: {} for {sum}", got[y * 7 + x]);
            }
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_picture(
            Path::new("nowhere.png"),
            &framing(2, 2, Fit::Crop),
            &PictureLimits::default(),
        );
        assert!(error.unwrap_err().to_string().contains("nowhere.png"));
    }
}
