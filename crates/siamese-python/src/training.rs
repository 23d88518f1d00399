//! A training from Python, which Ctrl-C ends with a checkpoint.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use siamese_core::candle::Device;
use siamese_data::{Loose, OpenOptions};
use siamese_train::{Draft, Event, Layer, Outcome, Request, RunFolder, RunRecord};

use crate::errors::raised;

/// What to train, as the Python side puts it: settings are TOML.
struct Wanted {
    data: String,
    settings: Vec<(String, String)>,
    runs: PathBuf,
    name: Option<String>,
}

/// Trains, and gives the run's folder.
#[pyfunction]
pub(crate) fn train(
    py: Python<'_>,
    data: String,
    settings: Vec<(String, String)>,
    runs: PathBuf,
    name: Option<String>,
    tell: Option<Py<PyAny>>,
) -> PyResult<PathBuf> {
    let wanted = Wanted {
        data,
        settings,
        runs,
        name,
    };
    let interrupt = AtomicBool::new(false);
    let observe = |event: &Event| {
        let seen = Python::attach(|py| {
            if let (Some(tell), Some(line)) = (&tell, line(event)) {
                tell.call1(py, (line,))?;
            }
            py.check_signals()
        });
        if seen.is_err() {
            interrupt.store(true, Ordering::Relaxed);
        }
    };
    let ended = py.detach(|| wanted.train(&interrupt, &observe));
    match ended.map_err(raised)? {
        (folder, true) => Ok(folder),
        (folder, false) => Err(PyKeyboardInterrupt::new_err(format!(
            "go on with: siamese train --resume {}",
            folder.display()
        ))),
    }
}

impl Wanted {
    /// The run's folder, and whether the run came to its end.
    fn train(&self, interrupt: &AtomicBool, observe: &dyn Fn(&Event)) -> Result<(PathBuf, bool)> {
        let mut told = Layer::default();
        for (key, value) in &self.settings {
            told.set(key, value)?;
        }
        let options = OpenOptions {
            loose: Loose::Unlabelled,
            ..Default::default()
        };
        let listing = siamese_data::open(&self.data, &options)?;
        let draft = Draft::new(listing, &self.data, &told)?;
        let (config, data, _) = draft.complete(&options)?;
        siamese_train::check(&config, &data, &Device::Cpu)?;
        let command = "from Python".to_string();
        let record = RunRecord::new(&config, &data.about, "CPU".into(), command);
        let folder = RunFolder::begin(&self.runs, self.name.as_deref(), &record)?;
        let outcome = siamese_train::train(&Request {
            config: &config,
            data: &data,
            device: &Device::Cpu,
            folder: &folder,
            workers: 1,
            checkpoint_every: Duration::from_secs(120),
            interrupt,
            observe,
        });
        let place = folder.path().to_path_buf();
        let named = || format!("the run in {}", place.display());
        match outcome.with_context(named)? {
            Outcome::Finished(_) | Outcome::Followed => Ok((place, true)),
            Outcome::Interrupted { .. } => Ok((place, false)),
            Outcome::Diverged { reason, .. } => bail!("{reason}"),
        }
    }
}

/// An epoch, as one line.
fn line(event: &Event) -> Option<String> {
    let Event::Epoch { row, .. } = event else {
        return None;
    };
    let mut text = format!("epoch {}, loss {:.4}", row.epoch, row.train_loss);
    if let Some(auc) = row.roc_auc {
        text += &format!(", validation AUC {auc:.4}");
    }
    Some(text)
}
