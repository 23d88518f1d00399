//! Proxy-anchor: each class's proxy is an anchor for all images of the batch.

use candle_core::Result;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, at_least, in_range};
use super::proxies::{self, cosines, missed, truth};
use super::rows::{has_any, log_sum_exp, softplus, weighted_mean};
use crate::error;

/// The proxy-anchor loss of Kim et al. (2020, eq. 4):
///
/// `J = mean over proxies with an image of theirs of log(1 + Σ_x⁺ exp(−α (s − δ)))`
/// `  + mean over all proxies of log(1 + Σ_x⁻ exp(α (s + δ)))`
///
/// with s the cosine of an image x and a proxy, x⁺ the images of its class and x⁻ the others of the batch. The proxies
/// learn five times as fast as the tower, which is the paper's 0.01 beside our rate of 0.002; it has 0.0001 for its
/// pretrained tower.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyAnchor {
    /// δ.
    pub margin: f64,
    /// α: how much the hardest images stand out.
    pub alpha: f64,
    /// How many times the tower's learning rate the proxies learn by.
    pub rate: f64,
}

impl Default for ProxyAnchor {
    fn default() -> Self {
        Self {
            margin: 0.1,
            alpha: 32.0,
            rate: 5.0,
        }
    }
}

impl Loss for ProxyAnchor {
    fn name(&self) -> &'static str {
        "proxy_anchor"
    }

    fn describe(&self) -> String {
        format!(
            "proxy-anchor loss, margin {}, α {}",
            self.margin, self.alpha
        )
    }

    fn validate(&self) -> error::Result<()> {
        let margin = self.margin;
        in_range("margin", (-1.0..1.0).contains(&margin), "in −1..1", margin)?;
        above("alpha", 0.0, self.alpha)?;
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
        let of_images = cosines(batch.embeddings, &proxies::learned(batch, 1)?)?;
        let truth = truth(batch.labels, batch.classes, &of_images)?;
        let of_proxies = of_images.t()?.contiguous()?;
        let own = truth.t()?.contiguous()?;
        let others = own.affine(-1.0, 1.0)?;
        let pull = of_proxies.affine(-self.alpha, self.alpha * self.margin)?;
        let push = of_proxies.affine(self.alpha, self.alpha * self.margin)?;
        let pull = softplus(&log_sum_exp(&pull, &own)?)?;
        let push = softplus(&log_sum_exp(&push, &others)?)?;
        Ok(Scored {
            loss: (weighted_mean(&pull, &has_any(&own)?)? + push.mean_all()?)?,
            active: missed(&of_images, &truth)?,
        })
    }
}
