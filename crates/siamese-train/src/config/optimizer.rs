//! The optimizer of a run.

use serde::{Deserialize, Serialize};
use siamese_kernels::optim::{AdamW, AdamWConfig, Optimizer, Param, Sgd, SgdConfig};

/// The optimizer of a run. Weight decay spares biases and norms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Adam with decoupled weight decay.
    AdamW {
        /// Decay of the gradient's running mean.
        beta1: f64,
        /// Decay of its running square.
        beta2: f64,
        /// Added to the root of the running square.
        eps: f64,
        /// Decoupled weight decay, scaled by the learning rate.
        weight_decay: f64,
    },
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum, 0 for none.
        momentum: f64,
        /// Whether the momentum is Nesterov's.
        nesterov: bool,
        /// Added to the gradient as a multiple of the weight.
        weight_decay: f64,
    },
}

impl OptimizerConfig {
    /// The optimizer for these parameters, with no step taken.
    pub(crate) fn build(self, params: Vec<Param>) -> candle_core::Result<Optimizer> {
        Ok(match self {
            Self::AdamW {
                beta1,
                beta2,
                eps,
                weight_decay,
            } => {
                let config = AdamWConfig {
                    beta1,
                    beta2,
                    eps,
                    weight_decay,
                };
                AdamW::new(params, config)?.into()
            }
            Self::Sgd {
                momentum,
                nesterov,
                weight_decay,
            } => {
                let config = SgdConfig {
                    momentum,
                    nesterov,
                    weight_decay,
                };
                Sgd::new(params, config)?.into()
            }
        })
    }
}
