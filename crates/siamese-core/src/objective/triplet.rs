//! The triplet loss: an anchor is to be nearer to its positive than to its negative, by a margin.

use candle_core::{Result, Tensor, bail};
use serde::{Deserialize, Serialize};
use siamese_metrics::Distance;

use super::loss::{Arrangement, Batch, Loss, Scored, above};
use super::miner::{Miner, Unmined};
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
/// `embeddings` `(N, D)`, `labels` `(N)` u32 → the loss, and the share of the triplets mined from that cost something, 0
/// both where there is none.
///
/// A triplet's cost is linear in two distances, so the sum over triplets is one over pairs, weighted by how many
/// costing triplets each is part of: `J = Σ w_ap·(m + d_ap) − Σ w_an·d_an`.
///
/// ```
/// use siamese_core::{Distance, candle::{Device, Tensor}, objective::{Miner, Triplet, triplet}};
/// # fn main() -> siamese_core::candle::Result<()> {
/// let embeddings = Tensor::new(&[[0f32], [3.0], [-2.5]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 0, 1], &Device::Cpu)?;
/// let config = Triplet { margin: 0.5, miner: Miner::BatchHard };
/// let scored = triplet(&embeddings, &labels, Distance::Euclidean, &config)?;
/// // from the first: 0.5 + 3 − 2.5; from the second nothing; the third has no like one
/// assert_eq!(scored.loss.to_scalar::<f32>()?, 0.5);
/// assert_eq!(scored.active.to_scalar::<f32>()?, 0.5);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the shapes do not fit.
pub fn triplet(
    embeddings: &Tensor,
    labels: &Tensor,
    distance: Distance,
    config: &Triplet,
) -> Result<Scored> {
    if embeddings.rank() != 2 || labels.dims() != [embeddings.dim(0)?] {
        bail!(
            "the triplet loss needs embeddings (N, D) and N labels, got {:?} and {:?}",
            embeddings.dims(),
            labels.dims()
        )
    }
    let distances = distance.pairwise(embeddings, embeddings)?;
    let pairing = Pairing::new(labels, distances.dtype())?;
    let mined = config.miner.mine(&Unmined {
        distances: &distances,
        embeddings,
        pairing: &pairing,
        margin: config.margin,
    })?;
    let Pairing { like, unlike } = mined.weights;
    let pull = (distances.affine(1.0, config.margin)? * like)?.sum_all()?;
    let push = (distances * unlike)?.sum_all()?;
    Ok(Scored {
        loss: (pull - push)?,
        active: mined.active,
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
            Miner::DistanceWeighted => "all triplets of each batch, negatives weighed by distance",
            Miner::Angular => "the triplets of each batch with a wide angle at the negative",
            Miner::NearestGap => {
                "the unlike image of each batch nearest in distance to each like pair"
            }
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
        triplet(batch.embeddings, batch.labels, batch.distance, self)
    }

    /// Every triplet costs the margin.
    fn collapsed(&self, _: usize, _: usize) -> Option<f64> {
        Some(self.margin)
    }
}
