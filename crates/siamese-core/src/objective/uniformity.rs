//! Uniformity: embeddings are to be spread over the sphere, beside another loss.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above};
use super::rows::log_sum_exp;
use crate::error;

/// The uniformity of Wang and Isola (2020, eq. 5): `J = log mean over pairs of exp(−t ‖x − y‖²)` of embeddings scaled to
/// unit length, whatever their classes; 0 where all are one point, and the less the more evenly they lie.
///
/// It keeps embeddings apart and does not know classes: it is for a sum with a loss that pulls like ones together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uniformity {
    /// t: the larger, the more the nearest pairs count.
    pub t: f64,
}

impl Default for Uniformity {
    /// The paper's.
    fn default() -> Self {
        Self { t: 2.0 }
    }
}

impl Loss for Uniformity {
    fn name(&self) -> &'static str {
        "uniformity"
    }

    fn describe(&self) -> String {
        format!("uniformity, t {}", self.t)
    }

    fn validate(&self) -> error::Result<()> {
        above("t", 0.0, self.t)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::Any
    }

    /// There is always something to spread: all pairs are active.
    fn score(&self, batch: &Batch) -> Result<Scored> {
        let (cosines, all) = (batch.cosines()?, batch.pairing()?.all()?);
        let active = Tensor::ones((), all.dtype(), all.device())?;
        let images = all.dim(0)?;
        let pairs = images * images.saturating_sub(1);
        if pairs == 0 {
            // a loss of 0 that still has its graph
            let loss = (cosines.sum_all()? * 0.0)?;
            return Ok(Scored { loss, active });
        }
        let costs = cosines.affine(2.0 * self.t, -2.0 * self.t)?;
        let row = |t: &Tensor| t.reshape((1, ()));
        let sum = log_sum_exp(&row(&costs)?, &row(&all)?)?;
        Ok(Scored {
            loss: (sum.sum_all()? - (pairs as f64).ln())?,
            active,
        })
    }

    fn collapsed(&self, _: usize, _: usize) -> Option<f64> {
        Some(0.0)
    }
}
