//! Backbones that were trained elsewhere: found as files or on the hub, with the preparation of pictures that they want.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::Deserialize;
use siamese_core::{Body, ImageInput, Model, Pretrained, tensor_file};
use siamese_data::{HubOptions, Progress, fetch_weights, hub_name};

use crate::error::Error;

/// Weights that were trained elsewhere, and how they take pictures.
pub struct Backbone {
    /// As they were asked for.
    pub name: String,
    /// The weights.
    pub pretrained: Pretrained,
    /// Size and normalisation: timm's, where its `config.json` lies beside the file, else ImageNet's at 224 pixels. A DINOv2
    /// takes 224 pixels in any case, at which its authors judge it: timm's 518 cost some seven times as much.
    pub input: ImageInput,
}

impl Backbone {
    /// Finds weights by a file, or by the name of a model on the hub such as `timm/resnet50.tv_in1k` or `hf:user/name`;
    /// a file counts first.
    ///
    /// # Errors
    /// When there is no such file, the hub does not give it, or it is no safetensors file.
    pub fn find(
        place: &str,
        hub: &HubOptions,
        progress: Progress,
        device: &Device,
    ) -> Result<Self, Error> {
        let path = match (Path::new(place).exists(), hub_name(place)) {
            (false, Some(name)) => fetch_weights(name, hub, progress)?,
            _ => PathBuf::from(place),
        };
        Self::of_file(&path, place, device)
    }

    /// The weights in a file, which are called `name`.
    ///
    /// # Errors
    /// When it is no safetensors file.
    pub(crate) fn of_file(path: &Path, name: &str, device: &Device) -> Result<Self, Error> {
        let (tensors, words) = tensor_file::read(path, device)?;
        let pretrained = Pretrained { tensors, words };
        let mut input = input_beside(path);
        if let Some(Body::DinoV2(_)) = pretrained.body() {
            let usual = ImageInput::imagenet();
            (input.height, input.width) = (usual.height, usual.width);
        }
        Ok(Self {
            name: name.into(),
            pretrained,
            input,
        })
    }

    /// The backbone alone as a model: see [`Pretrained::model`].
    ///
    /// # Errors
    /// When the tensors are of no network that is known.
    pub fn model(self, device: &Device) -> Result<Model, Error> {
        Ok(self.pretrained.model(self.input, &self.name, device)?)
    }
}

/// What timm's `config.json` says, of much more.
#[derive(Deserialize)]
struct Settings {
    pretrained_cfg: Preparation,
}

#[derive(Deserialize)]
struct Preparation {
    input_size: [usize; 3],
    mean: Vec<f32>,
    std: Vec<f32>,
}

/// A `config.json` beside a file may be anybody's: what does not read as timm's says nothing.
fn input_beside(weights: &Path) -> ImageInput {
    let usual = ImageInput::imagenet();
    let text = fs::read_to_string(weights.with_file_name("config.json"));
    let settings = text.ok().and_then(|t| serde_json::from_str(&t).ok());
    let Some(Settings { pretrained_cfg }) = settings else {
        return usual;
    };
    let Preparation {
        input_size: [channels, height, width],
        mean,
        std,
    } = pretrained_cfg;
    match mean.len() == channels && std.len() == channels {
        true => ImageInput {
            height,
            width,
            mean,
            std,
            ..usual
        },
        false => usual,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use candle_core::{DType, Tensor};
    use siamese_core::{Resnet, Stem, Tower, TowerConfig};

    use super::*;
    use crate::Embedder;

    #[test]
    fn a_foreign_file_in_torchvisions_names_is_a_model_and_any_other_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resnet18.safetensors");
        let config = TowerConfig {
            body: Body::Resnet(Resnet {
                stem: Stem::Small,
                ..Resnet::default()
            }),
            ..TowerConfig::system_c()
        };
        let tower = Tower::new(config, 1, &Device::Cpu).unwrap();
        let foreign = |(name, tensor): (String, Tensor)| {
            let name = name.strip_prefix("backbone.")?.to_string();
            Some((name, tensor))
        };
        let tensors = tower.parameters().snapshot().unwrap().into_iter();
        let tensors: BTreeMap<String, Tensor> = tensors.filter_map(foreign).collect();
        tensor_file::write(&path, &tensors, &BTreeMap::new()).unwrap();
        let settings = r#"{"pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}"#;
        fs::write(folder.path().join("config.json"), settings).unwrap();
        let embedder = Embedder::load(&path, &Device::Cpu).unwrap();
        let picture = folder.path().join("a.png");
        image::RgbImage::from_fn(40, 32, |x, y| image::Rgb([x as u8, y as u8, 9]))
            .save(&picture)
            .unwrap();
        assert_eq!(embedder.file(&picture).unwrap().len(), 512);
        let error = embedder.verify(&picture, &picture).unwrap_err().to_string();
        assert!(error.contains("no threshold"), "{error}");

        let other = BTreeMap::from([(
            "visual.proj".to_string(),
            Tensor::ones(2, DType::F32, &Device::Cpu).unwrap(),
        )]);
        tensor_file::write(&path, &other, &BTreeMap::new()).unwrap();
        let error = Embedder::load(&path, &Device::Cpu)
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("resnet18.safetensors") && error.contains("torchvision"),
            "{error}"
        );
    }

    #[test]
    fn timms_settings_are_followed_and_anybody_elses_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("model.safetensors");
        assert_eq!(input_beside(&weights), ImageInput::imagenet());
        let write = |text| fs::write(folder.path().join("config.json"), text).unwrap();
        write(r#"{"config": {"seed": 1}}"#);
        assert_eq!(input_beside(&weights), ImageInput::imagenet());
        write(
            r#"{"architecture": "resnet50", "pretrained_cfg": {"input_size": [3, 176, 160], "crop_pct": 0.875,
                "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.125]}}"#,
        );
        let input = input_beside(&weights);
        assert_eq!((input.height, input.width), (176, 160));
        assert_eq!((input.mean[1], input.std[2]), (0.4, 0.125));
    }
}
