//! Where trainings are tortured: a folder with a small set, and what an undisturbed training makes of it.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::ending::Ending;
use crate::place::Place;
use crate::support::{text, tiny_set};

/// A training that writes a checkpoint after each step.
pub(crate) const START: &str = "train tiny.toml --name run --checkpoint-every 0.000001s";
/// How it goes on.
pub(crate) const RESUME: &str = "train --resume runs/run --checkpoint-every 0.000001s";

/// A folder with a small set, and how an undisturbed training on it ends.
pub(crate) struct Bench {
    place: Place,
    whole: Ending,
    /// How long a training takes, about.
    pub(crate) whole_time: Duration,
}

impl Deref for Bench {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Bench {
    pub(crate) fn new() -> Result<Self> {
        let place = Place::new()?;
        tiny_set(&place.path(""))?;
        let mut bench = Self {
            place,
            whole: Ending::default(),
            whole_time: Duration::ZERO,
        };
        let began = Instant::now();
        let ended = bench.run(START)?;
        ensure!(ended.status.success(), "{}", text(&ended));
        bench.whole_time = began.elapsed();
        bench.whole = Ending::of(&bench.path("runs/run"))?;
        bench.clear()?;
        Ok(bench)
    }

    /// Takes away all that a training left.
    pub(crate) fn clear(&self) -> Result<()> {
        self.place.remove(&["runs", "cache"])
    }

    /// The command that goes on: `--resume`, or the same start again where there is nothing to resume.
    pub(crate) fn next(&self) -> Result<Command> {
        let line = match self.path("runs/run/config.json").exists() {
            true => RESUME,
            false => START,
        };
        Ok(self.command(line))
    }

    /// Goes on undisturbed, and compares what that leaves with what an undisturbed training does.
    pub(crate) fn go_on_and_compare(&self) -> Result<()> {
        let ended = self.next()?.output()?;
        ensure!(ended.status.success(), "it did not go on: {}", text(&ended));
        self.compare()
    }

    /// Compares what is there with what an undisturbed training leaves.
    pub(crate) fn compare(&self) -> Result<()> {
        Ending::of(&self.path("runs/run"))?.same_as(&self.whole)?;
        let left = self.leftovers()?;
        ensure!(left.is_empty(), "left behind: {left:?}");
        Ok(())
    }

    /// Files that are no files yet.
    pub(crate) fn leftovers(&self) -> Result<Vec<PathBuf>> {
        let mut left = Vec::new();
        for folder in ["", "runs", "runs/run", "cache"] {
            for entry in fs::read_dir(self.path(folder)).into_iter().flatten() {
                let entry = entry?;
                if entry.file_name().as_encoded_bytes().ends_with(b".partial") {
                    left.push(entry.path());
                }
            }
        }
        Ok(left)
    }
}
