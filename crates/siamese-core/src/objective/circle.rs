//! Circle: like and unlike similarities, each pulled the harder the farther it is from where it should be.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, in_range};
use super::missed::missed;
use super::rows::{has_any, log_sum_exp, softplus, weighted_mean};
use crate::error;

/// The circle loss of Sun et al. (2020, eq. 6), averaged over the anchors that have like and unlike ones:
///
/// `J_a = log(1 + Σ_n exp(γ α_n (s_an − m)) · Σ_p exp(−γ α_p (s_ap − 1 + m)))`
///
/// with s the cosine similarity and the constants `α_n = max(0, s_an + m)`, `α_p = max(0, 1 + m − s_ap)`. The defaults
/// are the paper's for retrieval; for faces it has m = 0.25 and γ = 256.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Circle {
    /// m: like pairs are to be more similar than 1 − m, unlike ones less than m.
    pub margin: f64,
    /// γ.
    pub scale: f64,
}

impl Default for Circle {
    fn default() -> Self {
        Self {
            margin: 0.4,
            scale: 80.0,
        }
    }
}

impl Loss for Circle {
    fn name(&self) -> &'static str {
        "circle"
    }

    fn describe(&self) -> String {
        format!("circle loss, margin {}, scale {}", self.margin, self.scale)
    }

    fn validate(&self) -> error::Result<()> {
        let margin = self.margin;
        in_range("margin", (-1.0..1.0).contains(&margin), "in −1..1", margin)?;
        above("scale", 0.0, self.scale)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let (cosines, pairing) = (batch.cosines()?, batch.pairing()?);
        let known = cosines.detach();
        let far = known.affine(-1.0, 1.0 + self.margin)?.relu()?;
        let near = known.affine(1.0, self.margin)?.relu()?;
        let pull = (cosines.affine(-self.scale, self.scale * (1.0 - self.margin))? * far)?;
        let push = (cosines.affine(self.scale, -self.scale * self.margin)? * near)?;
        let pull = log_sum_exp(&pull, &pairing.like)?;
        let push = log_sum_exp(&push, &pairing.unlike)?;
        let whole = (has_any(&pairing.like)? * has_any(&pairing.unlike)?)?;
        Ok(Scored {
            loss: weighted_mean(&softplus(&(pull + push)?)?, &whole)?,
            active: missed(&known, &pairing)?,
        })
    }
}
