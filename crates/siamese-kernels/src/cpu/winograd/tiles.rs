//! Tiles of images transformed, and back.

#![allow(unsafe_code)]
// The transforms' loops index rows and columns of small matrices, as the paper does.
#![allow(clippy::needless_range_loop)]

use super::filter::{Filter, Side2, Side3, Side4};
use super::{Tiles, by_side, row};
use crate::cpu::gemm::{Store, panel};
use crate::cpu::norm::{Affine, activate};
use crate::plan::Dims;
use crate::simd::{Kernel, Level, Simd};

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

/// `v[N²][tile][c] = Bᵀ d B` for each tile; `images` are channels-last, `d` their shape.
pub(crate) fn input_transform(
    level: Level,
    (images, d): (&[f32], Dims),
    padding: usize,
    tiles: Tiles,
    pending: Option<Affine<'_>>,
    plane: usize,
    v: &mut [f32],
) {
    level.run(Input {
        images,
        d,
        padding,
        tiles,
        pending,
        plane,
        v,
    });
}

/// `d[N²][tile][c] = A g Aᵀ` for each tile of an output gradient.
pub(crate) fn gradient_transform(
    level: Level,
    images: &[f32],
    d: Dims,
    tiles: Tiles,
    plane: usize,
    v: &mut [f32],
) {
    level.run(Gradient {
        images,
        d,
        tiles,
        plane,
        v,
    });
}

/// `Aᵀ m A` for each tile, into channels-last `images` of shape `d`; adds each channel's sum and
/// sum of squares to `sums` `(2, row(c))` unless that is empty.
pub(crate) fn output_transform(
    level: Level,
    (m, order): (&[f32], Order),
    d: Dims,
    tiles: Tiles,
    how: Store,
    images: &mut [f32],
    sums: &mut [f32],
) {
    level.run(Output {
        m,
        order,
        d,
        tiles,
        how,
        images,
        sums,
    });
}

/// Kernels of their own, so that they are compiled once for each level and not into every convolution.
struct Input<'a> {
    images: &'a [f32],
    d: Dims,
    padding: usize,
    tiles: Tiles,
    pending: Option<Affine<'a>>,
    plane: usize,
    v: &'a mut [f32],
}

impl Kernel for Input<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        by_side!(self.tiles.side, input(s, self))
    }
}

#[inline(always)]
fn input<S: Simd, F: Filter<M, N>, const M: usize, const N: usize>(s: S, work: Input<'_>) {
    let Input {
        images,
        d,
        padding,
        tiles,
        pending,
        plane,
        v,
    } = work;
    let stride = row::<S>(d.c);
    assert!(v.len() >= N * N * plane && plane >= tiles.count * stride);
    if let Some(p) = &pending {
        assert!(p.scale.len() >= d.c && p.shift.len() >= d.c);
    }
    for t in 0..tiles.count {
        let (image, y, x) = tiles.place(t);
        let image = &images[image * d.len()..][..d.len()];
        let corner = (y as isize - padding as isize, x as isize - padding as isize);
        for c in (0..d.c).step_by(S::LANES) {
            let n = S::LANES.min(d.c - c);
            // SAFETY: `c + n <= d.c`; stores end before `N² · plane`, as asserted.
            unsafe {
                let mut m = window::<S, N>(s, image, d, corner, (c, n), pending);
                for line in &mut m {
                    *line = F::input(s, *line);
                }
                for x in 0..N {
                    let column = F::input(s, column(s, &m, x));
                    for (y, &q) in column.iter().enumerate() {
                        s.store(v, (y * N + x) * plane + t * stride + c, q);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn column<S: Simd, const H: usize, const W: usize>(
    s: S,
    m: &[[S::V; W]; H],
    x: usize,
) -> [S::V; H] {
    // SAFETY: a register of zeros.
    let mut column = unsafe { [s.splat(0.); H] };
    for y in 0..H {
        column[y] = m[y][x];
    }
    column
}

struct Gradient<'a> {
    images: &'a [f32],
    d: Dims,
    tiles: Tiles,
    plane: usize,
    v: &'a mut [f32],
}

impl Kernel for Gradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        by_side!(self.tiles.side, gradient(s, self))
    }
}

#[inline(always)]
fn gradient<S: Simd, F: Filter<M, N>, const M: usize, const N: usize>(s: S, work: Gradient<'_>) {
    let Gradient {
        images,
        d,
        tiles,
        plane,
        v,
    } = work;
    let stride = row::<S>(d.c);
    assert!(v.len() >= N * N * plane && plane >= tiles.count * stride);
    for t in 0..tiles.count {
        let (image, y, x) = tiles.place(t);
        let image = &images[image * d.len()..][..d.len()];
        for c in (0..d.c).step_by(S::LANES) {
            let n = S::LANES.min(d.c - c);
            // SAFETY: as in `input`.
            unsafe {
                let corner = (y as isize, x as isize);
                let w = window::<S, M>(s, image, d, corner, (c, n), None);
                let mut m = [[s.splat(0.); N]; M];
                for (m, w) in m.iter_mut().zip(w) {
                    *m = F::gradient(s, w);
                }
                for x in 0..N {
                    let column = F::gradient(s, column(s, &m, x));
                    for (y, &q) in column.iter().enumerate() {
                        s.store(v, (y * N + x) * plane + t * stride + c, q);
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

struct Output<'a> {
    m: &'a [f32],
    order: Order,
    d: Dims,
    tiles: Tiles,
    how: Store,
    images: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Kernel for Output<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        by_side!(self.tiles.side, output(s, self))
    }
}

#[inline(always)]
fn output<S: Simd, F: Filter<M, N>, const M: usize, const N: usize>(s: S, work: Output<'_>) {
    let Output {
        m,
        order,
        d,
        tiles,
        how,
        images,
        sums,
    } = work;
    let stride = row::<S>(d.c);
    let last = order.at::<S>(N * N - 1, tiles.count - 1, stride - S::LANES);
    assert!(m.len() >= last + S::LANES);
    assert!(sums.is_empty() || sums.len() >= 2 * stride);
    for t in 0..tiles.count {
        let (image, y0, x0) = tiles.place(t);
        let image = &mut images[image * d.len()..][..d.len()];
        let (rows, cols) = (M.min(d.h - y0), M.min(d.w - x0));
        let whole = rows == M && cols == M;
        for c in (0..d.c).step_by(S::LANES) {
            let n = S::LANES.min(d.c - c);
            // SAFETY: loads end with the last one, as asserted; stores lie inside the image, where `whole`
            // or the counts say so, and `c + n <= d.c`; `sums` holds two rows.
            unsafe {
                let mut z = [[s.splat(0.); M]; N];
                for (y, z) in z.iter_mut().enumerate() {
                    let mut line = [s.splat(0.); N];
                    for (x, v) in line.iter_mut().enumerate() {
                        *v = s.load(m, order.at::<S>(y * N + x, t, c));
                    }
                    *z = F::output(s, line);
                }
                let (mut sum, mut square) = (s.splat(0.), s.splat(0.));
                for x in 0..M {
                    let column = F::output(s, column(s, &z, x));
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
