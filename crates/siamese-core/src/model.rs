//! A model file: a trained tower with all that its use needs, in one safetensors file.
//!
//! Format 2 keeps the tower's tensors under `tower.` (a head's and an objective's will be under `head.` and
//! `objective.`), its description as JSON under one key of the metadata. Format 1, without the prefix, still opens.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use siamese_metrics::Distance;

use crate::domain::Domain;
use crate::error::{Error, Misfit, Result};
use crate::input::ImageInput;
use crate::parameters::Parameters;
use crate::tensor_file;
use crate::threshold::Threshold;
use crate::tower::{Body, Stage, Stages, Tower, TowerConfig};

/// The key of our description among the file's metadata.
const METADATA_KEY: &str = "siamese";
const FORMAT: u32 = 2;
/// What the tower's tensors are called in the file, before their own name.
pub(crate) const TOWER: &str = "tower.";

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// The data set by name, such as `CIFAR-100`; empty where the file does not say.
    #[serde(default)]
    pub data: String,
    /// What of it was trained on, in words.
    pub trained_on: String,
    /// The seed of the run.
    pub seed: u64,
    /// The epoch whose weights these are, counted from 1.
    pub epoch: usize,
    /// The version of this crate that wrote the file.
    pub version: String,
}

/// A trained tower and how to use it.
#[derive(Clone)]
pub struct Model {
    /// The network.
    pub tower: Tower,
    /// The distance that it was trained for.
    pub distance: Distance,
    /// The threshold fitted for it, if one was.
    pub threshold: Option<Threshold>,
    /// What it was trained on, to tell what is far from it.
    pub domain: Option<Domain>,
    /// Where it comes from.
    pub provenance: Provenance,
}

#[derive(Serialize, Deserialize)]
struct Description<T = TowerConfig> {
    format: u32,
    tower: T,
    distance: Distance,
    threshold: Option<Threshold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain: Option<Domain>,
    provenance: Provenance,
}

impl Model {
    /// Writes weights and description to one file, whole or not at all. The same model gives the same bytes.
    ///
    /// # Errors
    /// When the file cannot be written, or [`Self::load`] would refuse it: a threshold that was fitted for other
    /// weights or another distance, a number that is not finite. Nothing is written then.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let description = self.describe().map_err(|e| e.model("saving", path))?;
        let named = |(name, tensor)| (format!("{TOWER}{name}"), tensor);
        let tensors: BTreeMap<String, Tensor> = self
            .tower
            .parameters()
            .snapshot()?
            .into_iter()
            .map(named)
            .collect();
        let metadata = BTreeMap::from([(METADATA_KEY, description.as_str()), ("format", "pt")]);
        tensor_file::write(path, &tensors, &metadata)
    }

    /// Reads a file that [`Self::save`] wrote, of this format or an older one.
    ///
    /// # Errors
    /// When the file is missing, damaged, not a model of ours, or its tensors do not fit its description.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let (tensors, metadata) = tensor_file::read(path, device)?;
        let Some(description) = metadata.get(METADATA_KEY) else {
            let path = path.to_path_buf();
            return Err(Error::NotAModel { path });
        };
        Self::assemble(description, tensors, device).map_err(|e| e.model("loading", path))
    }

    fn assemble(
        description: &str,
        tensors: HashMap<String, Tensor>,
        device: &Device,
    ) -> Result<Self> {
        let description = Description::read(description)?;
        let tensors = match description.format {
            1 => tensors,
            _ => of_the_tower(tensors)?,
        };
        let parameters = Parameters::from_tensors(tensors, device);
        let tower = Tower::with_parameters(description.tower, parameters)?;
        tower.parameters().check_given()?;
        let model = Self {
            tower,
            distance: description.distance,
            threshold: description.threshold,
            domain: description.domain,
            provenance: description.provenance,
        };
        model.check()?;
        Ok(model)
    }

    /// The description as JSON, read again by way of trial: JSON has no number for NaN.
    fn describe(&self) -> Result<String> {
        self.check()?;
        let description = Description {
            format: FORMAT,
            tower: self.tower.config().clone(),
            distance: self.distance,
            threshold: self.threshold.clone(),
            domain: self.domain.clone(),
            provenance: self.provenance.clone(),
        };
        let text = serde_json::to_string(&description).map_err(Error::Description)?;
        Description::read(&text)?;
        Ok(text)
    }

    fn check(&self) -> Result<()> {
        if let Some(domain) = &self.domain {
            domain.check(self.tower.config().input.channels())?;
        }
        match &self.threshold {
            Some(threshold) => threshold.check(self.distance, self.tower.parameters()),
            None => Ok(()),
        }
    }
}

/// The tensors under `tower.` by their own names; there are no others yet.
fn of_the_tower(tensors: HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
    let mut misfit = Misfit::default();
    let mut own = HashMap::new();
    for (name, tensor) in tensors {
        match name.strip_prefix(TOWER) {
            Some(name) => drop(own.insert(name.to_string(), tensor)),
            None => misfit.surplus.push(name),
        }
    }
    misfit.surplus.sort();
    misfit.check()?;
    Ok(own)
}

impl Description {
    fn read(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_str(text).map_err(Error::Description)?;
        match format {
            1 => {
                let old: Description<TowerOfFormat1> =
                    serde_json::from_str(text).map_err(Error::Description)?;
                Ok(Self {
                    format,
                    tower: old.tower.into(),
                    distance: old.distance,
                    threshold: old.threshold,
                    domain: None,
                    provenance: old.provenance,
                })
            }
            FORMAT => serde_json::from_str(text).map_err(Error::Description),
            found => Err(Error::Format {
                found,
                newest: FORMAT,
            }),
        }
    }
}

/// The tower of format 1, which was always one of stages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TowerOfFormat1 {
    input: ImageInput,
    stages: Vec<Stage>,
    leaky_slope: f32,
    dropout: f32,
    embedding: usize,
    normalize: bool,
}

impl From<TowerOfFormat1> for TowerConfig {
    fn from(old: TowerOfFormat1) -> Self {
        Self {
            input: old.input,
            body: Body::Stages(Stages {
                stages: old.stages,
                leaky_slope: old.leaky_slope,
            }),
            dropout: old.dropout,
            embedding: old.embedding,
            normalize: old.normalize,
            ..Self::cifar100()
        }
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
