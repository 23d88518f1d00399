//! SupCon: each image's like ones are to be picked out of all others, by cosine similarity.

use candle_core::{D, Result};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above};
use super::memory::{self, partners};
use super::missed::missed;
use super::rows::{has_any, log_sum_exp, weighted_mean};
use crate::distance::normalize;
use crate::error;

/// The supervised contrastive loss of Khosla et al. (2020, eq. 2, `L_out`), averaged over the anchors with a like one:
///
/// `J_a = −1/|P_a| · Σ_p log( exp(s_ap/τ) / Σ_{k ≠ a} exp(s_ak/τ) )`
///
/// with s the cosine similarity, P_a the other images of a's class, and the paper's τ = 0.1. With a memory (Wang et al.,
/// XBM, 2020) k and p are also the embeddings of former batches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupCon {
    /// τ: the smaller, the more the nearest images count.
    pub temperature: f64,
    /// Embeddings of former batches that are kept as further partners; 0 for none.
    pub memory: usize,
}

impl Default for SupCon {
    fn default() -> Self {
        Self {
            temperature: 0.1,
            memory: 0,
        }
    }
}

impl Loss for SupCon {
    fn name(&self) -> &'static str {
        "sup_con"
    }

    fn describe(&self) -> String {
        let memory = match self.memory {
            0 => String::new(),
            size => format!(", with a memory of {size} embeddings"),
        };
        let temperature = self.temperature;
        format!("supervised contrastive loss (SupCon), temperature {temperature}{memory}")
    }

    fn validate(&self) -> error::Result<()> {
        above("temperature", 0.0, self.temperature)?;
        memory::validate(self.memory)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, _: usize) -> error::Result<()> {
        Ok(memory::prepare(own, self.memory, embedding)?)
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let partners = partners(batch, self.memory)?;
        let (anchors, others) = (
            normalize(batch.embeddings)?,
            normalize(&partners.embeddings)?,
        );
        let logits = (anchors.matmul(&others.t()?)? / self.temperature)?;
        let pairing = &partners.pairing;
        let like = &pairing.like;
        let cost = log_sum_exp(&logits, &pairing.all()?)?.broadcast_sub(&logits)?;
        let positives = like.sum_keepdim(D::Minus1)?;
        // an image without others has no like one either: its −1e30 is multiplied by 0
        let of_anchor = ((cost * like)?.sum_keepdim(D::Minus1)? / positives.maximum(1.0)?)?;
        Ok(Scored {
            loss: weighted_mean(&of_anchor, &has_any(like)?)?,
            active: missed(&logits, pairing)?,
        })
    }

    /// Every other image is as likely as any.
    fn collapsed(&self, batch: usize, _: usize) -> Option<f64> {
        (batch > 2 && self.memory == 0).then(|| ((batch - 1) as f64).ln())
    }
}
