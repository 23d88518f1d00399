//! A matrix with all its singular values moved to about 1, by Newton–Schulz iteration: Muon's direction.

use candle_core::{Result, Tensor};

use crate::cpu::{Buffer, Products, turn};

/// The coefficients of Jordan's iteration: steepest at 0 of those that stay near 1.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// Added to a norm, so that a gradient of zeros is divided by something.
const TINY: f64 = 1e-7;

/// Steps of the iteration between two looks at the matrix itself: rounding may leave `A` an eigenvalue just below zero,
/// which each step makes twelve times larger.
const STEPS_OF_GRAM: usize = 3;

/// Memory of a kernel's steps.
#[derive(Debug)]
pub(super) struct Workspace {
    products: Products,
    /// What is made orthogonal, and what that gives.
    pub(super) matrix: Buffer,
    turned: Buffer,
    /// Of `(rows, rows)` matrices: `A`, a polynomial of it, what all polynomials together multiply by, and a fourth.
    own: Buffer,
    polynomial: Buffer,
    factor: Buffer,
    spare: Buffer,
}

impl Default for Workspace {
    fn default() -> Self {
        let [matrix, turned, own, polynomial, factor, spare] = Default::default();
        Self {
            products: Products::default(),
            matrix,
            turned,
            own,
            polynomial,
            factor,
            spare,
        }
    }
}

impl Workspace {
    /// Moves all singular values of `matrix` `(rows, cols)` to about 1.
    ///
    /// Each step multiplies from the left by a polynomial of `A`, and so turns `A` into one of itself: the steps are taken on
    /// the `(rows, rows)` matrices alone, all symmetric, and the matrix, several times as wide, is multiplied once.
    pub(super) fn orthogonalise(&mut self, (rows, cols): (usize, usize), steps: usize) {
        if rows > cols {
            turn(&self.matrix, cols, |_| 1.0, self.turned.resize(rows * cols));
            std::mem::swap(&mut self.matrix, &mut self.turned);
            self.orthogonalise((cols, rows), steps);
            turn(&self.matrix, rows, |_| 1.0, self.turned.resize(rows * cols));
            std::mem::swap(&mut self.matrix, &mut self.turned);
            return;
        }
        let squares = self.matrix.iter().map(|&x| f64::from(x).powi(2));
        let scale = (1.0 / (squares.sum::<f64>().sqrt() + TINY)) as f32;
        self.matrix.iter_mut().for_each(|x| *x *= scale);
        for first in (0..steps).step_by(STEPS_OF_GRAM) {
            self.products
                .gram(&self.matrix, (rows, cols), &mut self.own);
            self.find_factor(rows, STEPS_OF_GRAM.min(steps - first));
            let shape = (rows, rows, cols);
            let turned = self.turned.resize(rows * cols);
            self.products
                .product(&self.factor, &self.matrix, shape, turned);
            std::mem::swap(&mut self.matrix, &mut self.turned);
        }
    }

    /// What `steps` steps multiply a matrix by whose `X·Xᵀ` is `own`.
    fn find_factor(&mut self, rows: usize, steps: usize) {
        let Self {
            products,
            own,
            polynomial,
            factor,
            spare,
            ..
        } = self;
        let [a, b, c] = COEFFICIENTS;
        for step in 1..=steps {
            products.symmetric(&own[..], &own[..], rows, polynomial);
            for (p, own) in polynomial.iter_mut().zip(&**own) {
                *p = b * own + c * *p;
            }
            for row in 0..rows {
                polynomial[row * rows + row] += a;
            }
            if step < steps {
                products.symmetric(&own[..], &polynomial[..], rows, spare);
                products.symmetric(&spare[..], &polynomial[..], rows, own);
            }
            match step {
                1 => std::mem::swap(factor, polynomial),
                _ => {
                    products.symmetric(&factor[..], &polynomial[..], rows, spare);
                    std::mem::swap(factor, spare);
                }
            }
        }
    }
}

/// The same of `m` by Candle's operations.
pub(super) fn orthogonal_on_device(m: &Tensor, steps: usize) -> Result<Tensor> {
    let (rows, cols) = m.dims2()?;
    if rows > cols {
        return orthogonal_on_device(&m.t()?.contiguous()?, steps)?
            .t()?
            .contiguous();
    }
    let [a, b, c] = COEFFICIENTS.map(f64::from);
    let norm = (m.sqr()?.sum_all()?.sqrt()? + TINY)?;
    let mut x = m.broadcast_div(&norm)?;
    for _ in 0..steps {
        let own = x.matmul(&x.t()?)?;
        let polynomial = ((&own * b)? + (own.matmul(&own)? * c)?)?;
        x = ((&x * a)? + polynomial.matmul(&x)?)?;
    }
    Ok(x)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn wave(len: usize, phase: f32) -> Vec<f32> {
        (0..len)
            .map(|i| (i as f32 * 0.37 + phase).sin() + (i as f32 * i as f32 * 0.11).cos())
            .collect()
    }

    pub(crate) fn orthogonal(m: Vec<f32>, shape: (usize, usize), steps: usize) -> Vec<f32> {
        let mut workspace = Workspace::default();
        workspace.matrix.resize(m.len()).copy_from_slice(&m);
        workspace.orthogonalise(shape, steps);
        workspace.matrix.to_vec()
    }

    #[test]
    fn an_orthogonalised_matrix_has_singular_values_near_one() {
        for (rows, cols) in [(4, 9), (7, 5), (16, 40)] {
            let x = orthogonal(wave(rows * cols, 0.2), (rows, cols), 12);
            // the trace of the smaller Gram matrix is the sum of the squared singular values, which wander from 0.68 to 1.14
            let trace = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            let share = trace / rows.min(cols) as f64;
            assert!((0.46..1.3).contains(&share), "{rows}x{cols}: {share}");
        }
    }

    #[test]
    fn a_gradient_of_zeros_has_no_direction() {
        assert_eq!(orthogonal(vec![0.0; 12], (3, 4), 5), [0.0; 12]);
    }
}
