//! SupCon and NT-Xent: each image's like ones are to be picked out of the whole batch, by cosine similarity.

use candle_core::{D, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above};
use super::pairing::{Pairing, weighted_mean};
use crate::distance::normalize;
use crate::error;

/// The supervised contrastive loss of Khosla et al. (2020, eq. 2, `L_out`), averaged over the anchors with a like one:
///
/// `J_a = −1/|P_a| · Σ_p log( exp(s_ap/τ) / Σ_{k ≠ a} exp(s_ak/τ) )`
///
/// with s the cosine similarity, P_a the other images of a's class, and the paper's τ = 0.1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupCon {
    /// τ: the smaller, the more the nearest images count.
    pub temperature: f64,
}

impl Default for SupCon {
    fn default() -> Self {
        Self { temperature: 0.1 }
    }
}

/// The normalised temperature-scaled cross-entropy of Chen et al. (SimCLR, 2020, eq. 1), averaged over like pairs:
///
/// `J_ap = −log( exp(s_ap/τ) / (exp(s_ap/τ) + Σ_n exp(s_an/τ)) )`
///
/// with s the cosine similarity and n the images of other classes: with two images of each class this is the paper's,
/// with more a positive does not compete with the others. τ = 0.1, the paper's best for ImageNet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NtXent {
    /// τ: the smaller, the more the nearest images count.
    pub temperature: f64,
}

impl Default for NtXent {
    fn default() -> Self {
        Self { temperature: 0.1 }
    }
}

/// Similarities of a batch, over the temperature, and which pairs are like.
struct Similarities {
    /// `(N, N)`
    values: Tensor,
    pairing: Pairing,
}

impl Similarities {
    fn new(batch: &Batch, temperature: f64) -> Result<Self> {
        let unit = normalize(batch.embeddings)?;
        let values = (unit.matmul(&unit.t()?)? / temperature)?;
        let pairing = Pairing::new(batch.labels, values.dtype())?;
        Ok(Self { values, pairing })
    }

    /// Of each row the largest value that `weights` count, as a constant `(N, 1)`; far below all where none counts.
    fn largest(&self, weights: &Tensor) -> Result<Tensor> {
        let values = self.values.detach();
        let span = (values.abs()?.max_all()?.affine(4.0, 200.0))?;
        let out = weights.affine(-1.0, 1.0)?.broadcast_mul(&span)?;
        (values - out)?.max_keepdim(D::Minus1)
    }

    /// `Σ w·exp(s − shift)` of each row, `(N, 1)`
    fn sum_of_exp(&self, weights: &Tensor, shift: &Tensor) -> Result<Tensor> {
        // what does not count may lie above the shift: it is held down before exp, lest 0·∞ be NaN
        let held = self.values.broadcast_sub(shift)?.mul(weights)?;
        (held.exp()? * weights)?.sum_keepdim(D::Minus1)
    }

    /// The share of the anchors with a like one whose most similar image is not of their class.
    fn missed(&self) -> Result<Tensor> {
        let like = &self.pairing.like;
        let best = self.largest(like)?;
        let missed = self.largest(&self.pairing.unlike)?.ge(&best)?;
        weighted_mean(&missed.to_dtype(like.dtype())?, &has_any(like)?)
    }
}

/// 1 for each row `(N, 1)` in which a pair counts, else 0.
fn has_any(weights: &Tensor) -> Result<Tensor> {
    weights.max_keepdim(D::Minus1)
}

/// `log(1 + S·exp(x))`, elementwise and without overflow, for S that is 0 or at least 1.
fn log_one_plus(sum: &Tensor, x: &Tensor) -> Result<Tensor> {
    let shift = x.detach().relu()?;
    let one = shift.neg()?.exp()?;
    let more = (x - &shift)?.exp()?.broadcast_mul(sum)?;
    (one + more)?.log()? + shift
}

impl Loss for SupCon {
    fn name(&self) -> &'static str {
        "sup_con"
    }

    fn describe(&self) -> String {
        format!(
            "supervised contrastive loss (SupCon), temperature {}",
            self.temperature
        )
    }

    fn validate(&self) -> error::Result<()> {
        above("temperature", 0.0, self.temperature)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let similarities = Similarities::new(batch, self.temperature)?;
        let Pairing { like, unlike } = &similarities.pairing;
        let others = (like + unlike)?;
        let shift = similarities.largest(&others)?;
        let total = similarities.sum_of_exp(&others, &shift)?;
        // an image alone in its batch has no others, and no like pair that would ask for them
        let alone = has_any(&others)?.affine(-1.0, 1.0)?;
        let total = ((total + alone)?.log()? + shift)?;
        let cost = total.broadcast_sub(&similarities.values)?;
        let positives = like.sum_keepdim(D::Minus1)?;
        let of_anchor = ((cost * like)?.sum_keepdim(D::Minus1)? / positives.maximum(1.0)?)?;
        Ok(Scored {
            loss: weighted_mean(&of_anchor, &has_any(like)?)?,
            active: similarities.missed()?,
        })
    }

    /// Every other image is as likely as any.
    fn collapsed(&self, batch: usize, _: usize) -> Option<f64> {
        (batch > 2).then(|| ((batch - 1) as f64).ln())
    }
}

impl Loss for NtXent {
    fn name(&self) -> &'static str {
        "nt_xent"
    }

    fn describe(&self) -> String {
        format!(
            "normalised temperature-scaled cross-entropy (NT-Xent), temperature {}",
            self.temperature
        )
    }

    fn validate(&self) -> error::Result<()> {
        above("temperature", 0.0, self.temperature)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let similarities = Similarities::new(batch, self.temperature)?;
        let Pairing { like, unlike } = &similarities.pairing;
        let shift = similarities.largest(unlike)?;
        let sum = similarities.sum_of_exp(unlike, &shift)?;
        let behind = shift.broadcast_sub(&similarities.values)?;
        let cost = log_one_plus(&sum, &behind)?;
        Ok(Scored {
            loss: weighted_mean(&cost, like)?,
            active: similarities.missed()?,
        })
    }

    /// Where all are one point the loss depends on how many images of its class an anchor has.
    fn collapsed(&self, _: usize, _: usize) -> Option<f64> {
        None
    }
}
