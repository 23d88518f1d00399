//! Winograd's minimal filtering F(4×4, 3×3) (Lavin and Gray 2016): a 3×3 convolution of stride 1
//! with a quarter of the multiplications.
//!
//! A 4×4 tile of the output is `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A` with `d` the 6×6 input around it. Over
//! many tiles each of the 36 products is a matrix product over channels. The weight gradient is
//! `Gᵀ[Σ (Bᵀ d B) ⊙ (A y Aᵀ)]G`, summed over the tiles.

#![allow(unsafe_code)]
// The transforms' loops index rows and columns of small matrices, as the paper does.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::gemm::{Store, panel};
use super::norm::{Affine, activate};
use crate::plan::Dims;
use crate::simd::Simd;

/// Elements of a transformed tile.
pub(crate) const XI: usize = 36;
/// Side of an output tile.
pub(crate) const SIDE: usize = 4;

/// A run of tiles: numbered along lines, lines down the image, images one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// Tiles per line and lines per image.
    pub(crate) across: usize,
    pub(crate) down: usize,
}

impl Tiles {
    /// Tiles in an image of `output` shape.
    pub(crate) fn of(output: Dims) -> Self {
        let (across, down) = (output.w.div_ceil(SIDE), output.h.div_ceil(SIDE));
        Self {
            first: 0,
            count: across * down,
            across,
            down,
        }
    }

    pub(crate) fn per_image(&self) -> usize {
        self.across * self.down
    }

    /// Image, and the upper left output pixel, of the `i`-th tile of the run.
    #[inline(always)]
    fn place(&self, i: usize) -> (usize, usize, usize) {
        let t = self.first + i;
        let (image, t) = (t / self.per_image(), t % self.per_image());
        (image, t / self.across * SIDE, t % self.across * SIDE)
    }
}

/// Floats between rows of a transformed matrix with `c` channels.
#[inline(always)]
pub(crate) fn row<S: Simd>(c: usize) -> usize {
    c.next_multiple_of(panel::<S>())
}

/// Floats between the 36 transformed matrices of `tiles` rows: a cache line more than they need,
/// so that their lines do not fall into the same set.
#[inline(always)]
pub(crate) fn plane<S: Simd>(tiles: usize, c: usize) -> usize {
    tiles * row::<S>(c) + 16
}

#[inline(always)]
unsafe fn bt<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: arithmetic only; here and in the other transforms.
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
unsafe fn at<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: as in `bt`.
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
unsafe fn a<S: Simd>(s: S, y: [S::V; 4]) -> [S::V; 6] {
    // SAFETY: as in `bt`.
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

/// `N`×`N` pixels around (`y0`, `x0`) of channels `c..c + n`; zeros outside the image.
#[inline(always)]
unsafe fn window<S: Simd, const N: usize>(
    s: S,
    image: &[f32],
    d: Dims,
    (y0, x0): (isize, isize),
    (c, n): (usize, usize),
    pending: Option<Affine<'_>>,
) -> [[S::V; N]; N] {
    // SAFETY: pixels are loaded where they lie inside the image only, and `c + n <= d.c`.
    unsafe {
        let mut v = [[s.splat(0.); N]; N];
        let end = N as isize;
        let inside = y0 >= 0 && x0 >= 0 && y0 + end <= d.h as isize && x0 + end <= d.w as isize;
        if inside && n == S::LANES {
            let start = (y0 as usize * d.w + x0 as usize) * d.c + c;
            for (y, line) in v.iter_mut().enumerate() {
                for (x, v) in line.iter_mut().enumerate() {
                    *v = s.load(image, start + (y * d.w + x) * d.c);
                }
            }
        } else {
            for (y, line) in v.iter_mut().enumerate() {
                let iy = y0 + y as isize;
                if iy < 0 || iy >= d.h as isize {
                    continue;
                }
                for (x, v) in line.iter_mut().enumerate() {
                    let ix = x0 + x as isize;
                    if ix >= 0 && ix < d.w as isize {
                        let at = (iy as usize * d.w + ix as usize) * d.c + c;
                        *v = s.load_first(image, at, n);
                    }
                }
            }
        }
        if let Some(p) = pending {
            let (scale, shift) = (s.load_first(p.scale, c, n), s.load_first(p.shift, c, n));
            let slope = s.splat(p.slope);
            for (y, line) in v.iter_mut().enumerate() {
                let iy = y0 + y as isize;
                for (x, v) in line.iter_mut().enumerate() {
                    let ix = x0 + x as isize;
                    if inside || (iy >= 0 && iy < d.h as isize && ix >= 0 && ix < d.w as isize) {
                        let z = s.fma(*v, scale, shift);
                        *v = activate(s, z, slope);
                    }
                }
            }
        }
        v
    }
}

/// `v[36][tile][c] = Bᵀ d B` for each tile; `images` are channels-last, `d` their shape.
#[inline(always)]
pub(crate) fn input_transform<S: Simd>(
    s: S,
    (images, d): (&[f32], Dims),
    padding: usize,
    tiles: Tiles,
    pending: Option<Affine<'_>>,
    plane: usize,
    v: &mut [f32],
) {
    let stride = row::<S>(d.c);
    assert!(v.len() >= XI * plane && plane >= tiles.count * stride);
    if let Some(p) = &pending {
        assert!(p.scale.len() >= d.c && p.shift.len() >= d.c);
    }
    for t in 0..tiles.count {
        let (image, y, x) = tiles.place(t);
        let image = &images[image * d.len()..][..d.len()];
        let corner = (y as isize - padding as isize, x as isize - padding as isize);
        for c in (0..d.c).step_by(S::LANES) {
            let n = S::LANES.min(d.c - c);
            // SAFETY: `c + n <= d.c`; stores end before `36 · plane`, as asserted.
            unsafe {
                let mut m = window::<S, 6>(s, image, d, corner, (c, n), pending);
                for line in &mut m {
                    *line = bt(s, *line);
                }
                for x in 0..6 {
                    let column = bt(s, [m[0][x], m[1][x], m[2][x], m[3][x], m[4][x], m[5][x]]);
                    for (y, &q) in column.iter().enumerate() {
                        s.store(v, (y * 6 + x) * plane + t * stride + c, q);
                    }
                }
            }
        }
    }
}

/// `d[36][tile][c] = A g Aᵀ` for each tile of an output gradient.
#[inline(always)]
pub(crate) fn gradient_transform<S: Simd>(
    s: S,
    images: &[f32],
    d: Dims,
    tiles: Tiles,
    plane: usize,
    v: &mut [f32],
) {
    let stride = row::<S>(d.c);
    assert!(v.len() >= XI * plane && plane >= tiles.count * stride);
    for t in 0..tiles.count {
        let (image, y, x) = tiles.place(t);
        let image = &images[image * d.len()..][..d.len()];
        for c in (0..d.c).step_by(S::LANES) {
            let n = S::LANES.min(d.c - c);
            // SAFETY: as in `input_transform`.
            unsafe {
                let corner = (y as isize, x as isize);
                let w = window::<S, 4>(s, image, d, corner, (c, n), None);
                let m = [a(s, w[0]), a(s, w[1]), a(s, w[2]), a(s, w[3])];
                for x in 0..6 {
                    let column = a(s, [m[0][x], m[1][x], m[2][x], m[3][x]]);
                    for (y, &q) in column.iter().enumerate() {
                        s.store(v, (y * 6 + x) * plane + t * stride + c, q);
                    }
                }
            }
        }
    }
}

/// Where the products of transformed tiles lie: tiles from `first` on in planes of `plane` floats
/// with rows of `row`, and for each panel of channels `panel` floats further.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) first: usize,
    pub(crate) row: usize,
    pub(crate) plane: usize,
    pub(crate) panel: usize,
}

impl Order {
    #[inline(always)]
    fn at<S: Simd>(&self, xi: usize, tile: usize, c: usize) -> usize {
        let (index, c) = (c / panel::<S>(), c % panel::<S>());
        index * self.panel + xi * self.plane + (self.first + tile) * self.row + c
    }
}

/// `Aᵀ m A` for each tile, into channels-last `images` of shape `d`; adds each channel's sum and
/// sum of squares to `sums` `(2, row(c))` unless that is empty.
#[inline(always)]
pub(crate) fn output_transform<S: Simd>(
    s: S,
    (m, order): (&[f32], Order),
    d: Dims,
    tiles: Tiles,
    how: Store,
    images: &mut [f32],
    sums: &mut [f32],
) {
    let stride = row::<S>(d.c);
    let last = order.at::<S>(XI - 1, tiles.count - 1, stride - S::LANES);
    assert!(m.len() >= last + S::LANES);
    assert!(sums.is_empty() || sums.len() >= 2 * stride);
    for t in 0..tiles.count {
        let (image, y0, x0) = tiles.place(t);
        let image = &mut images[image * d.len()..][..d.len()];
        let (rows, cols) = (SIDE.min(d.h - y0), SIDE.min(d.w - x0));
        let whole = rows == SIDE && cols == SIDE;
        for c in (0..d.c).step_by(S::LANES) {
            let n = S::LANES.min(d.c - c);
            // SAFETY: loads end with the last one, as asserted; stores lie inside the image, where `whole`
            // or the counts say so, and `c + n <= d.c`; `sums` holds two rows.
            unsafe {
                let mut z = [[s.splat(0.); 4]; 6];
                for (y, z) in z.iter_mut().enumerate() {
                    let mut line = [s.splat(0.); 6];
                    for (x, v) in line.iter_mut().enumerate() {
                        *v = s.load(m, order.at::<S>(y * 6 + x, t, c));
                    }
                    *z = at(s, line);
                }
                let (mut sum, mut square) = (s.splat(0.), s.splat(0.));
                for x in 0..4 {
                    let column = at(s, [z[0][x], z[1][x], z[2][x], z[3][x], z[4][x], z[5][x]]);
                    for (y, &q) in column.iter().enumerate() {
                        if !whole && (y >= rows || x >= cols) {
                            continue;
                        }
                        sum = s.add(sum, q);
                        square = s.fma(q, q, square);
                        let to = ((y0 + y) * d.w + x0 + x) * d.c + c;
                        if n == S::LANES {
                            match how {
                                Store::Set => s.store(image, to, q),
                                Store::Add => {
                                    let sum = s.add(s.load(image, to), q);
                                    s.store(image, to, sum)
                                }
                            }
                        } else {
                            let q = match how {
                                Store::Set => q,
                                Store::Add => s.add(s.load_first(image, to, n), q),
                            };
                            s.store_first(image, to, n, q)
                        }
                    }
                }
                if !sums.is_empty() {
                    let total = s.add(s.load(sums, c), sum);
                    s.store(sums, c, total);
                    let total = s.add(s.load(sums, stride + c), square);
                    s.store(sums, stride + c, total);
                }
            }
        }
    }
}

/// Which way a convolution runs with its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From input to output channels.
    Forward,
    /// Back: output to input channels, the kernel turned by 180°.
    Backward,
}

/// `G g Gᵀ` of one panel of columns and some `rows`, `(36, rows, 2 · LANES)`, missing columns 0;
/// `w` is `(C_out, C_in, 3, 3)`, `scale` multiplies each output channel unless it is empty.
#[inline(always)]
pub(crate) fn pack_weights<S: Simd>(
    s: S,
    w: &[f32],
    (ci, co): (usize, usize),
    direction: Direction,
    scale: &[f32],
    (index, rows): (usize, Range<usize>),
    u: &mut [f32],
) {
    let width = panel::<S>();
    let to = match direction {
        Direction::Forward => co,
        Direction::Backward => ci,
    };
    let first = index * width;
    let n = width.min(to - first);
    let (start, from) = (rows.start, rows.len());
    assert!(u.len() >= XI * from * width);
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
            // SAFETY: `taps` holds nine rows of at most 32; stores end before `36 · from · width`.
            unsafe {
                let mut t = [[s.splat(0.); 3]; 6];
                for x in 0..3 {
                    let tap = |y: usize| (y * 3 + x) * width + half;
                    let column = g_times(
                        s,
                        [
                            s.load(&taps, tap(0)),
                            s.load(&taps, tap(1)),
                            s.load(&taps, tap(2)),
                        ],
                    );
                    for (y, &q) in column.iter().enumerate() {
                        t[y][x] = q;
                    }
                }
                for (y, t) in t.iter().enumerate() {
                    for (x, &q) in g_times(s, *t).iter().enumerate() {
                        s.store(u, ((y * 6 + x) * from + i - start) * width + half, q);
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn g_times<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; 6] {
    // SAFETY: as in `bt`.
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

/// `Gᵀ du G` for some `rows` of input channels and up to `LANES` output channels, from column
/// `first` of `du` `(36, rows, row)` on; put into or added to those output channels' part of
/// `(C_out, C_in, 3, 3)`, of which `dw` begins with the first.
#[inline(always)]
pub(crate) fn weight_gradient<S: Simd>(
    s: S,
    (du, row, first): (&[f32], usize, usize),
    rows: Range<usize>,
    (ci, n): (usize, usize),
    how: Store,
    dw: &mut [f32],
) {
    let plane = rows.len() * row;
    assert!(du.len() >= XI * plane && first + S::LANES <= row && n <= S::LANES);
    assert!(dw.len() >= n * ci * 9 && rows.end <= ci);
    let start = rows.start;
    let mut taps = [0f32; 9 * 16];
    for i in rows {
        // SAFETY: loads end before `36 · plane`, as asserted; `taps` holds nine vectors.
        unsafe {
            let mut t = [[s.splat(0.); 6]; 3];
            for x in 0..6 {
                let mut column = [s.splat(0.); 6];
                for (y, v) in column.iter_mut().enumerate() {
                    *v = s.load(du, (y * 6 + x) * plane + (i - start) * row + first);
                }
                for (k, &q) in gt_times(s, column).iter().enumerate() {
                    t[k][x] = q;
                }
            }
            for (k, t) in t.iter().enumerate() {
                for (l, &q) in gt_times(s, *t).iter().enumerate() {
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

#[inline(always)]
unsafe fn gt_times<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 3] {
    // SAFETY: as in `bt`.
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
