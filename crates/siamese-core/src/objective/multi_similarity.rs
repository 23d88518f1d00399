//! Multi-similarity: the hardest like and unlike pairs of each anchor, weighed by how hard they are.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, in_range};
use super::missed::missed;
use super::pairing::Pairing;
use super::rows::{largest, log_sum_exp, smallest, softplus};
use crate::error;

/// The multi-similarity loss of Wang et al. (2019, eq. 16), averaged over all anchors:
///
/// `J_a = 1/α · log(1 + Σ_p exp(−α (s_ap − λ))) + 1/β · log(1 + Σ_n exp(β (s_an − λ)))`
///
/// with s the cosine similarity. Of the pairs those count that the paper mines (eq. 10 and 11): an unlike one that is
/// more similar than the least similar like one less ε, and a like one that is less similar than the most similar unlike
/// one plus ε.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiSimilarity {
    /// α: how much the least similar like pairs stand out.
    pub alpha: f64,
    /// β: how much the most similar unlike pairs stand out.
    pub beta: f64,
    /// λ: the similarity between like and unlike.
    pub base: f64,
    /// ε of the mining; from 2 on all pairs count.
    pub epsilon: f64,
}

impl Default for MultiSimilarity {
    /// The paper's.
    fn default() -> Self {
        Self {
            alpha: 2.0,
            beta: 50.0,
            base: 0.5,
            epsilon: 0.1,
        }
    }
}

impl Loss for MultiSimilarity {
    fn name(&self) -> &'static str {
        "multi_similarity"
    }

    fn describe(&self) -> String {
        let Self {
            alpha,
            beta,
            base,
            epsilon,
        } = self;
        format!("multi-similarity loss, α {alpha}, β {beta}, base {base}, ε {epsilon}")
    }

    fn validate(&self) -> error::Result<()> {
        above("alpha", 0.0, self.alpha)?;
        above("beta", 0.0, self.beta)?;
        let base = self.base;
        in_range("base", (-1.0..=1.0).contains(&base), "in −1..1", base)?;
        above("epsilon", -2.0, self.epsilon)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let (cosines, all) = (batch.cosines()?, batch.pairing()?);
        let known = cosines.detach();
        let hardest = smallest(&known, &all.like)?.affine(1.0, -self.epsilon)?;
        let nearest = largest(&known, &all.unlike)?.affine(1.0, self.epsilon)?;
        let mined = Pairing {
            like: known.broadcast_lt(&nearest)?.to_dtype(known.dtype())?,
            unlike: known.broadcast_gt(&hardest)?.to_dtype(known.dtype())?,
        };
        let like = (mined.like * &all.like)?;
        let unlike = (mined.unlike * &all.unlike)?;
        let pull = cosines.affine(-self.alpha, self.alpha * self.base)?;
        let push = cosines.affine(self.beta, -self.beta * self.base)?;
        let pull = softplus(&log_sum_exp(&pull, &like)?)?.affine(1.0 / self.alpha, 0.0)?;
        let push = softplus(&log_sum_exp(&push, &unlike)?)?.affine(1.0 / self.beta, 0.0)?;
        Ok(Scored {
            loss: (pull + push)?.mean_all()?,
            active: missed(&known, &all)?,
        })
    }
}
