//! Same or different: the binary cross-entropy of a head that compares pairs.

use candle_core::{DType, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

use super::contrastive::PairsOf;
use super::loss::{Arrangement, Batch, Loss, Scored, in_range};
use super::rows::{softplus, weighted_mean};
use crate::error;

/// A pair costs something until it is answered rightly with this probability, as far as figures tell.
const SURE: f64 = 0.9;

/// Settings of the binary cross-entropy on pairs; it asks for a [head](crate::HeadConfig) that compares.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SameDifferent {
    /// The pairs that count.
    pub pairs: PairsOf,
    /// Share of the target that is spread over both answers, 0..1.
    pub label_smoothing: f64,
}

/// The binary cross-entropy of logits of P(same), after Koch, Zemel and Salakhutdinov (2015):
///
/// `J = mean of −t·ln σ(x) − (1 − t)·ln(1 − σ(x))`, `t = y·(1 − s) + s/2`
///
/// with label smoothing s. Over sampled pairs it is the plain mean; over all pairs of a batch like and unlike ones
/// weigh the same, whatever their counts. `logits` `(B)`, `like` `(B)` of 1 (same class) and 0 → the loss, and the
/// share of pairs not yet answered rightly with a probability of 0.9. Finite for any finite logit.
///
/// ```
/// use siamese_core::{candle::{Device, Tensor}, objective::{SameDifferent, same_different}};
/// # fn main() -> siamese_core::candle::Result<()> {
/// let logits = Tensor::new(&[0f32, 100.], &Device::Cpu)?;
/// let like = Tensor::new(&[1f32, 0.], &Device::Cpu)?;
/// let scored = same_different(&logits, &like, &SameDifferent::default())?;
/// // (ln 2 + 100) / 2
/// assert!((scored.loss.to_scalar::<f32>()? - 50.34657).abs() < 1e-4);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the shapes differ.
pub fn same_different(logits: &Tensor, like: &Tensor, config: &SameDifferent) -> Result<Scored> {
    if logits.rank() != 1 || logits.dims() != like.dims() || logits.elem_count() == 0 {
        bail!(
            "the same-different loss needs logits (B) and as many labels, got {:?} and {:?}",
            logits.dims(),
            like.dims()
        )
    }
    let like = like.to_dtype(logits.dtype())?;
    let unlike = like.affine(-1.0, 1.0)?;
    let smoothing = config.label_smoothing;
    let target = like.affine(1.0 - smoothing, smoothing / 2.0)?;
    let cost = (softplus(logits)? - (logits * target)?)?;
    let right = (logits.detach() * like.affine(2.0, -1.0)?)?;
    let unsure = right.lt((SURE / (1.0 - SURE)).ln())?;
    let mean = |values: &Tensor| match config.pairs {
        PairsOf::Sampled => values.mean_all(),
        PairsOf::InBatch => {
            (weighted_mean(values, &like)? + weighted_mean(values, &unlike)?)? * 0.5
        }
    };
    Ok(Scored {
        active: unsure.to_dtype(DType::F32)?.mean_all()?,
        loss: mean(&cost)?,
    })
}

impl SameDifferent {
    /// Rows of the two images of each pair.
    fn pairs(&self, images: usize) -> Result<(Vec<u32>, Vec<u32>)> {
        let images = images as u32;
        Ok(match self.pairs {
            PairsOf::Sampled if !images.is_multiple_of(2) => {
                bail!("sampled pairs need an even number of images, got {images}")
            }
            PairsOf::Sampled => ((0..images / 2).collect(), (images / 2..images).collect()),
            PairsOf::InBatch => (0..images)
                .flat_map(|a| (a + 1..images).map(move |b| (a, b)))
                .unzip(),
        })
    }
}

impl Loss for SameDifferent {
    fn name(&self) -> &'static str {
        "same_different"
    }

    fn describe(&self) -> String {
        let smoothing = match self.label_smoothing {
            0.0 => String::new(),
            share => format!(", label smoothing {share}"),
        };
        let pairs = match self.pairs {
            PairsOf::Sampled => "the sampled pairs",
            PairsOf::InBatch => "all pairs of each batch, like and unlike weighing the same",
        };
        format!("binary cross-entropy of same and different{smoothing}, over {pairs}")
    }

    fn validate(&self) -> error::Result<()> {
        let smoothing = self.label_smoothing;
        let fits = (0.0..1.0).contains(&smoothing);
        in_range("label_smoothing", fits, "in 0..1", smoothing)
    }

    fn needs(&self) -> Arrangement {
        match self.pairs {
            PairsOf::Sampled => Arrangement::Pairs,
            PairsOf::InBatch => Arrangement::Any,
        }
    }

    fn needs_head(&self) -> bool {
        true
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let Some(head) = batch.head else {
            bail!("same_different needs a head that compares: head.kind = \"comparison\"")
        };
        let (embeddings, device) = (batch.embeddings, batch.embeddings.device());
        let (a, b) = self.pairs(embeddings.dim(0)?)?;
        if a.is_empty() {
            // one image makes no pair
            return Ok(Scored {
                loss: (embeddings.sum_all()? * 0.0)?,
                active: Tensor::new(0f32, device)?,
            });
        }
        let (a, b) = (Tensor::new(a, device)?, Tensor::new(b, device)?);
        let side = |of: &Tensor, rows: &Tensor| of.index_select(rows, 0);
        let like = side(batch.labels, &a)?.eq(&side(batch.labels, &b)?)?;
        let logits = head.logits(&side(embeddings, &a)?, &side(embeddings, &b)?)?;
        same_different(&logits, &like, self)
    }

    /// From `1 − P(same)`, which in f32 is at most 16 of a logit from "same": what costs more counts as that.
    fn validation_loss(&self, distances: &[f32], like: &[bool]) -> Option<f64> {
        let least = f64::from(f32::EPSILON / 2.0);
        let mut sums = [(0.0, 0usize); 2];
        for (&distance, &like) in distances.iter().zip(like) {
            let different = f64::from(distance).clamp(least, 1.0 - least);
            let same = 1.0 - different;
            let target = if like { 1.0 } else { 0.0 };
            let target = target * (1.0 - self.label_smoothing) + self.label_smoothing / 2.0;
            let cost = -target * same.ln() - (1.0 - target) * different.ln();
            let (sum, count) = &mut sums[usize::from(like)];
            (*sum, *count) = (*sum + cost, *count + 1);
        }
        let [(unlike, of_unlike), (like, of_like)] = sums;
        match (self.pairs, of_unlike + of_like) {
            (_, 0) => None,
            (PairsOf::Sampled, count) => Some((unlike + like) / count as f64),
            (PairsOf::InBatch, _) => {
                let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
                Some(0.5 * (mean(unlike, of_unlike) + mean(like, of_like)))
            }
        }
    }

    /// All pairs look alike: on balanced ones nothing is better than a coin.
    fn collapsed(&self, _: usize, _: usize) -> Option<f64> {
        Some(std::f64::consts::LN_2)
    }
}

#[cfg(test)]
#[path = "same_different_tests.rs"]
mod tests;
