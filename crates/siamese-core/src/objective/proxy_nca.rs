//! Proxy-NCA++: an image's own proxy is to be picked out of all, by squared distance.

use candle_core::Result;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, at_least};
use super::softmax::NormalizedSoftmax;
use crate::error;

/// Proxy-NCA++ (Teh, DeVries and Taylor 2020, eq. 6), averaged over images: the cross-entropy of
///
/// `−‖z − w_c‖² / T`
///
/// with embeddings and proxies of unit length. Movshovitz-Attias et al. (2017) leave the own proxy out of the sum of the
/// softmax and have T = 1; the first change and T = 1/9 are the later paper's. Between unit vectors `‖z − w‖²` is
/// `2 − 2·cos`, so this is [`NormalizedSoftmax`] of scale 2/T.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyNca {
    /// T: the smaller, the more the nearest proxies count.
    pub temperature: f64,
    /// How many times the tower's learning rate the proxies learn by.
    pub rate: f64,
}

impl Default for ProxyNca {
    fn default() -> Self {
        Self {
            temperature: 1.0 / 9.0,
            rate: 1.0,
        }
    }
}

impl ProxyNca {
    fn softmax(&self) -> NormalizedSoftmax {
        NormalizedSoftmax {
            scale: 2.0 / self.temperature,
            ..NormalizedSoftmax::default()
        }
    }
}

impl Loss for ProxyNca {
    fn name(&self) -> &'static str {
        "proxy_nca"
    }

    fn describe(&self) -> String {
        format!("Proxy-NCA++ loss, temperature {:.4}", self.temperature)
    }

    fn validate(&self) -> error::Result<()> {
        above("temperature", 1e-5, self.temperature)?;
        at_least("rate", 0.0, self.rate)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::Any
    }

    fn of_classes(&self) -> bool {
        true
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, classes: usize) -> error::Result<()> {
        super::proxies::prepare(own, self.name(), (classes, 1), embedding)
    }

    fn rate(&self, _: &str) -> f64 {
        self.rate
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        self.softmax().score(batch)
    }

    fn collapsed(&self, batch: usize, classes: usize) -> Option<f64> {
        self.softmax().collapsed(batch, classes)
    }
}
