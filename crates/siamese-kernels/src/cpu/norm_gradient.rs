//! Gradients through activation, norm and 2×2 max-pool, vector by vector over the channels.

#![allow(unsafe_code)]

use super::norm::{Affine, PIXELS, window};
use crate::plan::{Dims, PoolStep};
use crate::simd::{Kernel, Simd};

/// Where the sign that an activation looked at is found.
#[derive(Clone, Copy)]
pub(crate) enum Sign<'a> {
    /// In `x · scale + shift`.
    Affine,
    /// In the unit's output.
    Output(&'a [f32]),
}

/// Sums over pixels, per channel, of the gradient behind the activation and of its product with
/// `x − mean`: what a norm's backward needs first. If `mask` says so, `g` becomes that gradient.
pub(crate) struct Reduce<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) affine: Affine<'a>,
    pub(crate) mean: &'a [f32],
    pub(crate) sign: Sign<'a>,
    pub(crate) g: &'a mut [f32],
    pub(crate) mask: bool,
    /// `(2, C)`, added to.
    pub(crate) sums: &'a mut [f32],
}

impl Kernel for Reduce<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Affine {
            scale,
            shift,
            slope,
        } = self.affine;
        let (c, len) = (scale.len(), self.g.len());
        assert!(len.is_multiple_of(c) && self.x.len() == len && self.sums.len() == 2 * c);
        assert!(shift.len() == c && self.mean.len() == c);
        if let Sign::Output(y) = self.sign {
            assert!(y.len() == len);
        }
        // SAFETY: `at + n <= len` and `k + n <= c`.
        unsafe {
            let slope = s.splat(slope);
            for first in (0..len).step_by(c * PIXELS) {
                let end = len.min(first + c * PIXELS);
                for k in (0..c).step_by(S::LANES) {
                    let n = S::LANES.min(c - k);
                    let (a, b) = (s.load_first(scale, k, n), s.load_first(shift, k, n));
                    let mean = s.load_first(self.mean, k, n);
                    let mut sum = s.load_first(self.sums, k, n);
                    let mut product = s.load_first(self.sums, c + k, n);
                    for pixel in (first..end).step_by(c) {
                        let at = pixel + k;
                        let x = s.load_first(self.x, at, n);
                        let z = match self.sign {
                            Sign::Affine => s.fma(x, a, b),
                            Sign::Output(y) => s.load_first(y, at, n),
                        };
                        let g = s.load_first(self.g, at, n);
                        let g = s.where_positive(z, g, s.mul(g, slope));
                        sum = s.add(sum, g);
                        product = s.fma(g, s.sub(x, mean), product);
                        if self.mask {
                            s.store_first(self.g, at, n, g);
                        }
                    }
                    s.store_first(self.sums, k, n, sum);
                    s.store_first(self.sums, c + k, n, product);
                }
            }
        }
    }
}

/// `dx = a · g + b · x + c` per channel.
#[derive(Clone, Copy)]
pub(crate) struct Coefficients<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) b: &'a [f32],
    pub(crate) c: &'a [f32],
}

/// The gradient of a norm's input, `g` being that of the unit's output.
pub(crate) struct Gradient<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) affine: Affine<'a>,
    pub(crate) sign: Sign<'a>,
    /// Whether `g` already lies behind the activation.
    pub(crate) masked: bool,
    pub(crate) coefficients: Coefficients<'a>,
    pub(crate) g: &'a [f32],
    pub(crate) dx: &'a mut [f32],
}

impl Kernel for Gradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Affine {
            scale,
            shift,
            slope,
        } = self.affine;
        let by = self.coefficients;
        let (c, len) = (scale.len(), self.g.len());
        assert!(
            len.is_multiple_of(c)
                && self.x.len() == len
                && self.dx.len() == len
                && shift.len() == c
        );
        assert!(by.a.len() == c && by.b.len() == c && by.c.len() == c);
        if let Sign::Output(y) = self.sign {
            assert!(y.len() == len);
        }
        // SAFETY: `at + n <= len` and `k + n <= c`.
        unsafe {
            let slope = s.splat(slope);
            for pixel in (0..len).step_by(c) {
                for k in (0..c).step_by(S::LANES) {
                    let (n, at) = (S::LANES.min(c - k), pixel + k);
                    let x = s.load_first(self.x, at, n);
                    let mut g = s.load_first(self.g, at, n);
                    if !self.masked {
                        let z = match self.sign {
                            Sign::Affine => {
                                s.fma(x, s.load_first(scale, k, n), s.load_first(shift, k, n))
                            }
                            Sign::Output(y) => s.load_first(y, at, n),
                        };
                        g = s.where_positive(z, g, s.mul(g, slope));
                    }
                    let rest = s.fma(s.load_first(by.b, k, n), x, s.load_first(by.c, k, n));
                    let dx = s.fma(s.load_first(by.a, k, n), g, rest);
                    s.store_first(self.dx, at, n, dx);
                }
            }
        }
    }
}

/// [`Gradient`] through a 2×2 max-pool, `g` already behind the activation.
pub(crate) struct Gradient2x2<'a> {
    pub(crate) pool: &'a PoolStep,
    pub(crate) x: &'a [f32],
    pub(crate) winner: &'a [u8],
    pub(crate) coefficients: Coefficients<'a>,
    pub(crate) g: &'a [f32],
    pub(crate) dx: &'a mut [f32],
}

impl Kernel for Gradient2x2<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (p, c, by) = (self.pool, self.pool.input.c, self.coefficients);
        assert!(self.x.len() == p.input.len() && self.dx.len() == p.input.len());
        assert!(self.g.len() == p.output.len() && self.winner.len() == p.output.len());
        assert!(by.a.len() == c && by.b.len() == c && by.c.len() == c);
        assert!(2 * p.output.h <= p.input.h && 2 * p.output.w <= p.input.w);
        // SAFETY: windows of 2×2 fit into the input, as asserted, and `k + n <= c`.
        unsafe {
            for pixel in 0..p.output.pixels() {
                let from = window(p, pixel);
                for k in (0..c).step_by(S::LANES) {
                    let n = S::LANES.min(c - k);
                    let at = pixel * c + k;
                    let (b, c) = (s.load_first(by.b, k, n), s.load_first(by.c, k, n));
                    let g = s.mul(s.load_first(by.a, k, n), s.load_first(self.g, at, n));
                    let winner = s.load_u8(self.winner, at, n);
                    for (i, from) in from.iter().enumerate() {
                        let rest = s.fma(b, s.load_first(self.x, from + k, n), c);
                        let won = s.where_equal(winner, s.splat(i as f32), g, s.splat(0.));
                        s.store_first(self.dx, from + k, n, s.add(rest, won));
                    }
                }
            }
            let covered = Dims {
                h: 2 * p.output.h,
                w: 2 * p.output.w,
                c,
            };
            for y in 0..p.input.h {
                let from = if y < covered.h { covered.w } else { 0 };
                for pixel in from..p.input.w {
                    for k in 0..c {
                        let at = (y * p.input.w + pixel) * c + k;
                        self.dx[at] = by.b[k] * self.x[at] + by.c[k];
                    }
                }
            }
        }
    }
}
