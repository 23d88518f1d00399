//! Contrastive losses.
//!
//! In all of them y = 1 marks a *like* pair, as in most code; Hadsell's paper has Y = 0 for like pairs.

use candle_core::{DType, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

use siamese_metrics::Distance;

use crate::distance::TensorDistance;

/// Which pairs of the unlike kind the average of a batch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Averaging {
    /// All of them: the plain mean.
    #[default]
    All,
    /// Those still inside the margin. Late in training nearly all unlike pairs of a batch are far apart and cost
    /// nothing; counting only the others keeps their gradient from fading with the batch's size.
    Active,
}

/// The contrastive loss of Hadsell, Chopra and LeCun (2006, eq. 4), averaged over B pairs:
///
/// `J = ½ [ y·D² + (1 − y)·max(0, m − D)² ]`
///
/// `distance` `(B)`, `like` `(B)` of 1 (same class) and 0 → scalar.
///
/// ```
/// use siamese_core::{candle::{Device, Tensor}, loss::contrastive};
/// # fn main() -> siamese_core::candle::Result<()> {
/// let distance = Tensor::new(&[0.5f32, 0.6, 2.0], &Device::Cpu)?;
/// let like = Tensor::new(&[1f32, 0., 0.], &Device::Cpu)?;
/// let loss = contrastive(&distance, &like, 1.0)?.to_scalar::<f32>()?;
/// // ½ (0.25 + 0.16 + 0) / 3
/// assert!((loss - 0.068333).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the shapes differ, the batch is empty, or the margin is not positive.
pub fn contrastive(distance: &Tensor, like: &Tensor, margin: f64) -> Result<Tensor> {
    check_margin(margin)?;
    if distance.rank() != 1 || distance.dims() != like.dims() || distance.elem_count() == 0 {
        bail!(
            "the contrastive loss needs distances (B) and as many labels, got {:?} and {:?}",
            distance.dims(),
            like.dims()
        )
    }
    let like = like.to_dtype(distance.dtype())?;
    let unlike = like.affine(-1.0, 1.0)?;
    let pull = (distance.sqr()? * like)?;
    let push = (hinge(distance, margin)?.sqr()? * unlike)?;
    (pull + push)?.mean_all()? * 0.5
}

/// The contrastive loss over *all* pairs of a batch, like and unlike pairs weighing the same:
///
/// `J = ½ · ½ [ mean over like pairs of D² + mean over unlike pairs of max(0, m − D)² ]`
///
/// With N embeddings this is N(N−1)/2 pairs for the price of N passes through the tower, and still a loss on
/// balanced pairs: the two means have equal weight whatever their counts.
///
/// `embeddings` `(N, D)`, `labels` `(N)` u32 class of each → scalar.
///
/// # Errors
/// When the shapes do not fit, the batch has no like or no unlike pair, or the margin is not positive.
pub fn contrastive_in_batch(
    embeddings: &Tensor,
    labels: &Tensor,
    margin: f64,
    distance: Distance,
    averaging: Averaging,
) -> Result<Tensor> {
    check_margin(margin)?;
    if embeddings.rank() != 2 || labels.dims() != [embeddings.dim(0)?] {
        bail!(
            "the in-batch loss needs embeddings (N, D) and N labels, got {:?} and {:?}",
            embeddings.dims(),
            labels.dims()
        )
    }
    let n = embeddings.dim(0)?;
    let dtype = embeddings.dtype();
    let diagonal = Tensor::eye(n, dtype, embeddings.device())?;
    let same = labels
        .unsqueeze(1)?
        .broadcast_eq(&labels.unsqueeze(0)?)?
        .to_dtype(dtype)?;
    let like = (&same - diagonal)?;
    let unlike = same.affine(-1.0, 1.0)?;

    let distances = distance.pairwise(embeddings, embeddings)?;
    let slack = hinge(&distances, margin)?;
    let pull = weighted_mean(&distances.sqr()?, &like)?;
    let counted = match averaging {
        Averaging::All => unlike,
        Averaging::Active => (unlike * slack.detach().gt(0.0)?.to_dtype(dtype)?)?,
    };
    let push = weighted_mean(&slack.sqr()?, &counted)?;
    (pull + push)? * 0.25
}

/// `max(0, m − D)`
fn hinge(distance: &Tensor, margin: f64) -> Result<Tensor> {
    distance.affine(-1.0, margin)?.relu()
}

/// `Σ w·x / Σ w`, 0 where no pair counts.
fn weighted_mean(values: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let total = weights.sum_all()?.to_dtype(DType::F32)?;
    let total = total.maximum(1f32)?.to_dtype(values.dtype())?;
    (values * weights)?.sum_all()? / total
}

fn check_margin(margin: f64) -> Result<()> {
    if !(margin.is_finite() && margin > 0.0) {
        bail!("the margin must be a positive number, got {margin}")
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    type Loss<'a> = dyn Fn(&Tensor) -> Result<Tensor> + 'a;

    const A: [[f32; 3]; 4] = [
        [0.3, -1.2, 0.5],
        [2.0, 0.1, -0.7],
        [0.4, 0.4, 0.4],
        [0.1, 0.2, 0.3],
    ];
    const B: [[f32; 3]; 4] = [
        [1.1, 0.4, 0.0],
        [1.9, 0.3, -0.6],
        [0.1, 0.9, 0.2],
        [0.3, 0.2, 0.1],
    ];
    const LIKE: [f32; 4] = [1.0, 0.0, 1.0, 0.0];
    const X: [[f32; 3]; 5] = [
        [0.3, -1.2, 0.5],
        [2.0, 0.1, -0.7],
        [0.4, 0.4, 0.4],
        [0.1, 0.2, 0.3],
        [0.5, 0.3, 0.2],
    ];
    const LABELS: [u32; 5] = [0, 1, 0, 1, 2];

    fn assert_close(got: &[f32], expected: &[f32]) {
        for (g, e) in got.iter().zip(expected) {
            assert!((g - e).abs() < 2e-6, "{got:?} is not {expected:?}");
        }
        assert_eq!(got.len(), expected.len());
    }

    /// PyTorch, in f64:
    /// ```python
    /// d = ((a - b).pow(2).sum(1) + 1e-12).sqrt()
    /// loss = (0.5 * (y * d**2 + (1 - y) * torch.clamp(1.0 - d, min=0)**2)).mean(); loss.backward()
    /// ```
    #[test]
    fn value_and_gradient_agree_with_pytorch() -> Result<()> {
        let (a, b) = (Var::new(&A, &Device::Cpu)?, Tensor::new(&B, &Device::Cpu)?);
        let like = Tensor::new(&LIKE, &Device::Cpu)?;
        let loss = contrastive(&Distance::Euclidean.between(&a, &b)?, &like, 1.0)?;
        assert_close(&[loss.to_scalar::<f32>()?], &[0.614_302_1]);
        let grad = loss
            .backward()?
            .get(&a)
            .unwrap()
            .flatten_all()?
            .to_vec1::<f32>()?;
        let expected = [
            -0.2,
            -0.4,
            0.125,
            -0.077_062_07,
            0.154_124_15,
            0.077_062_07,
            0.075,
            -0.125,
            0.05,
            0.126_776_7,
            0.0,
            -0.126_776_7,
        ];
        assert_close(&grad, &expected);
        Ok(())
    }

    /// PyTorch, in f64:
    /// ```python
    /// i, j = torch.triu_indices(5, 5, 1); d = ((x[i] - x[j]).pow(2).sum(1) + 1e-12).sqrt(); k = l[i] == l[j]
    /// loss = 0.25 * ((d[k]**2).mean() + (torch.clamp(1.0 - d[~k], min=0)**2).mean()); loss.backward()
    /// ```
    #[test]
    fn in_batch_value_and_gradient_agree_with_pytorch() -> Result<()> {
        let x = Var::new(&X, &Device::Cpu)?;
        let labels = Tensor::new(&LABELS, &Device::Cpu)?;
        let loss = contrastive_in_batch(&x, &labels, 1.0, Distance::Euclidean, Averaging::All)?;
        assert_close(&[loss.to_scalar::<f32>()?], &[0.940_413_83]);
        let grad = loss
            .backward()?
            .get(&x)
            .unwrap()
            .flatten_all()?
            .to_vec1::<f32>()?;
        let expected = [
            -0.025,
            -0.4,
            0.025,
            0.475,
            -0.025,
            -0.25,
            0.012_904_035,
            0.359_826_83,
            -0.073_984_86,
            -0.409_712_95,
            0.054_389_05,
            0.251_972_44,
            -0.053_191_08,
            0.010_784_127,
            0.047_012_43,
        ];
        assert_close(&grad, &expected);
        Ok(())
    }

    #[test]
    fn in_batch_losses_agree_with_a_naive_loop() -> Result<()> {
        let x = Tensor::new(&X, &Device::Cpu)?;
        let labels = Tensor::new(&LABELS, &Device::Cpu)?;
        let (mut pull, mut push) = (Vec::new(), Vec::new());
        for i in 0..5 {
            for j in 0..i {
                let d2: f32 = X[i].iter().zip(X[j]).map(|(a, b)| (a - b).powi(2)).sum();
                match LABELS[i] == LABELS[j] {
                    true => pull.push(d2),
                    false => push.push((1.0 - d2.sqrt()).max(0.0).powi(2)),
                }
            }
        }
        let active = push.iter().filter(|&&p| p > 0.0).count();
        assert!(active > 0 && active < push.len());
        for (averaging, count) in [(Averaging::All, push.len()), (Averaging::Active, active)] {
            let loss = contrastive_in_batch(&x, &labels, 1.0, Distance::Euclidean, averaging)?;
            let pull = pull.iter().sum::<f32>() / pull.len() as f32;
            let push = push.iter().sum::<f32>() / count as f32;
            assert_close(&[loss.to_scalar::<f32>()?], &[0.25 * (pull + push)]);
        }
        Ok(())
    }

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        let labels = Tensor::new(&LABELS, &Device::Cpu)?;
        let like = Tensor::new(&[1f64, 0., 0., 1., 0.], &Device::Cpu)?;
        let base: Vec<f64> = X.iter().flatten().map(|&v| f64::from(v)).collect();
        let losses: [&Loss; 2] = [
            &|x| contrastive_in_batch(x, &labels, 1.5, Distance::Euclidean, Averaging::All),
            &|x| contrastive(&Distance::Cosine.between(x, &x.flip(&[1])?)?, &like, 1.5),
        ];
        for loss in losses {
            let at = |values: &[f64]| Var::from_slice(values, (5, 3), &Device::Cpu);
            let x = at(&base)?;
            let grads = loss(x.as_tensor())?.backward()?;
            let grad = grads.get(&x).unwrap().flatten_all()?.to_vec1::<f64>()?;
            for i in 0..base.len() {
                let step = |h: f64| -> Result<f64> {
                    let mut moved = base.clone();
                    moved[i] += h;
                    loss(at(&moved)?.as_tensor())?.to_scalar::<f64>()
                };
                let numeric = (step(1e-6)? - step(-1e-6)?) / 2e-6;
                assert!(
                    (grad[i] - numeric).abs() < 1e-6,
                    "{i}: {} {numeric}",
                    grad[i]
                );
            }
        }
        Ok(())
    }

    #[test]
    fn identical_embeddings_have_a_finite_gradient() -> Result<()> {
        let x = Var::new(&[[0.6f32, 0.8], [0.6, 0.8], [0.6, 0.8]], &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 0, 1], &Device::Cpu)?;
        let loss = contrastive_in_batch(&x, &labels, 1.0, Distance::Euclidean, Averaging::Active)?;
        let grad = loss
            .backward()?
            .get(&x)
            .unwrap()
            .flatten_all()?
            .to_vec1::<f32>()?;
        assert!(grad.iter().all(|g| g.is_finite()), "{grad:?}");
        Ok(())
    }

    #[test]
    fn bad_input_is_named() -> Result<()> {
        let distance = Tensor::new(&[0.5f32, 0.6], &Device::Cpu)?;
        let like = Tensor::new(&[1f32], &Device::Cpu)?;
        let error = contrastive(&distance, &like, 1.0).unwrap_err().to_string();
        assert!(error.contains("[2]") && error.contains("[1]"), "{error}");
        let error = contrastive(&distance, &distance, -1.0)
            .unwrap_err()
            .to_string();
        assert!(error.contains("margin"), "{error}");
        Ok(())
    }
}
