//! A checkpoint: all that a run needs to go on as if it had never stopped.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::EarlyStopping;
use crate::step::Totals;

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

/// Weights, optimizer state and position.
pub(crate) struct Checkpoint {
    /// Parameters and buffers of the tower.
    pub tower: HashMap<String, Tensor>,
    /// State of the optimizer.
    pub optimizer: HashMap<String, Tensor>,
    /// Where the run stands.
    pub position: Position,
}

impl Checkpoint {
    /// Writes it by way of a temporary file: an older checkpoint stays whole until this one is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let tower = self
            .tower
            .iter()
            .map(|(name, t)| (format!("tower.{name}"), t));
        let optimizer = self
            .optimizer
            .iter()
            .map(|(name, t)| (format!("optimizer.{name}"), t));
        let tensors: BTreeMap<String, &Tensor> = tower.chain(optimizer).collect();
        let state = serde_json::to_string(&self.position)?;
        let partial = path.with_extension("partial");
        let metadata = HashMap::from([(STATE_KEY.to_string(), state)]);
        safetensors::serialize_to_file(tensors, Some(metadata), &partial)
            .with_context(|| format!("writing {}", partial.display()))?;
        std::fs::rename(&partial, path).with_context(|| format!("writing {}", path.display()))
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
            let mut checkpoint = Self {
                tower: HashMap::new(),
                optimizer: HashMap::new(),
                position: serde_json::from_str(state)?,
            };
            for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
                let tensor = view.load(device)?;
                if let Some(name) = name.strip_prefix("tower.") {
                    checkpoint.tower.insert(name.to_string(), tensor);
                } else if let Some(name) = name.strip_prefix("optimizer.") {
                    checkpoint.optimizer.insert(name.to_string(), tensor);
                }
            }
            Ok(checkpoint)
        };
        read().with_context(|| format!("reading the checkpoint {}", path.display()))
    }
}
