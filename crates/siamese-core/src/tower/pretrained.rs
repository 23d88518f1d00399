//! Weights that were trained elsewhere: what body they are of, a tower that starts from them, and a model of them alone.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use siamese_metrics::Distance;

use super::body::Body;
use super::config::TowerConfig;
use super::dino_v2::DinoV2;
use super::resnet::{Resnet, Stem, Stride};
use super::{BACKBONE, Tower};
use crate::error::{Error, Result};
use crate::input::ImageInput;
use crate::model::{Model, Provenance, TOWER};
use crate::parameters::{Loaded, Parameters};

/// Tensors of a file as it was written elsewhere, with its metadata.
#[derive(Debug, Clone)]
pub struct Pretrained {
    /// By the writer's names.
    pub tensors: HashMap<String, Tensor>,
    /// What the file says about itself.
    pub words: HashMap<String, String>,
}

impl Pretrained {
    /// The body that the tensors are of, by their names and shapes: a ResNet in the names of torchvision and timm, or a
    /// DINOv2 in those of timm and its authors.
    ///
    /// A ResNet's stride is in the 3×3, as theirs is, unless the file's metadata says that it is in the `first 1x1`: the
    /// tensors alone do not tell.
    ///
    /// ```no_run
    /// use siamese_core::{Pretrained, candle::Device, tensor_file};
    /// let (tensors, words) = tensor_file::read("resnet50.safetensors".as_ref(), &Device::Cpu)?;
    /// let body = Pretrained { tensors, words }.body();
    /// # Ok::<(), siamese_core::Error>(())
    /// ```
    pub fn body(&self) -> Option<Body> {
        let has = |name: &str| self.tensors.contains_key(name);
        let dims = |name: &str| self.tensors.get(name).map(Tensor::dims);
        if let Some(body) = DinoV2::of_tensors(dims) {
            return Some(Body::DinoV2(body));
        }
        let stem = match self.tensors.get("conv1.weight")?.dims() {
            [64, _, 7, 7] => Stem::Imagenet,
            [64, _, 3, 3] => Stem::Small,
            _ => return None,
        };
        let blocks = |stage: usize| {
            let there = |block: &usize| has(&format!("layer{stage}.{block}.conv1.weight"));
            (0..).take_while(there).count()
        };
        let bottlenecks = has("layer1.0.conv3.weight");
        let depth = Resnet::depth_of([1, 2, 3, 4].map(blocks), bottlenecks)?;
        let says_first = self.words.values().any(|word| word.contains("first 1x1"));
        Some(Body::Resnet(Resnet {
            depth,
            stem,
            stride: match bottlenecks && says_first {
                true => Stride::First,
                false => Stride::Middle,
            },
            ..Resnet::default()
        }))
    }

    /// The backbone alone as a model: its features, scaled to unit length, are the embeddings. It has no threshold
    /// until one is fitted.
    ///
    /// # Errors
    /// When the tensors are not those of the body that their names speak of; what differs is named.
    pub fn model(self, input: ImageInput, name: &str, device: &Device) -> Result<Model> {
        let Some(body) = self.body() else {
            return Err(Error::UnknownBackbone { name: name.into() });
        };
        let (embedding, frozen) = match &body {
            Body::Resnet(resnet) => (resnet.channels(), None),
            Body::DinoV2(dino) => (dino.features(), Some("body".into())),
            _ => return Err(Error::UnknownBackbone { name: name.into() }),
        };
        let config = TowerConfig {
            input,
            body,
            pretrained: Some(name.into()),
            frozen,
            dropout: 0.0,
            embedding,
            projection: false,
            ..TowerConfig::system_c()
        };
        let transformer = matches!(config.body, Body::DinoV2(_));
        let of_body = |name: &String| match transformer {
            true => !DinoV2::passes_over(name),
            false => !name.starts_with("fc.") && !is_counter(name),
        };
        let tensors = self.tensors.into_iter().filter(|(name, _)| of_body(name));
        let tensors = tensors.map(|(name, tensor)| (format!("{BACKBONE}.{name}"), tensor));
        let parameters = Parameters::from_tensors(tensors.collect(), device);
        let tower = Tower::with_parameters(config, parameters)?;
        tower.parameters().check_given()?;
        Ok(Model {
            provenance: Provenance {
                data: String::new(),
                trained_on: format!("the weights {name}, as they were published"),
                version: env!("CARGO_PKG_VERSION").into(),
                ..Provenance::default()
            },
            ..Model::new(tower, Distance::Cosine)
        })
    }
}

impl Tower {
    /// Takes what it can of weights that were trained elsewhere, in the names of torchvision and timm or in those of
    /// this crate's model files; the answer says what was taken, what stays as it was drawn, and what nothing asked for.
    ///
    /// # Errors
    /// When no tensor is one of the body's, or the file says that its strides are where this body has none.
    pub fn start_from(&self, pretrained: &Pretrained, name: &str) -> Result<Loaded> {
        let tensors = &pretrained.tensors;
        check_stride(&self.config().body, pretrained, name)?;
        let ours = tensors.keys().any(|name| name.starts_with(TOWER));
        let name_there = |name: &str| match (ours, name.strip_prefix(&format!("{BACKBONE}."))) {
            (false, Some(name)) => name.to_string(),
            // what follows the body is called `head` elsewhere too, and is another
            _ => format!("{TOWER}{name}"),
        };
        let mut loaded = self.parameters().load_matching(tensors, name_there)?;
        if loaded.taken.is_empty() {
            return Err(Error::Contradiction(format!(
                "the weights {name} have no tensor that {} takes: {} have another shape, {} other names",
                self.config().body,
                loaded.misshapen.len(),
                loaded.unused.len()
            )));
        }
        loaded.unused.retain(|name| !is_counter(name));
        Ok(loaded)
    }
}

/// The tensors of both kinds of ResNet are alike, and those of one make nonsense in the other.
fn check_stride(body: &Body, pretrained: &Pretrained, name: &str) -> Result<()> {
    let (Body::Resnet(ours), Some(Body::Resnet(theirs))) = (body, pretrained.body()) else {
        return Ok(());
    };
    match (ours.depth == theirs.depth, ours.stride, theirs.stride) {
        (true, Stride::Middle, Stride::First) => Err(Error::Contradiction(format!(
            "the weights {name} are of a ResNet-{} with its strides in the first 1x1 convolutions, as the file says: say \
             tower.body.stride = \"1x1\"",
            theirs.depth
        ))),
        _ => Ok(()),
    }
}

/// PyTorch's BatchNorm counts its batches.
fn is_counter(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;
    use crate::tower::Stages;

    /// The tensors of a ResNet as torchvision calls them, with its classifier.
    fn torchvision(resnet: Resnet) -> Pretrained {
        let config = TowerConfig {
            input: ImageInput {
                height: 64,
                width: 64,
                ..ImageInput::imagenet()
            },
            body: Body::Resnet(resnet),
            embedding: 7,
            ..TowerConfig::system_c()
        };
        let tower = Tower::new(config, 3, &Device::Cpu).unwrap();
        let named = |(name, tensor): (String, Tensor)| {
            let name = name.replace("head.", "fc.");
            (name.replace("backbone.", ""), tensor)
        };
        let mut tensors: HashMap<String, Tensor> = tower
            .parameters()
            .snapshot()
            .unwrap()
            .into_iter()
            .map(named)
            .collect();
        let counter = Tensor::zeros((), DType::I64, &Device::Cpu).unwrap();
        tensors.insert("bn1.num_batches_tracked".into(), counter);
        Pretrained {
            tensors,
            words: HashMap::new(),
        }
    }

    fn small() -> Resnet {
        Resnet {
            stem: Stem::Small,
            ..Resnet::default()
        }
    }

    #[test]
    fn a_resnet_is_known_by_its_tensors_and_its_stride_by_the_files_words() {
        for depth in [18, 34, 50] {
            let resnet = Resnet {
                depth,
                ..Resnet::default()
            };
            let mut file = torchvision(resnet);
            assert_eq!(file.body(), Some(Body::Resnet(resnet)));
            file.words.insert(
                "layout".into(),
                "stage stride in the first 1x1 convolution".into(),
            );
            let stride = match depth {
                50 => Stride::First,
                _ => Stride::Middle,
            };
            assert_eq!(file.body(), Some(Body::Resnet(Resnet { stride, ..resnet })));
            file.tensors.remove("layer4.0.conv1.weight");
            assert_eq!(file.body(), None);
        }
        assert_eq!(torchvision(small()).body(), Some(Body::Resnet(small())));
    }

    #[test]
    fn a_backbone_alone_embeds_as_the_network_that_it_is_of() {
        let input = ImageInput {
            height: 32,
            width: 40,
            ..ImageInput::imagenet()
        };
        let file = torchvision(small());
        let model = file
            .clone()
            .model(input.clone(), "a file", &Device::Cpu)
            .unwrap();
        assert_eq!(
            (model.tower.config().embedding, model.threshold.is_none()),
            (512, true)
        );
        let config = TowerConfig {
            pretrained: None,
            ..model.tower.config().clone()
        };
        let tower = Tower::new(config, 9, &Device::Cpu).unwrap();
        let loaded = tower.start_from(&file, "a file").unwrap();
        assert!(loaded.fresh.is_empty() && loaded.misshapen.is_empty());
        assert_eq!(loaded.unused, ["fc.bias", "fc.weight"]);
        let pixels: Vec<u8> = (0..32 * 40 * 3u32).map(|i| (i * 37 % 251) as u8).collect();
        let images = input.to_tensor(&pixels, &Device::Cpu).unwrap();
        let embed = |tower: &Tower| tower.embed(&images).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(embed(&tower), embed(&model.tower));
        let norm = embed(&tower)[0].iter().map(|x| x * x).sum::<f32>();
        assert!((norm - 1.0).abs() < 1e-5);
    }

    #[test]
    fn the_first_stages_take_their_tensors_and_a_stride_elsewhere_is_refused() {
        let resnet50 = Resnet {
            depth: 50,
            stem: Stem::Small,
            ..Resnet::default()
        };
        let mut file = torchvision(resnet50);
        let tower = |resnet: Resnet| {
            let config = TowerConfig {
                input: ImageInput {
                    height: 32,
                    width: 40,
                    ..ImageInput::imagenet()
                },
                body: Body::Resnet(resnet),
                projection: false,
                embedding: 1024,
                ..TowerConfig::system_c()
            };
            Tower::new(config, 3, &Device::Cpu).unwrap()
        };
        let three = tower(Resnet {
            stages: 3,
            ..resnet50
        });
        let loaded = three.start_from(&file, "w").unwrap();
        assert!(loaded.fresh.is_empty() && loaded.misshapen.is_empty());
        let of_the_rest = |name: &String| name.starts_with("layer4.") || name.starts_with("fc.");
        assert!(loaded.unused.iter().all(of_the_rest) && loaded.unused.len() > 2);

        file.words.insert("layout".into(), "first 1x1".into());
        let error = three.start_from(&file, "w").unwrap_err().to_string();
        assert!(error.contains("tower.body.stride"), "{error}");
    }

    #[test]
    fn tensors_of_another_network_are_refused_with_the_reason() {
        let mut file = torchvision(small());
        let odd = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        file.tensors.insert("layer1.0.se.weight".into(), odd);
        let error = file.model(ImageInput::imagenet(), "x", &Device::Cpu);
        let error = error.err().unwrap().to_string();
        assert!(error.contains("layer1.0.se.weight"), "{error}");

        let config = TowerConfig {
            body: Body::Stages(Stages::default()),
            ..TowerConfig::system_c()
        };
        let tower = Tower::new(config, 1, &Device::Cpu).unwrap();
        let error = tower.start_from(&torchvision(small()), "w.safetensors");
        let error = error.err().unwrap().to_string();
        assert!(
            error.contains("w.safetensors") && error.contains("stages"),
            "{error}"
        );
    }

    #[test]
    fn a_model_of_ours_gives_its_weights_and_a_head_of_another_length_stays_fresh() {
        let tower = |embedding, seed| {
            let config = TowerConfig {
                embedding,
                ..TowerConfig::system_c()
            };
            Tower::new(config, seed, &Device::Cpu).unwrap()
        };
        let named = |(name, tensor)| (format!("{TOWER}{name}"), tensor);
        let tensors = tower(128, 1).parameters().snapshot().unwrap();
        let file = Pretrained {
            tensors: tensors.into_iter().map(named).collect(),
            words: HashMap::new(),
        };
        let same = tower(128, 2);
        assert!(same.start_from(&file, "m").unwrap().fresh.is_empty());
        let fingerprint = |tower: &Tower| tower.parameters().fingerprint().unwrap();
        assert_eq!(fingerprint(&same), fingerprint(&tower(128, 1)));
        let other = tower(64, 2).start_from(&file, "m").unwrap();
        assert_eq!(other.misshapen, ["head.bias", "head.weight"]);
    }
}
