//! Boxes: where a face may be, and which of many that overlap is kept.

use serde::Serialize;

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

/// What is shared, as a part of what: the two conventions of MTCNN.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Overlap {
    /// Of what the two cover together; edges are lines.
    Union,
    /// Of the smaller of the two; edges are pixels, which have a width.
    Smaller,
}

impl Bounds {
    /// Columns.
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Rows.
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// Square pixels; none where it is turned inside out.
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// With the four edges moved by these parts of the box's size, as the nets say them.
    pub(crate) fn moved(&self, by: [f32; 4], (width, height): (f32, f32)) -> Self {
        Self {
            left: self.left + by[0] * width,
            top: self.top + by[1] * height,
            right: self.right + by[2] * width,
            bottom: self.bottom + by[3] * height,
        }
    }

    /// The square around the same middle, as wide as the longer side.
    pub(crate) fn squared(&self) -> Self {
        let (width, height) = (self.width(), self.height());
        let side = width.max(height);
        let left = self.left + width * 0.5 - side * 0.5;
        let top = self.top + height * 0.5 - side * 0.5;
        Self {
            left,
            top,
            right: left + side,
            bottom: top + side,
        }
    }

    /// Shared with `other`, as a part of what `overlap` says.
    fn shared(&self, other: &Self, overlap: Overlap) -> f32 {
        let edge = if overlap == Overlap::Smaller {
            1.0
        } else {
            0.0
        };
        let area = |b: &Self| (b.width() + edge) * (b.height() + edge);
        let width = self.right.min(other.right) - self.left.max(other.left) + edge;
        let height = self.bottom.min(other.bottom) - self.top.max(other.top) + edge;
        let shared = width.max(0.0) * height.max(0.0);
        let (a, b) = (area(self), area(other));
        match overlap {
            Overlap::Union => shared / (a + b - shared),
            Overlap::Smaller => shared / a.min(b),
        }
    }
}

/// Non-maximum suppression: the places of those that are kept, the best first. A box goes when it shares more than
/// `most` with a better one that is kept; of equal scores the earlier is better.
pub(crate) fn keep_best(
    boxes: &[Bounds],
    scores: &[f32],
    most: f32,
    overlap: Overlap,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut kept: Vec<usize> = Vec::new();
    for place in order {
        let apart = |&other: &usize| boxes[place].shared(&boxes[other], overlap) <= most;
        // NaN (two boxes without an area) compares false and goes
        if kept.iter().all(apart) {
            kept.push(place);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(left: f32, top: f32, right: f32, bottom: f32) -> Bounds {
        Bounds {
            left,
            top,
            right,
            bottom,
        }
    }

    #[test]
    fn of_boxes_that_overlap_the_best_is_kept_and_of_equals_the_first() {
        let boxes = [
            bounds(0.0, 0.0, 10.0, 20.0),
            bounds(1.0, 0.0, 11.0, 20.0),
            bounds(40.0, 0.0, 50.0, 20.0),
        ];
        let kept = |scores| keep_best(&boxes, scores, 0.5, Overlap::Union);
        assert_eq!(kept(&[0.7, 0.9, 0.8]), [1, 2]);
        assert_eq!(kept(&[0.9, 0.9, 0.9]), [0, 2]);
    }

    #[test]
    fn a_box_within_a_large_one_goes_only_by_the_smaller_of_the_two() {
        let boxes = [bounds(0.0, 0.0, 99.0, 99.0), bounds(10.0, 10.0, 29.0, 29.0)];
        assert_eq!(keep_best(&boxes, &[0.9, 0.8], 0.7, Overlap::Union), [0, 1]);
        assert_eq!(keep_best(&boxes, &[0.9, 0.8], 0.7, Overlap::Smaller), [0]);
    }

    #[test]
    fn a_square_has_the_same_middle_and_the_longer_side() {
        let square = bounds(10.0, 20.0, 20.0, 50.0).squared();
        assert_eq!(square, bounds(0.0, 20.0, 30.0, 50.0));
    }
}
