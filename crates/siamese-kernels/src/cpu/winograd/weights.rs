//! Weights transformed, and their gradient back.

#![allow(unsafe_code)]

use std::ops::Range;

use super::by_side;
use super::filter::{Filter, Side2, Side3, Side4};
use crate::cpu::gemm::{Store, panel};
use crate::simd::{Kernel, Simd};

/// Which way a convolution runs with its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From input to output channels.
    Forward,
    /// Back: output to input channels, the kernel turned by 180°.
    Backward,
}

/// `G g Gᵀ` of one panel of columns and some `rows`, for tiles of a side.
pub(crate) struct PackWeights<'a> {
    /// `(C_out, C_in, 3, 3)`
    pub(crate) w: &'a [f32],
    /// C_in and C_out.
    pub(crate) channels: (usize, usize),
    pub(crate) side: usize,
    pub(crate) direction: Direction,
    /// Multiplies each output channel unless it is empty.
    pub(crate) scale: &'a [f32],
    pub(crate) index: usize,
    pub(crate) rows: Range<usize>,
    /// `(N², rows, 2 · LANES)`, missing columns 0.
    pub(crate) u: &'a mut [f32],
}

impl Kernel for PackWeights<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        by_side!(self.side, pack(s, self))
    }
}

#[inline(always)]
fn pack<S: Simd, F: Filter<M, N>, const M: usize, const N: usize>(s: S, work: PackWeights<'_>) {
    let PackWeights {
        w,
        channels: (ci, co),
        direction,
        scale,
        index,
        rows,
        u,
        ..
    } = work;
    let width = panel::<S>();
    let to = match direction {
        Direction::Forward => co,
        Direction::Backward => ci,
    };
    let first = index * width;
    let n = width.min(to - first);
    let (start, from) = (rows.start, rows.len());
    assert!(u.len() >= N * N * from * width);
    let mut taps = [0f32; 9 * 32];
    for i in rows {
        for j in 0..n {
            let at = match direction {
                Direction::Forward => ((first + j) * ci + i) * 9,
                Direction::Backward => (i * ci + first + j) * 9,
            };
            let factor = match direction {
                Direction::Forward if !scale.is_empty() => scale[first + j],
                _ => 1.,
            };
            for (k, &x) in w[at..at + 9].iter().enumerate() {
                let k = if direction == Direction::Forward {
                    k
                } else {
                    8 - k
                };
                taps[k * width + j] = x * factor;
            }
        }
        for half in [0, S::LANES] {
            // SAFETY: `taps` holds nine rows of at most 32; stores end before `N² · from · width`.
            unsafe {
                let mut t = [[s.splat(0.); 3]; N];
                for x in 0..3 {
                    let mut column = [s.splat(0.); 3];
                    for (y, tap) in column.iter_mut().enumerate() {
                        *tap = s.load(&taps, (y * 3 + x) * width + half);
                    }
                    for (t, q) in t.iter_mut().zip(F::weights(s, column)) {
                        t[x] = q;
                    }
                }
                for (y, t) in t.iter().enumerate() {
                    for (x, &q) in F::weights(s, *t).iter().enumerate() {
                        s.store(u, ((y * N + x) * from + i - start) * width + half, q);
                    }
                }
            }
        }
    }
}

/// `Gᵀ du G` for some `rows` of input channels and up to `LANES` output channels.
pub(crate) struct WeightGradient<'a> {
    /// `(N², rows, row)`
    pub(crate) du: &'a [f32],
    pub(crate) row: usize,
    /// The first column.
    pub(crate) first: usize,
    pub(crate) side: usize,
    pub(crate) rows: Range<usize>,
    /// C_in, and how many output channels.
    pub(crate) channels: (usize, usize),
    pub(crate) how: Store,
    /// `(C_out, C_in, 3, 3)` from the first of those output channels on.
    pub(crate) dw: &'a mut [f32],
}

impl Kernel for WeightGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        by_side!(self.side, finish(s, self))
    }
}

#[inline(always)]
fn finish<S: Simd, F: Filter<M, N>, const M: usize, const N: usize>(
    s: S,
    work: WeightGradient<'_>,
) {
    let WeightGradient {
        du,
        row,
        first,
        rows,
        channels: (ci, n),
        how,
        dw,
        ..
    } = work;
    let plane = rows.len() * row;
    assert!(du.len() >= N * N * plane && first + S::LANES <= row && n <= S::LANES);
    assert!(dw.len() >= n * ci * 9 && rows.end <= ci);
    let start = rows.start;
    let mut taps = [0f32; 9 * 16];
    for i in rows {
        // SAFETY: loads end before `N² · plane`, as asserted; `taps` holds nine vectors.
        unsafe {
            let mut t = [[s.splat(0.); N]; 3];
            for x in 0..N {
                let mut column = [s.splat(0.); N];
                for (y, v) in column.iter_mut().enumerate() {
                    *v = s.load(du, (y * N + x) * plane + (i - start) * row + first);
                }
                for (t, q) in t.iter_mut().zip(F::weight_gradient(s, column)) {
                    t[x] = q;
                }
            }
            for (k, t) in t.iter().enumerate() {
                for (l, &q) in F::weight_gradient(s, *t).iter().enumerate() {
                    s.store(&mut taps, (k * 3 + l) * S::LANES, q);
                }
            }
        }
        for j in 0..n {
            for (k, dw) in dw[(j * ci + i) * 9..][..9].iter_mut().enumerate() {
                let old = if how == Store::Add { *dw } else { 0. };
                *dw = old + taps[k * S::LANES + j];
            }
        }
    }
}
