//! A run in progress: what it is made of.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, Var};
use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::verification::FittedThreshold;
use siamese_core::objective::Arrangement;
use siamese_core::{Model, Objective, Provenance, Threshold, Tower, WeightAverage};
use siamese_data::{ImageSet, Pair, Part, Sampler, chosen_pairs, evaluation_pairs};
use siamese_kernels::optim::{Optimizer, Param};

use crate::checkpoint::{Checkpoint, Position, State};
use crate::config::TrainConfig;
use crate::data::{Divided, TrainingData};
use crate::diverged::Diverged;
use crate::folder::RunFolder;
use crate::frozen::Kept;
use crate::settings::Settings;
use crate::stopping::{EarlyStopping, Monitor};

/// A run in progress.
pub(crate) struct Run {
    pub(crate) config: TrainConfig,
    pub(crate) folder: RunFolder,
    pub(crate) images: Arc<ImageSet>,
    pub(crate) divided: Divided,
    pub(crate) sampler: Sampler,
    pub(crate) validation_pairs: Vec<Pair>,
    pub(crate) tower: Tower,
    pub(crate) objective: Objective,
    pub(crate) optimizer: Optimizer,
    pub(crate) average: Option<WeightAverage>,
    /// What the frozen part of the tower makes of the images that are always the same.
    pub(crate) kept: Option<Kept>,
    pub(crate) position: Position,
    /// What the run's past depends on.
    pub(crate) settings: Settings,
    /// The images of the last batch.
    pub(crate) last_images: Arc<[u32]>,
    /// Why the training ended before its time: its loss or its weights are no numbers.
    pub(crate) diverged: Option<String>,
    pub(crate) data: String,
    pub(crate) trained_on: String,
}

/// Whether these settings make a run on this data: all of it is put together but the folder, and nothing is written.
///
/// # Errors
/// When they do not; the message names what does not fit.
pub fn check(config: &TrainConfig, data: &TrainingData, device: &Device) -> Result<()> {
    ensure!(!config.data.refit, "{REFIT}");
    Run::assemble(config, data, device, &RunFolder::at("")).map(drop)
}

const REFIT: &str = "data.refit trains on the test images, which another run is to be judged on first: leave it out and say --refit";

impl Run {
    /// A run at its beginning; its folder is not looked at.
    pub(crate) fn assemble(
        config: &TrainConfig,
        data: &TrainingData,
        device: &Device,
        folder: &RunFolder,
    ) -> Result<Self> {
        config.validate()?;
        check_images(config, &data.images)?;
        let divided = data.divide(&config.data, config.seed)?;
        let validation_pairs = validation_pairs(config, data, &divided)?;
        let superclasses = data.images.superclass_of_class();
        let sampler = sampler(
            config,
            &data.images.labels,
            &divided,
            superclasses.as_deref(),
        )?;
        let (tower, objective) = networks(config, &divided, device)?;
        check_monitor(config, &objective)?;
        let params = params(&tower, &objective);
        let average = average(config, &tower)?;
        Ok(Self {
            data: data.about.title.clone(),
            trained_on: divided.trained_on(data),
            images: Arc::clone(&data.images),
            config: config.clone(),
            folder: folder.clone(),
            divided,
            sampler,
            validation_pairs,
            optimizer: config.optimizer.build(params)?,
            tower,
            objective,
            average,
            kept: None,
            position: Position::start(EarlyStopping::new(config.stopping)),
            settings: Settings::new(config, &data.about.fingerprint)?,
            last_images: Arc::new([]),
            diverged: None,
        })
    }

    /// Checks that its folder is one for it, and keeps there which image is in which part.
    pub(crate) fn settle(&self, data: &TrainingData) -> Result<()> {
        ensure!(
            !self.config.data.refit || self.folder.record()?.refit_of.is_some(),
            "{REFIT}"
        );
        let parts = &self.divided.division.parts;
        data.keep_split(parts, &self.folder.file("split.csv"))
    }

    /// Begins the running average of the weights with what they are now.
    pub(crate) fn begin_average(&mut self) -> Result<()> {
        self.average = average(&self.config, &self.tower)?;
        Ok(())
    }

    /// Sets everything but the position to what a checkpoint holds.
    pub(crate) fn load(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let load = || format!("loading the checkpoint of {}", self.folder.path().display());
        self.tower
            .parameters()
            .load(&checkpoint.part("tower"))
            .with_context(load)?;
        self.objective
            .parameters()
            .load(&checkpoint.part("objective"))
            .with_context(load)?;
        self.optimizer
            .load_state(&checkpoint.part("optimizer"))
            .with_context(load)?;
        if let Some(average) = &mut self.average {
            average
                .load_state(&checkpoint.part("average"))
                .with_context(load)?;
        }
        Ok(())
    }

    /// All that a checkpoint holds.
    ///
    /// # Errors
    /// [`Diverged`] when a weight is no number.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::of(State {
            position: self.position.clone(),
            settings: self.settings.clone(),
        });
        checkpoint.add("tower", self.tower.parameters().snapshot()?)?;
        checkpoint.add("objective", self.objective.parameters().snapshot()?)?;
        checkpoint.add("optimizer", self.optimizer.state()?)?;
        if let Some(average) = &self.average {
            checkpoint.add("average", average.state()?)?;
        }
        if let Some(name) = checkpoint.not_finite()? {
            let what = format!("{name} holds a number that is not finite");
            let images = Arc::clone(&self.last_images);
            return Err(Diverged::new(what, &self.position, 0, images).into());
        }
        Ok(checkpoint)
    }

    /// Writes the checkpoint; a run that has diverged keeps the one before that.
    pub(crate) fn save(&self) -> Result<()> {
        let checkpoint = self.checkpoint()?;
        checkpoint.save(&self.folder.last(), &self.folder.previous())
    }

    /// Does `work` with the weights that are validated and kept: their running average, where the run has one.
    pub(crate) fn with_kept_weights<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(average) = &self.average else {
            return work();
        };
        let parameters = self.tower.parameters();
        let trained: HashMap<String, Tensor> = parameters.snapshot()?.into_iter().collect();
        average.apply()?;
        let done = work();
        parameters.load(&trained)?;
        done
    }

    /// Writes the model of the epoch that just ended as the best one.
    pub(crate) fn save_best(
        &self,
        fitted: &FittedThreshold,
        calibration: &Calibration,
    ) -> Result<()> {
        let model = Model {
            tower: self.tower.clone(),
            distance: self.config.distance,
            threshold: Some(Threshold {
                value: f64::from(fitted.value),
                target: "best accuracy".into(),
                fitted_on: format!("{} validation pairs", fitted.pairs),
                calibration: Some(calibration.clone()),
                distance: self.config.distance,
                weights: self.tower.parameters().fingerprint()?,
            }),
            domain: None,
            provenance: Provenance {
                data: self.data.clone(),
                trained_on: self.trained_on.clone(),
                seed: self.config.seed,
                epoch: self.position.epoch + 1,
                version: env!("CARGO_PKG_VERSION").into(),
            },
        };
        Ok(model.save(self.folder.best())?)
    }
}

fn average(config: &TrainConfig, tower: &Tower) -> Result<Option<WeightAverage>> {
    let begin = |decay| WeightAverage::new(tower.parameters(), decay);
    Ok(config.weight_average.map(begin).transpose()?)
}

fn check_images(config: &TrainConfig, images: &ImageSet) -> Result<()> {
    let input = &config.tower.input;
    ensure!(
        (input.height, input.width, input.channels())
            == (images.height, images.width, images.channels),
        "the images are {}x{}x{}, the tower takes {}x{}x{}",
        images.height,
        images.width,
        images.channels,
        input.height,
        input.width,
        input.channels()
    );
    // a size, a mean and a deviation that an image can be normalised by
    input.to_tensor(&images.image(0)?, &Device::Cpu)?;
    config
        .augment
        .check((images.height, images.width, images.channels))?;
    Ok(())
}

fn check_monitor(config: &TrainConfig, objective: &Objective) -> Result<()> {
    let judged = objective.validation_loss(&[0.0, 1.0], &[true, false]);
    ensure!(
        config.stopping.monitor != Monitor::Loss || judged.is_some(),
        "stopping.monitor is \"loss\", but {} has no loss of validation pairs: choose \"auc\" or \"eer\"",
        config.objective
    );
    Ok(())
}

/// The pairs that every epoch is judged by.
fn validation_pairs(
    config: &TrainConfig,
    data: &TrainingData,
    divided: &Divided,
) -> Result<Vec<Pair>> {
    let (count, seed) = (config.judge.validation_pairs, config.seed);
    if let Some(listed) = divided.pairs(Part::Validation) {
        return Ok(chosen_pairs(&listed, count, seed));
    }
    let validation = divided.part(Part::Validation);
    evaluation_pairs(&data.images.labels, &validation, count, seed)
        .context("drawing the validation pairs")
}

/// What makes the batches of the training images.
pub(crate) fn sampler(
    config: &TrainConfig,
    labels: &[u32],
    divided: &Divided,
    superclasses: Option<&[u32]>,
) -> Result<Sampler> {
    let (sampler, seed) = (&config.sampler, config.seed);
    let sampler = match divided.pairs(Part::Train) {
        Some(pairs) => {
            ensure!(
                config.objective.needs() == Arrangement::Pairs,
                "the data is a list of pairs, and says nothing about others: learn from these by objective.kind = \
                 \"contrastive\" with objective.pairs = \"sampled\", not by {}",
                config.objective
            );
            Sampler::of_pairs(sampler, seed, labels, &pairs)
        }
        None => Sampler::new(
            sampler,
            seed,
            labels,
            &divided.part(Part::Train),
            superclasses,
        ),
    };
    sampler.context("making batches of the training images")
}

/// The tower, and the objective with what it learns itself.
pub(crate) fn networks(
    config: &TrainConfig,
    divided: &Divided,
    device: &Device,
) -> Result<(Tower, Objective)> {
    let mut tower = Tower::new(config.tower.clone(), config.seed, device)?;
    tower.set_precision(config.precision)?;
    let objective = Objective::new(
        config.objective.clone(),
        config.distance,
        config.tower.embedding,
        divided.classes(),
        config.seed,
        device,
    )?;
    Ok((tower, objective))
}

/// The trainable parameters; matrices and kernels of the tower decay, biases, norms and proxies do not.
pub(crate) fn params(tower: &Tower, objective: &Objective) -> Vec<Param> {
    let of = |trainable: Vec<(String, Var)>, prefix: &str, decays: bool| {
        let param = |(name, var): (String, Var)| Param {
            decay: decays && var.rank() > 1,
            name: format!("{prefix}.{name}"),
            var,
            rate: 1.0,
        };
        trainable.into_iter().map(param).collect::<Vec<_>>()
    };
    let mut params = of(tower.trainable(), "tower", true);
    params.extend(of(objective.parameters().trainable(), "objective", false));
    params
}
