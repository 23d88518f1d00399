//! NT-Xent: each like pair is to be picked out of the unlike ones of the batch, by cosine similarity.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above};
use super::missed::missed;
use super::pairing::Pairing;
use super::rows::{log_sum_exp, softplus, weighted_mean};
use crate::error;

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

/// The cross-entropy of each like pair against the unlike ones of its anchor, averaged; `logits` as the pairing's shape.
pub(super) fn against_unlike(logits: &Tensor, pairing: &Pairing) -> Result<Tensor> {
    let unlike = log_sum_exp(logits, &pairing.unlike)?;
    let cost = softplus(&unlike.broadcast_sub(logits)?)?;
    weighted_mean(&cost, &pairing.like)
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

    /// Where all are one point the loss depends on how many images of its class an anchor has.
    fn score(&self, batch: &Batch) -> Result<Scored> {
        let (logits, pairing) = ((batch.cosines()? / self.temperature)?, batch.pairing()?);
        Ok(Scored {
            loss: against_unlike(&logits, &pairing)?,
            active: missed(&logits, &pairing)?,
        })
    }
}
