//! A training by several processes: what they tell each other between steps.
//!
//! Process 0 alone has a folder, validates and judges; the others begin with the state that it has, take the same
//! steps, and learn from it after each epoch whether there is another.

use std::sync::Arc;

use anyhow::{Context, Error, Result, ensure};
use serde::{Deserialize, Serialize};
use siamese_collective::Collective;
use siamese_words::counted;

use crate::checkpoint::{Checkpoint, Position};
use crate::diverged::Diverged;
use crate::request::{Outcome, Request};
use crate::run::Run;
use crate::start::keep_frozen;
use crate::train::{lead, train_epoch};
use crate::world::World;

/// What process 0 tells after an epoch.
#[derive(Serialize, Deserialize)]
struct Told {
    position: Position,
    /// Of the weights that all processes ought to have.
    weights: [String; 2],
}

/// Trains as [`train`](fn@crate::train) does, as one of several processes, all of which call this with the same settings and
/// the same images.
///
/// Each embeds its part of every batch, and the gradient is that of the whole batch; BatchNorm's statistics are those of
/// a part, as with `chunk`. Process 0 writes the folder, validates and judges; that of the others' requests is not looked
/// at, and they end with [`Outcome::Followed`].
///
/// # Errors
/// Those of [`train`](fn@crate::train); and when a process is lost: process 0 writes a checkpoint then.
pub fn train_among(request: &Request, world: Arc<dyn Collective>) -> Result<Outcome> {
    match (world.size(), world.rank()) {
        (1, _) => lead(request, None),
        (_, 0) => lead(request, Some(world)),
        _ => follow(request, world),
    }
}

fn follow(request: &Request, world: Arc<dyn Collective>) -> Result<Outcome> {
    let mut run = Run::assemble(request.config, request.data, request.device, request.folder)?;
    run.join(Some(Arc::clone(&world)))?;
    let state = Checkpoint::from_bytes(&world.broadcast(Vec::new())?, request.device)
        .context("the state of process 0")?;
    run.load(&state)?;
    run.position = state.state.position;
    keep_frozen(&mut run, request)?;
    for epoch in run.position.epoch..run.config.epochs {
        if run.position.stopping.exhausted() {
            break;
        }
        match train_epoch(&mut run, request) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Outcome::Interrupted { epoch: epoch + 1 }),
            Err(error) => {
                error.downcast::<Diverged>()?; // process 0 has found the same, and tells of it
                break;
            }
        }
        let told = world.broadcast(Vec::new())?;
        if told.is_empty() {
            break;
        }
        let told: Told = serde_json::from_slice(&told)?;
        ensure!(
            told.weights == run.fingerprints()?,
            "the weights of process {} are no longer those of process 0 after epoch {}: please report this",
            world.rank(),
            epoch + 1
        );
        run.position = told.position;
    }
    Ok(Outcome::Followed)
}

impl Run {
    /// Takes its place among several processes.
    ///
    /// # Errors
    /// When a batch is too small to be shared, or the cards do not reach each other.
    pub(crate) fn join(&mut self, world: Option<Arc<dyn Collective>>) -> Result<()> {
        let images = self.config.sampler.batch_images();
        let device = self.tower.parameters().device();
        let world = world.map(|processes| World::new(processes, device));
        self.world = world.transpose()?;
        // one image alone has no statistics
        ensure!(
            self.world.is_none() || images >= 2 * self.processes(),
            "a batch of {images} images is too small for {}, each of which needs 2: start fewer, or take larger batches",
            counted(self.processes(), "process")
        );
        Ok(())
    }

    /// How many processes train it.
    pub(crate) fn processes(&self) -> usize {
        self.world.as_ref().map_or(1, |world| world.size())
    }

    /// Whether it is the process that writes.
    pub(crate) fn leads(&self) -> bool {
        self.world.as_ref().is_none_or(|world| world.rank() == 0)
    }

    /// Which part of each batch is this process's, where there are several.
    pub(crate) fn part(&self) -> Option<(usize, usize)> {
        self.world
            .as_ref()
            .map(|world| (world.rank(), world.size()))
    }

    /// Whether any process says so.
    pub(crate) fn any(&self, yes: bool) -> Result<bool> {
        match &self.world {
            Some(world) => Ok(world.any(yes)?),
            None => Ok(yes),
        }
    }

    /// Gives the others the state that the run begins with.
    pub(crate) fn share(&self) -> Result<()> {
        if let Some(world) = &self.world {
            world.broadcast(self.checkpoint()?.to_bytes()?)?;
        }
        Ok(())
    }

    /// Tells the others where the run stands after an epoch.
    pub(crate) fn tell_others(&self) -> Result<()> {
        if let Some(world) = &self.world {
            let told = Told {
                position: self.position.clone(),
                weights: self.fingerprints()?,
            };
            world.broadcast(serde_json::to_vec(&told)?)?;
        }
        Ok(())
    }

    /// Tells the others that there is no further epoch.
    pub(crate) fn end_others(&self) -> Result<()> {
        if let Some(world) = &self.world {
            world.broadcast(Vec::new())?;
        }
        Ok(())
    }

    /// Writes a checkpoint where the error is that another process is lost.
    pub(crate) fn save_if_lost(&self, error: Error) -> Result<Error> {
        if error.downcast_ref::<siamese_collective::Error>().is_none() {
            return Ok(error);
        }
        self.save()?;
        let (batch, epoch) = (self.position.batch, self.position.epoch + 1);
        let last = self.folder.last();
        Ok(error.context(format!(
            "{} was written after batch {batch} of epoch {epoch}",
            last.display()
        )))
    }

    fn fingerprints(&self) -> Result<[String; 2]> {
        Ok([
            self.tower.parameters().fingerprint()?,
            self.objective.parameters().fingerprint()?,
        ])
    }
}
