//! The optimizer of a run.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use siamese_kernels::optim::{
    AdamW, AdamWConfig, Muon, MuonConfig, Optimizer, Param, Sgd, SgdConfig,
};

/// The optimizer of a run. Weight decay spares biases and norms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        /// Learning rates of groups of parameters.
        #[serde(default, skip_serializing_if = "Rates::is_empty")]
        rates: Rates,
    },
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum, 0 for none.
        momentum: f64,
        /// Whether the momentum is Nesterov's.
        nesterov: bool,
        /// Added to the gradient as a multiple of the weight.
        weight_decay: f64,
        /// Learning rates of groups of parameters.
        #[serde(default, skip_serializing_if = "Rates::is_empty")]
        rates: Rates,
    },
    /// Momentum whose step is orthogonalised, for the kernels of convolutions; AdamW as usual for all else.
    Muon {
        /// Learning rate of the kernels, as a multiple of the run's.
        #[serde(default = "kernel_rate")]
        kernel_rate: f64,
        /// Momentum of the kernels, Nesterov's.
        #[serde(default = "momentum")]
        momentum: f64,
        /// Steps of the iteration that orthogonalises.
        #[serde(default = "newton_schulz")]
        newton_schulz: usize,
        /// Decoupled weight decay, scaled by the learning rate.
        #[serde(default = "weight_decay")]
        weight_decay: f64,
        /// Learning rates of groups of parameters.
        #[serde(default, skip_serializing_if = "Rates::is_empty")]
        rates: Rates,
    },
}

fn kernel_rate() -> f64 {
    MuonConfig::default().rate
}

fn momentum() -> f64 {
    MuonConfig::default().momentum
}

fn newton_schulz() -> usize {
    MuonConfig::default().steps
}

fn weight_decay() -> f64 {
    MuonConfig::default().weight_decay
}

/// Learning rates of groups of parameters as multiples of the run's, by the beginning of their names: `backbone`,
/// `backbone.layer4`, `head`, `objective`. Of several the longest counts; what none names has the run's own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rates(pub BTreeMap<String, f64>);

impl Rates {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets the rates of these parameters.
    fn apply(&self, params: &mut [Param]) -> Result<()> {
        for (group, &rate) in &self.0 {
            ensure!(
                rate.is_finite() && rate >= 0.0,
                "optimizer.rates.{group} must not be negative, got {rate}"
            );
            ensure!(
                params.iter().any(|param| is_of(&param.name, group)),
                "optimizer.rates names {group:?}, and no trained parameter is called so: their names begin with {}",
                groups(params)
            );
        }
        for param in params {
            let own = self.0.iter().filter(|(group, _)| is_of(&param.name, group));
            if let Some((_, &rate)) = own.max_by_key(|(group, _)| group.len()) {
                param.rate = rate;
            }
        }
        Ok(())
    }
}

/// Whether a parameter is of a group; the tower's are named as in its model file, without `tower.`.
fn is_of(name: &str, group: &str) -> bool {
    let name = name.strip_prefix("tower.").unwrap_or(name);
    let rest = name.strip_prefix(group);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first two parts of the parameters' names, each once.
fn groups(params: &[Param]) -> String {
    let mut groups: Vec<String> = Vec::new();
    for param in params {
        let name = param.name.strip_prefix("tower.").unwrap_or(&param.name);
        let parts: Vec<&str> = name.split('.').collect();
        let group = parts[..parts.len().saturating_sub(1).clamp(1, 2)].join(".");
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups.join(", ")
}

impl OptimizerConfig {
    /// The optimizer for these parameters, with no step taken.
    pub(crate) fn build(&self, mut params: Vec<Param>) -> Result<Optimizer> {
        let (Self::AdamW { rates, .. } | Self::Sgd { rates, .. } | Self::Muon { rates, .. }) = self;
        rates.apply(&mut params)?;
        Ok(match *self {
            Self::AdamW {
                beta1,
                beta2,
                eps,
                weight_decay,
                ..
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
                ..
            } => {
                let config = SgdConfig {
                    momentum,
                    nesterov,
                    weight_decay,
                };
                Sgd::new(params, config)?.into()
            }
            Self::Muon {
                kernel_rate,
                momentum,
                newton_schulz,
                weight_decay,
                ..
            } => {
                let config = MuonConfig {
                    rate: kernel_rate,
                    momentum,
                    steps: newton_schulz,
                    weight_decay,
                    adamw: AdamWConfig {
                        weight_decay,
                        ..AdamWConfig::default()
                    },
                };
                Muon::new(params, config)?.into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    fn params() -> Vec<Param> {
        let names = [
            "tower.backbone.layer3.0.conv1.weight",
            "tower.backbone.layer4.0.bn1.bias",
            "tower.backbone.layer40.weight",
            "tower.head.weight",
            "objective.proxies",
        ];
        let param = |name| Param::new(name, Var::zeros(2, DType::F32, &Device::Cpu).unwrap());
        names.map(param).to_vec()
    }

    fn rates(of: &[(&str, f64)]) -> Result<Vec<f64>> {
        let rates = of.iter().map(|&(name, rate)| (name.to_string(), rate));
        let mut params = params();
        Rates(rates.collect()).apply(&mut params)?;
        Ok(params.iter().map(|param| param.rate).collect())
    }

    #[test]
    fn the_longest_name_that_fits_decides_a_rate() -> Result<()> {
        let found = rates(&[
            ("backbone", 0.1),
            ("backbone.layer4", 0.5),
            ("objective", 10.0),
        ])?;
        assert_eq!(found, [0.1, 0.5, 0.1, 1.0, 10.0]);
        assert_eq!(rates(&[])?, [1.0; 5]);
        Ok(())
    }

    #[test]
    fn a_group_that_is_none_and_a_negative_rate_are_refused_by_name() {
        let error = rates(&[("backbone.layer9", 0.1)]).unwrap_err().to_string();
        assert!(
            error.contains("layer9") && error.contains("backbone.layer3, backbone.layer4"),
            "{error}"
        );
        let error = rates(&[("head", -1.0)]).unwrap_err().to_string();
        assert!(error.contains("optimizer.rates.head"), "{error}");
    }
}
