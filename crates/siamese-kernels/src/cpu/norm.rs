//! `activation(x · scale + shift + residual)` and what goes with it, vector by vector over the
//! channels of channels-last images.

#![allow(unsafe_code)]

use crate::plan::PoolStep;
use crate::simd::{Kernel, Simd};

/// `z` where positive, else `slope · z`; not a number stays so.
#[inline(always)]
pub(crate) unsafe fn activate<S: Simd>(s: S, z: S::V, slope: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe { s.where_positive(z, z, s.mul(z, slope)) }
}

/// Per-channel factors of a norm, or 1 and the bias.
#[derive(Clone, Copy)]
pub(crate) struct Affine<'a> {
    pub(crate) scale: &'a [f32],
    pub(crate) shift: &'a [f32],
    /// Of the activation; 1 where there is none.
    pub(crate) slope: f32,
}

/// Pixels whose channels are summed before the next channels: few enough to stay in cache.
pub(crate) const PIXELS: usize = 32;

/// `y = activation(x · scale + shift + residual)`.
pub(crate) struct Apply<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) affine: Affine<'a>,
    /// Empty where there is none.
    pub(crate) residual: &'a [f32],
    pub(crate) y: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Affine {
            scale,
            shift,
            slope,
        } = self.affine;
        let c = scale.len();
        let len = self.y.len();
        assert!(len.is_multiple_of(c) && self.x.len() == len && shift.len() == c);
        assert!(self.residual.is_empty() || self.residual.len() == len);
        // SAFETY: `at + n <= len` and `k + n <= c`.
        unsafe {
            let slope = s.splat(slope);
            for pixel in (0..len).step_by(c) {
                for k in (0..c).step_by(S::LANES) {
                    let (n, at) = (S::LANES.min(c - k), pixel + k);
                    if n == S::LANES {
                        let mut z = s.fma(s.load(self.x, at), s.load(scale, k), s.load(shift, k));
                        if !self.residual.is_empty() {
                            z = s.add(z, s.load(self.residual, at));
                        }
                        s.store(self.y, at, activate(s, z, slope));
                    } else {
                        let (a, b) = (s.load_first(scale, k, n), s.load_first(shift, k, n));
                        let mut z = s.fma(s.load_first(self.x, at, n), a, b);
                        if !self.residual.is_empty() {
                            z = s.add(z, s.load_first(self.residual, at, n));
                        }
                        s.store_first(self.y, at, n, activate(s, z, slope));
                    }
                }
            }
        }
    }
}

/// The same in place, for convolutions that left `y` in cache.
pub(crate) struct ApplyInPlace<'a> {
    pub(crate) affine: Affine<'a>,
    pub(crate) residual: &'a [f32],
    pub(crate) y: &'a mut [f32],
}

impl Kernel for ApplyInPlace<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Affine {
            scale,
            shift,
            slope,
        } = self.affine;
        let c = scale.len();
        let len = self.y.len();
        assert!(len.is_multiple_of(c) && shift.len() == c);
        assert!(self.residual.is_empty() || self.residual.len() == len);
        // SAFETY: `at + n <= len` and `k + n <= c`.
        unsafe {
            let slope = s.splat(slope);
            for pixel in (0..len).step_by(c) {
                for k in (0..c).step_by(S::LANES) {
                    let (n, at) = (S::LANES.min(c - k), pixel + k);
                    let (a, b) = (s.load_first(scale, k, n), s.load_first(shift, k, n));
                    let mut z = s.fma(s.load_first(self.y, at, n), a, b);
                    if !self.residual.is_empty() {
                        z = s.add(z, s.load_first(self.residual, at, n));
                    }
                    s.store_first(self.y, at, n, activate(s, z, slope));
                }
            }
        }
    }
}

/// Four pixels of a 2×2 window, from the upper left one.
#[inline(always)]
pub(crate) fn window(p: &PoolStep, pixel: usize) -> [usize; 4] {
    let (oy, ox) = (pixel / p.output.w, pixel % p.output.w);
    let at = (2 * oy * p.input.w + 2 * ox) * p.input.c;
    let below = at + p.input.w * p.input.c;
    [at, at + p.input.c, below, below + p.input.c]
}

/// The pixel of each 2×2 window that a max-pool behind a norm picks, for one image: the largest
/// where the norm's scale is positive, the smallest where negative, else the first. The norm can
/// then be applied to the picked ones alone, and before its statistics are known.
pub(crate) struct Pick2x2<'a> {
    pub(crate) pool: &'a PoolStep,
    pub(crate) x: &'a [f32],
    /// Anything of the sign of the norm's scale, per channel.
    pub(crate) sign: &'a [f32],
    pub(crate) picked: &'a mut [f32],
    /// Which of the four it was; empty if nobody asks.
    pub(crate) winner: &'a mut [u8],
}

impl Kernel for Pick2x2<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (p, c) = (self.pool, self.pool.input.c);
        assert!(self.x.len() == p.input.len() && self.picked.len() == p.output.len());
        assert!(self.sign.len() == c && 2 * p.output.h <= p.input.h && 2 * p.output.w <= p.input.w);
        assert!(self.winner.is_empty() || self.winner.len() == self.picked.len());
        // SAFETY: windows of 2×2 fit into the input, as asserted, and `k + n <= c`.
        unsafe {
            for pixel in 0..p.output.pixels() {
                let from = window(p, pixel);
                for k in (0..c).step_by(S::LANES) {
                    let n = S::LANES.min(c - k);
                    let sign = s.load_first(self.sign, k, n);
                    let mut best = s.load_first(self.x, from[0] + k, n);
                    let mut index = s.splat(0.);
                    for (i, from) in from.iter().enumerate().skip(1) {
                        let x = s.load_first(self.x, from + k, n);
                        // Ahead if larger, or not a number: that must not be lost.
                        let (ahead, this) = (s.mul(sign, s.sub(x, best)), s.splat(i as f32));
                        index = s.where_equal(x, x, s.where_positive(ahead, this, index), this);
                        best = s.where_equal(x, x, s.where_positive(ahead, x, best), x);
                    }
                    let to = pixel * c + k;
                    s.store_first(self.picked, to, n, best);
                    if !self.winner.is_empty() {
                        s.store_u8(self.winner, to, n, index);
                    }
                }
            }
        }
    }
}

/// Sums of `x − pivot` and of its square for each channel, added to `sums` `(2, C)`.
pub(crate) struct Moments<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) pivot: &'a [f32],
    pub(crate) sums: &'a mut [f32],
}

impl Kernel for Moments<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.pivot.len();
        assert!(self.x.len().is_multiple_of(c) && self.sums.len() == 2 * c);
        // SAFETY: `pixel + k + n <= len` and `k + n <= c`.
        unsafe {
            for first in (0..self.x.len()).step_by(c * PIXELS) {
                let end = self.x.len().min(first + c * PIXELS);
                for k in (0..c).step_by(S::LANES) {
                    let n = S::LANES.min(c - k);
                    let pivot = s.load_first(self.pivot, k, n);
                    let mut sum = s.load_first(self.sums, k, n);
                    let mut square = s.load_first(self.sums, c + k, n);
                    for pixel in (first..end).step_by(c) {
                        let x = s.sub(s.load_first(self.x, pixel + k, n), pivot);
                        sum = s.add(sum, x);
                        square = s.fma(x, x, square);
                    }
                    s.store_first(self.sums, k, n, sum);
                    s.store_first(self.sums, c + k, n, square);
                }
            }
        }
    }
}

/// [`Apply`] without residual, for a caller that is a kernel itself.
#[inline(always)]
pub(crate) fn apply_row<S: Simd>(s: S, x: &[f32], affine: Affine<'_>, y: &mut [f32]) {
    let residual = &[];
    Apply {
        x,
        affine,
        residual,
        y,
    }
    .run(s)
}

/// `to += from`.
#[inline(always)]
pub(crate) fn add_row<S: Simd>(s: S, from: &[f32], to: &mut [f32]) {
    let len = to.len();
    assert!(from.len() == len);
    // SAFETY: `at + n <= len`.
    unsafe {
        let whole = len - len % S::LANES;
        for at in (0..whole).step_by(S::LANES) {
            let sum = s.add(s.load(from, at), s.load(to, at));
            s.store(to, at, sum);
        }
        let n = len - whole;
        if n > 0 {
            let sum = s.add(s.load_first(from, whole, n), s.load_first(to, whole, n));
            s.store_first(to, whole, n, sum);
        }
    }
}

/// `to += from`, as a kernel.
pub(crate) struct Add<'a> {
    pub(crate) from: &'a [f32],
    pub(crate) to: &'a mut [f32],
}

impl Kernel for Add<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        add_row(s, self.from, self.to);
    }
}
