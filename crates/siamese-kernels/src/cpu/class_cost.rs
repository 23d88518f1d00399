//! What images cost by their cosines with classes, and what embeddings and class vectors change it by.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::lanes::{exp, fold, map};
use super::product::{Products, turn};
use super::unit_rows::{UnitRow, UnitRowSlope};
use crate::class_cost::ClassCost;
use crate::pool::Pool;
use crate::rows::per_row;
use crate::simd::{Kernel, Level, Simd};

static IDLE: Pool<Work> = Pool::new();

/// Embeddings `(B, D)` and class vectors `(C, D)`.
#[derive(Clone, Copy)]
pub(crate) struct Compared<'a> {
    pub(crate) embeddings: &'a [f32],
    pub(crate) classes: &'a [f32],
    /// B, C and D.
    pub(crate) shape: (usize, usize, usize),
}

/// What a batch's cost is computed in; its backward needs what the forward left.
#[derive(Debug)]
struct Work {
    level: Level,
    products: Products,
    /// Both scaled to unit length.
    embeddings: Buffer,
    classes: Buffer,
    /// `(B, C)`: cosines, then what they change their image's cost by.
    slopes: Buffer,
    turned: Buffer,
}

impl Default for Work {
    fn default() -> Self {
        Self::new(Level::current())
    }
}

impl Work {
    fn new(level: Level) -> Self {
        let [embeddings, classes, slopes, turned] = Default::default();
        Self {
            level,
            products: Products::new(level),
            embeddings,
            classes,
            slopes,
            turned,
        }
    }

    /// Cost, and 1 where another class is as similar as the image's own, else 0, of each image: `(B, 2)`.
    fn forward(&mut self, cost: ClassCost, compared: Compared, labels: &[u32]) -> Vec<f32> {
        let (batch, classes, dim) = compared.shape;
        let (level, epsilon) = (self.level, cost.epsilon);
        for (to, from) in [
            (&mut self.embeddings, compared.embeddings),
            (&mut self.classes, compared.classes),
        ] {
            per_row(to.resize(from.len()), dim, |i, row| {
                row.copy_from_slice(&from[i * dim..(i + 1) * dim]);
                level.run(UnitRow { row, epsilon });
            });
        }
        let shape = (batch, dim, classes);
        let slopes = self.slopes.resize(batch * classes);
        self.products
            .product_turned(&self.embeddings, &self.classes, shape, slopes);
        let mut told = vec![0f32; 2 * batch];
        let rows = self.slopes.par_chunks_exact_mut(classes);
        rows.zip(told.par_chunks_exact_mut(2))
            .zip(labels)
            .for_each(|((row, told), &label)| {
                let label = label as usize;
                told.copy_from_slice(&level.run(Row { cost, row, label }));
            });
        told
    }

    /// The gradients of embeddings and class vectors, of costs that each count `upstream`.
    fn backward(
        &mut self,
        epsilon: f32,
        compared: Compared,
        upstream: &[f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let (batch, classes, dim) = compared.shape;
        let level = self.level;
        let finish = |slopes: &mut [f32], x: &[f32]| {
            per_row(slopes, dim, |i, slope| {
                let x = &x[i * dim..(i + 1) * dim];
                level.run(UnitRowSlope { x, epsilon, slope });
            });
        };
        let mut of_embeddings = vec![0f32; batch * dim];
        let shape = (batch, classes, dim);
        self.products
            .product(&self.slopes, &self.classes, shape, &mut of_embeddings);
        per_row(&mut of_embeddings, dim, |i, row| {
            map(row, |x| upstream[i] * x);
        });
        finish(&mut of_embeddings, compared.embeddings);
        let turned = self.turned.resize(classes * batch);
        turn(&self.slopes, classes, |i| upstream[i], turned);
        let mut of_classes = vec![0f32; classes * dim];
        let shape = (classes, batch, dim);
        self.products
            .product(&self.turned, &self.embeddings, shape, &mut of_classes);
        finish(&mut of_classes, compared.classes);
        (of_embeddings, of_classes)
    }
}

/// Makes of a row of cosines what each changes the row's cost by; tells the cost, and whether another class is as similar.
struct Row<'a> {
    cost: ClassCost,
    row: &'a mut [f32],
    label: usize,
}

impl Kernel for Row<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> [f32; 2] {
        let Self { cost, row, label } = self;
        let ClassCost {
            scale,
            margin,
            smoothing,
            ..
        } = cost;
        let cosine = std::mem::replace(&mut row[label], f32::NEG_INFINITY);
        let top = fold(row, f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        row[label] = cosine - margin;
        let own = scale * row[label];
        let shift = own.max(scale * top);
        let mean = match smoothing {
            0.0 => own,
            _ => scale * fold(row, 0.0, |a, b| a + b) / row.len() as f32,
        };
        map(row, |cosine| exp(scale * cosine - shift));
        let sum = fold(row, 0.0, |a, b| a + b);
        let (each, spread) = (scale / sum, scale * smoothing / row.len() as f32);
        map(row, |likely| likely * each - spread);
        row[label] -= scale * (1.0 - smoothing);
        let target = (1.0 - smoothing) * own + smoothing * mean;
        let missed = f32::from(u8::from(top >= cosine));
        [sum.ln() + shift - target, missed]
    }
}

/// A workspace that goes back to where it was taken from.
#[derive(Debug)]
pub(crate) struct Lent(Option<Work>);

impl Lent {
    /// Costs as [`Work::forward`] tells them, and what their backward needs.
    pub(crate) fn forward(cost: ClassCost, compared: Compared, labels: &[u32]) -> (Vec<f32>, Self) {
        let mut work = IDLE.take();
        (work.forward(cost, compared, labels), Self(Some(work)))
    }

    /// The gradients of embeddings and class vectors, of costs that each count `upstream`.
    pub(crate) fn backward(
        &mut self,
        epsilon: f32,
        compared: Compared,
        upstream: &[f32],
    ) -> Option<(Vec<f32>, Vec<f32>)> {
        let work = self.0.as_mut()?;
        Some(work.backward(epsilon, compared, upstream))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            IDLE.give_back(work);
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
    fn all_levels_compute_the_same_but_for_rounding() {
        let (batch, classes, dim) = (20, 75, 33);
        let (embeddings, own) = (wave(batch * dim, 0.3), wave(classes * dim, 1.1));
        let compared = Compared {
            embeddings: &embeddings,
            classes: &own,
            shape: (batch, classes, dim),
        };
        let cost = ClassCost {
            scale: 16.0,
            margin: 0.2,
            smoothing: 0.1,
            epsilon: 1e-12,
        };
        let labels: Vec<u32> = (0..batch as u32).map(|i| i * 3).collect();
        let all = |level| {
            let mut work = Work::new(level);
            let mut all = work.forward(cost, compared, &labels);
            let (a, b) = work.backward(cost.epsilon, compared, &wave(batch, 0.5));
            all.extend(a.into_iter().chain(b));
            all
        };
        let portable = all(Level::Portable);
        for level in Level::available() {
            for (got, wanted) in all(level).iter().zip(&portable) {
                assert!((got - wanted).abs() < 1e-5, "{level:?}: {got} {wanted}");
            }
        }
    }
}
