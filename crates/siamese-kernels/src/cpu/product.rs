//! Plain matrix products on all threads.

use rayon::prelude::*;

use super::gemm::{Multiply, Rows, Store, Target};
use crate::simd::Level;

/// Rows of a product that one task computes.
const ROWS: usize = 48;

/// `a · b` of `a` `(rows, depth)` and `b` `(depth, cols)`.
///
/// Every number is one sum in the order of `depth`, whatever the number of threads.
pub(crate) fn product(
    level: Level,
    a: &[f32],
    b: &[f32],
    (rows, depth, cols): (usize, usize, usize),
) -> Vec<f32> {
    let packed = pack(level, (depth, cols), |k, j| b[k * cols + j]);
    multiply(level, a, &packed, (rows, depth, cols), Part::Whole)
}

/// `a · aᵀ` of `a` `(rows, depth)`.
pub(crate) fn gram(level: Level, a: &[f32], (rows, depth): (usize, usize)) -> Vec<f32> {
    let packed = pack(level, (depth, rows), |k, j| a[j * depth + k]);
    let upper = multiply(level, a, &packed, (rows, depth, rows), Part::Upper);
    mirrored(upper, rows)
}

/// `a · b` of two `(rows, rows)` matrices whose product is symmetric, as that of two polynomials of one is.
pub(crate) fn symmetric_product(level: Level, a: &[f32], b: &[f32], rows: usize) -> Vec<f32> {
    let packed = pack(level, (rows, rows), |k, j| b[k * rows + j]);
    let upper = multiply(level, a, &packed, (rows, rows, rows), Part::Upper);
    mirrored(upper, rows)
}

/// What of a product is computed.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    /// The diagonal and what is above it, and of what is below no more than blocks have.
    Upper,
}

/// A symmetric matrix of which the upper half is there.
fn mirrored(mut upper: Vec<f32>, rows: usize) -> Vec<f32> {
    for i in 1..rows {
        for j in 0..i {
            upper[i * rows + j] = upper[j * rows + i];
        }
    }
    upper
}

/// A right matrix in panels of two vectors' width, the last one filled up with zeros.
fn pack(
    level: Level,
    (depth, cols): (usize, usize),
    at: impl Fn(usize, usize) -> f32 + Sync,
) -> Vec<f32> {
    let width = 2 * level.lanes();
    let mut packed = vec![0.; cols.div_ceil(width) * depth * width];
    let panels = packed.par_chunks_mut((depth * width).max(1)).enumerate();
    panels.for_each(|(panel, out)| {
        let first = panel * width;
        for (k, row) in out.chunks_exact_mut(width).enumerate() {
            for (j, x) in row.iter_mut().take(cols - first).enumerate() {
                *x = at(k, first + j);
            }
        }
    });
    packed
}

fn multiply(
    level: Level,
    a: &[f32],
    packed: &[f32],
    (rows, depth, cols): (usize, usize, usize),
    wanted: Part,
) -> Vec<f32> {
    let width = 2 * level.lanes();
    let mut c = vec![0.; rows * cols];
    let parts = c.par_chunks_mut((ROWS * cols).max(1)).enumerate();
    parts.for_each(|(part, c)| {
        let left_of_diagonal = match wanted {
            Part::Whole => 0,
            Part::Upper => part * ROWS / width * width,
        };
        for first in (left_of_diagonal..cols).step_by(width) {
            level.run(Multiply {
                a,
                left: Rows::dense(part * ROWS * depth, depth, depth),
                rows: c.len() / cols,
                b: (packed, first * depth),
                how: Store::Set,
                c,
                to: Target {
                    start: first,
                    row: cols,
                    cols: width.min(cols - first),
                },
            });
        }
    });
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(len: usize, phase: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * 0.37 + phase).sin()).collect()
    }

    #[test]
    fn products_are_the_naive_ones_at_every_level_and_size() {
        for (rows, depth, cols) in [
            (1, 1, 1),
            (3, 5, 2),
            (49, 7, 33),
            (12, 70, 65),
            (100, 3, 32),
        ] {
            let (a, b) = (wave(rows * depth, 0.3), wave(depth * cols, 1.1));
            for level in Level::available() {
                let c = product(level, &a, &b, (rows, depth, cols));
                let own = gram(level, &a, (rows, depth));
                let fourth = symmetric_product(level, &own, &own, rows);
                let sum =
                    |of: &dyn Fn(usize) -> f32| (0..depth).map(|k| f64::from(of(k))).sum::<f64>();
                for i in 0..rows {
                    for j in 0..cols {
                        let naive = sum(&|k| a[i * depth + k] * b[k * cols + j]);
                        let got = f64::from(c[i * cols + j]);
                        assert!((got - naive).abs() < 1e-5, "{got} {naive}");
                    }
                    for j in 0..rows {
                        let naive = sum(&|k| a[i * depth + k] * a[j * depth + k]);
                        let got = f64::from(own[i * rows + j]);
                        assert!((got - naive).abs() < 1e-5, "{got} {naive}");
                        let naive = (0..rows)
                            .map(|k| f64::from(own[i * rows + k]) * f64::from(own[k * rows + j]))
                            .sum::<f64>();
                        let got = f64::from(fourth[i * rows + j]);
                        assert!(
                            (got - naive).abs() < 1e-6 * naive.abs().max(10.0),
                            "{got} {naive}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (rows, depth, cols) = (130, 90, 75);
        let (a, b) = (wave(rows * depth, 0.3), wave(depth * cols, 1.1));
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let compute = || product(Level::current(), &a, &b, (rows, depth, cols));
            let c = pool.build().expect("threads").install(compute);
            c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(bits(1), bits(3));
    }
}
