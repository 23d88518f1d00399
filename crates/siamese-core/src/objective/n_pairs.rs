//! N-pairs: an anchor's positive is to be picked out of the positives of the other classes, by inner product.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, at_least};
use super::missed::missed;
use super::nt_xent::against_unlike;
use super::pairing::Pairing;
use crate::error;

/// The N-pair loss of Sohn (2016, eq. 4), averaged over pairs, with its penalty on long embeddings:
///
/// `J_ap = log(1 + Σ_n exp(z_a·z_n − z_a·z_p)) + ½ λ · mean ‖z‖²`
///
/// Of each class's images in a batch the first, third, … are anchors and the second, fourth, … positives; an anchor's
/// negatives are the positives of the other classes. With two images of each class this is the paper's; its
/// embeddings are not normalised (`tower.normalize = false`): inner products of unit vectors are too alike to be told
/// apart without a temperature, for which there is [`NtXent`](super::NtXent).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NPairs {
    /// λ.
    pub penalty: f64,
}

impl Default for NPairs {
    fn default() -> Self {
        Self { penalty: 0.002 }
    }
}

/// The pairs from an anchor to a positive, like or unlike.
fn anchors_and_positives(labels: &Tensor, pairing: &Pairing) -> Result<Pairing> {
    let (images, dtype) = (labels.dim(0)?, pairing.like.dtype());
    // how many of its class come before each image
    let before = (&pairing.like * Tensor::tril2(images, dtype, labels.device())?)?.sum(1)?;
    let odd = (&before - (before.affine(0.5, 0.0)?.floor()? * 2.0)?)?;
    let counts = odd
        .affine(-1.0, 1.0)?
        .unsqueeze(1)?
        .broadcast_mul(&odd.unsqueeze(0)?)?;
    Ok(Pairing {
        like: (&pairing.like * &counts)?,
        unlike: (&pairing.unlike * &counts)?,
    })
}

impl Loss for NPairs {
    fn name(&self) -> &'static str {
        "n_pairs"
    }

    fn describe(&self) -> String {
        format!("N-pair loss, penalty {} on squared lengths", self.penalty)
    }

    fn validate(&self) -> error::Result<()> {
        at_least("penalty", 0.0, self.penalty)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let pairing = anchors_and_positives(batch.labels, &batch.pairing()?)?;
        let products = batch.embeddings.matmul(&batch.embeddings.t()?)?;
        let lengths = batch.embeddings.sqr()?.sum(1)?.mean(0)?;
        let penalty = lengths.affine(0.5 * self.penalty, 0.0)?;
        Ok(Scored {
            loss: (against_unlike(&products, &pairing)? + penalty)?,
            active: missed(&products, &pairing)?,
        })
    }
}
