//! Distances between tensors of embeddings, differentiable.

use candle_core::{D, DType, Result, Tensor, bail};
use siamese_metrics::Distance;

/// Keeps the gradient of a square root finite where two embeddings coincide.
pub(crate) const EPSILON: f64 = 1e-12;

/// A [`Distance`] between rows of tensors.
///
/// Under a square root stands `‖a − b‖² + 1e-12`: gradients are finite everywhere, and two embeddings that coincide
/// are 1e-6 apart.
pub trait TensorDistance {
    /// Distance of each row of `a` `(B, D)` to the same row of `b` `(B, D)` → `(B)`.
    ///
    /// Gradients are finite everywhere, also where two rows coincide (they are 0 there) or vanish.
    ///
    /// ```
    /// use siamese_core::{Distance, TensorDistance, candle::{Device, Tensor}};
    /// # fn main() -> siamese_core::candle::Result<()> {
    /// let a = Tensor::new(&[[3f32, 0.], [1., 1.]], &Device::Cpu)?;
    /// let b = Tensor::new(&[[0f32, 4.], [1., 1.]], &Device::Cpu)?;
    /// let distances = Distance::Euclidean.between(&a, &b)?.to_vec1::<f32>()?;
    /// assert_eq!(distances[0], 5.0);
    /// assert!(distances[1] < 1e-5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the shapes differ or are not `(B, D)`.
    fn between(self, a: &Tensor, b: &Tensor) -> Result<Tensor>;

    /// Distance of each row of `a` `(P, D)` to each row of `b` `(G, D)` → `(P, G)`.
    ///
    /// Euclidean distances come from `‖a‖² + ‖b‖² − 2 a·b`, whose rounding leaves near-coinciding rows
    /// some 1e-3 apart in f32; gradients are finite all the same.
    ///
    /// # Errors
    /// When the embeddings differ in length or the tensors are not of rank 2.
    fn pairwise(self, a: &Tensor, b: &Tensor) -> Result<Tensor>;
}

impl TensorDistance for Distance {
    fn between(self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        if a.rank() != 2 || a.dims() != b.dims() {
            bail!(
                "distances are between two (B, D) tensors, got {:?} and {:?}",
                a.dims(),
                b.dims()
            )
        }
        match self {
            Self::Euclidean => (squared(a, b)? + EPSILON)?.sqrt(),
            Self::SquaredEuclidean => squared(a, b),
            Self::Cosine => {
                let dot = (normalize(a)? * normalize(b)?)?.sum(D::Minus1)?;
                dot.affine(-1.0, 1.0)
            }
            Self::Manhattan => (a - b)?.abs()?.sum(D::Minus1),
        }
    }

    fn pairwise(self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        if a.rank() != 2 || b.rank() != 2 || a.dim(1)? != b.dim(1)? {
            bail!(
                "pairwise distances are between (P, D) and (G, D) tensors, got {:?} and {:?}",
                a.dims(),
                b.dims()
            )
        }
        match self {
            Self::Euclidean => (squared_pairwise(a, b)? + EPSILON)?.sqrt(),
            Self::SquaredEuclidean => squared_pairwise(a, b),
            Self::Cosine => {
                let dot = normalize(a)?.matmul(&normalize(b)?.t()?)?;
                dot.affine(-1.0, 1.0)
            }
            Self::Manhattan => {
                let difference = a.unsqueeze(1)?.broadcast_sub(&b.unsqueeze(0)?)?;
                difference.abs()?.sum(D::Minus1)
            }
        }
    }
}

/// Rows `(B, D)` scaled to unit length; a row of zeros stays one, with a finite gradient.
pub(crate) fn normalize(x: &Tensor) -> Result<Tensor> {
    if on_host(x) {
        return siamese_kernels::unit_rows(x, EPSILON);
    }
    let norm = (x.sqr()?.sum_keepdim(D::Minus1)? + EPSILON)?.sqrt()?;
    x.broadcast_div(&norm)
}

/// Whether these are rows of f32 in the host's memory, which have kernels of their own.
pub(crate) fn on_host(x: &Tensor) -> bool {
    x.rank() == 2 && x.dtype() == DType::F32 && x.device().is_cpu()
}

fn squared(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a - b)?.sqr()?.sum(D::Minus1)
}

/// Squared Euclidean distances of all rows `(P, D)`, `(G, D)` → `(P, G)`.
pub(crate) fn squared_pairwise(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let a_norm = a.sqr()?.sum_keepdim(1)?;
    let b_norm = b.sqr()?.sum_keepdim(1)?.t()?;
    let dot = a.matmul(&b.t()?)?;
    // relu, since rounding can leave a square a little below zero
    a_norm.broadcast_add(&b_norm)?.sub(&(dot * 2.0)?)?.relu()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    const A: [[f32; 3]; 2] = [[0.3, -1.2, 0.5], [2.0, 0.1, -0.7]];
    const B: [[f32; 3]; 3] = [[1.1, 0.4, 0.0], [-0.2, 0.9, 1.5], [2.0, 0.1, -0.6]];

    fn naive(distance: Distance, a: &[f32], b: &[f32]) -> f32 {
        let squared: f32 = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum();
        let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
        match distance {
            Distance::Euclidean => squared.sqrt(),
            Distance::SquaredEuclidean => squared,
            Distance::Cosine => {
                1.0 - a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>() / (norm(a) * norm(b))
            }
            Distance::Manhattan => a.iter().zip(b).map(|(x, y)| (x - y).abs()).sum(),
        }
    }

    #[test]
    fn pairwise_and_paired_distances_agree_with_a_naive_loop() -> Result<()> {
        let (a, b) = (
            Tensor::new(&A, &Device::Cpu)?,
            Tensor::new(&B, &Device::Cpu)?,
        );
        for distance in Distance::ALL {
            let matrix = distance.pairwise(&a, &b)?.to_vec2::<f32>()?;
            let paired = distance
                .between(&a, &b.narrow(0, 1, 2)?)?
                .to_vec1::<f32>()?;
            for i in 0..2 {
                for j in 0..3 {
                    let expected = naive(distance, &A[i], &B[j]);
                    assert!(
                        (matrix[i][j] - expected).abs() < 1e-5,
                        "{distance:?} {i} {j}"
                    );
                }
                assert!((paired[i] - naive(distance, &A[i], &B[i + 1])).abs() < 1e-5);
            }
        }
        Ok(())
    }

    #[test]
    fn coinciding_and_zero_embeddings_have_a_finite_gradient() -> Result<()> {
        for distance in Distance::ALL {
            for row in [[0.6f32, -0.8, 0.0], [0.0; 3]] {
                let a = Var::new(&[row], &Device::Cpu)?;
                let b = Var::new(&[row], &Device::Cpu)?;
                for value in [distance.between(&a, &b)?, distance.pairwise(&a, &b)?] {
                    let grads = value.sum_all()?.backward()?;
                    for var in [&a, &b] {
                        let grad = grads.get(var).unwrap().flatten_all()?.to_vec1::<f32>()?;
                        assert!(grad.iter().all(|g| g.is_finite()), "{distance:?} {grad:?}");
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn mismatched_shapes_are_named() -> Result<()> {
        let (a, b) = (
            Tensor::new(&A, &Device::Cpu)?,
            Tensor::new(&B, &Device::Cpu)?,
        );
        let error = Distance::Euclidean.between(&a, &b).unwrap_err().to_string();
        assert!(
            error.contains("[2, 3]") && error.contains("[3, 3]"),
            "{error}"
        );
        assert!(Distance::Cosine.pairwise(&a, &b.narrow(1, 0, 2)?).is_err());
        Ok(())
    }
}
