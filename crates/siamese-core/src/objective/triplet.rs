//! The triplet loss: an anchor is to be nearer to its positive than to its negative, by a margin.

use candle_core::{DType, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above};
use super::miner::Miner;
use super::pairing::Pairing;
use crate::distance::TensorDistance;
use crate::error;

/// Settings of the triplet loss. FaceNet's margin of 0.2 is of squared Euclidean distances between unit vectors:
/// whether distances are squared is said by the objective's [`Distance`](siamese_metrics::Distance) alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Triplet {
    /// The gap `d_an − d_ap` past which a triplet costs nothing.
    pub margin: f64,
    /// Which triplets count.
    pub miner: Miner,
}

impl Default for Triplet {
    fn default() -> Self {
        Self {
            margin: 0.2,
            miner: Miner::BatchHard,
        }
    }
}

/// The triplet loss of Schroff, Kalenichenko and Philbin (2015, eq. 2) over the triplets of a batch:
///
/// `J = mean over mined (a, p, n) of max(0, m + d_ap − d_an)`
///
/// `distances` `(N, N)`, `labels` `(N)` u32 → loss and share of all the batch's triplets that cost something, 0 both
/// where there is none.
///
/// A triplet's cost is linear in two distances, so the sum over triplets is one over pairs, weighted by how many
/// costing triplets each is part of: `J = Σ w_ap·(m + d_ap) − Σ w_an·d_an`.
///
/// ```
/// use siamese_core::{candle::{Device, Tensor}, objective::{Miner, Triplet, triplet}};
/// # fn main() -> siamese_core::candle::Result<()> {
/// let distances = Tensor::new(&[[0f32, 3., 2.5], [3., 0., 4.], [2.5, 4., 0.]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 0, 1], &Device::Cpu)?;
/// let config = Triplet { margin: 0.5, miner: Miner::BatchHard };
/// let scored = triplet(&distances, &labels, &config)?;
/// // from the first: 0.5 + 3 − 2.5; from the second nothing; the third has no like one
/// assert_eq!(scored.loss.to_scalar::<f32>()?, 0.5);
/// assert_eq!(scored.active.to_scalar::<f32>()?, 0.5);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the shapes do not fit.
pub fn triplet(distances: &Tensor, labels: &Tensor, config: &Triplet) -> Result<Scored> {
    let n = labels.dims1()?;
    if distances.dims() != [n, n] {
        candle_core::bail!(
            "the triplet loss needs distances (N, N) and N labels, got {:?} and {:?}",
            distances.dims(),
            labels.dims()
        )
    }
    let (dtype, device) = (distances.dtype(), distances.device());
    let known = distances.detach().to_device(&candle_core::Device::Cpu)?;
    let known = known.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let mined = config
        .miner
        .mine(&known, &labels.to_vec1()?, config.margin, (dtype, device))?;
    let Pairing { like, unlike } = mined.weights;
    let pull = (distances.affine(1.0, config.margin)? * like)?.sum_all()?;
    let push = (distances * unlike)?.sum_all()?;
    Ok(Scored {
        loss: (pull - push)?,
        active: Tensor::new(mined.active as f32, device)?,
    })
}

impl Loss for Triplet {
    fn name(&self) -> &'static str {
        "triplet"
    }

    fn describe(&self) -> String {
        let triplets = match self.miner {
            Miner::All => "all triplets of each batch that cost something",
            Miner::BatchHard => "each anchor's hardest triplet of its batch",
            Miner::SemiHard => "the semi-hard triplets of each batch",
        };
        format!("triplet loss, margin {}, over {triplets}", self.margin)
    }

    fn validate(&self) -> error::Result<()> {
        above("margin", 0.0, self.margin)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let distances = batch
            .distance
            .pairwise(batch.embeddings, batch.embeddings)?;
        triplet(&distances, batch.labels, self)
    }

    /// Every triplet costs the margin.
    fn collapsed(&self, _: usize, _: usize) -> Option<f64> {
        Some(self.margin)
    }
}
