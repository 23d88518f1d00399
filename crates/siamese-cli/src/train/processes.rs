//! `siamese train` as one of several processes, which a launcher started: `torchrun`, `srun`, `mpirun`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, ensure};
use siamese_collective::{Collective, Error, Patience, Place, Ring};
use siamese_train::{Outcome, Request, RunFolder, RunRecord, train_among};

use super::{Arguments, images_of_run, interrupt, lead};

/// The processes, where there are several.
pub(super) type World<'a> = Option<&'a Arc<dyn Collective>>;

/// Runs `siamese train` as one of several processes.
pub(super) fn run(arguments: &Arguments, place: &Place) -> Result<ExitCode> {
    ensure!(
        arguments.time.is_none() && !arguments.profile,
        "--time and --profile measure one process, and this is one of {}: say --epochs, or start one",
        place.size
    );
    let world: Arc<dyn Collective> = Arc::new(Ring::join(place, Patience::default())?);
    let device = arguments.device.open_as(place.local_rank);
    let ended = device.and_then(|device| match place.rank {
        0 => lead(arguments, &device, Some(&world)),
        _ => follow(arguments, &device, &world),
    });
    match &ended {
        Ok(_) if place.rank == 0 => drop(world.broadcast(Vec::new())?), // there is nothing more to do
        Ok(_) => {}
        Err(error) if error.downcast_ref::<Error>().is_some() => {} // it has gone round
        Err(error) => world.abort(&format!("has ended ({error:#})")),
    }
    ended
}

/// Trains what process 0 trains, until it says that there is nothing more.
fn follow(
    arguments: &Arguments,
    device: &candle_core::Device,
    world: &Arc<dyn Collective>,
) -> Result<ExitCode> {
    interrupt::listen()?;
    loop {
        let told = world.broadcast(Vec::new())?;
        if told.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let record: RunRecord = serde_json::from_slice(&told)?;
        let (_, data, _) = images_of_run(&record, &arguments.place)?;
        record.check_data(&data.about)?;
        let request = Request {
            config: &record.config,
            data: &data,
            device,
            folder: &RunFolder::elsewhere(),
            workers: arguments.workers,
            checkpoint_every: arguments.checkpoint_every,
            interrupt: &interrupt::WANTED,
            observe: &|_| {},
        };
        if let Outcome::Interrupted { .. } = train_among(&request, Arc::clone(world))? {
            return Ok(interrupt::code());
        }
    }
}
