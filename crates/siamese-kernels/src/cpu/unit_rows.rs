//! Rows scaled to unit length, and back.

use super::lanes::{dot, map};
use crate::simd::{Kernel, Simd};

/// A row as `x / √(Σx² + ε)`, in its place.
pub(crate) struct UnitRow<'a> {
    pub(crate) row: &'a mut [f32],
    pub(crate) epsilon: f32,
}

impl Kernel for UnitRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let length = (dot(self.row, self.row) + self.epsilon).sqrt();
        map(self.row, |x| x / length);
    }
}

/// What a [`UnitRow`] of `x` changes by, made of its result's change `slope`, in the latter's place.
pub(crate) struct UnitRowSlope<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) epsilon: f32,
    pub(crate) slope: &'a mut [f32],
}

impl Kernel for UnitRowSlope<'_> {
    type Output = ();

    /// With `n` the length, `(g − x·(g·x)/n²) / n`.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let squared = dot(self.x, self.x) + self.epsilon;
        let along = dot(self.x, self.slope) / squared;
        let length = squared.sqrt();
        for (slope, x) in self.slope.iter_mut().zip(self.x) {
            *slope = (*slope - x * along) / length;
        }
    }
}
