//! A model file: a trained tower with all that its use needs, in one safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{Device, Error, Result, Tensor, bail};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use siamese_metrics::calibration::Calibration;
use siamese_metrics::verification::is_same;

use crate::{Distance, Tower, TowerConfig};

/// The key of our description among the file's metadata.
const METADATA_KEY: &str = "siamese";
const FORMAT: u32 = 1;

/// The distance below which two images are called the same, and what it was fitted for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Two images are the same when their distance is below this.
    pub value: f64,
    /// What it was fitted to, such as `best accuracy`.
    pub target: String,
    /// The pairs it was fitted on, such as `10000 validation pairs`.
    pub fitted_on: String,
    /// Turns a distance into the probability of "same", fitted on the same pairs.
    pub calibration: Option<Calibration>,
    /// The distance it was fitted for.
    pub distance: Distance,
    /// [`Parameters::fingerprint`](crate::Parameters::fingerprint) of the weights it was fitted for.
    pub weights: String,
}

impl Threshold {
    /// Whether two embeddings at this distance show the same.
    pub fn is_same(&self, distance: f32) -> bool {
        is_same(distance, self.value as f32)
    }
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// The data set that it was trained on, and whether that was all of it.
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
    /// Where it comes from.
    pub provenance: Provenance,
}

#[derive(Serialize, Deserialize)]
struct Description {
    format: u32,
    tower: TowerConfig,
    distance: Distance,
    threshold: Option<Threshold>,
    provenance: Provenance,
}

impl Model {
    /// Writes weights and description to one file, by way of a temporary one: there is never half a file.
    ///
    /// # Errors
    /// When the file cannot be written; the message names it.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let tensors = self.tower.parameters().snapshot()?;
        self.save_tensors(&tensors, path.as_ref())
    }

    /// As [`Self::save`], with the weights given.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn save_tensors(&self, tensors: &BTreeMap<String, Tensor>, path: &Path) -> Result<()> {
        let description = Description {
            format: FORMAT,
            tower: self.tower.config().clone(),
            distance: self.distance,
            threshold: self.threshold.clone(),
            provenance: self.provenance.clone(),
        };
        let description = serde_json::to_string(&description).map_err(Error::wrap)?;
        let metadata = HashMap::from([
            (METADATA_KEY.to_string(), description),
            ("format".to_string(), "pt".to_string()),
        ]);
        let partial = path.with_extension("partial");
        safetensors::serialize_to_file(tensors, Some(metadata), &partial)
            .map_err(|e| at(path, "writing", e))?;
        std::fs::rename(&partial, path).map_err(|e| at(path, "writing", e))
    }

    /// Reads a file that [`Self::save`] wrote.
    ///
    /// # Errors
    /// When the file is missing, damaged, not a model of ours, or its tensors do not fit its description.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| at(path, "reading", e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| at(path, "reading", e))?;
        let description = header.metadata().as_ref().and_then(|m| m.get(METADATA_KEY));
        let Some(description) = description else {
            let message = "it is a safetensors file, but not one that `siamese train` wrote: it does not say what tower it holds";
            return Err(at(path, "reading", message));
        };
        let description: Description = serde_json::from_str(description)
            .map_err(|e| at(path, "reading the description in", e))?;
        if description.format != FORMAT {
            let message = format!(
                "its format is {}, this version reads {FORMAT}",
                description.format
            );
            return Err(at(path, "reading", message));
        }
        let tower = Tower::new(description.tower, description.provenance.seed, device)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| at(path, "reading", e))?;
        let load = |(name, view): (String, safetensors::tensor::TensorView)| {
            Ok((name, view.load(device)?))
        };
        let tensors: HashMap<_, _> = tensors
            .tensors()
            .into_iter()
            .map(load)
            .collect::<Result<_>>()?;
        tower
            .parameters()
            .load(&tensors)
            .map_err(|e| at(path, "loading", e))?;
        if let Some(threshold) = &description.threshold {
            check_threshold(threshold, description.distance, &tower)
                .map_err(|e| at(path, "loading", e))?;
        }
        Ok(Self {
            tower,
            distance: description.distance,
            threshold: description.threshold,
            provenance: description.provenance,
        })
    }
}

/// Refuses a threshold that was fitted for another distance or for other weights.
fn check_threshold(threshold: &Threshold, distance: Distance, tower: &Tower) -> Result<()> {
    if threshold.distance != distance {
        bail!(
            "its threshold was fitted for the {} distance, the model uses the {distance}: the file's metadata was changed; use the file as it was trained",
            threshold.distance
        )
    }
    if threshold.weights != tower.parameters().fingerprint()? {
        bail!(
            "its threshold was fitted for other weights: the file was changed; use the file as it was trained"
        )
    }
    Ok(())
}

fn at(path: &Path, doing: &str, error: impl std::fmt::Display) -> Error {
    Error::Msg(format!("{doing} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn model() -> Result<Model> {
        let tower = Tower::new(TowerConfig::cifar100(), 4, &Device::Cpu)?;
        Ok(Model {
            threshold: Some(Threshold {
                value: 0.625,
                target: "best accuracy".into(),
                fitted_on: "100 validation pairs".into(),
                calibration: None,
                distance: Distance::Cosine,
                weights: tower.parameters().fingerprint()?,
            }),
            tower,
            distance: Distance::Cosine,
            provenance: Provenance::default(),
        })
    }

    #[test]
    fn a_saved_model_embeds_as_before_and_keeps_its_threshold() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model.safetensors");
        let model = model()?;
        model.save(&path)?;
        let loaded = Model::load(&path, &Device::Cpu)?;
        let images = Tensor::ones((1, 3, 32, 32), DType::F32, &Device::Cpu)?;
        let embed = |m: &Model| m.tower.embed(&images)?.to_vec2::<f32>();
        assert_eq!(embed(&model)?, embed(&loaded)?);
        assert_eq!(
            (loaded.distance, loaded.threshold),
            (model.distance, model.threshold)
        );
        assert_eq!(
            std::fs::read_dir(folder.path())?.count(),
            1,
            "a temporary file was left"
        );
        Ok(())
    }

    #[test]
    fn a_threshold_fitted_for_another_distance_or_other_weights_is_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model.safetensors");
        let load_error = |model: &Model| -> anyhow::Result<String> {
            model.save(&path)?;
            Ok(Model::load(&path, &Device::Cpu)
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default())
        };
        let mut other_distance = model()?;
        other_distance.distance = Distance::Manhattan;
        assert!(load_error(&other_distance)?.contains("cosine distance"));
        let mut other_weights = model()?;
        other_weights.tower = Tower::new(TowerConfig::cifar100(), 5, &Device::Cpu)?;
        assert!(load_error(&other_weights)?.contains("other weights"));
        Ok(())
    }

    #[test]
    fn missing_damaged_and_foreign_files_are_errors_that_name_the_file() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model.safetensors");
        let message = || {
            Model::load(&path, &Device::Cpu)
                .err()
                .map(|e| e.to_string())
        };
        let names_the_file = |m: Option<String>| m.is_some_and(|m| m.contains("model.safetensors"));
        assert!(names_the_file(message()));
        std::fs::write(&path, b"not a model")?;
        assert!(names_the_file(message()));
        let tensor = Tensor::ones(2, DType::F32, &Device::Cpu)?;
        tensor.save_safetensors("x", &path)?;
        assert!(message().is_some_and(|m| m.contains("siamese train")));
        Ok(())
    }
}
