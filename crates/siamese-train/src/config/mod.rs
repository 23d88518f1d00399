//! All that decides a run: with the data and this, the weights follow.

mod layers;
mod optimizer;
mod preset;
mod propose;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use siamese_core::objective::Arrangement;
use siamese_core::{Distance, ObjectiveConfig, Precision, TowerConfig};
use siamese_data::{AugmentConfig, Colour, Columns, SamplerConfig, SplitConfig};

use crate::schedule::Schedule;
use crate::stopping::StoppingConfig;

pub use layers::Layer;
pub use optimizer::OptimizerConfig;
pub use preset::Preset;
pub use propose::{Proposal, Traits};

/// The configuration of a training run, stored whole in its folder.
///
/// It is put together from [`Layer`]s: what is chosen from the data, a [`Preset`], a file, single settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The preset that this configuration started from; `auto` where it was chosen from the data.
    pub preset: String,
    /// The one seed: weights, dropout, split, batches and augmentation follow from it.
    pub seed: u64,
    /// Epochs at most.
    pub epochs: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// The distance between embeddings, in the objective and afterwards.
    pub distance: Distance,
    /// What the tower's body computes in, in training; bf16 is for CUDA.
    #[serde(default)]
    pub precision: Precision,
    /// Largest norm of the whole gradient; without it the gradient is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Decay of a running average of the weights, such as 0.999: the average is what is validated and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_average: Option<f64>,
    /// What is done about a step whose loss or gradient is no number.
    #[serde(default, skip_serializing_if = "OnNan::is_stop")]
    pub on_nan: OnNan,
    /// The pictures, and how they are divided.
    pub data: DataConfig,
    /// The network.
    pub tower: TowerConfig,
    /// What is learned.
    pub objective: ObjectiveConfig,
    /// What a batch is made of.
    pub sampler: SamplerConfig,
    /// Random changes to the training images.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// When to stop early.
    pub stopping: StoppingConfig,
    /// How the model is judged.
    pub judge: JudgeConfig,
}

/// What is done about a step whose loss or gradient is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNan {
    /// The training ends; the best model so far is judged.
    #[default]
    Stop,
    /// The step changes nothing and is counted; too many in a row end the training. Each step then waits for its figures,
    /// also on a GPU.
    Skip,
}

impl OnNan {
    fn is_stop(&self) -> bool {
        *self == Self::Stop
    }
}

/// The pictures of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// A folder, a file, the name of a set or `hf:user/name`, as `siamese train` takes it.
    pub source: String,
    /// RGB or grey; chosen from the pictures where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
    /// The columns of a table, where they are not called as usual.
    pub columns: Columns,
    /// Which images train, validate and test.
    pub split: SplitConfig,
    /// Train on the test images too, once another run of the same settings was judged on them. The validation images
    /// stay apart: they choose epoch and threshold.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refit: bool,
}

/// How a model is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeConfig {
    /// Balanced pairs of validation images that choose epoch and threshold.
    pub validation_pairs: usize,
    /// Balanced pairs of test images, used once.
    pub test_pairs: usize,
}

impl TrainConfig {
    /// The configuration that these layers make, the first being the lowest; beneath them is what every run starts from.
    ///
    /// # Errors
    /// For an unknown key, an impossible value, or one that nothing gives.
    pub fn from_layers<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Result<Self> {
        let merged = layers.into_iter().fold(preset::base()?, Layer::under);
        let config: Self = merged.read_as()?;
        config.validate()?;
        Ok(config)
    }

    /// A preset that is whole by itself.
    ///
    /// # Errors
    /// When there is no such preset, or it leaves open what is chosen from the data.
    pub fn preset(name: &str) -> Result<Self> {
        let preset = Preset::named(name)?;
        let mut named = Layer::default();
        named.set("preset", name)?;
        let source = preset.sets.first().map_or("", String::as_str);
        named.set("data.source", &format!("{source:?}"))?;
        Self::from_layers([&named, &preset.layer]).with_context(|| format!("the preset {name}"))
    }

    /// Checks what no single part can check for itself.
    ///
    /// # Errors
    /// When a value is out of range; the message names it.
    pub fn validate(&self) -> Result<()> {
        Layer::of(self)?.check_numbers()?;
        ensure!(self.epochs > 0, "epochs must be at least 1");
        ensure!(
            self.learning_rate.is_finite() && self.learning_rate > 0.0,
            "learning_rate must be positive, got {}",
            self.learning_rate
        );
        ensure!(
            self.clip_norm.is_none_or(|norm| norm > 0.0),
            "clip_norm must be positive, got {}",
            self.clip_norm.unwrap_or_default()
        );
        ensure!(
            self.weight_average
                .is_none_or(|decay| decay > 0.0 && decay < 1.0),
            "weight_average is a decay between 0 and 1 such as 0.999, got {}",
            self.weight_average.unwrap_or_default()
        );
        ensure!(
            self.stopping.patience > 0,
            "stopping.patience must be at least 1"
        );
        ensure!(
            self.stopping.min_delta >= 0.0,
            "stopping.min_delta must not be negative, got {}",
            self.stopping.min_delta
        );
        for (name, pairs) in [
            ("judge.validation_pairs", self.judge.validation_pairs),
            ("judge.test_pairs", self.judge.test_pairs),
        ] {
            ensure!(pairs > 1, "{name} must be at least 2, got {pairs}");
        }
        self.objective.validate().context("objective")?;
        self.sampler.validate()?;
        ensure!(
            self.objective.needs() != Arrangement::Pairs
                || matches!(self.sampler, SamplerConfig::Pairs(_)),
            "objective.pairs = \"sampled\" learns from pairs, but sampler.kind is \"{}\": say sampler.kind = \"pairs\", or \
             objective.pairs = \"in_batch\"",
            self.sampler.name()
        );
        if let Some(problem) = self.schedule.problem() {
            bail!("{problem}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<TrainConfig> {
        let mut layer = Layer::default();
        layer.set("preset", "default")?;
        for (key, value) in settings {
            layer.set(key, value)?;
        }
        TrainConfig::from_layers([&Preset::named("default")?.layer, &layer])
    }

    #[test]
    fn every_preset_is_whole_and_survives_toml_and_json() -> Result<()> {
        for preset in Preset::all()? {
            let config = TrainConfig::preset(preset.name)?;
            assert_eq!(config.preset, preset.name);
            let copy: TrainConfig = serde_json::from_str(&serde_json::to_string(&config)?)?;
            assert_eq!(copy, config);
            let copy: TrainConfig = toml::from_str(&toml::to_string(&config)?)?;
            assert_eq!(copy, config);
        }
        Ok(())
    }

    #[test]
    fn unknown_presets_and_keys_are_errors_that_say_what_there_is() {
        let error = TrainConfig::preset("fast").unwrap_err().to_string();
        assert!(error.contains("quick"), "{error}");
        let error = with(&[("learning_rat", "1.0")]).unwrap_err().to_string();
        assert!(error.contains("did you mean \"learning_rate\"?"), "{error}");
        let error = with(&[("objective.kind", "tripled")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean \"triplet\"?"), "{error}");
    }

    #[test]
    fn another_objective_brings_its_own_defaults() -> Result<()> {
        let config = with(&[("objective.kind", "triplet"), ("objective.margin", "0.3")])?;
        let ObjectiveConfig::Triplet(triplet) = config.objective else {
            panic!("{:?}", config.objective)
        };
        assert_eq!(triplet.margin, 0.3);
        Ok(())
    }

    #[test]
    fn an_objective_of_sampled_pairs_wants_the_sampler_of_pairs() {
        let error = with(&[
            ("objective.kind", "contrastive"),
            ("objective.pairs", "sampled"),
            ("objective.averaging", "all"),
            ("sampler.kind", "per_class"),
        ]);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("sampler.kind") && error.contains("in_batch"),
            "{error}"
        );
    }

    #[test]
    fn impossible_values_are_named() {
        for (key, value) in [
            ("epochs", "0"),
            ("learning_rate", "-1.0"),
            ("clip_norm", "0.0"),
            ("weight_average", "1.0"),
            ("stopping.patience", "0"),
            ("judge.test_pairs", "0"),
            ("sampler.hard_fraction", "1.5"),
            ("objective.margin", "1e30"),
            ("learning_rate", "1e9"),
            ("stopping.min_delta", "nan"),
            ("stopping.min_delta", "-1.0"),
            ("clip_norm", "inf"),
        ] {
            let error = format!("{:#}", with(&[(key, value)]).unwrap_err());
            assert!(error.contains(key), "{key}: {error}");
        }
    }
}
