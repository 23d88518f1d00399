//! Margin: like pairs within a learned boundary, unlike ones beyond it.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, at_least};
use super::miner::chances;
use super::pairing::Pairing;
use crate::error;

/// The parameter's name: one boundary, or one for each class.
const BETA: &str = "beta";

/// The margin loss of Wu et al. (2017, eq. 7), averaged over the pairs that cost something:
///
/// `J_ap = max(0, m + d_ap − β)`, `J_an = max(0, m + β − d_an)`
///
/// Each like pair has one unlike one of its anchor beside it, drawn evenly over distances; as in
/// [`Miner::DistanceWeighted`](super::Miner::DistanceWeighted) its expectation is taken, so that nothing is drawn.
///
/// A *margin ranking* loss of distances, `max(0, m + d_ap − d_an)` as of PyTorch's `MarginRankingLoss`, is
/// [`Triplet`](super::Triplet).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Margin {
    /// m: half the gap between like and unlike pairs.
    pub margin: f64,
    /// β at the beginning: the boundary.
    pub beta: f64,
    /// What is learned of β.
    pub boundary: Boundary,
    /// Which unlike pairs count.
    pub negatives: Negatives,
    /// How many times the tower's learning rate β learns by.
    pub rate: f64,
}

impl Default for Margin {
    /// The paper's.
    fn default() -> Self {
        Self {
            margin: 0.2,
            beta: 1.2,
            boundary: Boundary::PerClass,
            negatives: Negatives::DistanceWeighted,
            rate: 1.0,
        }
    }
}

/// What is learned of the margin loss's boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// Nothing: it stays where it began.
    Fixed,
    /// One for all classes.
    One,
    /// One for each class, by the anchor.
    #[default]
    PerClass,
}

/// Which unlike pairs the margin loss counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negatives {
    /// All, one of each with every like pair of its anchor.
    All,
    /// By the chance with which the paper draws them.
    #[default]
    DistanceWeighted,
}

impl Margin {
    /// The boundary of each anchor, `(B, 1)` or `(1, 1)`.
    fn boundaries(&self, batch: &Batch) -> Result<Tensor> {
        let embeddings = batch.embeddings;
        match self.boundary {
            Boundary::Fixed => {
                Tensor::full(self.beta, (1, 1), embeddings.device())?.to_dtype(embeddings.dtype())
            }
            Boundary::One => batch.learned(1, BETA)?.unsqueeze(1),
            Boundary::PerClass => batch
                .learned(batch.classes, BETA)?
                .index_select(batch.labels, 0)?
                .unsqueeze(1),
        }
    }

    /// How often each pair is in a triplet.
    fn weights(&self, batch: &Batch) -> Result<Pairing> {
        let Pairing { like, unlike } = batch.pairing()?;
        let negatives = match self.negatives {
            Negatives::All => unlike,
            Negatives::DistanceWeighted => chances(&batch.embeddings.detach(), &unlike)?,
        };
        Ok(Pairing {
            unlike: negatives.broadcast_mul(&like.sum_keepdim(1)?)?,
            like: like.broadcast_mul(&negatives.sum_keepdim(1)?)?,
        })
    }
}

impl Loss for Margin {
    fn name(&self) -> &'static str {
        "margin"
    }

    fn describe(&self) -> String {
        let boundary = match self.boundary {
            Boundary::Fixed => "fixed boundary",
            Boundary::One => "learned boundary, at first",
            Boundary::PerClass => "learned boundary of each class, at first",
        };
        let negatives = match self.negatives {
            Negatives::All => "all unlike pairs",
            Negatives::DistanceWeighted => "unlike pairs weighed by distance",
        };
        format!(
            "margin loss, margin {}, {boundary} {}, {negatives}",
            self.margin, self.beta
        )
    }

    fn validate(&self) -> error::Result<()> {
        above("margin", 0.0, self.margin)?;
        above("beta", 0.0, self.beta)?;
        at_least("rate", 0.0, self.rate)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn of_classes(&self) -> bool {
        self.boundary == Boundary::PerClass
    }

    fn prepare(&self, own: &VarBuilder, _: usize, classes: usize) -> error::Result<()> {
        let count = match self.boundary {
            Boundary::Fixed => return Ok(()),
            Boundary::One => 1,
            Boundary::PerClass => classes.max(1),
        };
        own.get_with_hints(count, BETA, Init::Const(self.beta))?;
        Ok(())
    }

    fn rate(&self, _: &str) -> f64 {
        self.rate
    }

    /// `active` is the share of the pairs that cost something, by their weights.
    fn score(&self, batch: &Batch) -> Result<Scored> {
        let (distances, beta) = (batch.distances()?, self.boundaries(batch)?);
        let Pairing { like, unlike } = self.weights(batch)?;
        let pull = (distances.broadcast_sub(&beta)? + self.margin)?.relu()?;
        let push = (beta.broadcast_sub(&distances)? + self.margin)?.relu()?;
        let costing = |cost: &Tensor, weights: &Tensor| -> Result<Tensor> {
            let costs = cost.detach().gt(0.0)?.to_dtype(weights.dtype())?;
            (costs * weights)?.sum_all()
        };
        let costing = (costing(&pull, &like)? + costing(&push, &unlike)?)?;
        let total = ((pull * &like)? + (push * &unlike)?)?.sum_all()?;
        let all = (like.sum_all()? + unlike.sum_all()?)?;
        Ok(Scored {
            loss: (total / costing.maximum(1e-6)?)?,
            active: (costing / all.maximum(1e-6)?)?,
        })
    }
}
