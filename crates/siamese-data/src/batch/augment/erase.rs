//! Parts of an image painted over: cutout's square, random erasing's rectangle.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::ImageShape;
use super::random_crop::{Part, are_bounds, random_part};

/// Mid-grey, near the mean of natural images.
const FILL: u8 = 128;

/// Which part is painted over in mid-grey, and how often; by default as torchvision's `RandomErasing`.
///
/// A share of the area is drawn evenly, a ratio evenly in the logarithm; where ten draws give no rectangle that fits,
/// nothing is erased (Zhong et al. 2020, <https://arxiv.org/abs/1708.04896>).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomErase {
    /// How probable it is that an image loses a part.
    pub probability: f32,
    /// The part's share of the area, from and to.
    pub scale: (f32, f32),
    /// Its width over its height, from and to.
    pub ratio: (f32, f32),
}

impl Default for RandomErase {
    fn default() -> Self {
        Self {
            probability: 0.5,
            scale: (0.02, 0.33),
            ratio: (0.3, 3.3),
        }
    }
}

impl RandomErase {
    pub(super) fn is_sound(&self) -> bool {
        (0.0..=1.0).contains(&self.probability) && are_bounds(self.scale, self.ratio)
    }

    pub(super) fn apply(&self, image: &mut [u8], shape: ImageShape, rng: &mut impl Rng) {
        if rng.random::<f32>() >= self.probability {
            return;
        }
        if let Some(part) = random_part((self.scale, self.ratio), (shape.0, shape.1), rng) {
            paint(image, shape, part);
        }
    }
}

/// Paints the square of this side around `centre`; an even side reaches one further up and left.
pub(super) fn cut_out(image: &mut [u8], shape: ImageShape, centre: (usize, usize), side: usize) {
    let span = |at: usize, len: usize| {
        let start = at.saturating_sub(side / 2);
        let end = at.saturating_add(side - side / 2).min(len);
        (start, end - start)
    };
    let (top, height) = span(centre.0, shape.0);
    let (left, width) = span(centre.1, shape.1);
    let part = Part {
        top,
        left,
        height,
        width,
    };
    paint(image, shape, part);
}

fn paint(image: &mut [u8], (_, width, channels): ImageShape, part: Part) {
    let rows = image.chunks_exact_mut(width * channels);
    for row in rows.skip(part.top).take(part.height) {
        row[part.left * channels..][..part.width * channels].fill(FILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    #[test]
    fn a_rectangle_of_the_share_that_is_asked_for_is_erased_as_often_as_asked_for() {
        let erase = RandomErase {
            probability: 0.25,
            scale: (0.1, 0.3),
            ratio: (0.5, 2.0),
        };
        let (shape, mut rng, mut erased) = ((20, 30, 3), stream(1, "erase", &[]), 0);
        for _ in 0..2000 {
            let mut image = vec![7; 20 * 30 * 3];
            erase.apply(&mut image, shape, &mut rng);
            let (pixels, _) = image.as_chunks::<3>();
            let gone: Vec<usize> = (0..600).filter(|&i| pixels[i] == [FILL; 3]).collect();
            assert!((0..600).all(|i| gone.contains(&i) || pixels[i] == [7; 3]));
            let (Some(first), Some(last)) = (gone.first(), gone.last()) else {
                continue;
            };
            erased += 1;
            let (height, width) = (last / 30 - first / 30 + 1, last % 30 - first % 30 + 1);
            assert_eq!(gone.len(), height * width, "no rectangle");
            let share = gone.len() as f32 / 600.0;
            assert!((0.08..0.33).contains(&share), "{share}");
        }
        assert!((430..570).contains(&erased), "{erased} of 2000 are erased");
    }
}
