//! A checkpoint: all that a run needs to go on as if it had never stopped.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use safetensors::{SafeTensors, View};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;
use crate::step::Totals;
use crate::stopping::EarlyStopping;

/// The key of the file's metadata under which its checksum and its state stand, with a space between.
const STATE_KEY: &str = "siamese_checkpoint";

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
    /// Steps that were skipped.
    #[serde(default)]
    pub skipped: Skipped,
    /// Early stopping.
    pub stopping: EarlyStopping,
    /// The collapse alarm, if it was raised, with its epoch (from 1).
    pub alarm: Option<(usize, String)>,
    /// Seconds of training so far, with the pass through a frozen part.
    pub seconds: f64,
}

/// How many steps were skipped, since their loss or gradient was no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Skipped {
    /// Of the whole run.
    pub in_all: usize,
    /// Of the epoch under way.
    pub in_epoch: usize,
    /// One right after the other, up to now.
    pub in_a_row: usize,
}

impl Position {
    /// Before the first step.
    pub(crate) fn start(stopping: EarlyStopping) -> Self {
        Self {
            epoch: 0,
            batch: 0,
            step: 0,
            totals: Totals::default(),
            skipped: Skipped::default(),
            stopping,
            alarm: None,
            seconds: 0.0,
        }
    }
}

/// What a checkpoint says beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Where the run stands.
    pub(crate) position: Position,
    /// What it was trained with so far.
    pub(crate) settings: Settings,
    /// Processes that trained.
    #[serde(default = "one")]
    pub(crate) processes: usize,
}

fn one() -> usize {
    1
}

/// The tensors of a run's parts, and its state.
pub(crate) struct Checkpoint {
    /// Under `PART.NAME`, in the host's memory when it is to be written.
    tensors: BTreeMap<String, Tensor>,
    pub(crate) state: State,
}

impl Checkpoint {
    /// A checkpoint without tensors.
    pub(crate) fn of(state: State) -> Self {
        Self {
            tensors: BTreeMap::new(),
            state,
        }
    }

    /// Adds the tensors of a part: `tower`, `objective`, `optimizer`, `average`.
    ///
    /// # Errors
    /// When they cannot be read from the device.
    pub(crate) fn add(
        &mut self,
        part: &str,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Result<()> {
        for (name, tensor) in tensors {
            let tensor = tensor.to_device(&Device::Cpu)?;
            self.tensors.insert(format!("{part}.{name}"), tensor);
        }
        Ok(())
    }

    /// The tensors of a part, by the names that it gave them.
    pub(crate) fn part(&self, part: &str) -> HashMap<String, Tensor> {
        let own = self.tensors.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix(part)?.strip_prefix('.')?;
            Some((name.to_string(), tensor.clone()))
        });
        own.collect()
    }

    /// The first tensor that holds a NaN or an infinity.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub(crate) fn not_finite(&self) -> Result<Option<&str>> {
        for (name, tensor) in &self.tensors {
            let values = tensor.flatten_all()?.to_dtype(DType::F32)?;
            if !values.to_vec1::<f32>()?.iter().all(|v| v.is_finite()) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Writes it; the checkpoint that was at `path` stays as `older`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save(&self, path: &Path, older: &Path) -> Result<()> {
        siamese_files::write_keeping(path, older, &self.to_bytes()?)
            .with_context(|| format!("writing {}", path.display()))
    }

    /// What is in its file.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let state = serde_json::to_string(&self.state)?;
        let mut sum = crc32c::crc32c(state.as_bytes());
        for (name, tensor) in &self.tensors {
            sum = append(sum, name, &tensor);
        }
        let metadata = HashMap::from([(STATE_KEY.to_string(), format!("{sum:08x} {state}"))]);
        Ok(safetensors::serialize(&self.tensors, Some(metadata))?)
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the file is missing, damaged, or no checkpoint.
    pub(crate) fn load(path: &Path, device: &Device) -> Result<Self> {
        Self::from_bytes(&siamese_files::read_regular(path)?, device)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// When it is damaged, or no checkpoint.
    pub(crate) fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let told = header.metadata().as_ref().and_then(|m| m.get(STATE_KEY));
        let told = told.context("it is no checkpoint of a training run of this version")?;
        let (sum, state) = told.split_once(' ').context("its state is damaged")?;
        let tensors = SafeTensors::deserialize(bytes)?;
        let views: BTreeMap<String, _> = tensors.tensors().into_iter().collect();
        let found = views
            .iter()
            .fold(crc32c::crc32c(state.as_bytes()), |sum, (name, view)| {
                append(sum, name, view)
            });
        ensure!(
            sum == format!("{found:08x}"),
            "its content is not what was written (checksum {found:08x}, not {sum})"
        );
        let mut checkpoint = Self::of(serde_json::from_str(state)?);
        for (name, view) in views {
            checkpoint.tensors.insert(name, view.load(device)?);
        }
        Ok(checkpoint)
    }
}

/// Takes a tensor into a checksum: its name, kind, shape and values.
fn append(sum: u32, name: &str, tensor: &impl View) -> u32 {
    let about = format!("{name} {:?} {:?}", tensor.dtype(), tensor.shape());
    let sum = crc32c::crc32c_append(sum, about.as_bytes());
    crc32c::crc32c_append(sum, &tensor.data())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::stopping::StoppingConfig;

    fn checkpoint() -> Result<Checkpoint> {
        let stopping = EarlyStopping::new(StoppingConfig::default());
        let mut checkpoint = Checkpoint::of(State {
            position: Position::start(stopping),
            settings: Settings::default(),
            processes: 1,
        });
        let values = Tensor::arange(0f32, 3000., &Device::Cpu)?;
        let steps = Tensor::new(&[7f64], &Device::Cpu)?;
        checkpoint.add("tower", [("w".into(), values)])?;
        checkpoint.add("average", [("steps".into(), steps)])?;
        Ok(checkpoint)
    }

    #[test]
    fn whatever_happens_to_its_bytes_is_noticed() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("last");
        checkpoint()?.save(&path, &folder.path().join("previous"))?;
        let whole = fs::read(&path)?;
        assert!(Checkpoint::load(&path, &Device::Cpu).is_ok());
        let refused = |bytes: &[u8], what: &str| {
            assert!(
                Checkpoint::from_bytes(bytes, &Device::Cpu).is_err(),
                "{what}"
            );
        };
        for bit in (0..8 * whole.len()).step_by(13) {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused(&bytes, &format!("bit {bit}"));
        }
        for length in (0..whole.len()).step_by(97) {
            refused(&whole[..length], &format!("cut to {length}"));
        }
        for start in (0..whole.len() - 4096).step_by(1024) {
            let mut bytes = whole.clone();
            bytes[start..start + 4096].fill(0);
            refused(&bytes, &format!("zeros from {start}"));
        }
        let mut longer = whole.clone();
        longer.push(0);
        refused(&longer, "a byte more");
        Ok(())
    }

    #[test]
    fn it_is_read_back_the_same_and_written_in_the_same_bytes() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let [a, b, older] = ["a", "b", "c"].map(|name| folder.path().join(name));
        checkpoint()?.save(&a, &older)?;
        let read = Checkpoint::load(&a, &Device::Cpu)?;
        assert_eq!(read.state, checkpoint()?.state);
        assert_eq!(read.part("average")["steps"].to_vec1::<f64>()?, [7.0]);
        read.save(&b, &older)?;
        assert!(fs::read(&a)? == fs::read(&b)?);
        Ok(())
    }

    #[test]
    fn a_number_that_is_not_finite_is_named() -> Result<()> {
        let mut checkpoint = checkpoint()?;
        assert_eq!(checkpoint.not_finite()?, None);
        let broken = Tensor::new(&[1f32, f32::INFINITY], &Device::Cpu)?;
        checkpoint.add("optimizer", [("m".into(), broken)])?;
        assert_eq!(checkpoint.not_finite()?, Some("optimizer.m"));
        Ok(())
    }
}
