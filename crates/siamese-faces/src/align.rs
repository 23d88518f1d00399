//! Cutting a face out, so that eyes and mouth lie where they lie in every other crop.

use serde::{Deserialize, Serialize};

use crate::face::{Face, Point};
use crate::picture::Rgb;

/// Where the five landmarks lie in a crop of 112×112 pixels: the template of ArcFace (Deng et al. 2019) that the
/// field's face models are trained on.
pub const TEMPLATE: [Point; 5] = [
    Point {
        x: 38.2946,
        y: 51.6963,
    },
    Point {
        x: 73.5318,
        y: 51.5014,
    },
    Point {
        x: 56.0252,
        y: 71.7366,
    },
    Point {
        x: 41.5493,
        y: 92.3655,
    },
    Point {
        x: 70.7299,
        y: 92.2041,
    },
];
/// The side of the template.
const TEMPLATE_SIDE: f64 = 112.0;

/// How a face is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alignment {
    /// Side of the square crop, in pixels.
    pub side: usize,
    /// What is seen around the face, on each side, as a part of the face's side.
    pub margin: f64,
    /// Whether the landmarks are brought to the template's places (turned, scaled and moved); otherwise the square
    /// around the face's box is cut out as it lies.
    pub landmarks: bool,
}

impl Default for Alignment {
    /// 112 pixels, no margin, by landmarks.
    fn default() -> Self {
        Self {
            side: 112,
            margin: 0.0,
            landmarks: true,
        }
    }
}

impl Alignment {
    /// The face cut out: (side, side, 3). What lies beyond the picture's edge has the edge's colour.
    pub fn crop(&self, picture: &Rgb, face: &Face) -> Vec<u8> {
        let map = self.map(face);
        let mut pixels = Vec::with_capacity(self.side * self.side * 3);
        for v in 0..self.side {
            for u in 0..self.side {
                pixels.extend(map.mean(picture, (u as f64, v as f64)));
            }
        }
        pixels
    }

    /// From the crop into the picture.
    fn map(&self, face: &Face) -> Similarity {
        let framed = self.side as f64 / (1.0 + 2.0 * self.margin);
        let edge = (self.side as f64 - framed) / 2.0;
        if self.landmarks {
            let scale = framed / TEMPLATE_SIDE;
            // the middle of the first pixel is (0, 0), so sides begin half a pixel before it
            let place = |at: f32| (f64::from(at) + 0.5) * scale + edge - 0.5;
            let template = TEMPLATE.map(|p| (place(p.x), place(p.y)));
            let landmarks = face.landmarks.map(|p| (f64::from(p.x), f64::from(p.y)));
            return Similarity::fitted(&landmarks, &template).inverse();
        }
        let square = face.bounds.squared();
        let scale = (f64::from(square.width()) / framed).max(f64::MIN_POSITIVE);
        let start = |at: f32| f64::from(at) - edge * scale + (scale - 1.0) / 2.0;
        Similarity {
            turn: (scale, 0.0),
            shift: (start(square.left), start(square.top)),
        }
    }
}

/// z ↦ turn · z + shift, in complex numbers: turning, scaling and moving.
#[derive(Clone, Copy, Debug)]
struct Similarity {
    turn: (f64, f64),
    shift: (f64, f64),
}

impl Similarity {
    /// The one with the least squared distance from `from`, mapped, to `to` (Umeyama 1991, without mirroring).
    fn fitted(from: &[(f64, f64); 5], to: &[(f64, f64); 5]) -> Self {
        let mean = |points: &[(f64, f64); 5]| {
            let sum = points
                .iter()
                .fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
            (sum.0 / 5.0, sum.1 / 5.0)
        };
        let (from_mean, to_mean) = (mean(from), mean(to));
        let (mut turn, mut spread) = ((0.0, 0.0), 0.0);
        for (from, to) in from.iter().zip(to) {
            let (x, y) = (from.0 - from_mean.0, from.1 - from_mean.1);
            let (u, v) = (to.0 - to_mean.0, to.1 - to_mean.1);
            turn.0 += x * u + y * v;
            turn.1 += x * v - y * u;
            spread += x * x + y * y;
        }
        let spread = spread.max(f64::MIN_POSITIVE);
        let turn = (turn.0 / spread, turn.1 / spread);
        let mapped = times(turn, from_mean);
        Self {
            turn,
            shift: (to_mean.0 - mapped.0, to_mean.1 - mapped.1),
        }
    }

    fn inverse(&self) -> Self {
        let size = (self.turn.0.powi(2) + self.turn.1.powi(2)).max(f64::MIN_POSITIVE);
        let turn = (self.turn.0 / size, -self.turn.1 / size);
        let shift = times(turn, self.shift);
        Self {
            turn,
            shift: (-shift.0, -shift.1),
        }
    }

    fn apply(&self, z: (f64, f64)) -> (f64, f64) {
        let turned = times(self.turn, z);
        (turned.0 + self.shift.0, turned.1 + self.shift.1)
    }

    /// The mean of the picture under a pixel of the crop: of as many bilinear samples as picture pixels lie under it,
    /// so that nothing aliases where a face shrinks.
    fn mean(&self, picture: &Rgb, (u, v): (f64, f64)) -> [u8; 3] {
        let scale = self.turn.0.hypot(self.turn.1);
        let n = scale.ceil().clamp(1.0, 64.0) as usize;
        let offset = |i: usize| (i as f64 + 0.5) / n as f64 - 0.5;
        let mut sum = [0.0; 3];
        for i in 0..n * n {
            let (x, y) = self.apply((u + offset(i % n), v + offset(i / n)));
            let sample = bilinear(picture, x, y);
            sum = [0, 1, 2].map(|c| sum[c] + sample[c]);
        }
        sum.map(|sum| (sum / (n * n) as f64).round() as u8)
    }
}

fn times(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

/// Between four pixels; beyond the edge the edge.
fn bilinear(picture: &Rgb, x: f64, y: f64) -> [f64; 3] {
    let (right, bottom) = (picture.width() - 1, picture.height() - 1);
    let (x, y) = (x.clamp(0.0, right as f64), y.clamp(0.0, bottom as f64));
    let (left, top) = (x as usize, y as usize);
    let (dx, dy) = (x - left as f64, y - top as f64);
    let at = |y: usize, x: usize| picture.row(y, x, x + 1);
    let (next_x, next_y) = ((left + 1).min(right), (top + 1).min(bottom));
    let corners = [
        at(top, left),
        at(top, next_x),
        at(next_y, left),
        at(next_y, next_x),
    ];
    [0, 1, 2].map(|c| {
        let [a, b, below, beside] = corners.map(|pixel| f64::from(pixel[c]));
        let upper = a + (b - a) * dx;
        upper + (below + (beside - below) * dx - upper) * dy
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Bounds;

    fn face(landmarks: [Point; 5]) -> Face {
        Face {
            bounds: Bounds {
                left: 20.0,
                top: 30.0,
                right: 60.0,
                bottom: 90.0,
            },
            probability: 1.0,
            landmarks,
        }
    }

    /// A picture whose red says the column and whose green the row.
    fn gradient(height: usize, width: usize) -> Vec<u8> {
        let pixel = |i: usize| [(i % width) as u8, (i / width) as u8, 7];
        (0..height * width).flat_map(pixel).collect()
    }

    #[test]
    fn landmarks_in_their_places_leave_the_picture_as_it_is() {
        let pixels = gradient(112, 112);
        let picture = Rgb::new(112, 112, &pixels).unwrap();
        assert_eq!(Alignment::default().crop(&picture, &face(TEMPLATE)), pixels);
    }

    #[test]
    fn a_turned_scaled_and_moved_face_comes_back_upright() {
        let pixels = gradient(200, 240);
        let picture = Rgb::new(200, 240, &pixels).unwrap();
        let there = Similarity {
            turn: times((1.2, 0.0), (0.8, 0.6)),
            shift: (90.0, 3.0),
        };
        let moved = TEMPLATE.map(|p| {
            let (x, y) = there.apply((f64::from(p.x), f64::from(p.y)));
            Point {
                x: x as f32,
                y: y as f32,
            }
        });
        let crop = Alignment::default().crop(&picture, &face(moved));
        for (u, v) in [(10, 20), (60, 50), (100, 90)] {
            let expected = there.apply((u as f64, v as f64));
            let at = (v * 112 + u) * 3;
            let off = (f64::from(crop[at]) - expected.0).abs();
            assert!(off <= 0.6, "{u} {v}: {} {expected:?}", crop[at]);
            let off = (f64::from(crop[at + 1]) - expected.1).abs();
            assert!(off <= 0.6, "{u} {v}: {} {expected:?}", crop[at + 1]);
        }
    }

    #[test]
    fn a_margin_shows_more_around_the_same_middle() {
        let pixels = gradient(150, 150);
        let picture = Rgb::new(150, 150, &pixels).unwrap();
        let by_box = |margin| Alignment {
            side: 60,
            margin,
            landmarks: false,
        };
        // the box is 40×60: its square spans columns 10 to 70 and rows 30 to 90
        let tight = by_box(0.0).crop(&picture, &face(TEMPLATE));
        assert_eq!(tight[..2], [10, 30]);
        let wide = by_box(0.25).crop(&picture, &face(TEMPLATE));
        // 60 pixels for 90: from column −5 on, which the edge's colour fills
        assert_eq!(wide[..2], [0, 15]);
        let middle = |crop: &[u8]| [crop[(30 * 60 + 30) * 3], crop[(30 * 60 + 30) * 3 + 1]];
        let (a, b) = (middle(&tight), middle(&wide));
        assert!(
            a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 1),
            "{a:?} {b:?}"
        );
    }

    #[test]
    fn landmarks_that_fall_together_are_no_panic() {
        let pixels = gradient(9, 11);
        let picture = Rgb::new(9, 11, &pixels).unwrap();
        let crop = Alignment::default().crop(&picture, &face([Point { x: 3.0, y: 4.0 }; 5]));
        assert_eq!(crop.len(), 112 * 112 * 3);
    }
}
