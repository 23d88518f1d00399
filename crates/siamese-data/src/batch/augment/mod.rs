//! Random changes to raw images: crop, flip, affine map, colour jitter, erasing.

mod affine;
mod colour;
mod erase;
mod random_crop;

use rand::Rng;
use serde::{Deserialize, Serialize};

pub use affine::RandomAffine;
use colour::{colour, turn_hue};
pub use erase::RandomErase;
use erase::cut_out;
pub use random_crop::RandomCrop;
use random_crop::{Part, resample};

/// Height, width and channels of an image whose bytes are in that order, channels innermost.
pub type ImageShape = (usize, usize, usize);

/// Which random changes an image undergoes, in the order of the fields; by default none.
///
/// ```toml
/// [augment]
/// cached_size = [256, 256]  # pictures are kept at 256×256; a place of the tower's size is cut out of each
/// flip = true
/// affine = { rotation = 10.0, shear = 0.3, scale = [0.8, 1.2], each_axis = true, shift = 2, probability = 0.5 }
/// jitter = 0.4
/// erase = { probability = 0.5 }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Height and width at which training pictures are kept, where that is not the tower's size: a random part of them
    /// (see `random_crop`), or else a random place of the tower's size, is trained on. What is validated and judged has
    /// the tower's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_size: Option<(usize, usize)>,
    /// Cut out a random part and resize it to the whole, as torchvision's `RandomResizedCrop` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_crop: Option<RandomCrop>,
    /// Mirror left and right, at even odds.
    pub flip: bool,
    /// Shift by up to this many pixels each way, every shift equally probable: a crop of the
    /// original size from the image padded by its own reflection (the edge pixel not repeated).
    pub crop_padding: usize,
    /// Turn, shear, scale and shift in one resampling, as torchvision's `RandomAffine` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affine: Option<RandomAffine>,
    /// Change brightness, contrast and saturation, each by a factor drawn evenly from
    /// `1 − jitter` to `1 + jitter`; 0 to 1. Saturation needs three channels, read as RGB.
    ///
    /// Each is torchvision's blend (`f·x`; `f·x + (1−f)·mean grey`; `f·x + (1−f)·grey of the
    /// pixel`), in this order and rounded once at the end.
    pub jitter: f32,
    /// Turn the hue by up to this share of the circle either way, as torchvision's `adjust_hue`; 0 to 0.5. It needs three
    /// channels, read as RGB.
    #[serde(skip_serializing_if = "is_zero")]
    pub hue: f32,
    /// Paint over a square of this side in mid-grey, its centre anywhere in the image; what hangs
    /// over the border is cut off (DeVries & Taylor 2017, <https://arxiv.org/abs/1708.04552>).
    pub cutout: usize,
    /// Paint over a random rectangle in mid-grey, as torchvision's `RandomErasing` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erase: Option<RandomErase>,
}

/// Whether a setting that came later is unused: configurations without it stay as they were written.
fn is_zero(value: &f32) -> bool {
    *value == 0.0
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
    /// Images of so many channels are not resampled.
    #[error(
        "random_crop, affine and smaller sizes are for images of 1 to 4 channels, these have {0}"
    )]
    Channels(usize),
    /// The affine map's bounds are none.
    #[error(
        "affine is {0:?}, expected a rotation of 0 to 180 degrees, a shear and a probability of 0 to 1, and a scale above 0 \
         from the smaller to the larger"
    )]
    Affine(RandomAffine),
    /// The hue is no share of half a circle.
    #[error("hue is {0}, expected 0 to 0.5")]
    Hue(f32),
    /// Grey has no hue.
    #[error("hue is for images of 3 channels, these have {0}")]
    HueOfGrey(usize),
    /// The erased part's bounds are none.
    #[error(
        "erase is {0:?}, expected a probability of 0 to 1, a scale from above 0 to at most 1 and a positive ratio, each from \
         the smaller to the larger"
    )]
    Erase(RandomErase),
    /// There is no place of that size in the images.
    #[error(
        "cached_size is {}x{}, smaller than the {}x{} to cut out of it: make it larger, or say random_crop",
        .from.0, .from.1, .to.0, .to.1
    )]
    Small {
        /// Height and width of the images.
        from: (usize, usize),
        /// Height and width that are wanted of them.
        to: (usize, usize),
    },
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
    /// Whether images of the size that is wanted pass unchanged.
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that the settings suit images of this shape, when they keep their size.
    ///
    /// # Errors
    ///
    /// See [`AugmentError`].
    pub fn check(&self, shape: ImageShape) -> Result<(), AugmentError> {
        self.check_to(shape, (shape.0, shape.1))
    }

    /// Checks that the settings make images of (height, width) `to` of images of this shape.
    ///
    /// # Errors
    ///
    /// See [`AugmentError`].
    pub fn check_to(&self, shape: ImageShape, to: (usize, usize)) -> Result<(), AugmentError> {
        let (height, width, channels) = shape;
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(AugmentError::Jitter(self.jitter));
        }
        if !(0.0..=0.5).contains(&self.hue) {
            return Err(AugmentError::Hue(self.hue));
        }
        if self.hue > 0.0 && channels != 3 {
            return Err(AugmentError::HueOfGrey(channels));
        }
        if let Some(crop) = self.random_crop.filter(|crop| !crop.is_sound()) {
            return Err(AugmentError::RandomCrop(crop));
        }
        if let Some(affine) = self.affine.filter(|affine| !affine.is_sound()) {
            return Err(AugmentError::Affine(affine));
        }
        if let Some(erase) = self.erase.filter(|erase| !erase.is_sound()) {
            return Err(AugmentError::Erase(erase));
        }
        let resampled = self.random_crop.is_some() || self.affine.is_some();
        if resampled {
            check_resized(channels)?;
        }
        let from = (height, width);
        if self.random_crop.is_none() && (height < to.0 || width < to.1) {
            return Err(AugmentError::Small { from, to });
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
        self.apply_to(image, shape, (out, (shape.0, shape.1)), rng);
    }

    /// Writes a randomly changed image of (height, width) `size` to `out`, made of an `image` that may be larger.
    ///
    /// # Panics
    ///
    /// If `image` or `out` has not the length that its shape says, or if [`AugmentConfig::check_to`] would have refused
    /// these.
    pub fn apply_to(
        &self,
        image: &[u8],
        shape: ImageShape,
        (out, size): (&mut [u8], (usize, usize)),
        rng: &mut impl Rng,
    ) {
        let (height, width, channels) = shape;
        let new_shape = (size.0, size.1, channels);
        assert_eq!(image.len(), height * width * channels, "image of {shape:?}");
        assert_eq!(out.len(), size.0 * size.1 * channels, "output of {size:?}");
        if let Err(error) = self.check_to(shape, size) {
            panic!("{error}");
        }
        if out.is_empty() {
            return;
        }
        let flip = self.flip && rng.random();
        let padding = self.crop_padding;
        // the place of the new image's corner in the old one; without a choice nothing is drawn
        let mut corner = |room: usize| match room + 2 * padding {
            0 => 0,
            places => rng.random_range(0..=places) as isize - padding as isize,
        };
        let place = (
            corner(height - size.0.min(height)),
            corner(width - size.1.min(width)),
        );
        match &self.random_crop {
            // the shift is of the crop's own place
            Some(part) => part.apply(image, shape, (out, size), rng),
            None => crop(image, shape, place, (out, size)),
        }
        if flip {
            mirror(out, new_shape);
        }
        if let Some(affine) = &self.affine {
            let before = out.to_vec();
            affine.apply(&before, new_shape, out, rng);
        }
        if self.jitter > 0.0 {
            let mut factor = || 1.0 + self.jitter * (2.0 * rng.random::<f32>() - 1.0);
            let (brightness, contrast, saturation) = (factor(), factor(), factor());
            colour(out, channels, brightness, contrast, saturation);
        }
        if self.hue > 0.0 {
            turn_hue(out, self.hue * (2.0 * rng.random::<f32>() - 1.0));
        }
        if self.cutout > 0 {
            let centre = (rng.random_range(0..size.0), rng.random_range(0..size.1));
            cut_out(out, new_shape, centre, self.cutout);
        }
        if let Some(erase) = &self.erase {
            erase.apply(out, new_shape, rng);
        }
    }
}

/// Checks that images of so many channels can be resized.
pub(super) fn check_resized(channels: usize) -> Result<(), AugmentError> {
    match channels {
        1..=4 => Ok(()),
        _ => Err(AugmentError::Channels(channels)),
    }
}

/// Writes the whole `image` to `out` of another (height, width), with a triangle filter that is widened where it shrinks.
pub(super) fn resize(image: &[u8], shape: ImageShape, (out, size): (&mut [u8], (usize, usize))) {
    let whole = Part {
        top: 0,
        left: 0,
        height: shape.0,
        width: shape.1,
    };
    resample(image, shape, whole, (out, size));
}

/// `out[y, x] = image[y + down, x + right]`, reflected at the borders; `out` is of (height, width).
fn crop(
    image: &[u8],
    (height, width, channels): ImageShape,
    (down, right): (isize, isize),
    (out, size): (&mut [u8], (usize, usize)),
) {
    if (down, right) == (0, 0) && size == (height, width) {
        return out.copy_from_slice(image);
    }
    // The columns of `out` that lie within the image, and where the first of them is in it.
    let start = usize::try_from(-right).unwrap_or(0);
    let source = usize::try_from(right).unwrap_or(0);
    let inside = (size.1 - start).min(width - source);
    for (y, out_row) in out.chunks_exact_mut(size.1 * channels).enumerate() {
        let row =
            &image[reflect(y as isize + down, height) * width * channels..][..width * channels];
        out_row[start * channels..(start + inside) * channels]
            .copy_from_slice(&row[source * channels..(source + inside) * channels]);
        for x in (0..start).chain(start + inside..size.1) {
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
