//! What is summed, averaged and chosen of a matrix, where weights say which of its values count.

use candle_core::{D, DType, Result, Tensor};

/// The logarithm of nothing: below every value and yet finite, so that no gradient becomes NaN.
const NOTHING: f64 = -1e30;

/// `Σ w·x / Σ w`, 0 where nothing counts. Weights that sum to less than 1 are 0.
pub(super) fn weighted_mean(values: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let total = weights.sum_all()?.to_dtype(DType::F32)?;
    let total = total.maximum(1f32)?.to_dtype(values.dtype())?;
    (values * weights)?.sum_all()? / total
}

/// Of each row the largest value whose weight is not 0, a constant `(N, 1)`; far below all where none counts.
pub(super) fn largest(values: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let values = values.detach();
    let low = values.zeros_like()?.affine(1.0, NOTHING)?;
    let counted = weights.gt(0.0)?.where_cond(&values, &low)?;
    counted.max_keepdim(D::Minus1)
}

/// As [`largest`]: the smallest, far above all where none counts.
pub(super) fn smallest(values: &Tensor, weights: &Tensor) -> Result<Tensor> {
    largest(&values.neg()?, weights)?.neg()
}

/// 1 for each row `(N, 1)` in which something counts, else 0.
pub(super) fn has_any(weights: &Tensor) -> Result<Tensor> {
    let largest = weights.max_keepdim(D::Minus1)?;
    largest.gt(0.0)?.to_dtype(weights.dtype())
}

/// `log Σ w·exp(x)` of each row, `(N, 1)`, for weights of 0 and 1; −1e30, without gradient, where nothing counts.
pub(super) fn log_sum_exp(values: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let any = has_any(weights)?;
    let none = any.affine(-1.0, 1.0)?;
    let shift = (largest(values, weights)? * any)?;
    // what does not count may lie above the shift: it is held down before exp, lest 0·∞ be NaN
    let held = values.broadcast_sub(&shift)?.mul(weights)?;
    let sum = (held.exp()? * weights)?.sum_keepdim(D::Minus1)?;
    (sum + &none)?.log()? + (shift + none.affine(NOTHING, 0.0)?)?
}

/// `log(1 + exp(x))`, elementwise and without overflow.
pub(super) fn softplus(x: &Tensor) -> Result<Tensor> {
    let shift = x.detach().relu()?;
    let sum = (shift.neg()?.exp()? + (x - &shift)?.exp()?)?;
    sum.log()? + shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn a_mean_over_nothing_is_0() -> Result<()> {
        let values = Tensor::new(&[[2f32, 6.0]], &Device::Cpu)?;
        let mean = |weights: [[f32; 2]; 1]| {
            weighted_mean(&values, &Tensor::new(&weights, &Device::Cpu)?)?.to_scalar::<f32>()
        };
        assert_eq!((mean([[0.0, 0.0]])?, mean([[1.0, 3.0]])?), (0.0, 5.0));
        Ok(())
    }

    #[test]
    fn rows_are_summed_by_what_counts_and_a_row_of_nothing_has_no_gradient() -> Result<()> {
        let values = Var::new(&[[2f32, 900.0, 3.0], [1.0, 2.0, 3.0]], &Device::Cpu)?;
        let weights = Tensor::new(&[[1f32, 0.0, 1.0], [0.0; 3]], &Device::Cpu)?;
        let sums = log_sum_exp(&values, &weights)?;
        let rows = sums.flatten_all()?.to_vec1::<f32>()?;
        assert!((rows[0] - (2f32.exp() + 3f32.exp()).ln()).abs() < 1e-6);
        assert_eq!(rows[1], NOTHING as f32);
        let grads = softplus(&sums)?.sum_all()?.backward()?;
        let gradient = grads.get(&values).unwrap().to_vec2::<f32>()?;
        assert!(gradient[0][0] > 0.2 && gradient[0][1] == 0.0);
        assert_eq!(gradient[1], [0.0; 3]);
        let of = |t: Tensor| t.flatten_all()?.to_vec1::<f32>();
        assert_eq!(of(largest(&values, &weights)?)?, [3.0, NOTHING as f32]);
        assert_eq!(of(smallest(&values, &weights)?)?, [2.0, -NOTHING as f32]);
        Ok(())
    }

    #[test]
    fn softplus_is_finite_and_has_half_a_slope_at_0() -> Result<()> {
        let x = Var::new(&[-2e5f32, 0.0, 2e5], &Device::Cpu)?;
        let y = softplus(&x)?;
        let slope = y.sum_all()?.backward()?.get(&x).unwrap().to_vec1::<f32>()?;
        assert_eq!(slope, [0.0, 0.5, 1.0]);
        assert_eq!(y.to_vec1::<f32>()?, [0.0, 2f32.ln(), 2e5]);
        Ok(())
    }
}
