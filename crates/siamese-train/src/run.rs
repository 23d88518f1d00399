//! A run in progress: what it is made of.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, Var};
use siamese_core::metrics::UnlikeTail;
use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::verification::FittedThreshold;
use siamese_core::objective::Arrangement;
use siamese_core::{
    ClassHead, Head, HeadConfig, Metric, Model, Objective, Provenance, Threshold, Tower,
    WeightAverage,
};
use siamese_data::{ImageSet, Pair, Part, Sampler, chosen_pairs, evaluation_pairs};
use siamese_kernels::optim::{Optimizer, Param};
use siamese_words::counted;

use crate::checkpoint::{Checkpoint, Position, State};
use crate::checks::{check_images, check_monitor, check_whitening};
use crate::config::TrainConfig;
use crate::data::{Divided, TestSet, TrainingData};
use crate::diverged::Diverged;
use crate::folder::RunFolder;
use crate::frozen::Kept;
use crate::settings::Settings;
use crate::stopping::EarlyStopping;
use crate::world::World;

/// A run in progress.
pub(crate) struct Run {
    pub(crate) config: TrainConfig,
    pub(crate) folder: RunFolder,
    pub(crate) images: Arc<ImageSet>,
    /// What training makes its images of, turned copies among them where these are trained on.
    pub(crate) training_images: Arc<ImageSet>,
    pub(crate) divided: Divided,
    pub(crate) sampler: Sampler,
    /// What every epoch is judged by.
    pub(crate) validation: Validation,
    pub(crate) tower: Tower,
    /// The same tower for each smaller size of images that it trains on.
    pub(crate) smaller: Vec<Tower>,
    pub(crate) objective: Objective,
    pub(crate) optimizer: Optimizer,
    /// Running averages of the tower's and the head's weights, by what a checkpoint calls them.
    pub(crate) averages: Vec<(&'static str, WeightAverage)>,
    /// What the frozen part of the tower makes of the images that are always the same.
    pub(crate) kept: Option<Kept>,
    /// Seconds that this took, which no epoch to come takes again.
    pub(crate) preparation: f64,
    pub(crate) position: Position,
    /// What the run's past depends on.
    pub(crate) settings: Settings,
    /// The images of the last batch.
    pub(crate) last_images: Arc<[u32]>,
    /// Why the training ended before its time: its loss or its weights are no numbers.
    pub(crate) diverged: Option<String>,
    /// The processes that train it, where there are several.
    pub(crate) world: Option<World>,
    pub(crate) data: String,
    pub(crate) trained_on: String,
}

/// What every epoch is judged by.
pub(crate) struct Validation {
    pub(crate) images: Arc<ImageSet>,
    /// Those of them that are embedded.
    pub(crate) indices: Vec<u32>,
    /// Pairs of these.
    pub(crate) pairs: Vec<Pair>,
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
        check_images(config, data)?;
        let divided = data.divide(&config.data, config.seed)?;
        let validation = validation(config, data, &divided)?;
        let superclasses = data.images.superclass_of_class();
        let sampler = sampler(
            config,
            &data.images.labels,
            &divided,
            superclasses.as_deref(),
        )?;
        let (tower, objective) = networks(config, &divided, device)?;
        check_monitor(config, &objective)?;
        let smaller = config.progressive.towers(&tower)?;
        check_whitening(config, &tower)?;
        let params = params(&tower, &objective);
        let averages = averages(config, &tower, &objective)?;
        Ok(Self {
            data: data.about.title.clone(),
            trained_on: divided.trained_on(data),
            images: Arc::clone(&data.images),
            training_images: divided.training_images(data)?,
            config: config.clone(),
            folder: folder.clone(),
            divided,
            sampler,
            validation,
            optimizer: config.optimizer.build(params)?,
            tower,
            smaller,
            objective,
            averages,
            kept: None,
            preparation: 0.0,
            position: Position::start(EarlyStopping::new(config.stopping)),
            settings: Settings::new(config, &data.about.fingerprint)?,
            last_images: Arc::new([]),
            diverged: None,
            world: None,
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

    /// Begins the running averages of the weights with what they are now.
    pub(crate) fn begin_averages(&mut self) -> Result<()> {
        self.averages = averages(&self.config, &self.tower, &self.objective)?;
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
        if let Some(head) = self.objective.head() {
            let parameters = head.parameters();
            parameters
                .load(&checkpoint.part("head"))
                .with_context(load)?;
        }
        for (part, average) in &mut self.averages {
            average
                .load_state(&checkpoint.part(part))
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
            processes: self.processes(),
        });
        checkpoint.add("tower", self.tower.parameters().snapshot()?)?;
        checkpoint.add("objective", self.objective.parameters().snapshot()?)?;
        checkpoint.add("optimizer", self.optimizer.state()?)?;
        if let Some(head) = self.objective.head() {
            checkpoint.add("head", head.parameters().snapshot()?)?;
        }
        for (part, average) in &self.averages {
            checkpoint.add(part, average.state()?)?;
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

    /// Does `work` with the weights that are validated and kept: their running average, where the run has one, and
    /// BatchNorm's statistics estimated for them, where that is asked for.
    pub(crate) fn with_kept_weights<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut trained = Vec::new();
        let averaged = self
            .averages
            .iter()
            .map(|(_, average)| average.parameters());
        let estimated = self.config.norm_batches.map(|_| self.tower.parameters());
        for parameters in averaged.chain(estimated) {
            let weights: HashMap<String, Tensor> = parameters.snapshot()?.into_iter().collect();
            trained.push((parameters, weights));
        }
        for (_, average) in &self.averages {
            average.apply()?;
        }
        let done = self.estimate_norms().and_then(|()| work());
        for (parameters, weights) in trained {
            parameters.load(&weights)?;
        }
        done
    }

    /// What embeddings are compared by, with the weights as they are.
    pub(crate) fn metric(&self) -> Result<Metric> {
        match self.objective.head() {
            Some(head) => Ok(head.comparison()?.into()),
            None => Ok(self.config.distance.into()),
        }
    }

    /// Writes the model of the epoch that just ended as the best one.
    pub(crate) fn save_best(
        &self,
        fitted: &FittedThreshold,
        (calibration, unlike): (&Calibration, Option<UnlikeTail>),
        classes: Option<&ClassHead>,
    ) -> Result<()> {
        let mut model = Model {
            tower: self.tower.clone(),
            head: self.objective.head().cloned(),
            classes: classes.cloned(),
            distance: self.config.distance,
            threshold: None,
            domain: None,
            faces: self.config.data.faces,
            provenance: Provenance {
                data: self.data.clone(),
                trained_on: self.trained_on.clone(),
                seed: self.config.seed,
                epoch: self.position.epoch + 1,
                version: env!("CARGO_PKG_VERSION").into(),
            },
        };
        model.threshold = Some(Threshold {
            value: f64::from(fitted.value),
            target: "best accuracy".into(),
            fitted_on: counted(fitted.pairs, "validation pair"),
            calibration: Some(calibration.clone()),
            unlike,
            distance: self.config.distance,
            weights: model.fingerprint()?,
        });
        Ok(model.save(self.folder.best())?)
    }
}

/// The images and pairs that every epoch is judged by.
fn validation(config: &TrainConfig, data: &TrainingData, divided: &Divided) -> Result<Validation> {
    let (count, seed) = (config.judge.validation_pairs, config.seed);
    let mut images = Arc::clone(&data.images);
    let mut indices = divided.part(Part::Validation);
    if config.data.unlabelled {
        let views = TestSet::of(data, "", &indices).of_views(&config.augment, seed)?;
        images = Arc::new(views.images);
        indices = (0..images.len() as u32).collect();
    }
    let pairs = match divided.pairs(Part::Validation) {
        Some(listed) => chosen_pairs(&listed, count, seed),
        None => evaluation_pairs(&images.labels, &indices, count, seed)
            .context("drawing the validation pairs")?,
    };
    Ok(Validation {
        images,
        indices,
        pairs,
    })
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
                 \"contrastive\" or \"same_different\" with objective.pairs = \"sampled\", not by {}",
                config.objective
            );
            Sampler::of_pairs(sampler, seed, labels, &pairs)
        }
        None => Sampler::new(
            sampler,
            seed,
            &divided.training_labels(labels),
            &divided.training(),
            superclasses
                .map(|of| divided.training_superclasses(of))
                .as_deref(),
        ),
    };
    sampler.context("making batches of the training images")
}

/// The averages of the weights, where they are asked for.
fn averages(
    config: &TrainConfig,
    tower: &Tower,
    objective: &Objective,
) -> Result<Vec<(&'static str, WeightAverage)>> {
    let Some(decay) = config.weight_average else {
        return Ok(Vec::new());
    };
    let mut averages = vec![("average", WeightAverage::new(tower.parameters(), decay)?)];
    if let Some(head) = objective.head() {
        averages.push((
            "head_average",
            WeightAverage::new(head.parameters(), decay)?,
        ));
    }
    Ok(averages)
}

/// The tower, and the objective with what it learns itself and the head that it trains.
pub(crate) fn networks(
    config: &TrainConfig,
    divided: &Divided,
    device: &Device,
) -> Result<(Tower, Objective)> {
    let mut tower = Tower::new(config.tower.clone(), config.seed, device)?;
    tower.set_precision(config.precision)?;
    let mut objective = Objective::new(
        config.objective.clone(),
        config.distance,
        config.tower.embedding,
        divided.classes(),
        config.seed,
        device,
    )?;
    if let HeadConfig::Comparison(head) = &config.head {
        let head = Head::new(head.clone(), config.tower.embedding, config.seed, device)?;
        objective = objective.with_head(head);
    }
    Ok((tower, objective))
}

/// The trainable parameters; matrices and kernels of the tower and the head decay, biases, norms and proxies do not.
pub(crate) fn params(tower: &Tower, objective: &Objective) -> Vec<Param> {
    let of = |trainable: Vec<(String, Var)>, prefix: &str, decays: bool| {
        let param = |(name, var): (String, Var)| Param {
            decay: decays && var.rank() > 1,
            rate: if decays { 1.0 } else { objective.rate(&name) },
            name: format!("{prefix}.{name}"),
            var,
        };
        trainable.into_iter().map(param).collect::<Vec<_>>()
    };
    let mut params = of(tower.trainable(), "tower", true);
    if let Some(head) = objective.head() {
        params.extend(of(head.parameters().trainable(), "head", true));
    }
    params.extend(of(objective.parameters().trainable(), "objective", false));
    params
}
