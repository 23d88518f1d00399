//! Plain matrix products on all threads.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::gemm::{Multiply, Rows, Store, Target};
use crate::simd::Level;

/// Rows of a product that one task computes at most.
const ROWS: usize = 48;

/// Lines of a matrix that are turned at once.
const TURNED: usize = 16;

/// Plain products one after another, in memory that is kept.
///
/// Every number is one sum in the order of the depth, whatever the number of threads.
#[derive(Debug)]
pub(crate) struct Products {
    level: Level,
    /// The right matrix in panels of two vectors' width, the last one filled up with zeros.
    packed: Buffer,
}

impl Default for Products {
    fn default() -> Self {
        Self::new(Level::current())
    }
}

impl Products {
    pub(crate) fn new(level: Level) -> Self {
        Self {
            level,
            packed: Buffer::default(),
        }
    }

    /// `c = a · b` of `a` `(rows, depth)` and `b` `(depth, cols)`.
    pub(crate) fn product(
        &mut self,
        a: &[f32],
        b: &[f32],
        shape: (usize, usize, usize),
        c: &mut [f32],
    ) {
        self.pack(b, (shape.1, shape.2));
        self.multiply(a, shape, Part::Whole, c);
    }

    /// `c = a · bᵀ` of `a` `(rows, depth)` and `b` `(cols, depth)`.
    pub(crate) fn product_turned(
        &mut self,
        a: &[f32],
        b: &[f32],
        (rows, depth, cols): (usize, usize, usize),
        c: &mut [f32],
    ) {
        self.pack_turned(b, (cols, depth));
        self.multiply(a, (rows, depth, cols), Part::Whole, c);
    }

    /// `c = a · b` of two `(rows, rows)` matrices whose product is symmetric, as that of two polynomials of one is.
    pub(crate) fn symmetric(&mut self, a: &[f32], b: &[f32], rows: usize, c: &mut Buffer) {
        let c = c.resize(rows * rows);
        self.pack(b, (rows, rows));
        self.multiply(a, (rows, rows, rows), Part::Upper, c);
        mirror(c, rows);
    }

    /// `c = a · aᵀ` of `a` `(rows, depth)`.
    pub(crate) fn gram(&mut self, a: &[f32], (rows, depth): (usize, usize), c: &mut Buffer) {
        let c = c.resize(rows * rows);
        self.pack_turned(a, (rows, depth));
        self.multiply(a, (rows, depth, rows), Part::Upper, c);
        mirror(c, rows);
    }

    fn pack(&mut self, b: &[f32], (depth, cols): (usize, usize)) {
        self.panels((depth, cols), |first, there, out| {
            let rows = out.chunks_exact_mut(there.1).zip(b.chunks_exact(cols));
            for (to, from) in rows {
                to[..there.0].copy_from_slice(&from[first..first + there.0]);
            }
        });
    }

    /// As [`pack`](Self::pack) of `aᵀ`.
    fn pack_turned(&mut self, a: &[f32], (rows, depth): (usize, usize)) {
        self.panels((depth, rows), |first, there, out| {
            for (block, out) in out.chunks_mut(TURNED * there.1).enumerate() {
                for j in 0..there.0 {
                    let from = &a[(first + j) * depth + block * TURNED..];
                    for (to, from) in out.chunks_exact_mut(there.1).zip(from) {
                        to[j] = *from;
                    }
                }
            }
        });
    }

    /// Calls `fill` with the first column of each panel, how many of its columns there are and how many it has, and the panel.
    fn panels(
        &mut self,
        (depth, cols): (usize, usize),
        fill: impl Fn(usize, (usize, usize), &mut [f32]) + Sync,
    ) {
        let width = 2 * self.level.lanes();
        let packed = self.packed.resize(cols.div_ceil(width) * depth * width);
        let panels = packed.par_chunks_mut((depth * width).max(1)).enumerate();
        panels.for_each(|(panel, out)| {
            let first = panel * width;
            let there = width.min(cols - first);
            if there < width {
                out.fill(0.);
            }
            fill(first, (there, width), out);
        });
    }

    fn multiply(
        &self,
        a: &[f32],
        (rows, depth, cols): (usize, usize, usize),
        wanted: Part,
        c: &mut [f32],
    ) {
        debug_assert_eq!(c.len(), rows * cols);
        let width = 2 * self.level.lanes();
        // as many tasks for each thread, so that none waits for the last one
        let tasks = rows
            .div_ceil(ROWS)
            .next_multiple_of(rayon::current_num_threads());
        let height = rows.div_ceil(tasks.max(1)).max(1);
        let parts = c.par_chunks_mut((height * cols).max(1)).enumerate();
        parts.for_each(|(part, c)| {
            let left_of_diagonal = match wanted {
                Part::Whole => 0,
                Part::Upper => part * height / width * width,
            };
            for first in (left_of_diagonal..cols).step_by(width) {
                self.level.run(Multiply {
                    a,
                    left: Rows::dense(part * height * depth, depth, depth),
                    rows: c.len() / cols,
                    b: (&self.packed, first * depth),
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
    }
}

/// What of a product is computed.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    /// The diagonal and what is above it, and of what is below no more than blocks have.
    Upper,
}

/// The transpose of rows of `width` numbers, each row times what `factor` has for it.
pub(crate) fn turn(
    rows: &[f32],
    width: usize,
    factor: impl Fn(usize) -> f32 + Sync,
    to: &mut [f32],
) {
    let height = rows.len() / width;
    let blocks = to.par_chunks_mut(TURNED * height).enumerate();
    blocks.for_each(|(block, to)| {
        for (i, row) in rows.chunks_exact(width).enumerate() {
            let (here, factor) = (row[block * TURNED..].iter(), factor(i));
            for (to, x) in to.chunks_exact_mut(height).zip(here) {
                to[i] = factor * x;
            }
        }
    });
}

/// Fills the lower half of a symmetric matrix of which the upper is there.
fn mirror(c: &mut [f32], rows: usize) {
    for i in 1..rows {
        for j in 0..i {
            c[i * rows + j] = c[j * rows + i];
        }
    }
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
                let mut products = Products::new(level);
                let [mut own, mut fourth] = Default::default();
                let [mut c, mut turned] = [(); 2].map(|()| vec![0f32; rows * cols]);
                products.product(&a, &b, (rows, depth, cols), &mut c);
                let columns: Vec<f32> = (0..cols * depth)
                    .map(|i| b[i % depth * cols + i / depth])
                    .collect();
                products.product_turned(&a, &columns, (rows, depth, cols), &mut turned);
                assert_eq!(turned, c);
                products.gram(&a, (rows, depth), &mut own);
                products.symmetric(&own, &own, rows, &mut fourth);
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
            let mut c = vec![0f32; rows * cols];
            let mut products = Products::new(Level::current());
            let compute = || products.product(&a, &b, (rows, depth, cols), &mut c);
            pool.build().expect("threads").install(compute);
            c.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(bits(1), bits(3));
    }
}
