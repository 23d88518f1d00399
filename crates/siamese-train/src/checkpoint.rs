//! A checkpoint: all that a run needs to go on as if it had never stopped.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::step::Totals;
use crate::stopping::EarlyStopping;

const STATE_KEY: &str = "siamese_state";

/// Where a run stands. Sampler, augmentation and dropout need nothing more: their random numbers are functions
/// of the seed, the epoch and the step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The epoch under way, from 0.
    pub epoch: usize,
    /// Batches of it that are done.
    pub batch: usize,
    /// Steps taken in all.
    pub step: usize,
    /// Sums over the batches of this epoch.
    pub totals: Totals,
    /// Early stopping.
    pub stopping: EarlyStopping,
    /// Whether early stopping has ended the training.
    pub stopped: bool,
    /// The collapse alarm, if it was raised, with its epoch (from 1).
    pub alarm: Option<(usize, String)>,
    /// Seconds of training so far.
    pub seconds: f64,
}

impl Position {
    /// Before the first step.
    pub(crate) fn start(stopping: EarlyStopping) -> Self {
        Self {
            epoch: 0,
            batch: 0,
            step: 0,
            totals: Totals::default(),
            stopping,
            stopped: false,
            alarm: None,
            seconds: 0.0,
        }
    }
}

/// The tensors of a run's parts, and its position.
pub(crate) struct Checkpoint {
    /// Under `PART.NAME`.
    tensors: BTreeMap<String, Tensor>,
    /// Where the run stands.
    pub(crate) position: Position,
}

impl Checkpoint {
    /// A checkpoint without tensors.
    pub(crate) fn at(position: Position) -> Self {
        Self {
            tensors: BTreeMap::new(),
            position,
        }
    }

    /// Adds the tensors of a part: `tower`, `objective`, `optimizer`, `average`.
    pub(crate) fn add(&mut self, part: &str, tensors: impl IntoIterator<Item = (String, Tensor)>) {
        let named = tensors
            .into_iter()
            .map(|(name, tensor)| (format!("{part}.{name}"), tensor));
        self.tensors.extend(named);
    }

    /// The tensors of a part, by the names that it gave them.
    pub(crate) fn part(&self, part: &str) -> HashMap<String, Tensor> {
        let own = self.tensors.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix(part)?.strip_prefix('.')?;
            Some((name.to_string(), tensor.clone()))
        });
        own.collect()
    }

    /// Writes it; an older checkpoint stays whole until this one is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let state = serde_json::to_string(&self.position)?;
        let metadata = HashMap::from([(STATE_KEY.to_string(), state)]);
        let bytes = safetensors::serialize(&self.tensors, Some(metadata))?;
        siamese_files::write_bytes(path, &bytes)
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the file is missing, damaged, or no checkpoint.
    pub(crate) fn load(path: &Path, device: &Device) -> Result<Self> {
        let read = || -> Result<Self> {
            let bytes = std::fs::read(path)?;
            let (_, header) = SafeTensors::read_metadata(&bytes)?;
            let state = header.metadata().as_ref().and_then(|m| m.get(STATE_KEY));
            let state = state.context("it is not a checkpoint of a training run")?;
            let mut checkpoint = Self::at(serde_json::from_str(state)?);
            for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
                checkpoint.tensors.insert(name, view.load(device)?);
            }
            Ok(checkpoint)
        };
        read().with_context(|| format!("reading the checkpoint {}", path.display()))
    }
}
