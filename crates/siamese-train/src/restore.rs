//! Going on with a run: its checkpoint says how far all else in the folder counts.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use siamese_core::Model;
use siamese_words::counted;

use crate::checkpoint::{Checkpoint, State};
use crate::event::Event;
use crate::folder::RunFolder;
use crate::request::Request;
use crate::run::Run;

/// The checkpoint to go on from.
struct Found {
    checkpoint: Checkpoint,
    /// What is wrong with `last.safetensors`, where this is the one before it.
    instead_of_last: Option<String>,
}

/// Sets a run that is at its beginning to where its folder left it, after a look at all that it will need in the end;
/// false where the folder knows of no training.
pub(crate) fn restore(run: &mut Run, request: &Request) -> Result<bool> {
    run.folder.sweep()?;
    let device = run.tower.parameters().device().clone();
    let found = find(&run.folder, &device)
        .with_context(|| format!("{} cannot go on", run.folder.path().display()))?;
    let Some(found) = found else {
        return Ok(false);
    };
    let State {
        position,
        settings,
        processes,
    } = found.checkpoint.state.clone();
    if let Some(differences) = settings.differences(&run.settings) {
        bail!(
            "{} is not that of this run, whose past was with other settings: {differences}: {}",
            run.folder.file("config.json").display(),
            start_again(&run.folder)
        )
    }
    check_best(run, &found.checkpoint)?;
    run.load(&found.checkpoint)?;
    run.position = position;
    run.position.stopping = run.position.stopping.clone().under(run.config.stopping);
    run.folder.keep_epochs(run.position.epoch)?;
    say_processes(run, request, processes);
    if let Some(problem) = found.instead_of_last {
        // so that the damaged one is not kept in the place of the whole one
        fs::rename(run.folder.previous(), run.folder.last())?;
        let at = &run.position;
        (request.observe)(&Event::Warning(&format!(
            "{problem}: going on from the checkpoint before it, in epoch {} after batch {}",
            at.epoch + 1,
            at.batch
        )));
    }
    Ok(true)
}

/// The newest checkpoint that is whole; `None` where nothing was trained.
fn find(folder: &RunFolder, device: &Device) -> Result<Option<Found>> {
    let read = |path: &std::path::Path| path.exists().then(|| Checkpoint::load(path, device));
    let problem = match read(&folder.last()) {
        Some(Ok(checkpoint)) => {
            return Ok(Some(Found {
                checkpoint,
                instead_of_last: None,
            }));
        }
        Some(Err(error)) => format!("last.safetensors is damaged ({error:#})"),
        None => "last.safetensors is missing".to_string(),
    };
    let again = start_again(folder);
    match read(&folder.previous()) {
        Some(Ok(checkpoint)) => Ok(Some(Found {
            checkpoint,
            instead_of_last: Some(problem),
        })),
        Some(Err(error)) => bail!("{problem}, and previous.safetensors too ({error:#}): {again}"),
        None if folder.last().exists() => {
            bail!("{problem}, and there is no previous.safetensors: {again}")
        }
        None => {
            let trained = ["metrics.jsonl", "best.safetensors", "result.json"];
            match trained.into_iter().find(|name| folder.file(name).exists()) {
                Some(name) => bail!(
                    "{name} says that it was trained, but both checkpoints, last.safetensors and previous.safetensors, are missing: {again}"
                ),
                None => Ok(None),
            }
        }
    }
}

/// The best model so far is what is judged in the end, and cannot be made again.
fn check_best(run: &Run, checkpoint: &Checkpoint) -> Result<()> {
    let position = &checkpoint.state.position;
    let Some((epoch, _)) = position.stopping.best() else {
        return Ok(());
    };
    let (path, best) = (run.folder.best(), epoch + 1);
    let check = || -> Result<()> {
        let model = Model::load(&path, &Device::Cpu)?;
        let found = model.provenance.epoch;
        // a best epoch after the checkpoint is trained again
        ensure!(
            found == best || found > position.epoch,
            "it is the model of epoch {found}"
        );
        Ok(())
    };
    check().with_context(|| {
        format!(
            "{} was the model of epoch {best}, the best so far, and is missing, damaged or another: {}",
            path.display(),
            start_again(&run.folder)
        )
    })
}

/// Says what another number of processes changes.
fn say_processes(run: &Run, request: &Request, before: usize) {
    let now = run.processes();
    if now == before || run.position.epoch >= run.config.epochs {
        return;
    }
    let of = |processes| counted(processes, "process");
    (request.observe)(&Event::Warning(&format!(
        "going on in {}, and the run was trained in {} so far: batches are the same, of which each process takes {} of {} \
         images; BatchNorm's statistics are of such a part, so figures may shift a little",
        of(now),
        of(before),
        run.config.sampler.batch_images().div_ceil(now),
        run.config.sampler.batch_images(),
    )));
}

/// What to do where a run cannot go on.
fn start_again(folder: &RunFolder) -> String {
    format!(
        "put the file back as it was, or start a new run with `siamese train {}`",
        folder.file("config.json").display()
    )
}
