//! All that decides a run: with the data and this, the weights follow.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use siamese_core::objective::{Averaging, Contrastive, ObjectiveConfig, PairsOf};
use siamese_core::{Distance, TowerConfig};
use siamese_data::{AugmentConfig, ClassSampling};
use siamese_kernels::Precision;
use siamese_kernels::optim::{AdamW, AdamWConfig, Optimizer, Param, Sgd, SgdConfig};

use crate::{Schedule, SplitBy, StoppingConfig};

/// The configuration of a training run, stored whole as `config.json` in its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The preset that this configuration started from.
    pub preset: String,
    /// The one seed: weights, dropout, split, pairs and augmentation follow from it.
    pub seed: u64,
    /// The network.
    pub tower: TowerConfig,
    /// The distance between embeddings, in the loss and afterwards.
    pub distance: Distance,
    /// The loss.
    pub loss: LossConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// Largest norm of the whole gradient; `None` leaves it as it is.
    pub clip_norm: Option<f64>,
    /// What the tower's body computes in, in training; bf16 is for CUDA.
    #[serde(default)]
    pub precision: Precision,
    /// Epochs at most; in each, every training image is an anchor once.
    pub epochs: usize,
    /// Pairs in a batch; the tower sees twice as many images at once.
    pub pairs_per_batch: usize,
    /// Which classes the partners of unlike pairs come from.
    pub class_sampling: ClassSampling,
    /// Share of the unlike pairs drawn within one superclass.
    pub hard_fraction: f64,
    /// Random changes to the training images.
    pub augment: AugmentConfig,
    /// What the model is to be good at: new images, or new classes.
    #[serde(default)]
    pub split: SplitBy,
    /// Share of the training split held out for validation, by class (unused when split by classes).
    pub validation_fraction: f64,
    /// Balanced pairs of validation images that choose epoch and threshold.
    pub validation_pairs: usize,
    /// Balanced pairs of test images, used once.
    pub test_pairs: usize,
    /// When to stop early.
    pub stopping: StoppingConfig,
}

/// The contrastive loss of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Distance past which an unlike pair costs nothing.
    pub margin: f64,
    /// The pairs that count.
    pub pairs: LossPairs,
    /// Which unlike pairs the average counts (in-batch pairs only).
    pub averaging: Averaging,
}

impl LossConfig {
    /// The objective that this describes.
    pub fn objective(&self) -> ObjectiveConfig {
        ObjectiveConfig::Contrastive(Contrastive {
            pairs: match self.pairs {
                LossPairs::Sampled => PairsOf::Sampled,
                LossPairs::InBatch => PairsOf::InBatch,
            },
            margin: self.margin,
            averaging: self.averaging,
            ..Contrastive::default()
        })
    }
}

/// Which pairs of a batch the loss is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossPairs {
    /// The sampled pairs alone, as systems C, D and E.
    Sampled,
    /// All pairs of the batch's images, like and unlike pairs weighing the same.
    InBatch,
}

impl std::fmt::Display for LossPairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sampled => "over the sampled pairs",
            Self::InBatch => "over all pairs of each batch",
        })
    }
}

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
    /// AdamW with its usual coefficients.
    pub fn adamw(weight_decay: f64) -> Self {
        let usual = AdamWConfig::default();
        Self::AdamW {
            beta1: usual.beta1,
            beta2: usual.beta2,
            eps: usual.eps,
            weight_decay,
        }
    }

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

impl TrainConfig {
    /// The presets by name, with a line on each.
    pub const PRESETS: [(&str, &str); 3] = [
        (
            "default",
            "the model to use: system C's tower, all pairs of each batch",
        ),
        ("quick", "a first look within minutes"),
        (
            "system-c",
            "as published: sampled pairs alone, Adam 1e-4, 60 epochs",
        ),
    ];

    /// The preset of that name for CIFAR-100.
    ///
    /// # Errors
    /// When there is none; the message lists them.
    pub fn cifar100(preset: &str) -> Result<Self> {
        let default = Self::cifar100_default();
        match preset {
            "default" => Ok(default),
            "quick" => Ok(Self {
                preset: preset.into(),
                epochs: 6,
                ..default
            }),
            "system-c" => Ok(Self::cifar100_system_c(default)),
            _ => {
                let names: Vec<&str> = Self::PRESETS.iter().map(|(name, _)| *name).collect();
                bail!(
                    "there is no preset {preset:?}; choose one of {}",
                    names.join(", ")
                )
            }
        }
    }

    fn cifar100_default() -> Self {
        Self {
            preset: "default".into(),
            seed: 0,
            tower: TowerConfig {
                dropout: 0.0,
                ..TowerConfig::cifar100()
            },
            distance: Distance::Euclidean,
            loss: LossConfig {
                margin: 1.0,
                pairs: LossPairs::InBatch,
                averaging: Averaging::Active,
            },
            optimizer: OptimizerConfig::adamw(0.05),
            learning_rate: 2e-3,
            schedule: Schedule::OneCycle { rise: 0.2 },
            clip_norm: None,
            precision: Precision::F32,
            epochs: 16,
            pairs_per_batch: 128,
            class_sampling: ClassSampling::Proportional,
            hard_fraction: 0.0,
            augment: AugmentConfig {
                flip: true,
                crop_padding: 4,
                ..AugmentConfig::default()
            },
            split: SplitBy::Images,
            validation_fraction: 0.1,
            validation_pairs: 10_000,
            test_pairs: 20_000,
            stopping: StoppingConfig::default(),
        }
    }

    fn cifar100_system_c(default: Self) -> Self {
        Self {
            preset: "system-c".into(),
            tower: TowerConfig::cifar100(),
            loss: LossConfig {
                margin: 1.0,
                pairs: LossPairs::Sampled,
                averaging: Averaging::All,
            },
            optimizer: OptimizerConfig::adamw(0.0),
            learning_rate: 1e-4,
            schedule: Schedule::Constant,
            epochs: 60,
            pairs_per_batch: 256,
            augment: AugmentConfig::default(),
            ..default
        }
    }

    /// Checks what no single part can check for itself.
    ///
    /// # Errors
    /// When a value is out of range; the message names it.
    pub fn validate(&self) -> Result<()> {
        ensure!(self.epochs > 0, "epochs must be at least 1");
        ensure!(
            self.pairs_per_batch > 0,
            "pairs_per_batch must be at least 1"
        );
        ensure!(
            self.learning_rate.is_finite() && self.learning_rate > 0.0,
            "the learning rate must be positive, got {}",
            self.learning_rate
        );
        ensure!(
            self.validation_fraction > 0.0 && self.validation_fraction < 1.0,
            "validation_fraction must be between 0 and 1, got {}",
            self.validation_fraction
        );
        self.loss.objective().validate().context("the loss")?;
        ensure!(
            self.clip_norm.is_none_or(|norm| norm > 0.0),
            "clip_norm must be positive, got {:?}",
            self.clip_norm
        );
        ensure!(self.stopping.patience > 0, "patience must be at least 1");
        if let Some(problem) = self.schedule.problem() {
            bail!("{problem}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_survives_json() -> Result<()> {
        for (name, _) in TrainConfig::PRESETS {
            let config = TrainConfig::cifar100(name)?;
            assert_eq!(config.preset, name);
            config.validate()?;
            let copy: TrainConfig = serde_json::from_str(&serde_json::to_string(&config)?)?;
            assert_eq!(copy, config);
        }
        Ok(())
    }

    #[test]
    fn unknown_presets_and_keys_are_errors_that_say_what_there_is() {
        let error = TrainConfig::cifar100("fast").unwrap_err().to_string();
        assert!(error.contains("quick"), "{error}");
        let mut json = serde_json::to_value(TrainConfig::cifar100_default()).unwrap();
        json["learning_rat"] = 1.into();
        let error = serde_json::from_value::<TrainConfig>(json)
            .unwrap_err()
            .to_string();
        assert!(error.contains("learning_rat"), "{error}");
    }

    #[test]
    fn impossible_values_are_named() {
        let config = TrainConfig {
            validation_fraction: 1.5,
            ..TrainConfig::cifar100_default()
        };
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("validation_fraction")
        );
    }
}
