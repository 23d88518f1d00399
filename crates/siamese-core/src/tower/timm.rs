//! A ResNet tower as timm takes it: tensors by its names, and the file that says how to use them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::BACKBONE;
use super::body::Body;
use super::resnet::{Pool, Resnet, Stem, Stride};
use crate::error::{Error, Result};
use crate::input::Fit;
use crate::model::Model;
use crate::tensor_file;

/// The layer that makes the embedding, as ours and as timm's is called.
const PROJECTION: [&str; 2] = ["head.", "fc."];

impl Model {
    /// Writes `model.safetensors` and `config.json` into `folder`, as `timm.create_model("local-dir:FOLDER",
    /// pretrained=True)` and the hub take them. What it gives is the embedding before it is scaled to length 1.
    ///
    /// # Errors
    /// A tower that timm has no name for, with the reason; files that cannot be written.
    pub fn save_for_timm(&self, folder: &Path) -> Result<()> {
        let description = self.timm()?;
        let mut tensors = BTreeMap::new();
        for (name, tensor) in self.tower.parameters().snapshot()? {
            tensors.insert(name_there(&name), tensor);
        }
        std::fs::create_dir_all(folder).map_err(|e| Error::io("making", folder, e))?;
        let words = BTreeMap::from([("format", "pt")]);
        tensor_file::write(&folder.join("model.safetensors"), &tensors, &words)?;
        let path = folder.join("config.json");
        let text = format!("{description:#}\n");
        siamese_files::write_bytes(&path, text.as_bytes())
            .map_err(|e| Error::io("writing", &path, e))
    }

    fn timm(&self) -> Result<Value> {
        let config = self.tower.config();
        let resnet = match &config.body {
            Body::Resnet(resnet) => resnet,
            Body::DinoV2(_) => {
                let has =
                    "timm has DINOv2 itself, and no tower of it and what was trained after it";
                return Err(Error::Contradiction(has.into()));
            }
            body => return Err(unknown(&format!("{body} is none of timm's towers"))),
        };
        let global_pool = pool_of(resnet)?;
        if !config.hidden.is_empty() {
            return Err(unknown(
                "timm's towers have no hidden layers (tower.hidden)",
            ));
        }
        let classes = if config.projection {
            config.embedding
        } else {
            0
        };
        let input = &config.input;
        let crop_mode = match input.fit {
            Fit::Crop => "center",
            Fit::Pad => "border",
            Fit::Stretch => "squash",
        };
        Ok(json!({
            "architecture": format!("resnet{}", resnet.depth),
            "num_classes": classes,
            "num_features": resnet.channels(),
            "global_pool": global_pool,
            "model_args": { "in_chans": input.channels() },
            "pretrained_cfg": {
                "input_size": [input.channels(), input.height, input.width],
                "fixed_input_size": false,
                "interpolation": "bicubic",
                "crop_pct": 1.0,
                "crop_mode": crop_mode,
                "mean": numbers(&input.mean),
                "std": numbers(&input.std),
                "num_classes": classes,
                "first_conv": "conv1",
                "classifier": "fc",
            },
        }))
    }
}

/// As they were written: 0.485, and not what is nearest to it in f32.
fn numbers(values: &[f32]) -> Vec<f64> {
    let shortest = |value: &f32| value.to_string().parse().unwrap_or(f64::from(*value));
    values.iter().map(shortest).collect()
}

fn pool_of(resnet: &Resnet) -> Result<&'static str> {
    if resnet.stem == Stem::Small {
        return Err(unknown(
            "timm's ResNets begin as for photos, this one as for small images (tower.body.stem)",
        ));
    }
    if resnet.stride == Stride::First {
        return Err(unknown(
            "timm's ResNets halve the image in the 3x3, this one in the first 1x1 (tower.body.stride)",
        ));
    }
    match resnet.pool {
        Pool::Average => Ok("avg"),
        Pool::Maximum => Ok("max"),
        Pool::Gem | Pool::None => Err(unknown(
            "timm's ResNets end in a mean or a maximum (tower.body.pool)",
        )),
    }
}

fn unknown(why: &str) -> Error {
    Error::Contradiction(format!("{why}: write it as ONNX instead"))
}

fn name_there(name: &str) -> String {
    let [ours, theirs] = PROJECTION;
    match (
        name.strip_prefix(&format!("{BACKBONE}.")),
        name.strip_prefix(ours),
    ) {
        (Some(name), _) => name.to_string(),
        (None, Some(name)) => format!("{theirs}{name}"),
        (None, None) => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::{Distance, ImageInput, Pretrained, Tower, TowerConfig};

    fn model(body: Body) -> Model {
        let config = TowerConfig {
            input: ImageInput {
                height: 40,
                width: 40,
                ..ImageInput::imagenet()
            },
            body,
            embedding: 16,
            ..TowerConfig::system_c()
        };
        let tower = Tower::new(config, 3, &Device::Cpu).unwrap();
        Model::new(tower, Distance::Cosine)
    }

    #[test]
    fn what_is_written_is_a_backbone_that_is_read_again() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let model = model(Body::Resnet(Resnet::default()));
        model.save_for_timm(folder.path())?;
        let (tensors, words) =
            tensor_file::read(&folder.path().join("model.safetensors"), &Device::Cpu)?;
        assert_eq!(tensors["fc.weight"].dims(), [16, 512]);
        let pretrained = Pretrained { tensors, words };
        assert_eq!(pretrained.body(), Some(Body::Resnet(Resnet::default())));
        let other = Tower::new(model.tower.config().clone(), 4, &Device::Cpu)?;
        other.start_from(&pretrained, "ours")?;
        let same = |name: &str| -> Result<Vec<f32>> {
            let towers = [&model.tower, &other].map(|tower| tower.parameters().snapshot());
            let [one, two] = towers;
            let difference = (&one?[name] - &two?[name])?;
            Ok(difference.flatten_all()?.to_vec1()?)
        };
        assert!(
            same("backbone.layer4.1.conv2.weight")?
                .iter()
                .all(|d| *d == 0.0)
        );
        let text = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&told["architecture"], &told["num_classes"]),
            (&json!("resnet18"), &json!(16))
        );
        Ok(())
    }

    #[test]
    fn a_tower_that_timm_does_not_have_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let small = Resnet {
            stem: Stem::Small,
            ..Resnet::default()
        };
        for (body, word) in [
            (Body::Resnet(small), "tower.body.stem"),
            (
                Body::Resnet(Resnet {
                    pool: Pool::Gem,
                    ..Resnet::default()
                }),
                "tower.body.pool",
            ),
            (TowerConfig::system_c().body, "none of timm's"),
        ] {
            let error = model(body)
                .save_for_timm(folder.path())
                .unwrap_err()
                .to_string();
            assert!(error.contains(word) && error.contains("ONNX"), "{error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
