//! The training loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use candle_core::Device;
use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::verification::{FittedThreshold, Target};
use siamese_data::{Dataset, LoaderConfig, PairLoader};
use siamese_evaluate::{JudgedPairs, embed};
use siamese_kernels::optim::global_grad_norm;
use siamese_report::{EpochRow, EventWriter};

use crate::checkpoint::Position;
use crate::progress::{EpochProgress, epoch_line};
use crate::state::Run;
use crate::step::{StepSums, Totals, gradients};
use crate::{Monitor, RunFolder, Summary, TrainConfig, Verdict, collapse, finish};

/// Figures are read from the device after this many steps.
const READ_EVERY: usize = 20;

/// What to train.
pub struct Request<'a> {
    /// All that decides the run.
    pub config: &'a TrainConfig,
    /// The images.
    pub data: &'a Dataset,
    /// Where the tower computes.
    pub device: &'a Device,
    /// Where everything goes; a checkpoint in it is gone on from.
    pub folder: &'a RunFolder,
    /// Set to true (by Ctrl-C, say) to end after the current step, with a checkpoint.
    pub interrupt: &'a AtomicBool,
}

/// How a training ended.
#[derive(Debug)]
pub enum Outcome {
    /// By early stopping or at the last epoch, with its final figures.
    Finished(Box<Summary>),
    /// By the interrupt, in this epoch (from 1); a checkpoint was written.
    Interrupted {
        /// The epoch under way.
        epoch: usize,
    },
}

/// Trains, keeps the best epoch's weights, and judges them once on the test split.
///
/// # Errors
/// When the configuration does not fit the data, or a file cannot be read or written.
pub fn train(request: &Request) -> Result<Outcome> {
    let mut run = Run::prepare(request.config, request.data, request.device, request.folder)?;
    let mut events = EventWriter::create(run.folder.path())?;
    for epoch in run.position.epoch..run.config.epochs {
        if run.position.stopped {
            break;
        }
        let started = Instant::now();
        let Some(trained) = train_epoch(&mut run, request.interrupt)? else {
            run.position.seconds += started.elapsed().as_secs_f64();
            run.save()?;
            return Ok(Outcome::Interrupted { epoch: epoch + 1 });
        };
        let validation = validate(&run)?;
        let row = epoch_row(&run, &trained, &validation);
        let verdict = run
            .position
            .stopping
            .observe(epoch, watched(&run.config, &validation));
        if verdict == Verdict::Best {
            run.save_best(&validation.threshold, &validation.calibration)?;
        }
        run.position = Position {
            epoch: epoch + 1,
            batch: 0,
            totals: Totals::default(),
            stopped: verdict == Verdict::Stop,
            seconds: run.position.seconds + started.elapsed().as_secs_f64(),
            ..run.position.clone()
        };
        run.folder.append_epoch(&row)?;
        write_events(&mut events, &row, run.position.step)?;
        run.save()?;
        say(&run, &row, verdict);
    }
    Ok(Outcome::Finished(Box::new(finish::finish(&run, request)?)))
}

/// What an epoch's training was like.
struct Trained {
    health: collapse::BatchHealth,
    learning_rate: f64,
    images_per_second: f64,
    seconds: f64,
    waited: Duration,
}

/// Trains until the epoch ends, or `None` when interrupted.
fn train_epoch(run: &mut Run, interrupt: &AtomicBool) -> Result<Option<Trained>> {
    let epoch = run.position.epoch;
    let batches = run.sampler.epoch(epoch);
    let (first, count) = (run.position.batch, batches.len());
    let total_steps = count * run.config.epochs;
    let loader = LoaderConfig {
        augment: run.config.augment,
        seed: run.config.seed,
        epoch,
        skip_batches: first,
        ..Default::default()
    };
    let mut loader = PairLoader::new(Arc::clone(&run.splits.train), batches, loader)?;
    let mut progress = EpochProgress::start(epoch + 1, run.config.epochs, first, count);
    let (started, mut images, mut learning_rate) = (Instant::now(), 0, 0.0);
    let mut sums = StepSums::default();
    while let Some(batch) = loader.next() {
        let batch = batch?;
        let (grads, figures) = gradients(
            &run.tower,
            &run.objective,
            &run.config,
            run.position.step,
            &batch,
        )?;
        let scale = match run.config.clip_norm {
            Some(most) => {
                (most / (global_grad_norm(run.optimizer.params(), &grads)? + 1e-6)).min(1.0)
            }
            None => 1.0,
        };
        learning_rate =
            run.config.learning_rate * run.config.schedule.factor(run.position.step, total_steps);
        run.optimizer.step(&grads, learning_rate, scale)?;
        sums.push(figures)?;
        run.position.step += 1;
        run.position.batch += 1;
        images += batch.labels.len();
        let interrupted = interrupt.load(Ordering::Relaxed);
        if run.position.batch.is_multiple_of(READ_EVERY)
            || run.position.batch == count
            || interrupted
        {
            run.position.totals.add(&std::mem::take(&mut sums))?;
        }
        progress.step(
            run.position.batch,
            batch.labels.len(),
            run.position.totals.health().loss,
        );
        loader.recycle(batch);
        if interrupted && run.position.batch < count {
            progress.finish();
            return Ok(None);
        }
    }
    progress.finish();
    let seconds = started.elapsed().as_secs_f64();
    sound_alarm(run);
    Ok(Some(Trained {
        health: run.position.totals.health(),
        learning_rate,
        images_per_second: images as f64 / seconds,
        seconds,
        waited: loader.waited(),
    }))
}

/// Says so when the embedding has collapsed.
fn sound_alarm(run: &mut Run) {
    let collapsed_loss = run.objective.collapsed(2 * run.config.pairs_per_batch);
    let Some(reason) = collapse::alarm(&run.position.totals.health(), collapsed_loss) else {
        return;
    };
    eprintln!("ALARM in epoch {}: {reason}", run.position.epoch + 1);
    run.position
        .alarm
        .get_or_insert((run.position.epoch + 1, reason));
}

/// The validation figures of an epoch.
struct Validation {
    loss: f64,
    auc: f64,
    eer: f64,
    threshold: FittedThreshold,
    calibration: Calibration,
}

fn validate(run: &Run) -> Result<Validation> {
    let embeddings = embed(&run.tower, &run.splits.validation, &run.splits.held_out)?;
    let judged = JudgedPairs::new(
        &embeddings,
        run.validation_pairs.clone(),
        run.config.distance,
    )?;
    let threshold = judged.curve.fit(Target::BestAccuracy)?;
    Ok(Validation {
        loss: run
            .objective
            .validation_loss(&judged.distances, &judged.like())
            .unwrap_or(f64::NAN),
        auc: judged.curve.roc_auc(),
        eer: judged.curve.eer(),
        threshold,
        calibration: judged.calibrate()?,
    })
}

fn watched(config: &TrainConfig, validation: &Validation) -> f64 {
    match config.stopping.monitor {
        Monitor::Loss => validation.loss,
        Monitor::Eer => validation.eer,
        Monitor::Auc => validation.auc,
    }
}

fn epoch_row(run: &Run, trained: &Trained, validation: &Validation) -> EpochRow {
    EpochRow {
        epoch: run.position.epoch + 1,
        train_loss: trained.health.loss,
        validation_loss: Some(validation.loss),
        roc_auc: Some(validation.auc),
        eer: Some(validation.eer),
        accuracy: Some(validation.threshold.accuracy),
        learning_rate: Some(trained.learning_rate),
        embedding_spread: Some(trained.health.spread),
        active_share: Some(trained.health.active_share),
        seconds: Some(trained.seconds),
        images_per_second: Some(trained.images_per_second),
        data_wait_share: Some(trained.waited.as_secs_f64() / trained.seconds),
    }
}

fn write_events(events: &mut EventWriter, row: &EpochRow, step: usize) -> Result<()> {
    let scalars = [
        ("loss/train", Some(row.train_loss)),
        ("loss/validation", row.validation_loss),
        ("validation/roc_auc", row.roc_auc),
        ("validation/eer", row.eer),
        ("validation/accuracy", row.accuracy),
        ("embedding/spread", row.embedding_spread),
        ("embedding/active_share", row.active_share),
        ("learning_rate", row.learning_rate),
        ("images_per_second", row.images_per_second),
    ];
    for (tag, value) in scalars {
        if let Some(value) = value {
            events.scalar(tag, step as u64, value as f32)?;
        }
    }
    Ok(events.flush()?)
}

fn say(run: &Run, row: &EpochRow, verdict: Verdict) {
    let done = run.position.epoch;
    let left = run.position.seconds / done as f64 * (run.config.epochs - done) as f64;
    let left = Duration::from_secs_f64(left);
    eprintln!(
        "{}",
        epoch_line(row, run.config.epochs, verdict == Verdict::Best, left)
    );
    if verdict == Verdict::Stop {
        let patience = run.config.stopping.patience;
        eprintln!("early stopping: no progress for {patience} epochs");
    }
}
