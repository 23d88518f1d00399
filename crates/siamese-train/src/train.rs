//! The training loop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use siamese_collective::Collective;
use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::verification::{FittedThreshold, Target};
use siamese_data::{Loader, LoaderConfig};
use siamese_embed::{Embeddings, embed};
use siamese_evaluate::JudgedPairs;
use siamese_kernels::optim::global_grad_norm;
use siamese_report::{EpochRow, EventWriter};

use crate::checkpoint::{Position, Skipped};
use crate::collapse;
use crate::config::{OnNan, TrainConfig};
use crate::diverged::Diverged;
use crate::event::{Event, StepEvent};
use crate::finish::finish;
use crate::request::{Outcome, Request};
use crate::restore::restore;
use crate::run::Run;
use crate::skip::{buffers, not_a_number, skip};
use crate::start::{keep_frozen, start_from_pretrained, whiten};
use crate::step::{Prepared, Totals, Unread, gradients};
use crate::stopping::{Monitor, Verdict};
use crate::summary::Summary;

/// Figures are read from a GPU after this many steps, and a checkpoint is written then at most; a CPU need not wait for
/// them.
const READ_EVERY: usize = 20;

/// Images that pass the trained part at once, where the frozen one was passed before.
const KEPT_AT_ONCE: usize = 64;

/// Trains, keeps the best epoch's weights, and judges them once on the test images.
///
/// # Errors
/// When the configuration does not fit the data, the folder is another's, or a file cannot be read or written. A
/// training that diverges before it has a best model is an error too.
pub fn train(request: &Request) -> Result<Outcome> {
    lead(request, None)
}

/// Trains as the process that writes and judges; of several, the others are told where the run stands.
pub(crate) fn lead(request: &Request, world: Option<Arc<dyn Collective>>) -> Result<Outcome> {
    let _claim = request.folder.claim()?;
    let mut run = Run::assemble(request.config, request.data, request.device, request.folder)?;
    run.join(world)?;
    let goes_on = restore(&mut run, request)?;
    if !goes_on {
        start_from_pretrained(&mut run, request)?;
    }
    run.settle(request.data)?;
    let preparing = Instant::now();
    keep_frozen(&mut run, request)?;
    if !goes_on {
        whiten(&mut run)?;
    }
    run.preparation = preparing.elapsed().as_secs_f64();
    run.position.seconds += run.preparation;
    let events = match goes_on {
        true => EventWriter::resume(run.folder.path(), run.position.step as u64)?,
        false => {
            // from here on a folder without a checkpoint is one that has lost it
            run.save()?;
            EventWriter::create(run.folder.path())?
        }
    };
    run.share()?;
    match epochs(&mut run, request, events) {
        Ok(None) => Ok(Outcome::Finished(Box::new(judge(&run, request)?))),
        Ok(Some(epoch)) => Ok(Outcome::Interrupted { epoch }),
        Err(error) => {
            let diverged = run.save_if_lost(error)?.downcast::<Diverged>()?;
            diverged.keep(&run, &request.data.names)?;
            let reason = diverged.explain(&run, &request.data.names);
            ensure!(run.position.stopping.best().is_some(), "{reason}");
            run.diverged = Some(reason.clone());
            let summary = Box::new(judge(&run, request)?);
            Ok(Outcome::Diverged { reason, summary })
        }
    }
}

/// Trains until the end, or until the interrupt: then it returns the epoch under way, from 1.
fn epochs(run: &mut Run, request: &Request, mut events: EventWriter) -> Result<Option<usize>> {
    for epoch in run.position.epoch..run.config.epochs {
        if run.position.stopping.exhausted() {
            break;
        }
        let started = Instant::now();
        let Some(trained) = train_epoch(run, request)? else {
            run.position.seconds += started.elapsed().as_secs_f64();
            run.save()?;
            return Ok(Some(epoch + 1));
        };
        let ended = end_epoch(run, &trained);
        let (row, verdict) = ended.or_else(|error| run.end_others().and(Err(error)))?;
        run.position = Position {
            epoch: epoch + 1,
            batch: 0,
            totals: Totals::default(),
            skipped: Skipped {
                in_epoch: 0,
                ..run.position.skipped
            },
            seconds: run.position.seconds + started.elapsed().as_secs_f64(),
            ..run.position.clone()
        };
        // the checkpoint comes last: it says how far the others count
        run.folder.append_epoch(&row)?;
        write_events(&mut events, &row, run.position.step)?;
        run.save()?;
        tell(run, request, &row, verdict);
        run.tell_others()?;
    }
    Ok(None)
}

fn judge(run: &Run, request: &Request) -> Result<Summary> {
    if !run.config.data.refit {
        (request.observe)(&Event::Judging);
    }
    finish(run, request)
}

/// What an epoch's training was like.
pub(crate) struct Trained {
    health: collapse::BatchHealth,
    learning_rate: f64,
    images_per_second: f64,
    seconds: f64,
    waited: Duration,
}

/// Trains until the epoch ends, or `None` when interrupted.
pub(crate) fn train_epoch(run: &mut Run, request: &Request) -> Result<Option<Trained>> {
    let (started, mut images, mut learning_rate) = (Instant::now(), 0, 0.0);
    let mut saved = Instant::now();
    let mut loader = loader(run, request.workers)?;
    let count = run.sampler.batches_per_epoch();
    let mut unread = Unread::default();
    let read_every = if request.device.is_cpu() {
        1
    } else {
        READ_EVERY
    };
    for batch in &mut loader {
        let batch = batch??;
        learning_rate = step(run, request, &batch, count, &mut unread)?;
        images += batch.len();
        let interrupted = run.any(request.interrupt.load(Ordering::Relaxed))?;
        let last = run.position.batch == count;
        if run.position.batch.is_multiple_of(read_every) || last || interrupted {
            read(run, std::mem::take(&mut unread))?;
            if run.leads() && !last && saved.elapsed() >= request.checkpoint_every {
                save_within_epoch(run, &started)?;
                (request.observe)(&Event::Saved(&run.folder.last()));
                saved = Instant::now();
            }
        }
        (request.observe)(&Event::Step(StepEvent {
            epoch: run.position.epoch + 1,
            epochs: run.config.epochs,
            batch: run.position.batch,
            batches: count,
            images: batch.len(),
            loss: run.position.totals.health().loss,
        }));
        if interrupted && !last {
            return Ok(None);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    sound_alarm(run, request);
    Ok(Some(Trained {
        health: run.position.totals.health(),
        learning_rate,
        images_per_second: images as f64 / seconds,
        seconds,
        waited: loader.waited(),
    }))
}

/// Reads the figures of some steps from the device.
fn read(run: &mut Run, unread: Unread) -> Result<()> {
    let Some(step) = run.position.totals.read(unread)? else {
        return Ok(());
    };
    let what = match step.loss.is_finite() {
        true => "an embedding is not finite".to_string(),
        false => format!("the loss is {}", step.loss),
    };
    Err(Diverged::new(what, &run.position, step.steps_ago, step.images).into())
}

/// A checkpoint that counts the seconds of the epoch under way.
fn save_within_epoch(run: &mut Run, started: &Instant) -> Result<()> {
    let before = run.position.seconds;
    run.position.seconds += started.elapsed().as_secs_f64();
    let saved = run.save();
    run.position.seconds = before;
    saved
}

/// The batches of the epoch under way that are still to do, made into tensors by background threads.
fn loader(run: &Run, workers: usize) -> Result<Loader<Result<Prepared>>> {
    let epoch = run.position.epoch;
    let config = LoaderConfig {
        workers,
        part: run.part(),
        ..run.loading(epoch, run.position.batch)
    };
    run.load_batches(run.sampler.epoch(epoch), config)
}

/// Takes one step of an epoch of `batches`; the learning rate that it had.
fn step(
    run: &mut Run,
    request: &Request,
    batch: &Prepared,
    batches: usize,
    unread: &mut Unread,
) -> Result<f64> {
    let at = (run.config.seed, run.position.step);
    let before = match run.config.on_nan {
        OnNan::Skip => Some(buffers(run)?),
        OnNan::Stop => None,
    };
    run.outgrow(batch.size());
    let how = (run.config.chunk, run.kept.as_ref());
    let tower = run.tower_for(batch.size());
    let (grads, figures) = gradients(tower, &run.objective, at, batch, how, run.world.as_ref())?;
    let norm = match run.config.clip_norm.is_some() || before.is_some() {
        true => global_grad_norm(run.optimizer.params(), &grads)?,
        false => 0.0,
    };
    let total_steps = batches * run.config.epochs;
    let factor = run.config.schedule.factor(run.position.step, total_steps);
    let learning_rate = run.config.learning_rate * factor;
    run.last_images = batch.indices();
    run.position.step += 1;
    run.position.batch += 1;
    if let Some(before) = before {
        if let Some(what) = not_a_number(run, &figures, norm)? {
            skip(run, request, before, what)?;
            return Ok(learning_rate);
        }
        run.position.skipped.in_a_row = 0;
    }
    let scale = match run.config.clip_norm {
        Some(most) => (most / (norm + 1e-6)).min(1.0),
        None => 1.0,
    };
    run.optimizer.step(&grads, learning_rate, scale)?;
    for (_, average) in &mut run.averages {
        average.update()?;
    }
    unread.push(figures, batch.indices());
    Ok(learning_rate)
}

/// Says so when the embedding has collapsed.
fn sound_alarm(run: &mut Run, request: &Request) {
    let collapsed_loss = run.objective.collapsed(run.config.sampler.batch_images());
    let Some(reason) = collapse::alarm(&run.position.totals.health(), collapsed_loss) else {
        return;
    };
    let epoch = run.position.epoch + 1;
    (request.observe)(&Event::Alarm {
        epoch,
        reason: &reason,
    });
    run.position.alarm.get_or_insert((epoch, reason));
}

/// The validation figures of an epoch.
struct Validation {
    loss: Option<f64>,
    auc: f64,
    eer: f64,
    threshold: FittedThreshold,
    calibration: Calibration,
    judged: JudgedPairs,
    embeddings: Embeddings,
}

/// Validates the weights that are kept, and keeps them if they are the best so far.
fn end_epoch(run: &mut Run, trained: &Trained) -> Result<(EpochRow, Verdict)> {
    run.checkpoint()?; // weights that are no numbers are not validated
    let (validation, stopping, verdict) = run.with_kept_weights(|| {
        let validation = validate(run)?;
        let mut stopping = run.position.stopping.clone();
        let watched = watched(&run.config, &validation);
        let verdict = stopping.observe(run.position.epoch, watched);
        if verdict == Verdict::Best {
            let classes = run.class_head(&validation.embeddings)?;
            let of = (
                &run.validation.images.labels[..],
                &run.validation.indices[..],
            );
            let judged = &validation.judged;
            let unlike = judged.unlike_tail(&validation.embeddings, of, &run.metric()?)?;
            run.save_best(
                &validation.threshold,
                (&validation.calibration, unlike),
                classes.as_ref(),
            )?;
        }
        Ok((validation, stopping, verdict))
    })?;
    run.position.stopping = stopping;
    Ok((epoch_row(run, trained, &validation), verdict))
}

/// The embeddings of the validation images, from what is kept of them where that is so.
fn embed_validation(run: &Run) -> Result<Embeddings> {
    let of = &run.validation;
    let Some(kept) = run.kept.as_ref().filter(|kept| kept.has(&of.indices)) else {
        return Ok(embed(&run.tower, &of.images, &of.indices)?);
    };
    let device = run.tower.parameters().device();
    let mut values = Vec::new();
    for batch in of.indices.chunks(KEPT_AT_ONCE) {
        values.push(run.tower.embed_frozen(&kept.get(batch, device)?)?);
    }
    Ok(Embeddings::of(&values, of.images.len(), &of.indices)?)
}

fn validate(run: &Run) -> Result<Validation> {
    let of = &run.validation;
    let embeddings = embed_validation(run)?;
    let diverged =
        |what: String| Diverged::new(what, &run.position, 0, Arc::clone(&run.last_images));
    let sum = embeddings.values.sqr()?.sum_all()?.to_scalar::<f32>()?;
    if !sum.is_finite() {
        return Err(diverged("an embedding of a validation image is not finite".into()).into());
    }
    let judged = JudgedPairs::new(&embeddings, of.pairs.clone(), &run.metric()?)?;
    let threshold = judged.curve.fit(Target::BestAccuracy)?;
    let loss = run
        .objective
        .validation_loss(&judged.distances, &judged.like());
    if let Some(loss) = loss.filter(|loss| !loss.is_finite()) {
        return Err(diverged(format!("the validation loss is {loss}")).into());
    }
    Ok(Validation {
        loss,
        auc: judged.curve.roc_auc(),
        eer: judged.curve.eer(),
        threshold,
        calibration: judged.calibrate()?,
        judged,
        embeddings,
    })
}

fn watched(config: &TrainConfig, validation: &Validation) -> f64 {
    match config.stopping.monitor {
        Monitor::Loss => validation.loss.unwrap_or(f64::NAN),
        Monitor::Eer => validation.eer,
        Monitor::Auc | Monitor::Last => validation.auc,
    }
}

fn epoch_row(run: &Run, trained: &Trained, validation: &Validation) -> EpochRow {
    EpochRow {
        epoch: run.position.epoch + 1,
        train_loss: trained.health.loss,
        validation_loss: validation.loss,
        roc_auc: Some(validation.auc),
        eer: Some(validation.eer),
        accuracy: Some(validation.threshold.accuracy),
        learning_rate: Some(trained.learning_rate),
        embedding_spread: Some(trained.health.spread),
        active_share: Some(trained.health.active_share),
        seconds: Some(trained.seconds),
        images_per_second: Some(trained.images_per_second),
        skipped_steps: run.position.skipped.in_epoch,
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

fn tell(run: &Run, request: &Request, row: &EpochRow, verdict: Verdict) {
    let done = run.position.epoch;
    let of_epochs = (run.position.seconds - run.preparation).max(0.0);
    let left = of_epochs / done as f64 * (run.config.epochs - done) as f64;
    (request.observe)(&Event::Epoch {
        row,
        epochs: run.config.epochs,
        best: verdict == Verdict::Best && run.config.stopping.monitor != Monitor::Last,
        left: Duration::from_secs_f64(left),
    });
    if verdict == Verdict::Stop {
        let patience = run.config.stopping.patience;
        (request.observe)(&Event::Stopped { patience });
    }
}
