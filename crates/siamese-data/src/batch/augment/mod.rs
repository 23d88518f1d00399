//! Random changes to raw images: flip, padded crop, colour jitter, cutout.

mod colour;
mod random_crop;

use rand::Rng;
use serde::{Deserialize, Serialize};

use colour::colour;
pub use random_crop::RandomCrop;

/// Height, width and channels of an image whose bytes are in that order, channels innermost.
pub type ImageShape = (usize, usize, usize);

/// What cutout fills its square with: mid-grey, near the mean of natural images.
const CUTOUT_FILL: u8 = 128;

/// Which random changes an image undergoes, in the order of the fields; by default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Cut out a random part and resize it to the whole, as torchvision's `RandomResizedCrop` does.
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
    /// Images of so many channels are not resized.
    #[error("random_crop is for images of 1 to 4 channels, these have {0}")]
    Channels(usize),
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
    pub fn check(&self, (height, width, channels): ImageShape) -> Result<(), AugmentError> {
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(AugmentError::Jitter(self.jitter));
        }
        if let Some(crop) = self.random_crop.filter(|crop| !crop.is_sound()) {
            return Err(AugmentError::RandomCrop(crop));
        }
        if self.random_crop.is_some() && !(1..=4).contains(&channels) {
            return Err(AugmentError::Channels(channels));
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
