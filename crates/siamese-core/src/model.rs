//! A model file: a trained tower with all that its use needs, in one safetensors file.
//!
//! Format 2 keeps the tower's tensors under `tower.`, those of a head that compares pairs under `head.`, the vectors of the
//! classes that it was trained on as `classes.vectors`, its description as JSON under one key of the metadata. Format 1,
//! without the prefix, still opens.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use siamese_metrics::{Distance, Metric};

use crate::class_head::{About, ClassHead};
use crate::domain::Domain;
use crate::error::{Error, Misfit, Result};
use crate::face_crop::FaceCrop;
use crate::head::{Head, HeadConfig};
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
/// The same of a head's.
const HEAD: &str = "head.";
/// The whole name of the classes' vectors.
const CLASSES: &str = "classes.vectors";

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
    /// What compares embeddings, where that was learned; otherwise the distance does.
    pub head: Option<Head>,
    /// What knows the classes that it was trained on, where that was learned: a second embedding, for these alone.
    pub classes: Option<ClassHead>,
    /// The distance between embeddings that it was trained for.
    pub distance: Distance,
    /// The threshold fitted for it, if one was.
    pub threshold: Option<Threshold>,
    /// What it was trained on, to tell what is far from it.
    pub domain: Option<Domain>,
    /// How its pictures were cut out of photos, where they are faces: others are cut alike before they are embedded.
    pub faces: Option<FaceCrop>,
    /// Where it comes from.
    pub provenance: Provenance,
}

#[derive(Serialize, Deserialize)]
struct Description<T = TowerConfig> {
    format: u32,
    tower: T,
    #[serde(default, skip_serializing_if = "HeadConfig::is_distance")]
    head: HeadConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classes: Option<About>,
    distance: Distance,
    threshold: Option<Threshold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain: Option<Domain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    faces: Option<FaceCrop>,
    provenance: Provenance,
}

impl Model {
    /// A tower whose embeddings are compared by `distance`, and no more than that: no threshold, no head, nothing about where
    /// it comes from.
    pub fn new(tower: Tower, distance: Distance) -> Self {
        Self {
            tower,
            distance,
            head: None,
            classes: None,
            threshold: None,
            domain: None,
            faces: None,
            provenance: Provenance::default(),
        }
    }

    /// Writes weights and description to one file, whole or not at all. The same model gives the same bytes.
    ///
    /// # Errors
    /// When the file cannot be written, or [`Self::load`] would refuse it: a threshold that was fitted for other
    /// weights or another distance, a number that is not finite. Nothing is written then.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let description = self.describe().map_err(|e| e.model("saving", path))?;
        tensor_file::write(path, &self.tensors()?, &metadata(&description))
    }

    /// The bytes of the file that [`Self::save`] writes.
    ///
    /// # Errors
    /// When [`Self::of_bytes`] would refuse them.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        tensor_file::to_bytes(&self.tensors()?, &metadata(&self.describe()?))
    }

    /// All tensors, by their names in the file.
    fn tensors(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut tensors = BTreeMap::new();
        for (prefix, parameters) in self.parts() {
            let named = |(name, tensor)| (format!("{prefix}{name}"), tensor);
            tensors.extend(parameters.snapshot()?.into_iter().map(named));
        }
        let vectors = self.classes.as_ref().map(|head| head.vectors().clone());
        tensors.extend(vectors.map(|vectors| (CLASSES.to_string(), vectors)));
        Ok(tensors)
    }

    /// What embeddings are compared by: the head as it is now, or the distance.
    ///
    /// # Errors
    /// When the head's weights cannot be read, or are not finite.
    pub fn metric(&self) -> Result<Metric> {
        match &self.head {
            Some(head) => Ok(head.comparison()?.into()),
            None => Ok(self.distance.into()),
        }
    }

    /// A checksum of all weights, which a threshold is fitted for: the tower's, with the head's where there is one.
    ///
    /// # Errors
    /// When they cannot be read from the device.
    pub fn fingerprint(&self) -> Result<String> {
        let parts = self.parts().into_iter();
        let prints = parts.map(|(_, parameters)| parameters.fingerprint());
        Ok(prints.collect::<Result<Vec<_>>>()?.join("-"))
    }

    /// All parameters, by what their names begin with in the file.
    fn parts(&self) -> Vec<(&'static str, &Parameters)> {
        let mut parts = vec![(TOWER, self.tower.parameters())];
        parts.extend(self.head.as_ref().map(|head| (HEAD, head.parameters())));
        parts
    }

    /// Reads a file that [`Self::save`] wrote, of this format or an older one.
    ///
    /// # Errors
    /// When the file is missing, damaged, not a model of ours, or its tensors do not fit its description.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        Self::of_file(tensor_file::read(path, device)?, path, device)
    }

    /// As [`Self::load`], of the bytes of such a file; errors call it `name`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_bytes(bytes: &[u8], name: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let name = name.as_ref();
        Self::of_file(tensor_file::of_bytes(bytes, name, device)?, name, device)
    }

    fn of_file(
        (tensors, metadata): (Tensors, HashMap<String, String>),
        path: &Path,
        device: &Device,
    ) -> Result<Self> {
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
        let mut tensors = tensors;
        let classes = match description.classes {
            Some(about) => Some(ClassHead::of(
                &vectors(&mut tensors)?.to_device(device)?,
                about,
            )?),
            None => None,
        };
        let (of_tower, of_head) = match description.format {
            1 => (tensors, HashMap::new()),
            _ => by_part(tensors, !description.head.is_distance())?,
        };
        let parameters = Parameters::from_tensors(of_tower, device);
        let tower = Tower::with_parameters(description.tower, parameters)?;
        tower.parameters().check_given()?;
        let head = match description.head {
            HeadConfig::Distance {} => None,
            HeadConfig::Comparison(config) => {
                let parameters = Parameters::from_tensors(of_head, device);
                let head = Head::with_parameters(config, tower.config().embedding, parameters)?;
                head.parameters().check_given()?;
                Some(head)
            }
        };
        let model = Self {
            tower,
            head,
            classes,
            distance: description.distance,
            threshold: description.threshold,
            domain: description.domain,
            faces: description.faces,
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
            head: match &self.head {
                Some(head) => HeadConfig::Comparison(head.config().clone()),
                None => HeadConfig::default(),
            },
            classes: self.classes.as_ref().map(|head| head.about().clone()),
            distance: self.distance,
            threshold: self.threshold.clone(),
            domain: self.domain.clone(),
            faces: self.faces,
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
        if let Some(faces) = &self.faces {
            faces.validate()?;
        }
        let embedding = self.tower.config().embedding;
        if let Some(head) = self.head.as_ref().filter(|h| h.embedding() != embedding) {
            return Err(Error::Contradiction(format!(
                "its head compares embeddings of {}, the tower's are of {embedding}",
                head.embedding()
            )));
        }
        if let Some(classes) = &self.classes
            && classes.vectors().dims()[1] != embedding
        {
            return Err(Error::Contradiction(format!(
                "the vectors of its classes are of length {}, the tower's embeddings of {embedding}",
                classes.vectors().dims()[1]
            )));
        }
        match &self.threshold {
            Some(threshold) => threshold.check(self.distance, &self.fingerprint()?),
            None => Ok(()),
        }
    }
}

/// What a file says beside its tensors.
fn metadata(description: &str) -> BTreeMap<&str, &str> {
    BTreeMap::from([(METADATA_KEY, description), ("format", "pt")])
}

/// Takes the vectors of the classes out of a file's tensors.
fn vectors(tensors: &mut Tensors) -> Result<Tensor> {
    let vectors = tensors.remove(CLASSES).filter(|v| v.rank() == 2);
    vectors.ok_or_else(|| {
        Error::Contradiction(format!(
            "its description names classes, and it holds no matrix {CLASSES} of theirs"
        ))
    })
}

/// The tensors under `tower.` and, where there is a head, those under `head.`, by their own names; no others may be there.
fn by_part(tensors: HashMap<String, Tensor>, has_head: bool) -> Result<(Tensors, Tensors)> {
    let mut misfit = Misfit::default();
    let (mut of_tower, mut of_head) = (HashMap::new(), HashMap::new());
    for (name, tensor) in tensors {
        let (own, part) = match (name.strip_prefix(TOWER), name.strip_prefix(HEAD)) {
            (Some(own), _) => (own, &mut of_tower),
            (None, Some(own)) if has_head => (own, &mut of_head),
            _ => {
                misfit.surplus.push(name);
                continue;
            }
        };
        part.insert(own.to_string(), tensor);
    }
    misfit.surplus.sort();
    misfit.check()?;
    Ok((of_tower, of_head))
}

type Tensors = HashMap<String, Tensor>;

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
                    head: HeadConfig::default(),
                    classes: None,
                    distance: old.distance,
                    threshold: old.threshold,
                    domain: None,
                    faces: None,
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
            ..Self::system_c()
        }
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
