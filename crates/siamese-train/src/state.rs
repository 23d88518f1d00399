//! A run in progress: what it is made of, made anew or read from its checkpoint.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::verification::FittedThreshold;
use siamese_core::{Model, Objective, Provenance, Threshold, Tower};
use siamese_data::{Dataset, ImageSet, Pair, PairSampler, PairSamplerConfig};
use siamese_kernels::optim::{Optimizer, Param};

use crate::checkpoint::{Checkpoint, Position};
use crate::splits::Splits;
use crate::step::Totals;
use crate::{EarlyStopping, RunFolder, TrainConfig};

/// A run in progress.
pub(crate) struct Run {
    pub(crate) config: TrainConfig,
    pub(crate) folder: RunFolder,
    pub(crate) splits: Splits,
    pub(crate) sampler: PairSampler,
    pub(crate) validation_pairs: Vec<Pair>,
    pub(crate) tower: Tower,
    pub(crate) objective: Objective,
    pub(crate) optimizer: Optimizer,
    pub(crate) position: Position,
    pub(crate) data: String,
    pub(crate) trained_on: String,
}

impl Run {
    /// A run at its beginning, or where the checkpoint in its folder left it.
    pub(crate) fn prepare(
        config: &TrainConfig,
        data: &Dataset,
        device: &Device,
        folder: &RunFolder,
    ) -> Result<Self> {
        config.validate()?;
        check_images(config, &data.train)?;
        let splits = Splits::new(data, config.split, config.validation_fraction, config.seed)?;
        let validation_pairs = splits.validation_pairs(config)?;
        let sampler = sampler(config, &splits)?;
        let trained_on = trained_on(data, &splits);
        let mut tower = Tower::new(config.tower.clone(), config.seed, device)?;
        tower.set_precision(config.precision)?;
        let objective = Objective::new(
            config.loss.objective(),
            config.distance,
            config.tower.embedding,
            data.train.classes.len(),
            config.seed,
            device,
        )?;
        let optimizer = config.optimizer.build(params(&tower))?;
        let mut run = Self {
            config: config.clone(),
            folder: folder.clone(),
            splits,
            sampler,
            validation_pairs,
            tower,
            objective,
            optimizer,
            position: Position {
                epoch: 0,
                batch: 0,
                step: 0,
                totals: Totals::default(),
                stopping: EarlyStopping::new(config.stopping),
                stopped: false,
                alarm: None,
                seconds: 0.0,
            },
            data: data.provenance.name.to_string(),
            trained_on,
        };
        if folder.last().exists() {
            run.restore()?;
        }
        Ok(run)
    }

    fn restore(&mut self) -> Result<()> {
        let path = self.folder.last();
        let checkpoint = Checkpoint::load(&path, self.tower.parameters().device())?;
        let load = || format!("loading {}", path.display());
        self.tower
            .parameters()
            .load(&checkpoint.tower)
            .with_context(load)?;
        self.optimizer
            .load_state(&checkpoint.optimizer)
            .with_context(load)?;
        self.position = checkpoint.position;
        self.folder.keep_epochs(self.position.epoch)
    }

    /// Writes the checkpoint.
    pub(crate) fn save(&self) -> Result<()> {
        let tower = self.tower.parameters().snapshot()?.into_iter().collect();
        let optimizer: HashMap<_, _> = self.optimizer.state()?.into_iter().collect();
        let position = self.position.clone();
        let checkpoint = Checkpoint {
            tower,
            optimizer,
            position,
        };
        checkpoint.save(&self.folder.last())
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

/// What the model was trained on, in words.
fn trained_on(data: &Dataset, splits: &Splits) -> String {
    let part = if data.provenance.is_sample() {
        " (bundled sample only)"
    } else {
        ""
    };
    let classes: HashSet<u32> = splits
        .training
        .iter()
        .map(|&i| splits.train.labels[i as usize])
        .collect();
    let (name, images) = (&data.provenance.name, splits.training.len());
    format!(
        "{name}{part}, {images} training images of {} classes",
        classes.len()
    )
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
    Ok(())
}

fn sampler(config: &TrainConfig, splits: &Splits) -> Result<PairSampler> {
    let sampling = PairSamplerConfig {
        seed: config.seed,
        pairs_per_batch: config.pairs_per_batch,
        class_sampling: config.class_sampling.clone(),
        hard_fraction: config.hard_fraction,
    };
    let superclasses = splits.train.superclass_of_class();
    let labels = &splits.train.labels;
    Ok(PairSampler::new(
        labels,
        &splits.training,
        superclasses.as_deref(),
        sampling,
    )?)
}

/// The trainable parameters; matrices and kernels decay, biases and norms do not.
fn params(tower: &Tower) -> Vec<Param> {
    let param = |(name, var): (String, candle_core::Var)| Param {
        decay: var.rank() > 1,
        name,
        var,
    };
    tower
        .parameters()
        .trainable()
        .into_iter()
        .map(param)
        .collect()
}
