//! Matrix products on small tiles held in registers: the inner loops of every convolution.

#![allow(unsafe_code)]

use crate::simd::{Kernel, Simd};

/// Where the rows of a product's left matrix lie: row `r` starts at `start + r · row` and consists
/// of `pieces` runs of `len` floats, `piece` apart (the lines of a convolution's window).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub(crate) start: usize,
    pub(crate) row: usize,
    pub(crate) pieces: usize,
    pub(crate) len: usize,
    pub(crate) piece: usize,
}

impl Rows {
    /// Rows of a plain matrix of `k` columns.
    pub(crate) fn dense(start: usize, row: usize, k: usize) -> Self {
        Self {
            start,
            row,
            pieces: 1,
            len: k,
            piece: 0,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.pieces * self.len
    }

    fn end(&self, rows: usize) -> usize {
        self.start + (rows - 1) * self.row + (self.pieces - 1) * self.piece + self.len
    }
}

/// A matrix to write: `cols` columns from `start` on, rows `row` apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) start: usize,
    pub(crate) row: usize,
    pub(crate) cols: usize,
}

/// Width of a packed panel of the right matrix.
#[inline(always)]
pub(crate) fn panel<S: Simd>() -> usize {
    2 * S::LANES
}

/// Calls `$tile::<S, R>` with `R` the number of rows, which no level has more than ten of.
macro_rules! by_rows {
    ($rows:expr, $tile:ident($($arg:expr),*)) => {
        match $rows {
            1 => $tile::<S, 1>($($arg),*),
            2 => $tile::<S, 2>($($arg),*),
            3 => $tile::<S, 3>($($arg),*),
            4 => $tile::<S, 4>($($arg),*),
            5 => $tile::<S, 5>($($arg),*),
            6 => $tile::<S, 6>($($arg),*),
            7 => $tile::<S, 7>($($arg),*),
            8 => $tile::<S, 8>($($arg),*),
            9 => $tile::<S, 9>($($arg),*),
            _ => $tile::<S, 10>($($arg),*),
        }
    };
}

/// Whether a product replaces what its target holds or is added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Set,
    Add,
}

/// `c = a · b`, or `c += a · b`.
///
/// A kernel of its own, so that it is compiled once for each level and not into every convolution.
pub(crate) struct Multiply<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) left: Rows,
    pub(crate) rows: usize,
    /// One packed panel `(depth, 2 · LANES)` from `.1` on.
    pub(crate) b: (&'a [f32], usize),
    pub(crate) how: Store,
    pub(crate) c: &'a mut [f32],
    pub(crate) to: Target,
}

impl Kernel for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            a,
            left,
            rows,
            b: (b, b0),
            how,
            c,
            to,
        } = self;
        if rows == 0 {
            return;
        }
        assert!(left.end(rows) <= a.len() && b0 + left.depth() * panel::<S>() <= b.len());
        assert!(to.cols <= panel::<S>() && to.start + (rows - 1) * to.row + to.cols <= c.len());
        let parts = rows.div_ceil(S::ROWS);
        let mut done = 0;
        for part in 0..parts {
            let now = (rows - done).div_ceil(parts - part);
            let left = Rows {
                start: left.start + done * left.row,
                ..left
            };
            let to = Target {
                start: to.start + done * to.row,
                ..to
            };
            // SAFETY: the asserts above cover all rows, of which these are a part.
            unsafe {
                by_rows!(
                    now,
                    multiply_tile(s, (a, left), (b, b0), how, (&mut *c, to))
                )
            }
            done += now;
        }
    }
}

#[inline(always)]
unsafe fn multiply_tile<S: Simd, const R: usize>(
    s: S,
    (a, left): (&[f32], Rows),
    (b, b0): (&[f32], usize),
    how: Store,
    (c, to): (&mut [f32], Target),
) {
    // SAFETY: `Multiply` checked the bounds of every row.
    unsafe {
        let mut acc = [[s.splat(0.); 2]; R];
        if how == Store::Add {
            for (r, acc) in acc.iter_mut().enumerate() {
                *acc = load_row(s, c, to.start + r * to.row, to.cols);
            }
        }
        let mut b_at = b0;
        for piece in 0..left.pieces {
            let a_at = left.start + piece * left.piece;
            for k in a_at..a_at + left.len {
                let (b0, b1) = (s.load(b, b_at), s.load(b, b_at + S::LANES));
                b_at += 2 * S::LANES;
                for (r, acc) in acc.iter_mut().enumerate() {
                    let x = s.broadcast(a, k + r * left.row);
                    acc[0] = s.fma(x, b0, acc[0]);
                    acc[1] = s.fma(x, b1, acc[1]);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            store_row(s, c, to.start + r * to.row, to.cols, *acc);
        }
    }
}

/// Pixels that a weight gradient runs over: `lines` lines of `width`, with the distances between
/// lines and pixels in both matrices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pixels {
    pub(crate) lines: usize,
    pub(crate) width: usize,
    pub(crate) a_line: usize,
    pub(crate) a_pixel: usize,
    pub(crate) g_line: usize,
    pub(crate) g_pixel: usize,
}

/// `c += aᵀ · g`, summed over `pixels`: `rows` columns of `a` from `.1` on give the rows of `c`,
/// up to two vectors of `g` from `.1` on its columns.
pub(crate) struct MultiplyTransposed<'a> {
    pub(crate) a: (&'a [f32], usize),
    pub(crate) rows: usize,
    pub(crate) g: (&'a [f32], usize),
    pub(crate) pixels: Pixels,
    pub(crate) c: &'a mut [f32],
    pub(crate) to: Target,
}

impl Kernel for MultiplyTransposed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            a: (a, a0),
            rows,
            g: (g, g0),
            pixels,
            c,
            to,
        } = self;
        if rows == 0 || pixels.lines * pixels.width == 0 {
            return;
        }
        let (lines, width) = (pixels.lines - 1, pixels.width - 1);
        assert!(a0 + lines * pixels.a_line + width * pixels.a_pixel + rows <= a.len());
        assert!(g0 + lines * pixels.g_line + width * pixels.g_pixel + to.cols <= g.len());
        assert!(to.cols <= panel::<S>() && to.start + (rows - 1) * to.row + to.cols <= c.len());
        let parts = rows.div_ceil(S::ROWS);
        let mut done = 0;
        for part in 0..parts {
            let now = (rows - done).div_ceil(parts - part);
            let to = Target {
                start: to.start + done * to.row,
                ..to
            };
            // SAFETY: the asserts above cover all rows, of which these are a part.
            unsafe {
                by_rows!(
                    now,
                    transposed_tile(s, (a, a0 + done), (g, g0), pixels, (&mut *c, to))
                )
            }
            done += now;
        }
    }
}

#[inline(always)]
unsafe fn transposed_tile<S: Simd, const R: usize>(
    s: S,
    (a, a0): (&[f32], usize),
    (g, g0): (&[f32], usize),
    p: Pixels,
    (c, to): (&mut [f32], Target),
) {
    // SAFETY: `MultiplyTransposed` checked the bounds of every row.
    unsafe {
        let mut acc = [[s.splat(0.); 2]; R];
        for (r, acc) in acc.iter_mut().enumerate() {
            *acc = load_row(s, c, to.start + r * to.row, to.cols);
        }
        let whole = to.cols == 2 * S::LANES;
        for line in 0..p.lines {
            let (mut a_at, mut g_at) = (a0 + line * p.a_line, g0 + line * p.g_line);
            for _ in 0..p.width {
                let [g0, g1] = if whole {
                    [s.load(g, g_at), s.load(g, g_at + S::LANES)]
                } else {
                    load_row(s, g, g_at, to.cols)
                };
                for (r, acc) in acc.iter_mut().enumerate() {
                    let x = s.broadcast(a, a_at + r);
                    acc[0] = s.fma(x, g0, acc[0]);
                    acc[1] = s.fma(x, g1, acc[1]);
                }
                a_at += p.a_pixel;
                g_at += p.g_pixel;
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            store_row(s, c, to.start + r * to.row, to.cols, *acc);
        }
    }
}

/// Two vectors, of which `cols` lanes exist.
#[inline(always)]
unsafe fn load_row<S: Simd>(s: S, c: &[f32], at: usize, cols: usize) -> [S::V; 2] {
    // SAFETY: the caller checked that `cols` floats lie behind `at`.
    unsafe {
        if cols == 2 * S::LANES {
            [s.load(c, at), s.load(c, at + S::LANES)]
        } else if cols > S::LANES {
            [
                s.load(c, at),
                s.load_first(c, at + S::LANES, cols - S::LANES),
            ]
        } else {
            [s.load_first(c, at, cols), s.splat(0.)]
        }
    }
}

#[inline(always)]
unsafe fn store_row<S: Simd>(s: S, c: &mut [f32], at: usize, cols: usize, v: [S::V; 2]) {
    // SAFETY: the caller checked that `cols` floats lie behind `at`.
    unsafe {
        if cols == 2 * S::LANES {
            s.store(c, at, v[0]);
            s.store(c, at + S::LANES, v[1]);
        } else if cols > S::LANES {
            s.store(c, at, v[0]);
            s.store_first(c, at + S::LANES, cols - S::LANES, v[1]);
        } else {
            s.store_first(c, at, cols, v[0]);
        }
    }
}
