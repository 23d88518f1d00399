//! Lifted structure: each anchor's farthest like images against its nearest unlike ones, all of them weighing in.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, at_least};
use super::rows::{has_any, log_sum_exp, weighted_mean};
use crate::error::{self, Error};

/// The lifted structured loss (Oh Song et al. 2016) in the form of Hermans, Beyer and Leibe (2017, eq. 8), averaged over
/// the anchors that have like and unlike ones:
///
/// `J_a = max(0, log Σ_p exp(d_ap − m⁺) + log Σ_n exp(m − d_an))`
///
/// with the margin m = 1 of both papers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifted {
    /// m: the distance that unlike images are pushed to.
    pub margin: f64,
    /// m⁺: the distance that like images are pulled to.
    pub positive_margin: f64,
}

impl Default for Lifted {
    fn default() -> Self {
        Self {
            margin: 1.0,
            positive_margin: 0.0,
        }
    }
}

impl Loss for Lifted {
    fn name(&self) -> &'static str {
        "lifted"
    }

    fn describe(&self) -> String {
        let positive = match self.positive_margin {
            0.0 => String::new(),
            margin => format!(" ({margin} for like pairs)"),
        };
        format!("lifted structure loss, margin {}{positive}", self.margin)
    }

    fn validate(&self) -> error::Result<()> {
        above("margin", 0.0, self.margin)?;
        at_least("positive_margin", 0.0, self.positive_margin)?;
        if self.positive_margin < self.margin {
            return Ok(());
        }
        Err(Error::Invalid {
            field: "positive_margin",
            why: format!(
                "must be below margin, which is {}, got {}",
                self.margin, self.positive_margin
            ),
        })
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    /// `active` is the share of the anchors that cost something.
    fn score(&self, batch: &Batch) -> Result<Scored> {
        let (distances, pairing) = (batch.distances()?, batch.pairing()?);
        let pull = distances.affine(1.0, -self.positive_margin)?;
        let push = distances.affine(-1.0, self.margin)?;
        let pull = log_sum_exp(&pull, &pairing.like)?;
        let push = log_sum_exp(&push, &pairing.unlike)?;
        // where either has nothing to sum the other is far too small to matter
        let cost = (pull + push)?.relu()?;
        let whole = (has_any(&pairing.like)? * has_any(&pairing.unlike)?)?;
        let costs = cost.detach().gt(0.0)?.to_dtype(cost.dtype())?;
        Ok(Scored {
            loss: weighted_mean(&cost, &whole)?,
            active: weighted_mean(&costs, &whole)?,
        })
    }
}
