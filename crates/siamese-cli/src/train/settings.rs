//! The settings of a run on the command line: each flag is a shorthand for `--set KEY=VALUE`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use siamese_core::ObjectiveConfig;
use siamese_train::Layer;

/// What a run is made of; what is not told is chosen from the data.
#[derive(Args)]
#[command(next_help_heading = "Settings (each a shorthand for --set)")]
pub(crate) struct Settings {
    /// A named recipe, or auto: chosen from the data [default: the one made for the set, else auto]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A configuration in TOML, or another run's config.json; `siamese new` writes one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any setting by its key, such as objective.margin=0.3; the last one wins
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Learn from two changed views of each picture, and look at no labels
    #[arg(long)]
    no_labels: bool,
    /// How the images are divided: published, images, classes or groups
    #[arg(long, value_name = "BY")]
    split: Option<String>,
    /// Side of the square that pictures are trained on, or HEIGHTxWIDTH
    #[arg(long, value_name = "PIXELS")]
    size: Option<String>,
    /// rgb or grey
    #[arg(long)]
    colour: Option<String>,
    /// What happens to a picture of another shape: crop, pad or stretch
    #[arg(long)]
    fit: Option<String>,
    /// The network: stages, conv4, resnet9, resnet12, resnet, koch, lenet, mlp or dino_v2
    #[arg(long, value_name = "KIND")]
    tower: Option<String>,
    /// Weights to start from: a safetensors file, or a name on the Hugging Face hub such as timm/resnet50.tv_in1k
    /// or timm/vit_small_patch14_dinov2.lvd142m
    #[arg(long, value_name = "WEIGHTS")]
    pretrained: Option<String>,
    /// The last part of the network that is not trained: layer3, say, or body for all of it
    #[arg(long, value_name = "PART")]
    frozen: Option<String>,
    /// Length of an embedding
    #[arg(long, value_name = "D")]
    embedding: Option<String>,
    /// What compares two embeddings: distance, or comparison, which is learned with --loss same_different
    #[arg(long, value_name = "KIND")]
    head: Option<String>,
    /// What is learned
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(ObjectiveConfig::NAMES))]
    loss: Option<String>,
    /// What a batch is made of: pairs, per_class or episodes
    #[arg(long, value_name = "KIND")]
    sampler: Option<String>,
    /// The one seed
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Epochs at most
    #[arg(long, value_name = "N")]
    epochs: Option<String>,
    /// Peak learning rate
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    learning_rate: Option<String>,
    /// Images in a batch, whatever it is made of
    #[arg(long, value_name = "IMAGES")]
    batch: Option<String>,
    /// Images in the network at once, where a batch has more: a large batch in the memory of a small one
    #[arg(long, value_name = "IMAGES")]
    chunk: Option<String>,
    /// Pairs in a batch
    #[arg(long, value_name = "N")]
    pairs_per_batch: Option<String>,
    /// Share of the unlike pairs drawn within one superclass
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    hard_fraction: Option<String>,
    /// The margin of the loss
    #[arg(long, allow_hyphen_values = true)]
    margin: Option<String>,
    /// Distance between embeddings: euclidean, squared_euclidean, cosine or manhattan
    #[arg(long)]
    distance: Option<String>,
    /// Largest norm of the gradient
    #[arg(long, value_name = "NORM", allow_hyphen_values = true)]
    clip_norm: Option<String>,
    /// Decay of a running average of the weights, which is what is kept
    #[arg(long, value_name = "DECAY")]
    weight_average: Option<String>,
    /// What the network computes in: f32, tf32 or bf16 (the last two are for CUDA)
    #[arg(long)]
    precision: Option<String>,
    /// A step whose loss or gradient is no number: stop, or skip it and go on (20 in a row end the training)
    #[arg(long, value_name = "WHAT")]
    on_nan: Option<String>,
    /// Epochs without progress that end the run
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<String>,
    /// Smaller progress does not count
    #[arg(long, allow_hyphen_values = true)]
    min_delta: Option<String>,
    /// The validation figure that decides which epoch's weights are the model: loss, eer or auc; or
    /// last, whatever it says
    #[arg(long)]
    monitor: Option<String>,
}

/// What a checkpoint's past does not depend on: `--resume` takes these.
const RESUMABLE: [&str; 3] = ["epochs", "stopping.patience", "on_nan"];

impl Settings {
    /// Every setting that was given, as key and value, in the order in which they apply.
    fn told(&self) -> Result<Vec<(String, String)>> {
        let flags = [
            ("preset", &self.preset),
            ("data.split.by", &self.split),
            ("data.colour", &self.colour),
            ("tower.input.fit", &self.fit),
            ("tower.body.kind", &self.tower),
            ("tower.pretrained", &self.pretrained),
            ("tower.frozen", &self.frozen),
            ("tower.embedding", &self.embedding),
            ("head.kind", &self.head),
            ("objective.kind", &self.loss),
            ("sampler.kind", &self.sampler),
            ("seed", &self.seed),
            ("epochs", &self.epochs),
            ("learning_rate", &self.learning_rate),
            ("batch", &self.batch),
            ("chunk", &self.chunk),
            ("sampler.pairs_per_batch", &self.pairs_per_batch),
            ("sampler.hard_fraction", &self.hard_fraction),
            ("objective.margin", &self.margin),
            ("distance", &self.distance),
            ("clip_norm", &self.clip_norm),
            ("weight_average", &self.weight_average),
            ("precision", &self.precision),
            ("on_nan", &self.on_nan),
            ("stopping.patience", &self.patience),
            ("stopping.min_delta", &self.min_delta),
            ("stopping.monitor", &self.monitor),
        ];
        let given = flags.into_iter().filter_map(|(key, value)| {
            let value = value.as_ref()?;
            Some((key.to_string(), value.clone()))
        });
        let mut told: Vec<(String, String)> = given.collect();
        if let Some(size) = &self.size {
            let (height, width) = size.split_once(['x', '×']).unwrap_or((size, size));
            told.push(("tower.input.height".into(), height.into()));
            told.push(("tower.input.width".into(), width.into()));
        }
        if self.no_labels {
            told.push(("data.unlabelled".into(), "true".into()));
        }
        for setting in &self.set {
            let (key, value) = setting
                .split_once('=')
                .with_context(|| format!("--set takes KEY=VALUE, got {setting:?}"))?;
            told.push((key.trim().into(), value.trim().into()));
        }
        Ok(told)
    }

    /// The file's layer, if one is named here or stands in the place of the data, with the single settings over it.
    ///
    /// # Errors
    /// When the file cannot be read, or a setting is none.
    pub(crate) fn layer(&self, instead: Option<&Path>) -> Result<Layer> {
        let file = match (&self.config, instead) {
            (Some(a), Some(b)) => bail!(
                "two configurations are given, {} and {}: name one",
                b.display(),
                a.display()
            ),
            (Some(file), None) => Some(file.as_path()),
            (None, file) => file,
        };
        let below = file.map(Layer::read).transpose()?.unwrap_or_default();
        let mut told = Layer::default();
        for (key, value) in self.told()? {
            told.set(&key, &value)?;
        }
        Ok(below.under(&told))
    }

    /// The settings that a resumed run may still take.
    ///
    /// # Errors
    /// When one is given that the run's past depends on; the message names it and what to do instead.
    pub(crate) fn resumed(&self, run: &Path) -> Result<Layer> {
        if let Some(file) = &self.config {
            bail!(
                "a resumed run keeps its own configuration: leave out --config {}",
                file.display()
            )
        }
        let mut layer = Layer::default();
        for (key, value) in self.told()? {
            if !RESUMABLE.contains(&key.as_str()) {
                bail!(
                    "{key} = {value} would change what {run} has already done: leave it out, or start a new run with \
                     `siamese train {run}/config.json --set {key}={value}`",
                    run = run.display()
                )
            }
            layer.set(&key, &value)?;
        }
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(line: &str) -> Settings {
        Line::parse_from(std::iter::once("siamese").chain(line.split(' '))).settings
    }

    #[test]
    fn flags_are_shorthands_for_set() {
        let short = settings("--margin 0.3 --size 48x64 --loss triplet").layer(None);
        let long = settings(
            "--set objective.margin=0.3 --set tower.input.height=48 --set tower.input.width=64 --set objective.kind=triplet",
        );
        assert_eq!(short.unwrap(), long.layer(None).unwrap());
        assert!(settings("--set margin").layer(None).is_err());
    }

    #[test]
    fn a_resumed_run_takes_more_epochs_and_refuses_another_past_by_name() {
        let run = Path::new("runs/birds-1");
        let layer = settings("--epochs 30 --patience 9").resumed(run).unwrap();
        assert!(layer.has("epochs") && layer.has("stopping.patience"));
        for line in [
            "--seed 1",
            "--margin 2",
            "--set tower.embedding=64",
            "--preset quick",
        ] {
            let error = settings(line).resumed(run).err().map(|e| e.to_string());
            assert!(
                error.is_some_and(|e| e.contains("runs/birds-1/config.json")),
                "{line}"
            );
        }
    }
}
