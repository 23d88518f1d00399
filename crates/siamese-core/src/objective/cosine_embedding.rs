//! Cosine embedding: like pairs are turned into one direction, unlike ones as far apart as a margin.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::contrastive::PairsOf;
use super::loss::{Arrangement, Batch, Loss, Scored, halves, in_range};
use super::rows::weighted_mean;
use crate::distance::TensorDistance;
use crate::error;
use siamese_metrics::Distance;

/// PyTorch's `CosineEmbeddingLoss`:
///
/// `J = 1 − s` for a like pair, `max(0, s − m)` for an unlike one
///
/// with s the cosine similarity. Over sampled pairs it is their mean; over all pairs of a batch like and unlike ones
/// weigh the same, whatever their counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosineEmbedding {
    /// The pairs that count.
    pub pairs: PairsOf,
    /// m: the similarity below which an unlike pair costs nothing; PyTorch's is 0.
    pub margin: f64,
}

impl Default for CosineEmbedding {
    fn default() -> Self {
        Self {
            pairs: PairsOf::InBatch,
            margin: 0.0,
        }
    }
}

impl Loss for CosineEmbedding {
    fn name(&self) -> &'static str {
        "cosine_embedding"
    }

    fn describe(&self) -> String {
        let pairs = match self.pairs {
            PairsOf::Sampled => "the sampled pairs",
            PairsOf::InBatch => "all pairs of each batch",
        };
        format!(
            "cosine embedding loss, margin {}, over {pairs}",
            self.margin
        )
    }

    fn validate(&self) -> error::Result<()> {
        let margin = self.margin;
        in_range("margin", (-1.0..1.0).contains(&margin), "in −1..1", margin)
    }

    fn needs(&self) -> Arrangement {
        match self.pairs {
            PairsOf::Sampled => Arrangement::Pairs,
            PairsOf::InBatch => Arrangement::Any,
        }
    }

    /// `active` is the share of the unlike pairs that cost something.
    fn score(&self, batch: &Batch) -> Result<Scored> {
        let dtype = batch.embeddings.dtype();
        let (distances, like, unlike) = match self.pairs {
            PairsOf::Sampled => {
                let (anchors, partners) = halves(batch.embeddings)?;
                let (first, second) = halves(batch.labels)?;
                let like = first.eq(&second)?.to_dtype(dtype)?;
                let unlike = like.affine(-1.0, 1.0)?;
                (Distance::Cosine.between(&anchors, &partners)?, like, unlike)
            }
            PairsOf::InBatch => {
                let pairing = batch.pairing()?;
                let distances = batch.cosines()?.affine(-1.0, 1.0)?;
                (distances, pairing.like, pairing.unlike)
            }
        };
        let push = distances.affine(-1.0, 1.0 - self.margin)?.relu()?;
        let costs = push.detach().gt(0.0)?.to_dtype(dtype)?;
        let loss = match self.pairs {
            PairsOf::Sampled => ((distances * &like)? + (push * &unlike)?)?.mean_all()?,
            PairsOf::InBatch => half_of_each(&distances, &like, &push, &unlike)?,
        };
        let active = weighted_mean(&costs, &unlike)?;
        Ok(Scored { loss, active })
    }

    /// Like pairs cost nothing, unlike ones 1 − m, on balanced pairs.
    fn collapsed(&self, _: usize, _: usize) -> Option<f64> {
        Some((1.0 - self.margin) / 2.0)
    }
}

fn half_of_each(pull: &Tensor, like: &Tensor, push: &Tensor, unlike: &Tensor) -> Result<Tensor> {
    (weighted_mean(pull, like)? + weighted_mean(push, unlike)?)? * 0.5
}
