//! All pairs of a batch, as weights.

use candle_core::{DType, Result, Tensor};

/// How much each pair of a batch counts, as a like and as an unlike pair: `(N, N)` each, row the anchor. With a memory
/// of M embeddings `(N, N + M)`.
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
        let same = same(labels, labels, dtype)?;
        Ok(Self {
            like: (&same - diagonal)?,
            unlike: same.affine(-1.0, 1.0)?,
        })
    }

    /// With further columns for what is remembered: labels `(M)` as f32, negative where there is nothing yet.
    pub(super) fn and(&self, labels: &Tensor, remembered: &Tensor) -> Result<Self> {
        let dtype = self.like.dtype();
        let there = remembered.ge(0.0)?.to_dtype(dtype)?.unsqueeze(0)?;
        let same = same(&labels.to_dtype(remembered.dtype())?, remembered, dtype)?;
        let other = same.affine(-1.0, 1.0)?.broadcast_mul(&there)?;
        Ok(Self {
            like: Tensor::cat(&[&self.like, &same], 1)?,
            unlike: Tensor::cat(&[&self.unlike, &other], 1)?,
        })
    }

    /// Weight 1 for every pair that counts at all.
    pub(super) fn all(&self) -> Result<Tensor> {
        &self.like + &self.unlike
    }
}

/// 1 where two labels are equal: `(N)`, `(M)` → `(N, M)`.
fn same(labels: &Tensor, others: &Tensor, dtype: DType) -> Result<Tensor> {
    labels
        .unsqueeze(1)?
        .broadcast_eq(&others.unsqueeze(0)?)?
        .to_dtype(dtype)
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
    fn what_is_remembered_makes_pairs_and_what_is_not_there_makes_none() -> Result<()> {
        let labels = Tensor::new(&[7u32, 3], &Device::Cpu)?;
        let remembered = Tensor::new(&[3f32, 9.0, -1.0], &Device::Cpu)?;
        let pairing = Pairing::new(&labels, DType::F32)?.and(&labels, &remembered)?;
        let like = [[0., 0., 0., 0., 0.], [0., 0., 1., 0., 0.]];
        let unlike = [[0., 1., 1., 1., 0.], [1., 0., 0., 1., 0.]];
        assert_eq!(pairing.like.to_vec2::<f32>()?, like);
        assert_eq!(pairing.unlike.to_vec2::<f32>()?, unlike);
        Ok(())
    }
}
