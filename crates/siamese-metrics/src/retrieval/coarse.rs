//! A quarter of the bytes: rows as `i8`, for a first pass that is bound by memory.
//!
//! A row `b` is kept as `s·b̂` with whole numbers `b̂` from −127 to 127. By Cauchy and Schwarz
//! `|a·b − (s_a·â)·(s·b̂)| ≤ ‖a − s_a·â‖·‖b‖ + ‖s_a·â‖·‖b − s·b̂‖`, so a score is as far from the truth as that says at
//! most, and what lies within twice that of the k-th is looked at exactly: nothing is lost.

use rayon::prelude::*;

use super::scores::Placed;

/// Numbers that are multiplied side by side.
const LANES: usize = 32;
/// The largest of the whole numbers.
const MOST: f32 = 127.0;
/// Rows that one thread rounds.
const TOGETHER: usize = 4096;

/// Rows as whole numbers.
#[derive(Clone, Debug)]
pub(super) struct Coarse {
    rows: Vec<i8>,
    dim: usize,
    /// What a whole number stands for, s.
    step: f32,
    /// The largest `‖b − s·b̂‖`.
    error: f64,
}

/// A probe as whole numbers.
pub(super) struct CoarseProbe {
    row: Vec<i8>,
    /// `−2·s_a·s`
    factor: f32,
    /// How far a score can be from the true one.
    pub(super) error: f32,
}

impl Coarse {
    pub(super) fn new(placed: &Placed, dim: usize) -> Self {
        let largest = placed.rows.par_chunks(TOGETHER * dim).map(largest);
        let step = step_of(largest.reduce(|| 0.0, f32::max));
        let mut coarse = Self {
            rows: Vec::new(),
            dim,
            step,
            error: 0.0,
        };
        coarse.push(&placed.rows);
        coarse
    }

    /// Rounds further rows; `false` where one does not fit.
    pub(super) fn push(&mut self, placed: &[f32]) -> bool {
        if largest(placed) > 1.001 * self.step * MOST {
            return false;
        }
        let first = self.rows.len();
        self.rows.resize(first + placed.len(), 0);
        let part = TOGETHER * self.dim;
        let (dim, step) = (self.dim, self.step);
        let parts = self.rows[first..]
            .par_chunks_mut(part)
            .zip(placed.par_chunks(part));
        let error_of = |(to, from): (&mut [i8], &[f32])| {
            let rows = to.chunks_exact_mut(dim).zip(from.chunks_exact(dim));
            rows.map(|(to, from)| rounded(to, from, step))
                .fold(0.0, f64::max)
        };
        self.error = self.error.max(parts.map(error_of).reduce(|| 0.0, f64::max));
        true
    }

    /// A placed probe, whose size is `‖a‖²`, against rows whose largest size is `largest`.
    pub(super) fn probe(&self, placed: &[f32], (size, of_rows): (f32, f32)) -> CoarseProbe {
        let step = step_of(largest(placed));
        let mut row = vec![0; self.dim];
        let own_error = rounded(&mut row, placed, step);
        let longest = f64::from(of_rows).sqrt();
        let own = f64::from(size).sqrt() + own_error;
        let product = own_error * longest + own * self.error;
        // the whole numbers' product is exact; what is left is the rounding of a few f32 operations
        let rounding =
            16.0 * f64::from(f32::EPSILON) * (own * (longest + self.error) + f64::from(of_rows));
        CoarseProbe {
            row,
            factor: -2.0 * step * self.step,
            error: (2.0 * product + rounding) as f32 * 1.0001,
        }
    }

    /// Scores of the rows from `first` on, to which `sizes` belong.
    pub(super) fn fill(&self, probe: &CoarseProbe, first: usize, sizes: &[f32], out: &mut [f32]) {
        let rows = self.rows[first * self.dim..].chunks_exact(self.dim);
        for ((out, row), size) in out.iter_mut().zip(rows).zip(sizes) {
            *out = size + probe.factor * product(&probe.row, row) as f32;
        }
    }
}

/// Such that the largest number is the largest whole one.
fn step_of(largest: f32) -> f32 {
    match largest > 0.0 {
        true => largest / MOST,
        false => 1.0,
    }
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, x| most.max(x.abs()))
}

/// Rounds a row; how far it moved.
fn rounded(to: &mut [i8], from: &[f32], step: f32) -> f64 {
    let mut moved = 0.0;
    for (to, from) in to.iter_mut().zip(from) {
        *to = (from / step).round_ties_even() as i8;
        moved += (f64::from(*from) - f64::from(step) * f64::from(*to)).powi(2);
    }
    moved.sqrt()
}

/// Exact: 127² · 2¹⁷ numbers fit into an `i32`, and no embedding is that long.
fn product(a: &[i8], b: &[i8]) -> i32 {
    let mut sums = [0i32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            // never wraps, as said above; a check in a debug build would keep the lanes apart
            sums[lane] = sums[lane].wrapping_add(i32::from(a[lane]) * i32::from(b[lane]));
        }
    }
    let rest = a_rest.iter().zip(b_rest);
    let rest: i32 = rest.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
    sums.iter().sum::<i32>() + rest
}
