//! All that decides a run: with the data and this, the weights follow.

mod batch;
mod layers;
mod optimizer;
mod preset;
mod progressive;
mod propose;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use siamese_core::objective::Arrangement;
use siamese_core::{Distance, FaceCrop, HeadConfig, ObjectiveConfig, Precision, TowerConfig};
use siamese_data::{AugmentConfig, Colour, Columns, SamplerConfig, SplitBy, SplitConfig, Turned};
use siamese_files::limits;

use crate::schedule::Schedule;
use crate::stopping::StoppingConfig;

pub(crate) use batch::size;
pub use layers::Layer;
pub use optimizer::{OptimizerConfig, Rates};
pub use preset::Preset;
pub use progressive::{Progressive, Smaller};
pub use propose::{Proposal, Start, Traits};

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
    /// The distance between embeddings, in the objective and afterwards; where the head compares them, in the map alone.
    pub distance: Distance,
    /// What the tower's body computes in, in training; bf16 is for CUDA.
    #[serde(default)]
    pub precision: Precision,
    /// Largest norm of the whole gradient; without it the gradient is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Images in the network at once, where a batch has more: the loss is that of the whole batch, the memory that of
    /// so many images, and BatchNorm's statistics are of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<usize>,
    /// Decay of a running average of the weights, such as 0.999: the average is what is validated and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_average: Option<f64>,
    /// Smaller images at the beginning of the training.
    #[serde(default, skip_serializing_if = "Progressive::is_empty")]
    pub progressive: Progressive,
    /// Batches of training images, of full size, by which BatchNorm's statistics are estimated anew for the weights that are
    /// validated and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_batches: Option<usize>,
    /// Start the layer after a frozen body as the within-class whitening of what the body makes of the training images
    /// (see [`Whitening`](siamese_core::Whitening)), so much added to the covariance; 1 is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whiten: Option<f64>,
    /// What is done about a step whose loss or gradient is no number.
    #[serde(default, skip_serializing_if = "OnNan::is_stop")]
    pub on_nan: OnNan,
    /// The pictures, and how they are divided.
    pub data: DataConfig,
    /// The network.
    pub tower: TowerConfig,
    /// What compares two embeddings.
    #[serde(default, skip_serializing_if = "HeadConfig::is_distance")]
    pub head: HeadConfig,
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
    /// Whether shards that the names of the others count may be missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing_shards: bool,
    /// Which images train, validate and test.
    pub split: SplitConfig,
    /// Turned copies of the training images, as classes of their own; the images that validate and test stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turned: Option<Turned>,
    /// Learn without labels: two changed views of a picture are alike, and no two pictures are. Where the pictures have
    /// classes these are not looked at. It is divided by classes, each picture being one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unlabelled: bool,
    /// Train on the test images too, once another run of the same settings was judged on them. The validation images
    /// stay apart: they choose epoch and threshold.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refit: bool,
    /// How the pictures were cut out of photos, where they are faces: the model then finds and cuts out the face first.
    /// Read from the folder where `siamese data faces` wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faces: Option<FaceCrop>,
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
        config.validate().map_err(|error| merged.placed(error))?;
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
        if let Some(faces) = &self.data.faces {
            faces.validate().context("data")?;
        }
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
            self.chunk.is_none_or(|images| images > 1),
            "chunk is how many images are in the network at once, at least 2, got {}",
            self.chunk.unwrap_or_default()
        );
        ensure!(
            self.weight_average
                .is_none_or(|decay| decay > 0.0 && decay < 1.0),
            "weight_average is a decay between 0 and 1 such as 0.999, got {}",
            self.weight_average.unwrap_or_default()
        );
        ensure!(
            self.norm_batches.is_none_or(|batches| batches > 0),
            "norm_batches must be at least 1, got 0: leave it out to keep the statistics of training"
        );
        ensure!(
            self.whiten.is_none_or(|shrinkage| shrinkage > 0.0),
            "whiten must be above 0, got {}",
            self.whiten.unwrap_or_default()
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
        self.check_counts()?;
        let (input, augment) = (&self.tower.input, &self.augment);
        let size = (input.height, input.width);
        let (height, width) = augment.cached_size.unwrap_or(size);
        let checked = augment.check_to((height, width, input.channels()), size);
        checked.map_err(|error| anyhow!("augment.{error}"))?;
        self.progressive.check(size)?;
        ensure!(
            self.progressive.is_empty() || self.tower.frozen.is_none(),
            "what tower.frozen passes but once has one size: leave out progressive, or tower.frozen"
        );
        self.objective.validate().context("objective")?;
        self.head.validate().context("head")?;
        self.check_head()?;
        ensure!(
            self.objective.prefixes().is_empty() || self.tower.normalize,
            "objective.kind = \"matryoshka\" brings the first numbers of an embedding to unit length: the whole must have it \
             too, tower.normalize = true"
        );
        self.sampler.validate()?;
        self.validate_unlabelled()?;
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

    /// A head that compares pairs is trained by an objective that asks for one.
    fn check_head(&self) -> Result<()> {
        match (self.head.is_distance(), self.objective.needs_head()) {
            (true, true) => bail!(
                "objective.kind = \"{}\" trains a head that compares pairs, but head.kind is \"distance\": say head.kind = \
                 \"comparison\" (--head comparison)",
                self.objective.name()
            ),
            (false, false) => bail!(
                "head.kind = \"comparison\" is learned, but objective.kind = \"{}\" does not train it: say objective.kind = \
                 \"same_different\" (--loss same_different), or head.kind = \"distance\"",
                self.objective.name()
            ),
            _ => Ok(()),
        }
    }

    /// What cannot be without labels.
    fn validate_unlabelled(&self) -> Result<()> {
        if !self.data.unlabelled {
            return Ok(());
        }
        ensure!(
            !self.objective.of_classes(),
            "without labels there are no classes to learn something of, as {} does: choose an objective of pairs of images, \
             such as nt_xent, sup_con or sim_siam",
            self.objective
        );
        ensure!(
            self.data.split.by == Some(SplitBy::Classes),
            "without labels each picture is a class of its own: data.split.by must be \"classes\""
        );
        ensure!(
            self.data.turned.is_none() && self.augment.cached_size.is_none(),
            "without labels data.turned and augment.cached_size are not used: leave them out"
        );
        ensure!(
            !self.augment.is_identity(),
            "without labels two views of a picture are learned from, and they differ by nothing: say something of augment"
        );
        Ok(())
    }

    /// Checks how much is asked for, before anything of that size is made.
    fn check_counts(&self) -> Result<()> {
        let counts = [
            ("epochs", limits::EPOCHS, self.epochs),
            (
                "judge.validation_pairs",
                limits::PAIRS,
                self.judge.validation_pairs,
            ),
            ("judge.test_pairs", limits::PAIRS, self.judge.test_pairs),
        ];
        for (key, limit, count) in counts.into_iter().chain(self.sampler.counts()) {
            if let Err(why) = limit.check_len(count) {
                bail!("{key}: {why}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<TrainConfig> {
        let mut layer = Layer::default();
        layer.set("preset", "system-c")?;
        for (key, value) in settings {
            layer.set(key, value)?;
        }
        TrainConfig::from_layers([&Preset::named("system-c")?.layer, &layer])
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
    fn a_head_and_the_objective_that_trains_it_want_each_other() -> Result<()> {
        for (settings, advice) in [
            (("head.kind", "comparison"), "--loss same_different"),
            (("objective.kind", "same_different"), "--head comparison"),
        ] {
            let error = with(&[settings]).unwrap_err().to_string();
            assert!(error.contains(advice), "{error}");
        }
        let both = [
            ("head.kind", "comparison"),
            ("head.combine", "product"),
            ("head.hidden", "[16, 8]"),
            ("objective.kind", "same_different"),
        ];
        let config = with(&both)?;
        let copy: TrainConfig = toml::from_str(&toml::to_string(&config)?)?;
        assert_eq!(copy, config);
        assert!(!toml::to_string(&with(&[])?)?.contains("head"));
        Ok(())
    }

    #[test]
    fn impossible_values_are_named() {
        for (key, value) in [
            ("epochs", "0"),
            ("learning_rate", "-1.0"),
            ("clip_norm", "0.0"),
            ("weight_average", "1.0"),
            ("chunk", "1"),
            ("norm_batches", "0"),
            ("progressive", "[{ until = 0.5, size = [40, 16] }]"),
            ("whiten", "0.0"),
            ("stopping.patience", "0"),
            ("judge.test_pairs", "0"),
            ("sampler.hard_fraction", "1.5"),
            ("objective.margin", "1e30"),
            ("learning_rate", "1e9"),
            ("stopping.min_delta", "nan"),
            ("stopping.min_delta", "-1.0"),
            ("clip_norm", "inf"),
            ("head", "{ kind = 'comparison', hidden = [0] }"),
            ("augment.hue", "0.6"),
            ("augment.affine", "{ probability = 1.5 }"),
            ("augment.erase", "{ scale = [0.5, 0.1] }"),
            ("augment.cached_size", "[40, 16]"),
        ] {
            let error = format!("{:#}", with(&[(key, value)]).unwrap_err());
            assert!(error.contains(key), "{key}: {error}");
        }
    }
}
