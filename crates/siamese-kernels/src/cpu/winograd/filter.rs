//! The transforms of one line of a tile: the matrices of Winograd's filters, for output tiles of side 2, 3 and 4.
//!
//! Of Lavin and Gray's paper (2016) those of side 2 and 4; of side 3 by the same construction, of the points 0, 1, −1, 2 and ∞.

#![allow(unsafe_code)]

use crate::simd::Simd;

/// F(M, 3) of one dimension; `N = M + 2` products of a transformed line give M numbers of the output.
///
/// # Safety
/// Arithmetic only, as safe as the vectors' own.
pub(super) trait Filter<const M: usize, const N: usize> {
    /// `Bᵀ d`
    unsafe fn input<S: Simd>(s: S, d: [S::V; N]) -> [S::V; N];
    /// `Aᵀ m`
    unsafe fn output<S: Simd>(s: S, m: [S::V; N]) -> [S::V; M];
    /// `A y`
    unsafe fn gradient<S: Simd>(s: S, y: [S::V; M]) -> [S::V; N];
    /// `G g`
    unsafe fn weights<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; N];
    /// `Gᵀ d`
    unsafe fn weight_gradient<S: Simd>(s: S, d: [S::V; N]) -> [S::V; 3];
}

pub(super) struct Side2;
pub(super) struct Side3;
pub(super) struct Side4;

impl Filter<2, 4> for Side2 {
    #[inline(always)]
    unsafe fn input<S: Simd>(s: S, d: [S::V; 4]) -> [S::V; 4] {
        // SAFETY: arithmetic only; here and in the other transforms.
        unsafe {
            [
                s.sub(d[0], d[2]),
                s.add(d[1], d[2]),
                s.sub(d[2], d[1]),
                s.sub(d[1], d[3]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(s: S, m: [S::V; 4]) -> [S::V; 2] {
        // SAFETY: as above.
        unsafe {
            [
                s.add(m[0], s.add(m[1], m[2])),
                s.sub(s.sub(m[1], m[2]), m[3]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(s: S, y: [S::V; 2]) -> [S::V; 4] {
        // SAFETY: as above.
        unsafe {
            [
                y[0],
                s.add(y[0], y[1]),
                s.sub(y[0], y[1]),
                s.sub(s.splat(0.), y[1]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn weights<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; 4] {
        // SAFETY: as above.
        unsafe {
            let half = s.splat(0.5);
            let (even, odd) = (s.mul(half, s.add(g[0], g[2])), s.mul(half, g[1]));
            [g[0], s.add(even, odd), s.sub(even, odd), g[2]]
        }
    }

    #[inline(always)]
    unsafe fn weight_gradient<S: Simd>(s: S, d: [S::V; 4]) -> [S::V; 3] {
        // SAFETY: as above.
        unsafe {
            let half = s.splat(0.5);
            let (even, odd) = (s.add(d[1], d[2]), s.sub(d[1], d[2]));
            [
                s.fma(half, even, d[0]),
                s.mul(half, odd),
                s.fma(half, even, d[3]),
            ]
        }
    }
}

impl Filter<3, 5> for Side3 {
    #[inline(always)]
    unsafe fn input<S: Simd>(s: S, d: [S::V; 5]) -> [S::V; 5] {
        // SAFETY: as above.
        unsafe {
            let (two, three) = (s.splat(2.), s.splat(3.));
            let outer = s.sub(d[3], d[1]);
            [
                s.add(outer, s.mul(two, s.sub(d[0], d[2]))),
                s.sub(s.fnma(two, d[1], d[3]), d[2]),
                s.fnma(three, d[2], s.fma(two, d[1], d[3])),
                outer,
                s.fnma(two, outer, s.sub(d[4], d[2])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(s: S, m: [S::V; 5]) -> [S::V; 3] {
        // SAFETY: as above.
        unsafe {
            let (sum, diff) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
            [
                s.add(m[0], s.add(sum, m[3])),
                s.fma(s.splat(2.), m[3], diff),
                s.add(s.fma(s.splat(4.), m[3], sum), m[4]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(s: S, y: [S::V; 3]) -> [S::V; 5] {
        // SAFETY: as above.
        unsafe {
            let even = s.add(y[0], y[2]);
            let steep = s.fma(s.splat(4.), y[2], s.fma(s.splat(2.), y[1], y[0]));
            [y[0], s.add(even, y[1]), s.sub(even, y[1]), steep, y[2]]
        }
    }

    #[inline(always)]
    unsafe fn weights<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; 5] {
        // SAFETY: as above.
        unsafe {
            let even = s.add(g[0], g[2]);
            let steep = s.fma(s.splat(4.), g[2], s.fma(s.splat(2.), g[1], g[0]));
            [
                s.mul(s.splat(0.5), g[0]),
                s.mul(s.splat(-0.5), s.add(even, g[1])),
                s.mul(s.splat(1. / 6.), s.sub(g[1], even)),
                s.mul(s.splat(1. / 6.), steep),
                g[2],
            ]
        }
    }

    #[inline(always)]
    unsafe fn weight_gradient<S: Simd>(s: S, d: [S::V; 5]) -> [S::V; 3] {
        // SAFETY: as above.
        unsafe {
            let (half, sixth) = (s.splat(0.5), s.splat(1. / 6.));
            let ends = s.fnma(half, d[1], s.mul(sixth, s.sub(d[3], d[2])));
            let odd = s.fnma(half, d[1], s.mul(sixth, d[2]));
            [
                s.fma(half, d[0], ends),
                s.fma(s.splat(1. / 3.), d[3], odd),
                s.add(s.fma(half, d[3], ends), d[4]),
            ]
        }
    }
}

impl Filter<4, 6> for Side4 {
    #[inline(always)]
    unsafe fn input<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 6] {
        // SAFETY: as above.
        unsafe {
            let (c2, c4, c5) = (s.splat(2.), s.splat(4.), s.splat(5.));
            let a = s.fnma(c4, d[2], d[4]);
            let b = s.fnma(c4, d[1], d[3]);
            let c = s.sub(d[4], d[2]);
            let e = s.mul(c2, s.sub(d[3], d[1]));
            [
                s.fma(c4, d[0], s.fnma(c5, d[2], d[4])),
                s.add(a, b),
                s.sub(a, b),
                s.add(c, e),
                s.sub(c, e),
                s.fma(c4, d[1], s.fnma(c5, d[3], d[5])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 4] {
        // SAFETY: as above.
        unsafe {
            let (sum, diff) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
            let (sum2, diff2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
            [
                s.add(m[0], s.add(sum, sum2)),
                s.fma(s.splat(2.), diff2, diff),
                s.fma(s.splat(4.), sum2, sum),
                s.add(s.fma(s.splat(8.), diff2, diff), m[5]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(s: S, y: [S::V; 4]) -> [S::V; 6] {
        // SAFETY: as above.
        unsafe {
            let (even, odd) = (s.add(y[0], y[2]), s.add(y[1], y[3]));
            let even2 = s.fma(s.splat(4.), y[2], y[0]);
            let odd2 = s.fma(s.splat(8.), y[3], s.mul(s.splat(2.), y[1]));
            [
                y[0],
                s.add(even, odd),
                s.sub(even, odd),
                s.add(even2, odd2),
                s.sub(even2, odd2),
                y[3],
            ]
        }
    }

    #[inline(always)]
    unsafe fn weights<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; 6] {
        // SAFETY: as above.
        unsafe {
            let even = s.mul(s.splat(-1. / 6.), s.add(g[0], g[2]));
            let odd = s.mul(s.splat(1. / 6.), g[1]);
            let even2 = s.fma(s.splat(1. / 24.), g[0], s.mul(s.splat(1. / 6.), g[2]));
            let odd2 = s.mul(s.splat(1. / 12.), g[1]);
            [
                s.mul(s.splat(0.25), g[0]),
                s.sub(even, odd),
                s.add(even, odd),
                s.add(even2, odd2),
                s.sub(even2, odd2),
                g[2],
            ]
        }
    }

    #[inline(always)]
    unsafe fn weight_gradient<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 3] {
        // SAFETY: as above.
        unsafe {
            let even = s.add(d[1], d[2]);
            let odd = s.sub(d[2], d[1]);
            let even2 = s.add(d[3], d[4]);
            let odd2 = s.sub(d[3], d[4]);
            let outer = s.fma(s.splat(1. / 24.), even2, s.mul(s.splat(-1. / 6.), even));
            [
                s.fma(s.splat(0.25), d[0], outer),
                s.fma(s.splat(1. / 12.), odd2, s.mul(s.splat(1. / 6.), odd)),
                s.add(
                    s.fma(s.splat(1. / 6.), even2, s.mul(s.splat(-1. / 6.), even)),
                    d[5],
                ),
            ]
        }
    }
}
