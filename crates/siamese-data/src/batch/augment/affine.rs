//! A random affine map: turned, sheared, scaled and shifted in one resampling.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::ImageShape;

/// How far a random affine map goes; by default nowhere.
///
/// As torchvision's `RandomAffine`, about the middle of the image and bilinear: scaled first, then sheared, turned and
/// shifted. Koch's one-shot network (<https://www.cs.cmu.edu/~rsalakhu/papers/oneshot1.pdf>) has `rotation = 10.0`,
/// `shear = 0.3`, `scale = [0.8, 1.2]`, `each_axis = true`, `shift = 2`, `probability = 0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomAffine {
    /// Turned by up to this many degrees either way.
    pub rotation: f32,
    /// Sheared along x, and along y, each by up to this many pixels for each pixel of the other axis: the tangent of
    /// torchvision's angle.
    pub shear: f32,
    /// Scaled by a factor from the first to the second.
    pub scale: (f32, f32),
    /// Whether the two axes are scaled by factors of their own, as Koch's; torchvision has one for both.
    pub each_axis: bool,
    /// Shifted along x, and along y, by up to this many whole pixels either way.
    pub shift: usize,
    /// The probability of each part by itself: the rotation, either shear, the scale (of either axis), either shift.
    pub probability: f32,
    /// What lies outside of the image, one value for all channels; without it the nearest pixel of the edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
}

impl Default for RandomAffine {
    fn default() -> Self {
        Self {
            rotation: 0.0,
            shear: 0.0,
            scale: (1.0, 1.0),
            each_axis: false,
            shift: 0,
            probability: 1.0,
            fill: None,
        }
    }
}

/// One affine map: what was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Affine {
    /// In degrees, clockwise.
    rotation: f32,
    /// Along x and y.
    shear: (f32, f32),
    /// Along x and y.
    scale: (f32, f32),
    /// Along x and y, in pixels.
    shift: (f32, f32),
}

impl RandomAffine {
    pub(super) fn is_sound(&self) -> bool {
        let (low, high) = self.scale;
        (0.0..=180.0).contains(&self.rotation)
            && (0.0..=1.0).contains(&self.shear)
            && low > 0.0
            && low <= high
            && high.is_finite()
            && (0.0..=1.0).contains(&self.probability)
            && self.shift <= 1 << 20
    }

    /// Draws a map, and fills `out` with what it makes of `image`.
    pub(super) fn apply(
        &self,
        image: &[u8],
        shape: ImageShape,
        out: &mut [u8],
        rng: &mut impl Rng,
    ) {
        let affine = self.draw(rng);
        match shape.2 {
            1 => affine.resample::<1>(image, (shape.0, shape.1), self.fill, out),
            2 => affine.resample::<2>(image, (shape.0, shape.1), self.fill, out),
            3 => affine.resample::<3>(image, (shape.0, shape.1), self.fill, out),
            _ => affine.resample::<4>(image, (shape.0, shape.1), self.fill, out),
        }
    }

    /// Every part is drawn, used or not: how far one goes does not move the others' numbers.
    fn draw(&self, rng: &mut impl Rng) -> Affine {
        let mut part = |low: f32, high: f32, none: f32| {
            let (used, share) = (rng.random::<f32>() < self.probability, rng.random::<f32>());
            if used {
                low + (high - low) * share
            } else {
                none
            }
        };
        let mut evenly = |most: f32| part(-most, most, 0.0);
        let rotation = evenly(self.rotation);
        let shear = (evenly(self.shear), evenly(self.shear));
        // whole pixels, each equally probable
        let most = self.shift as f32 + 0.5;
        let mut shift = || evenly(most).round().clamp(0.5 - most, most - 0.5);
        let shift = (shift(), shift());
        let x = part(self.scale.0, self.scale.1, 1.0);
        let y = part(self.scale.0, self.scale.1, 1.0);
        Affine {
            rotation,
            shear,
            scale: (x, if self.each_axis { y } else { x }),
            shift,
        }
    }
}

impl Affine {
    /// The inverse of rotation · shear along y · shear along x · scale, row by row.
    fn inverse(&self) -> [f32; 4] {
        let (sin, cos) = self.rotation.to_radians().sin_cos();
        let (along_x, along_y) = self.shear;
        // rotation · [1 0; −y 1], then that · [1 −x; 0 1]
        let (a, b) = (cos + sin * along_y, -sin);
        let (c, d) = (sin - cos * along_y, cos);
        let (b, d) = (b - a * along_x, d - c * along_x);
        let (a, b, c, d) = (
            a * self.scale.0,
            b * self.scale.1,
            c * self.scale.0,
            d * self.scale.1,
        );
        // shears and rotations keep the area: the determinant is the product of the scales
        let area = self.scale.0 * self.scale.1;
        [d / area, -b / area, -c / area, a / area]
    }

    /// `out[p] = image[middle + inverse · (p − middle − shift)]` between the four pixels around that place.
    fn resample<const C: usize>(
        &self,
        image: &[u8],
        (height, width): (usize, usize),
        fill: Option<u8>,
        out: &mut [u8],
    ) {
        let [a, b, c, d] = self.inverse();
        let middle = ((width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0);
        let (pixels, _) = image.as_chunks::<C>();
        let (outs, _) = out.as_chunks_mut::<C>();
        let source = Source {
            pixels,
            height: height as isize,
            width: width as isize,
            fill,
        };
        for (y, row) in outs.chunks_exact_mut(width).enumerate() {
            let y = y as f32 - middle.1 - self.shift.1;
            for (x, out) in row.iter_mut().enumerate() {
                let x = x as f32 - middle.0 - self.shift.0;
                *out = source.at(middle.0 + a * x + b * y, middle.1 + c * x + d * y);
            }
        }
    }
}

/// An image that has a value everywhere.
struct Source<'a, const C: usize> {
    pixels: &'a [[u8; C]],
    height: isize,
    width: isize,
    fill: Option<u8>,
}

impl<const C: usize> Source<'_, C> {
    /// The value between four pixels.
    fn at(&self, x: f32, y: f32) -> [u8; C] {
        let (left, top) = (x.floor(), y.floor());
        let (right_share, bottom_share) = (x - left, y - top);
        let (left, top) = (left as isize, top as isize);
        let inside = left >= 0 && top >= 0 && left + 1 < self.width && top + 1 < self.height;
        let corners = if inside {
            let first = (top * self.width + left) as usize;
            let below = first + self.width as usize;
            [
                self.pixels[first],
                self.pixels[first + 1],
                self.pixels[below],
                self.pixels[below + 1],
            ]
        } else {
            [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(down, right)| {
                self.pixel(top.saturating_add(down), left.saturating_add(right))
            })
        };
        let weights = [
            (1.0 - bottom_share) * (1.0 - right_share),
            (1.0 - bottom_share) * right_share,
            bottom_share * (1.0 - right_share),
            bottom_share * right_share,
        ];
        std::array::from_fn(|channel| {
            let value = |i: usize| weights[i] * f32::from(corners[i][channel]);
            (value(0) + value(1) + value(2) + value(3) + 0.5) as u8
        })
    }

    /// The pixel of a row and a column that may lie outside.
    fn pixel(&self, row: isize, column: isize) -> [u8; C] {
        let within = (0..self.height).contains(&row) && (0..self.width).contains(&column);
        match self.fill {
            Some(fill) if !within => [fill; C],
            _ => {
                let row = row.clamp(0, self.height - 1);
                let column = column.clamp(0, self.width - 1);
                self.pixels[(row * self.width + column) as usize]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    const KOCH: RandomAffine = RandomAffine {
        rotation: 10.0,
        shear: 0.3,
        scale: (0.8, 1.2),
        each_axis: true,
        shift: 2,
        probability: 0.5,
        fill: None,
    };

    const NOTHING: Affine = Affine {
        rotation: 0.0,
        shear: (0.0, 0.0),
        scale: (1.0, 1.0),
        shift: (0.0, 0.0),
    };

    /// 4 rows of 6.
    fn numbered() -> Vec<u8> {
        (0..24).map(|i| (i * 37 % 256) as u8).collect()
    }

    fn mapped(affine: Affine, fill: Option<u8>) -> Vec<u8> {
        let mut out = vec![0; 24];
        affine.resample::<1>(&numbered(), (4, 6), fill, &mut out);
        out
    }

    #[test]
    fn no_change_is_the_image_and_a_shift_moves_it_right_and_down() {
        assert_eq!(mapped(NOTHING, None), numbered());
        let shift = Affine {
            shift: (2.0, 1.0),
            ..NOTHING
        };
        let out = mapped(shift, Some(9));
        assert_eq!(out[..8], [9; 8]);
        assert_eq!(out[8..12], numbered()[..4]);
        // without a fill the edge goes on
        assert_eq!(mapped(shift, None)[..3], [numbered()[0]; 3]);
    }

    #[test]
    fn the_map_is_torchvisions() {
        // F.affine(torch.tensor([[[i * 37 % 256 for i in range(6 * r, 6 * r + 6)] for r in range(4)]], dtype=torch.float32),
        //   angle=25, translate=[1, -1], scale=0.8, shear=[degrees(atan(0.3)), degrees(atan(0.2))], BILINEAR), rounded
        let affine = Affine {
            rotation: 25.0,
            shear: (0.3, 0.2),
            scale: (0.8, 0.8),
            shift: (1.0, -1.0),
        };
        let out = mapped(affine, Some(0));
        let golden: [u8; 24] = [
            0, 89, 146, 25, 70, 119, 38, 171, 178, 52, 62, 110, 0, 0, 31, 10, 47, 51, 0, 0, 0, 0,
            0, 0,
        ];
        for (at, (got, wanted)) in out.iter().zip(golden).enumerate() {
            assert!(
                got.abs_diff(wanted) <= 1,
                "value {at}: {got}, torchvision has {wanted}"
            );
        }
    }

    #[test]
    fn every_part_is_drawn_by_itself_and_within_its_bounds() {
        /// A part of a map, what it is where none is drawn, and its bounds.
        type Bounded = (fn(&Affine) -> f32, f32, f32, f32);

        let mut rng = stream(1, "affine", &[]);
        let draws: Vec<Affine> = (0..4000).map(|_| KOCH.draw(&mut rng)).collect();
        let parts: [Bounded; 7] = [
            (|a| a.rotation, 0.0, -10.0, 10.0),
            (|a| a.shear.0, 0.0, -0.3, 0.3),
            (|a| a.shear.1, 0.0, -0.3, 0.3),
            (|a| a.scale.0, 1.0, 0.8, 1.2),
            (|a| a.scale.1, 1.0, 0.8, 1.2),
            (|a| a.shift.0, 0.0, -2.0, 2.0),
            (|a| a.shift.1, 0.0, -2.0, 2.0),
        ];
        for (i, (part, none, low, high)) in parts.into_iter().enumerate() {
            let values: Vec<f32> = draws.iter().map(part).collect();
            assert!(values.iter().all(|v| (low..=high).contains(v)), "part {i}");
            let (least, most) = (low + 0.05 * (high - low), high - 0.05 * (high - low));
            assert!(values.iter().any(|&v| v <= least) && values.iter().any(|&v| v >= most));
            // a shift that was drawn may be none: 1 of 5
            let unused = values.iter().filter(|&&v| v == none).count();
            let expected = if i < 5 { 2000 } else { 2400 };
            assert!(
                unused.abs_diff(expected) < 160,
                "part {i}: {unused} of 4000"
            );
        }
        let both = draws
            .iter()
            .filter(|a| a.rotation != 0.0 && a.shear.0 != 0.0);
        assert!(
            both.count().abs_diff(1000) < 130,
            "parts are drawn together"
        );
        assert!(draws.iter().any(|a| a.scale.0 != a.scale.1));
        let as_torchvision = RandomAffine {
            each_axis: false,
            ..KOCH
        };
        let draw = |_| as_torchvision.draw(&mut rng);
        assert!((0..100).map(draw).all(|a| a.scale.0 == a.scale.1));
    }

    #[test]
    fn channels_are_mapped_alike_and_one_value_stays_that_value() {
        let image: Vec<u8> = numbered().iter().flat_map(|&v| [v, 255 - v, 7]).collect();
        let mut out = vec![0; 72];
        KOCH.apply(&image, (4, 6, 3), &mut out, &mut stream(3, "affine", &[]));
        for [one, other, same] in out.as_chunks::<3>().0 {
            assert!((i32::from(*one) + i32::from(*other) - 255).abs() <= 1 && *same == 7);
        }
        // images of one pixel, of one row
        for shape in [(1, 1, 3), (1, 5, 1), (5, 1, 2), (1, 1, 4)] {
            let image = vec![77; shape.0 * shape.1 * shape.2];
            let mut out = vec![0; image.len()];
            KOCH.apply(&image, shape, &mut out, &mut stream(4, "affine", &[]));
            assert_eq!(out, image);
        }
    }
}
