//! A random part of an image, and that part resized to the whole.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::ImageShape;

/// Parts that are drawn before the middle is taken, as in torchvision.
const ATTEMPTS: usize = 10;

/// Which parts of an image a random crop takes; torchvision's are `scale = [0.08, 1.0]`, `ratio = [0.75, 1.3333]`.
///
/// A share of the area is drawn evenly, a ratio evenly in the logarithm, and of the places that such a part can have
/// each is equally probable. Where ten draws give no part that fits, the largest part in the middle is taken whose ratio
/// is allowed. The part is resized with a triangle filter, widened where it shrinks so that nothing aliases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// The part's share of the area, from and to.
    pub scale: (f32, f32),
    /// Its width over its height, from and to.
    pub ratio: (f32, f32),
}

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl RandomCrop {
    pub(super) fn is_sound(&self) -> bool {
        are_bounds(self.scale, self.ratio)
    }

    /// Draws a part of the image, and resizes it to the (height, width) of `out`.
    pub(super) fn apply(
        &self,
        image: &[u8],
        shape: ImageShape,
        (out, size): (&mut [u8], (usize, usize)),
        rng: &mut impl Rng,
    ) {
        let part = self.draw((shape.0, shape.1), rng);
        resample(image, shape, part, (out, size));
    }

    /// The part of an image of this (height, width).
    fn draw(&self, size: (usize, usize), rng: &mut impl Rng) -> Part {
        random_part((self.scale, self.ratio), size, rng).unwrap_or_else(|| self.middle(size))
    }

    /// The largest part in the middle whose ratio is allowed.
    fn middle(&self, (height, width): (usize, usize)) -> Part {
        let own = width as f32 / height as f32;
        let ratio = own.clamp(self.ratio.0, self.ratio.1);
        let side = |length: f32, most: usize| (length.round() as usize).clamp(1, most);
        let part = match own < ratio {
            true => (side(width as f32 / ratio, height), width),
            false => (height, side(height as f32 * ratio, width)),
        };
        Part {
            top: (height - part.0) / 2,
            left: (width - part.1) / 2,
            height: part.0,
            width: part.1,
        }
    }
}

/// A part whose share of the area and whose ratio lie within these bounds, anywhere; none if ten draws fit nowhere.
pub(super) fn random_part(
    (scale, ratio): ((f32, f32), (f32, f32)),
    (height, width): (usize, usize),
    rng: &mut impl Rng,
) -> Option<Part> {
    let even = |(low, high): (f32, f32), share: f32| low + (high - low) * share;
    for _ in 0..ATTEMPTS {
        let area = (height * width) as f32 * even(scale, rng.random());
        let ratio = even((ratio.0.ln(), ratio.1.ln()), rng.random()).exp();
        let part = (
            (area / ratio).sqrt().round() as usize,
            (area * ratio).sqrt().round() as usize,
        );
        if (1..=height).contains(&part.0) && (1..=width).contains(&part.1) {
            return Some(Part {
                top: rng.random_range(0..=height - part.0),
                left: rng.random_range(0..=width - part.1),
                height: part.0,
                width: part.1,
            });
        }
    }
    None
}

/// Whether these bounds of a part's share and ratio are bounds.
pub(super) fn are_bounds(scale: (f32, f32), ratio: (f32, f32)) -> bool {
    scale.0 > 0.0
        && scale.0 <= scale.1
        && scale.1 <= 1.0
        && ratio.0 > 0.0
        && ratio.0 <= ratio.1
        && ratio.1.is_finite()
}

/// Fills `out`, of (height, width), with a part of `image`.
pub(super) fn resample(
    image: &[u8],
    (_, whole, channels): ImageShape,
    part: Part,
    (out, (height, width)): (&mut [u8], (usize, usize)),
) {
    let kind = match channels {
        1 => PixelType::U8,
        2 => PixelType::U8x2,
        3 => PixelType::U8x3,
        _ => PixelType::U8x4,
    };
    // cut out first, so that nothing outside the part shines in at its edges
    let row = |y: usize| &image[(y * whole + part.left) * channels..][..part.width * channels];
    let cut: Vec<u8> = (part.top..part.top + part.height)
        .flat_map(row)
        .copied()
        .collect();
    let source = ImageRef::new(part.width as u32, part.height as u32, &cut, kind)
        .expect("as long as its shape says");
    let mut target = Image::from_slice_u8(width as u32, height as u32, out, kind)
        .expect("as long as its shape says");
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("both are of one kind");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    #[test]
    fn the_whole_image_is_the_image() {
        let image: Vec<u8> = (0..30).map(|i| i * 8).collect();
        let mut out = vec![0; 30];
        let whole = Part {
            top: 0,
            left: 0,
            height: 2,
            width: 5,
        };
        resample(&image, (2, 5, 3), whole, (&mut out, (2, 5)));
        assert_eq!(out, image);
    }

    #[test]
    fn a_part_is_enlarged_between_its_own_pixels_as_torchvision_does() {
        // torchvision.transforms.functional.resized_crop(PIL image of [[0, 40, 80, 120]], 0, 1, 1, 2, [1, 4])
        let mut out = vec![0; 4];
        let middle = Part {
            top: 0,
            left: 1,
            height: 1,
            width: 2,
        };
        resample(&[0, 40, 80, 120], (1, 4, 1), middle, (&mut out, (1, 4)));
        assert_eq!(out, [40, 50, 70, 80]);
    }

    #[test]
    fn parts_have_the_shares_and_ratios_that_are_asked_for_and_lie_everywhere() {
        let crop = RandomCrop {
            scale: (0.2, 0.6),
            ratio: (0.5, 2.0),
        };
        let (mut rng, mut corners, mut mean) = (stream(1, "crops", &[]), [0; 2], 0.0);
        for _ in 0..2000 {
            let part = crop.draw((120, 200), &mut rng);
            let share = (part.height * part.width) as f32 / (120.0 * 200.0);
            let ratio = part.width as f32 / part.height as f32;
            assert!(
                (0.19..0.61).contains(&share) && (0.49..2.05).contains(&ratio),
                "{part:?}"
            );
            assert!(
                part.top + part.height <= 120 && part.left + part.width <= 200,
                "{part:?}"
            );
            corners[0] += usize::from(part.top == 0);
            corners[1] += usize::from(part.top + part.height == 120);
            mean += share / 2000.0;
        }
        assert!(corners.iter().all(|&count| count > 0), "{corners:?}");
        assert!((mean - 0.39).abs() < 0.02, "{mean}");
    }

    #[test]
    fn where_no_part_fits_the_middle_is_taken() {
        let crop = RandomCrop {
            scale: (1.0, 1.0),
            ratio: (0.5, 0.5),
        };
        let part = crop.draw((20, 100), &mut stream(1, "crops", &[]));
        assert_eq!(
            part,
            Part {
                top: 0,
                left: 45,
                height: 20,
                width: 10
            }
        );
        let tall = RandomCrop {
            scale: (1.0, 1.0),
            ratio: (4.0, 4.0),
        };
        let part = tall.draw((100, 20), &mut stream(1, "crops", &[]));
        assert_eq!(
            part,
            Part {
                top: 47,
                left: 0,
                height: 5,
                width: 20
            }
        );
    }

    #[test]
    fn bounds_the_wrong_way_round_are_no_crop() {
        let crop = RandomCrop {
            scale: (1.0, 0.5),
            ratio: (1.0, 1.0),
        };
        assert!(!crop.is_sound());
    }
}
