//! Centre loss: an image's distance from its class's learned centre, beside another loss.

use candle_core::Result;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, at_least};
use super::proxies::{self, cosines, missed, truth};
use crate::error;

/// The centre loss of Wen et al. (2016, eq. 2): `J = ½ · mean ‖z − c_y‖²`, with a learned centre c of each class.
///
/// By itself it is least where all images are one point: it is for a sum with a loss that keeps classes apart, the
/// paper's weight being 0.003 beside a softmax of unnormalised embeddings. The paper moves a centre by half of the way to
/// the mean of its images; here the optimizer does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Center {
    /// How many times the tower's learning rate the centres learn by.
    pub rate: f64,
}

impl Default for Center {
    fn default() -> Self {
        Self { rate: 1.0 }
    }
}

impl Loss for Center {
    fn name(&self) -> &'static str {
        "center"
    }

    fn describe(&self) -> String {
        "centre loss".into()
    }

    fn validate(&self) -> error::Result<()> {
        at_least("rate", 0.0, self.rate)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::Any
    }

    fn of_classes(&self) -> bool {
        true
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, classes: usize) -> error::Result<()> {
        proxies::prepare(own, self.name(), (classes, 1), embedding)
    }

    fn rate(&self, _: &str) -> f64 {
        self.rate
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let centers = proxies::learned(batch, 1)?;
        let similarities = cosines(&batch.embeddings.detach(), &centers.detach())?;
        let truth = truth(batch.labels, batch.classes, &similarities)?;
        let away = (batch.embeddings - truth.matmul(&centers)?)?;
        Ok(Scored {
            loss: (away.sqr()?.sum(1)?.mean(0)? * 0.5)?,
            active: missed(&similarities, &truth)?,
        })
    }
}
