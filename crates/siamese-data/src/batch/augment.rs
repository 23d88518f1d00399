//! Random changes to raw images: flip, padded crop, colour jitter, cutout.

use rand::Rng;
use serde::{Deserialize, Serialize};

/// Height, width and channels of an image whose bytes are in that order, channels innermost.
pub type ImageShape = (usize, usize, usize);

/// What cutout fills its square with: mid-grey, near the mean of natural images.
const CUTOUT_FILL: u8 = 128;

/// Which random changes an image undergoes, in the order of the fields; by default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Cut out a random part and resize it to the whole, bilinearly; like torchvision's `RandomResizedCrop`, but the
    /// ratio is relative to the image's own, and nothing is smoothed where a part is shrunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_crop: Option<RandomCrop>,
    /// Mirror left and right, at even odds.
    pub flip: bool,
    /// Shift by up to this many pixels each way, every shift equally probable: a crop of the
    /// original size from the image padded by its own reflection (the edge pixel not repeated).
    pub crop_padding: usize,
    /// Change brightness, contrast and saturation, each by a factor drawn evenly from
    /// `1 − jitter` to `1 + jitter`; 0 to 1. Saturation needs three channels, read as RGB.
    ///
    /// Each is torchvision's blend (`f·x`; `f·x + (1−f)·mean grey`; `f·x + (1−f)·grey of the
    /// pixel`), in this order and rounded once at the end.
    pub jitter: f32,
    /// Paint over a square of this side in mid-grey, its centre anywhere in the image; what hangs
    /// over the border is cut off (DeVries & Taylor 2017, <https://arxiv.org/abs/1708.04552>).
    pub cutout: usize,
}

/// Which parts of an image a random crop takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// The part's share of the area, from and to.
    pub scale: (f32, f32),
    /// Its width over its height, from and to, relative to the image's own; evenly drawn in the logarithm.
    pub ratio: (f32, f32),
}

/// An [`AugmentConfig`] that does not suit the images.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// The jitter is not a share.
    #[error("jitter is {0}, expected 0 to 1")]
    Jitter(f32),
    /// The crop's bounds are none.
    #[error(
        "random_crop is {0:?}, expected a scale from above 0 to at most 1 and a positive ratio, each from the smaller to the larger"
    )]
    RandomCrop(RandomCrop),
    /// The reflection of an image reaches only as far as the image itself.
    #[error(
        "crop_padding is {padding}, expected less than both sides of the {height}x{width} images"
    )]
    CropPadding {
        /// The padding asked for.
        padding: usize,
        /// The height of the images.
        height: usize,
        /// The width of the images.
        width: usize,
    },
}

impl AugmentConfig {
    /// Whether images pass unchanged.
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that the settings suit images of this shape.
    ///
    /// # Errors
    ///
    /// See [`AugmentError`].
    pub fn check(&self, (height, width, _): ImageShape) -> Result<(), AugmentError> {
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(AugmentError::Jitter(self.jitter));
        }
        if let Some(crop) = self.random_crop.filter(|crop| !crop.is_sound()) {
            return Err(AugmentError::RandomCrop(crop));
        }
        let padding = self.crop_padding;
        if padding > 0 && padding >= height.min(width) {
            return Err(AugmentError::CropPadding {
                padding,
                height,
                width,
            });
        }
        Ok(())
    }

    /// Writes a randomly changed copy of `image` to `out`.
    ///
    /// What is switched off draws nothing, so that without any change `rng` stays as it was.
    ///
    /// # Panics
    ///
    /// If `image` or `out` has not the length that `shape` says, or if [`AugmentConfig::check`]
    /// would have refused `shape`.
    pub fn apply(&self, image: &[u8], shape: ImageShape, out: &mut [u8], rng: &mut impl Rng) {
        let (height, width, channels) = shape;
        assert_eq!(image.len(), height * width * channels, "image of {shape:?}");
        assert_eq!(out.len(), image.len(), "output for an image of {shape:?}");
        if let Err(error) = self.check(shape) {
            panic!("{error}");
        }
        if image.is_empty() {
            return;
        }
        let flip = self.flip && rng.random();
        let (down, right) = match self.crop_padding {
            0 => (0, 0),
            padding => {
                let mut shift = || rng.random_range(0..=2 * padding) as isize - padding as isize;
                (shift(), shift())
            }
        };
        match &self.random_crop {
            // the shift is of the crop's own place
            Some(part) => part.apply(image, shape, out, rng),
            None => crop(image, shape, (down, right), out),
        }
        if flip {
            mirror(out, shape);
        }
        if self.jitter > 0.0 {
            let mut factor = || 1.0 + self.jitter * (2.0 * rng.random::<f32>() - 1.0);
            let (brightness, contrast, saturation) = (factor(), factor(), factor());
            colour(out, channels, brightness, contrast, saturation);
        }
        if self.cutout > 0 {
            let centre = (rng.random_range(0..height), rng.random_range(0..width));
            cut_out(out, shape, centre, self.cutout);
        }
    }
}

impl RandomCrop {
    fn is_sound(&self) -> bool {
        let (scale, ratio) = (self.scale, self.ratio);
        scale.0 > 0.0
            && scale.0 <= scale.1
            && scale.1 <= 1.0
            && ratio.0 > 0.0
            && ratio.0 <= ratio.1
            && ratio.1.is_finite()
    }

    /// Draws a part of the image, and resizes it to the whole.
    fn apply(&self, image: &[u8], shape: ImageShape, out: &mut [u8], rng: &mut impl Rng) {
        let (height, width, _) = shape;
        let even = |(low, high): (f32, f32), rng: &mut dyn rand::RngCore| {
            low + (high - low) * rng.random::<f32>()
        };
        let area = even(self.scale, rng);
        let ratio = even((self.ratio.0.ln(), self.ratio.1.ln()), rng).exp();
        let side = |length: usize, share: f32| (length as f32 * share).clamp(1.0, length as f32);
        let part = (
            side(height, (area / ratio).sqrt()),
            side(width, (area * ratio).sqrt()),
        );
        let top = rng.random::<f32>() * (height as f32 - part.0);
        let left = rng.random::<f32>() * (width as f32 - part.1);
        resample(image, shape, (top, left), part, out);
    }
}

/// Fills `out` with the part of `image` at `(top, left)` of `(height, width)`, bilinearly; pixel centres lie at halves.
fn resample(
    image: &[u8],
    (height, width, channels): ImageShape,
    (top, left): (f32, f32),
    part: (f32, f32),
    out: &mut [u8],
) {
    // For each place along an axis: its two neighbours, and the weight of the second.
    let axis = |start: f32, span: f32, length: usize| -> Vec<(usize, usize, f32)> {
        let place = |i: usize| {
            let at = start + (i as f32 + 0.5) * span / length as f32 - 0.5;
            let at = at.clamp(0.0, (length - 1) as f32);
            let first = at as usize;
            (first, (first + 1).min(length - 1), at - first as f32)
        };
        (0..length).map(place).collect()
    };
    let (rows, columns) = (axis(top, part.0, height), axis(left, part.1, width));
    let row_len = width * channels;
    for (out_row, &(y0, y1, down)) in out.chunks_exact_mut(row_len).zip(&rows) {
        let (upper, lower) = (
            &image[y0 * row_len..][..row_len],
            &image[y1 * row_len..][..row_len],
        );
        for (pixel, &(x0, x1, right)) in out_row.chunks_exact_mut(channels).zip(&columns) {
            for (c, value) in pixel.iter_mut().enumerate() {
                let mix = |row: &[u8]| {
                    let (a, b) = (
                        f32::from(row[x0 * channels + c]),
                        f32::from(row[x1 * channels + c]),
                    );
                    a + (b - a) * right
                };
                let (above, below) = (mix(upper), mix(lower));
                *value = to_byte(above + (below - above) * down);
            }
        }
    }
}

/// `out[y, x] = image[y + down, x + right]`, reflected at the borders.
fn crop(image: &[u8], shape: ImageShape, (down, right): (isize, isize), out: &mut [u8]) {
    if (down, right) == (0, 0) {
        return out.copy_from_slice(image);
    }
    let (height, width, channels) = shape;
    // The columns of `out` that lie within the image, and where the first of them is in it.
    let start = usize::try_from(-right).unwrap_or(0);
    let source = usize::try_from(right).unwrap_or(0);
    let inside = width - right.unsigned_abs();
    let row_len = width * channels;
    for (y, out_row) in out.chunks_exact_mut(row_len).enumerate() {
        let row = &image[reflect(y as isize + down, height) * row_len..][..row_len];
        out_row[start * channels..(start + inside) * channels]
            .copy_from_slice(&row[source * channels..(source + inside) * channels]);
        for x in (0..start).chain(start + inside..width) {
            let from = reflect(x as isize + right, width) * channels;
            out_row[x * channels..][..channels].copy_from_slice(&row[from..][..channels]);
        }
    }
}

/// The position within `0..len` that `at`, less than `len` beyond it, is the mirror image of.
fn reflect(at: isize, len: usize) -> usize {
    let at = at.unsigned_abs();
    if at < len { at } else { 2 * (len - 1) - at }
}

/// Mirrors left and right, in place.
fn mirror(image: &mut [u8], (_, width, channels): ImageShape) {
    match channels {
        1 => image.chunks_exact_mut(width).for_each(<[u8]>::reverse),
        3 => {
            let (pixels, _) = image.as_chunks_mut::<3>();
            pixels
                .chunks_exact_mut(width)
                .for_each(<[[u8; 3]]>::reverse);
        }
        _ => {
            for row in image.chunks_exact_mut(width * channels) {
                // Reversing all bytes puts the pixels in place, each of them back to front.
                row.reverse();
                row.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
            }
        }
    }
}

/// Brightness, then contrast, then saturation, as one affine map: with x a value, g its pixel's
/// grey and m the mean of all g, `b·(c·(s·x + (1−s)·g) + (1−c)·m)`.
fn colour(image: &mut [u8], channels: usize, brightness: f32, contrast: f32, saturation: f32) {
    let shift = |mean: f32| brightness * (1.0 - contrast) * mean;
    if channels == 3 {
        let own = brightness * contrast * saturation;
        let grey = GREY.map(|weight| brightness * contrast * (1.0 - saturation) * weight);
        let (pixels, _) = image.as_chunks_mut::<3>();
        let shift = shift(mean_grey(pixels));
        let (blocks, rest) = pixels.as_chunks_mut();
        for block in blocks {
            blend(block, own, grey, shift);
        }
        let mut block = [[0; 3]; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        blend(&mut block, own, grey, shift);
        rest.copy_from_slice(&block[..rest.len()]);
    } else {
        let own = brightness * contrast;
        let sum: u64 = image.iter().map(|&x| u64::from(x)).sum();
        let shift = shift(sum as f32 / image.len() as f32);
        for value in image {
            *value = to_byte(own * f32::from(*value) + shift);
        }
    }
}

/// Pixels that are mapped at a time: loops of a fixed length over plain arrays become SIMD.
const BLOCK: usize = 16;

/// `own·x + grey·(r, g, b) + shift` for each of r, g and b.
fn blend(pixels: &mut [[u8; 3]; BLOCK], own: f32, grey: [f32; 3], shift: f32) {
    let bytes = pixels.as_flattened_mut();
    let mut values = [0f32; 3 * BLOCK];
    for (value, &byte) in values.iter_mut().zip(bytes.iter()) {
        *value = f32::from(byte);
    }
    let mut common = [0f32; BLOCK];
    for (common, [r, g, b]) in common.iter_mut().zip(values.as_chunks().0) {
        *common = grey[0] * r + grey[1] * g + grey[2] * b + shift;
    }
    for (pixel, common) in values.as_chunks_mut::<3>().0.iter_mut().zip(common) {
        *pixel = pixel.map(|x| own * x + common);
    }
    for (byte, value) in bytes.iter_mut().zip(values) {
        *byte = to_byte(value);
    }
}

/// The nearest whole number from 0 to 255.
fn to_byte(x: f32) -> u8 {
    // From 2²³ on an f32 has no digits after the point: adding it rounds, and leaves the whole
    // number in the lowest bits. Unlike a cast, this is SIMD on every CPU.
    (x.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}

/// The shares of red, green and blue in grey (ITU-R BT.601).
const GREY: [f32; 3] = [0.299, 0.587, 0.114];

fn mean_grey(pixels: &[[u8; 3]]) -> f32 {
    let mut sums = [0u64; 3];
    for pixel in pixels {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(value);
        }
    }
    let weighted = sums
        .iter()
        .zip(GREY)
        .map(|(&sum, weight)| sum as f32 * weight);
    weighted.sum::<f32>() / pixels.len() as f32
}

/// Paints the square of this side around `centre`; an even side reaches one further up and left.
fn cut_out(image: &mut [u8], shape: ImageShape, centre: (usize, usize), side: usize) {
    let (height, width, channels) = shape;
    let span = |at: usize, len: usize| {
        let start = at.saturating_sub(side / 2);
        let end = at.saturating_add(side - side / 2).min(len);
        (start, end)
    };
    let (top, bottom) = span(centre.0, height);
    let (left, right) = span(centre.1, width);
    for row in image
        .chunks_exact_mut(width * channels)
        .take(bottom)
        .skip(top)
    {
        row[left * channels..right * channels].fill(CUTOUT_FILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    #[test]
    fn the_whole_image_resampled_is_the_image() {
        let image: Vec<u8> = (0..30).map(|i| i * 8).collect();
        let mut out = vec![0; 30];
        resample(&image, (2, 5, 3), (0.0, 0.0), (2.0, 5.0), &mut out);
        assert_eq!(out, image);
    }

    #[test]
    fn a_part_is_enlarged_between_its_own_pixels() {
        // one row of four: the middle half, 40 and 80, over four pixels
        let mut out = vec![0; 4];
        resample(
            &[0, 40, 80, 120],
            (1, 4, 1),
            (0.0, 1.0),
            (1.0, 2.0),
            &mut out,
        );
        assert_eq!(out, [30, 50, 70, 90]);
    }

    #[test]
    fn crops_stay_within_the_image_and_differ() {
        let image: Vec<u8> = (0..7 * 5 * 3).map(|i| 60 + (i % 100) as u8).collect();
        let config = AugmentConfig {
            random_crop: Some(RandomCrop {
                scale: (0.2, 1.0),
                ratio: (0.5, 2.0),
            }),
            ..Default::default()
        };
        let mut rng = stream(1, "crops", &[]);
        let mut crops = std::collections::HashSet::new();
        for _ in 0..50 {
            let mut out = vec![0; image.len()];
            config.apply(&image, (7, 5, 3), &mut out, &mut rng);
            assert!(out.iter().all(|p| (60..160).contains(p)));
            crops.insert(out);
        }
        assert!(crops.len() > 45);
    }

    #[test]
    fn bounds_the_wrong_way_round_are_an_error() {
        let config = AugmentConfig {
            random_crop: Some(RandomCrop {
                scale: (1.0, 0.5),
                ratio: (1.0, 1.0),
            }),
            ..Default::default()
        };
        assert!(
            config
                .check((8, 8, 3))
                .unwrap_err()
                .to_string()
                .contains("random_crop")
        );
    }
}
