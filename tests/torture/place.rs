//! A folder in which the binary is run, and in which things go wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::support::{siamese, text};

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

/// A folder, and what stands between the binary and the files in it.
pub(crate) struct Place {
    folder: TempDir,
    shim: PathBuf,
    /// The hub's address, where there is one.
    pub(crate) hub: Option<String>,
}

impl Place {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let shim = compile(folder.path())?;
        Ok(Self {
            folder,
            shim,
            hub: None,
        })
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes away these folders, where they are.
    pub(crate) fn remove(&self, names: &[&str]) -> Result<()> {
        for name in names {
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
        if let Some(hub) = &self.hub {
            command.env("HF_ENDPOINT", hub);
        }
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
