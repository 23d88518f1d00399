//! All pairs of a batch, as weights.

use candle_core::{DType, Result, Tensor};

/// How much each pair of a batch counts, as a like and as an unlike pair: `(N, N)` each, row the anchor.
///
/// A miner makes other weights of them; nobody picks pairs by index, which would need a device to be read.
pub(super) struct Pairing {
    pub(super) like: Tensor,
    pub(super) unlike: Tensor,
}

impl Pairing {
    /// Weight 1 for every pair, 0 for an image with itself. `labels` `(N)`.
    pub(super) fn new(labels: &Tensor, dtype: DType) -> Result<Self> {
        let diagonal = Tensor::eye(labels.dim(0)?, dtype, labels.device())?;
        let same = labels
            .unsqueeze(1)?
            .broadcast_eq(&labels.unsqueeze(0)?)?
            .to_dtype(dtype)?;
        Ok(Self {
            like: (&same - diagonal)?,
            unlike: same.affine(-1.0, 1.0)?,
        })
    }
}

/// `Σ w·x / Σ w`, 0 where no pair counts.
pub(super) fn weighted_mean(values: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let total = weights.sum_all()?.to_dtype(DType::F32)?;
    let total = total.maximum(1f32)?.to_dtype(values.dtype())?;
    (values * weights)?.sum_all()? / total
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn every_pair_but_an_image_with_itself_is_like_or_unlike() -> Result<()> {
        let labels = Tensor::new(&[7u32, 3, 7], &Device::Cpu)?;
        let pairing = Pairing::new(&labels, DType::F32)?;
        let like = [[0., 0., 1.], [0., 0., 0.], [1., 0., 0.]];
        let unlike = [[0., 1., 0.], [1., 0., 1.], [0., 1., 0.]];
        assert_eq!(pairing.like.to_vec2::<f32>()?, like);
        assert_eq!(pairing.unlike.to_vec2::<f32>()?, unlike);
        Ok(())
    }

    #[test]
    fn a_mean_over_nothing_is_0() -> Result<()> {
        let values = Tensor::new(&[[2f32, 6.0]], &Device::Cpu)?;
        let mean = |weights: [[f32; 2]; 1]| {
            weighted_mean(&values, &Tensor::new(&weights, &Device::Cpu)?)?.to_scalar::<f32>()
        };
        assert_eq!((mean([[0.0, 0.0]])?, mean([[1.0, 3.0]])?), (0.0, 5.0));
        Ok(())
    }
}
