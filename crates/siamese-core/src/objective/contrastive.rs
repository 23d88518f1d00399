//! The contrastive loss: like pairs are pulled together, unlike pairs pushed apart as far as a margin.
//!
//! y = 1 marks a *like* pair, as in most code; Hadsell's paper has Y = 0 for like pairs.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_metrics::Distance;

use super::loss::{Arrangement, Batch, Loss, Scored, above, at_least, halves};
use super::memory::{self, Partners, partners};
use super::pairing::Pairing;
use super::rows::weighted_mean;
use crate::distance::TensorDistance;
use crate::error::{self, Error};

/// Settings of the contrastive loss; the defaults are those of Hadsell, Chopra and LeCun (2006).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contrastive {
    /// The pairs that count.
    pub pairs: PairsOf,
    /// Distance past which an unlike pair costs nothing.
    pub margin: f64,
    /// Distance below which a like pair costs nothing; 0 pulls like pairs together wholly.
    pub positive_margin: f64,
    /// Which unlike pairs the average counts; [`Averaging::Active`] is for [`PairsOf::InBatch`].
    pub averaging: Averaging,
    /// Embeddings of former batches that are kept as further partners (Wang et al., XBM, 2020); 0 for none. For
    /// [`PairsOf::InBatch`].
    pub memory: usize,
}

impl Default for Contrastive {
    fn default() -> Self {
        Self {
            pairs: PairsOf::Sampled,
            margin: 1.0,
            positive_margin: 0.0,
            averaging: Averaging::All,
            memory: 0,
        }
    }
}

/// Which pairs of a batch the contrastive loss is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairsOf {
    /// Each image of the first half with its partner in the second.
    #[default]
    Sampled,
    /// All pairs of the batch's images, like and unlike pairs weighing the same.
    InBatch,
}

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
/// `J = ½ [ y·max(0, D − p)² + (1 − y)·max(0, m − D)² ]`
///
/// with margin m and positive margin p, which is 0 in the paper. `distance` `(B)`, `like` `(B)` of 1 (same class) and
/// 0 → scalar.
///
/// ```
/// use siamese_core::{candle::{Device, Tensor}, objective::{Contrastive, contrastive}};
/// # fn main() -> siamese_core::candle::Result<()> {
/// let distance = Tensor::new(&[0.5f32, 0.6, 2.0], &Device::Cpu)?;
/// let like = Tensor::new(&[1f32, 0., 0.], &Device::Cpu)?;
/// let loss = contrastive(&distance, &like, &Contrastive::default())?.to_scalar::<f32>()?;
/// // ½ (0.25 + 0.16 + 0) / 3
/// assert!((loss - 0.068333).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the shapes differ or the batch is empty.
pub fn contrastive(distance: &Tensor, like: &Tensor, config: &Contrastive) -> Result<Tensor> {
    if distance.rank() != 1 || distance.dims() != like.dims() || distance.elem_count() == 0 {
        bail!(
            "the contrastive loss needs distances (B) and as many labels, got {:?} and {:?}",
            distance.dims(),
            like.dims()
        )
    }
    let like = like.to_dtype(distance.dtype())?;
    let unlike = like.affine(-1.0, 1.0)?;
    let pull = (excess(distance, config.positive_margin)?.sqr()? * like)?;
    let push = (hinge(distance, config.margin)?.sqr()? * unlike)?;
    (pull + push)?.mean_all()? * 0.5
}

/// The contrastive loss over *all* pairs of a batch, like and unlike pairs weighing the same:
///
/// `J = ½ · ½ [ mean over like pairs of max(0, D − p)² + mean over unlike pairs of max(0, m − D)² ]`
///
/// With N embeddings this is N(N−1)/2 pairs for the price of N passes through the tower, and still a loss on
/// balanced pairs: the two means have equal weight whatever their counts. A mean over no pair is 0.
///
/// `embeddings` `(N, D)`, `labels` `(N)` u32 class of each → scalar.
///
/// # Errors
/// When the shapes do not fit.
pub fn contrastive_in_batch(
    embeddings: &Tensor,
    labels: &Tensor,
    distance: Distance,
    config: &Contrastive,
) -> Result<Tensor> {
    if embeddings.rank() != 2 || labels.dims() != [embeddings.dim(0)?] {
        bail!(
            "the in-batch loss needs embeddings (N, D) and N labels, got {:?} and {:?}",
            embeddings.dims(),
            labels.dims()
        )
    }
    let pairing = Pairing::new(labels, embeddings.dtype())?;
    over_pairs(&distance.pairwise(embeddings, embeddings)?, pairing, config)
}

/// The loss over weighted pairs, `distances` as the pairing's shape.
fn over_pairs(distances: &Tensor, pairing: Pairing, config: &Contrastive) -> Result<Tensor> {
    let dtype = distances.dtype();
    let slack = hinge(distances, config.margin)?;
    let pull = excess(distances, config.positive_margin)?.sqr()?;
    let pull = weighted_mean(&pull, &pairing.like)?;
    let counted = match config.averaging {
        Averaging::All => pairing.unlike,
        Averaging::Active => (pairing.unlike * slack.detach().gt(0.0)?.to_dtype(dtype)?)?,
    };
    let push = weighted_mean(&slack.sqr()?, &counted)?;
    (pull + push)? * 0.25
}

/// The distances of the sampled pairs, and which are like: `(B / 2)` each.
fn sampled(batch: &Batch) -> Result<(Tensor, Pairing)> {
    let (anchors, partners) = halves(batch.embeddings)?;
    let (first, second) = halves(batch.labels)?;
    let like = first.eq(&second)?.to_dtype(batch.embeddings.dtype())?;
    let unlike = like.affine(-1.0, 1.0)?;
    let distances = batch.distance.between(&anchors, &partners)?;
    Ok((distances, Pairing { like, unlike }))
}

/// `max(0, m − D)`
fn hinge(distance: &Tensor, margin: f64) -> Result<Tensor> {
    distance.affine(-1.0, margin)?.relu()
}

/// `max(0, D − p)`, which for p = 0 is D
fn excess(distance: &Tensor, positive_margin: f64) -> Result<Tensor> {
    if positive_margin == 0.0 {
        return Ok(distance.clone());
    }
    distance.affine(1.0, -positive_margin)?.relu()
}

impl Loss for Contrastive {
    fn name(&self) -> &'static str {
        "contrastive"
    }

    fn describe(&self) -> String {
        let positive = match self.positive_margin {
            0.0 => String::new(),
            p => format!(" ({p} for like pairs)"),
        };
        let pairs = match (self.pairs, self.averaging) {
            (PairsOf::Sampled, _) => "the sampled pairs",
            (PairsOf::InBatch, Averaging::All) => "all pairs of each batch",
            (PairsOf::InBatch, Averaging::Active) => {
                "all pairs of each batch, unlike ones averaged while inside the margin"
            }
        };
        let memory = match self.memory {
            0 => String::new(),
            size => format!(", and of a memory of {size} embeddings"),
        };
        format!(
            "contrastive loss, margin {}{positive}, over {pairs}{memory}",
            self.margin
        )
    }

    fn validate(&self) -> error::Result<()> {
        above("margin", 0.0, self.margin)?;
        at_least("positive_margin", 0.0, self.positive_margin)?;
        if self.positive_margin >= self.margin {
            let why = format!(
                "must be below margin, which is {}, got {}",
                self.margin, self.positive_margin
            );
            let field = "positive_margin";
            return Err(Error::Invalid { field, why });
        }
        if (self.pairs, self.averaging) == (PairsOf::Sampled, Averaging::Active) {
            let why = "must be all where pairs is sampled; active is for in_batch".into();
            let field = "averaging";
            return Err(Error::Invalid { field, why });
        }
        if self.pairs == PairsOf::Sampled && self.memory > 0 {
            let why = "must be 0 where pairs is sampled; a memory is for in_batch".into();
            let field = "memory";
            return Err(Error::Invalid { field, why });
        }
        memory::validate(self.memory)
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, _: usize) -> error::Result<()> {
        Ok(memory::prepare(own, self.memory, embedding)?)
    }

    fn needs(&self) -> Arrangement {
        match self.pairs {
            PairsOf::Sampled => Arrangement::Pairs,
            PairsOf::InBatch => Arrangement::Any,
        }
    }

    /// `active` is the share of the unlike pairs inside the margin, of those that the loss counts.
    fn score(&self, batch: &Batch) -> Result<Scored> {
        let (distances, pairing) = match self.pairs {
            PairsOf::Sampled => sampled(batch)?,
            PairsOf::InBatch => {
                let Partners {
                    embeddings,
                    pairing,
                } = partners(batch, self.memory)?;
                let distances = batch.distance.pairwise(batch.embeddings, &embeddings)?;
                (distances, pairing)
            }
        };
        let inside = distances.detach().lt(self.margin)?;
        let active = weighted_mean(&inside.to_dtype(distances.dtype())?, &pairing.unlike)?;
        let loss = match self.pairs {
            PairsOf::Sampled => contrastive(&distances, &pairing.like, self)?,
            PairsOf::InBatch => over_pairs(&distances, pairing, self)?,
        };
        Ok(Scored { loss, active })
    }

    fn validation_loss(&self, distances: &[f32], like: &[bool]) -> Option<f64> {
        let costs = |of: bool| {
            let pairs = distances.iter().zip(like);
            pairs
                .filter(move |(_, like)| **like == of)
                .map(move |(&d, _)| {
                    let d = f64::from(d);
                    let over = if of {
                        d - self.positive_margin
                    } else {
                        self.margin - d
                    };
                    over.max(0.0).powi(2)
                })
        };
        if distances.is_empty() {
            return None;
        }
        let (pull, push) = (costs(true).sum::<f64>(), costs(false).sum::<f64>());
        if self.pairs == PairsOf::Sampled {
            return Some(0.5 * (pull + push) / distances.len() as f64);
        }
        let counted = match self.averaging {
            Averaging::All => costs(false).count(),
            Averaging::Active => costs(false).filter(|&cost| cost > 0.0).count(),
        };
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        Some(0.25 * (mean(pull, costs(true).count()) + mean(push, counted)))
    }

    /// Like pairs cost 0, unlike ones `m²` each, on balanced pairs.
    fn collapsed(&self, _: usize, _: usize) -> Option<f64> {
        Some(self.margin.powi(2) / 4.0)
    }
}
