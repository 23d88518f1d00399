//! Where trainings are tortured: a folder with a small set, and what an undisturbed training makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::ending::Ending;
use crate::support::{siamese, text, tiny_set};

/// A training that writes a checkpoint after each step.
pub(crate) const START: &str = "train tiny.toml --name run --checkpoint-every 0.000001s";
/// How it goes on.
pub(crate) const RESUME: &str = "train --resume runs/run --checkpoint-every 0.000001s";

/// What goes wrong.
pub(crate) enum Fault {
    /// This, at that operation on a file, from 1.
    At(&'static str, u64),
    /// The disk has room for so many bytes.
    Room(u64),
}

/// What a command does to files.
pub(crate) struct Counted {
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
}

/// A folder with a small set, and how an undisturbed training on it ends.
pub(crate) struct Bench {
    folder: TempDir,
    shim: PathBuf,
    whole: Ending,
    /// How long a training takes, about.
    pub(crate) whole_time: Duration,
}

impl Bench {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        tiny_set(folder.path())?;
        let shim = compile(folder.path())?;
        let mut bench = Self {
            folder,
            shim,
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

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes away all that a training left.
    pub(crate) fn clear(&self) -> Result<()> {
        for name in ["runs", "cache"] {
            let place = self.path(name);
            if place.exists() {
                fs::remove_dir_all(place)?;
            }
        }
        Ok(())
    }

    /// A command line of the binary; on one thread, so that it does the same things in the same order.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = siamese(self.folder.path());
        command.args(line.split(' ')).env("RAYON_NUM_THREADS", "1");
        command
    }

    /// Runs a command line undisturbed.
    pub(crate) fn run(&self, line: &str) -> Result<Output> {
        Ok(self.command(line).output()?)
    }

    /// Runs a command line to which something happens.
    pub(crate) fn faulty(&self, line: &str, fault: &Fault) -> Result<Output> {
        let mut command = self.shimmed(line);
        match fault {
            Fault::At(how, at) => command
                .env("FAULT_HOW", how)
                .env("FAULT_AT", at.to_string()),
            Fault::Room(bytes) => command.env("FAULT_ROOM", bytes.to_string()),
        };
        Ok(command.output()?)
    }

    /// Runs a command line, and says what it did.
    pub(crate) fn count(&self, line: &str) -> Result<Counted> {
        let counted = tempfile::NamedTempFile::new()?;
        let ended = self
            .shimmed(line)
            .env("FAULT_COUNT", counted.path())
            .output()?;
        ensure!(ended.status.success(), "{}", text(&ended));
        let numbers = fs::read_to_string(counted.path())?;
        let (operations, bytes) = numbers
            .trim()
            .split_once(' ')
            .context("the shim is not in the binary")?;
        Ok(Counted {
            operations: operations.parse()?,
            bytes: bytes.parse()?,
        })
    }

    fn shimmed(&self, line: &str) -> Command {
        let mut command = self.command(line);
        command.env("LD_PRELOAD", &self.shim);
        command.env("FAULT_ROOT", self.folder.path());
        command
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

/// The shim, by the C compiler that the toolkit is built with.
fn compile(folder: &Path) -> Result<PathBuf> {
    let (source, shim) = (
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/torture/shim.c"),
        folder.join("shim.so"),
    );
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let compiled = Command::new(&compiler)
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&shim, &source])
        .args(["-ldl", "-pthread"])
        .output()
        .with_context(|| format!("starting {}", compiler.display()))?;
    ensure!(compiled.status.success(), "{}", text(&compiled));
    Ok(shim)
}
