//! The tower: one network, one set of weights, image → embedding.

mod body;
mod config;
mod conv4;
mod drop_block;
mod koch;
mod layers;
mod lenet;
mod mlp;
mod network;
mod pretrained;
mod resnet;
mod resnet12;
mod resnet9;
mod stages;

use std::collections::BTreeSet;

use candle_core::{Device, Result, Tensor, Var, bail};
use candle_nn::VarBuilder;
use rand::Rng;
use siamese_kernels::Precision;

use crate::distance::normalize;
use crate::parameters::Parameters;
use layers::{Layers, Mark, Shape};
use network::Network;

pub use body::Body;
pub use config::{Hidden, TowerConfig};
pub use conv4::Conv4;
pub use koch::Koch;
pub use layers::Cost;
pub use lenet::Lenet;
pub use mlp::Mlp;
pub use pretrained::Pretrained;
pub use resnet::{Pool, Resnet, Stem, Stride};
pub use resnet9::Resnet9;
pub use resnet12::Resnet12;
pub use stages::{Stage, Stages};

/// What the body's parameters are called before their own names.
const BACKBONE: &str = "backbone";

/// A network that turns images into embeddings. Clones share their weights.
#[derive(Clone)]
pub struct Tower {
    config: TowerConfig,
    parameters: Parameters,
    cost: Cost,
    /// What runs first and is not trained.
    frozen: Network,
    /// The names of its parameters.
    still: BTreeSet<String>,
    trained: Network,
}

impl Tower {
    /// A new tower, its weights drawn from `seed`: the same on every device and machine.
    ///
    /// # Errors
    /// When the configuration makes no tower (no stage, an image halved away, a dropout outside 0..1).
    pub fn new(config: TowerConfig, seed: u64, device: &Device) -> Result<Self> {
        Self::with_parameters(config, Parameters::new(seed, device))
    }

    /// A tower whose weights are those that `parameters` makes or holds.
    pub(crate) fn with_parameters(config: TowerConfig, parameters: Parameters) -> Result<Self> {
        config.validate()?;
        let vb = parameters.builder();
        let input = &config.input;
        let shape = Shape {
            channels: input.channels(),
            height: input.height,
            width: input.width,
        };
        let mut layers = Layers::new(shape, &parameters);
        let in_words = |e: candle_core::Error| {
            let (height, width) = (input.height, input.width);
            e.context(format!(
                "building {} for {height}x{width} images",
                config.body
            ))
        };
        config
            .body
            .build(&mut layers, vb.pp(BACKBONE))
            .map_err(in_words)?;
        layers.mark("body");
        finish(&mut layers, &config, &vb)?;
        let (steps, still) = match &config.frozen {
            Some(name) => frozen_up_to(name, &layers.marks)?,
            None => (0, BTreeSet::new()),
        };
        let trained = layers.list.split_off(steps);
        Ok(Self {
            frozen: Network::new(layers.list),
            still,
            trained: Network::new(trained),
            config,
            parameters,
            cost: layers.cost,
        })
    }

    /// What it is made of.
    pub fn config(&self) -> &TowerConfig {
        &self.config
    }

    /// What an image costs it.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Its weights, by name.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Sets what the convolutional body computes in. Weights, embeddings and gradients stay f32.
    ///
    /// # Errors
    /// bf16 on a CPU: it is for CUDA.
    pub fn set_precision(&mut self, precision: Precision) -> Result<()> {
        if precision == Precision::Bf16 && self.parameters.device().is_cpu() {
            bail!("bf16 is computed on CUDA only: on a CPU choose f32")
        }
        self.frozen.set_precision(precision);
        self.trained.set_precision(precision);
        Ok(())
    }

    /// Images `(B, C, H, W)` → embeddings `(B, D)`, as a trained tower is used: running statistics, no dropout. The
    /// result holds on to nothing of the way there.
    ///
    /// # Errors
    /// When the images are not of the size that the tower was made for, or on another device.
    pub fn embed(&self, images: &Tensor) -> Result<Tensor> {
        self.embed_frozen(&self.freeze(images)?)
    }

    /// Images `(B, C, H, W)` → embeddings `(B, D)`, as in training: BatchNorm takes its statistics from the
    /// batch (so both images of each pair belong into one), and dropout draws its mask from `rng`. What is frozen is
    /// used as in [`Self::embed`].
    ///
    /// # Errors
    /// As [`Self::embed`].
    pub fn embed_training(&self, images: &Tensor, rng: &mut impl Rng) -> Result<Tensor> {
        self.embed_frozen_training(&self.freeze(images)?, rng)
    }

    /// Images `(B, C, H, W)` → what the frozen part makes of them, which is the same in every epoch; the images
    /// themselves where nothing is frozen.
    ///
    /// # Errors
    /// As [`Self::embed`].
    pub fn freeze(&self, images: &Tensor) -> Result<Tensor> {
        self.check(images)?;
        // the weights are variables: without this, what comes of them would keep every layer's output alive
        Ok(self.frozen.infer(&images.detach())?.detach())
    }

    /// What [`Self::freeze`] made → embeddings, as [`Self::embed`] gives them.
    ///
    /// # Errors
    /// When it is not of the right shape, or on another device.
    pub fn embed_frozen(&self, frozen: &Tensor) -> Result<Tensor> {
        Ok(self.scaled(self.trained.infer(frozen)?)?.detach())
    }

    /// What [`Self::freeze`] made → embeddings, as [`Self::embed_training`] gives them.
    ///
    /// # Errors
    /// As [`Self::embed_frozen`].
    pub fn embed_frozen_training(&self, frozen: &Tensor, rng: &mut impl Rng) -> Result<Tensor> {
        self.scaled(self.trained.train(frozen, rng)?)
    }

    /// The parameters that an optimizer changes: neither running statistics nor what is frozen.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        let mut vars = self.parameters.trainable();
        vars.retain(|(name, _)| !self.still.contains(name));
        vars
    }

    fn scaled(&self, embeddings: Tensor) -> Result<Tensor> {
        let embeddings = embeddings.flatten_from(1)?;
        match self.config.normalize {
            true => normalize(&embeddings),
            false => Ok(embeddings),
        }
    }

    fn check(&self, images: &Tensor) -> Result<()> {
        let input = &self.config.input;
        let expected = [input.channels(), input.height, input.width];
        if images.rank() != 4 || images.dims()[1..] != expected || images.dims()[0] == 0 {
            bail!(
                "the tower takes images (B, {}, {}, {}), got {:?}",
                expected[0],
                expected[1],
                expected[2],
                images.dims()
            )
        }
        Ok(())
    }
}

/// What follows the body: connected layers, dropout, and the layer that makes the embedding.
fn finish(layers: &mut Layers, config: &TowerConfig, vb: &VarBuilder) -> Result<()> {
    for (i, hidden) in config.hidden.iter().enumerate() {
        let vb = vb.pp(format!("hidden.{i}"));
        layers.linear(hidden.width, vb.pp("fc"))?;
        layers.activation(siamese_kernels::Activation::Relu);
        if hidden.norm {
            layers.norm(vb.pp("bn"))?;
        }
    }
    layers.dropout(config.dropout, "tower.dropout")?;
    if config.projection {
        return layers.linear(config.embedding, vb.pp("head"));
    }
    let features = layers.shape.len();
    if features != config.embedding {
        bail!(
            "without a projection the features are the embedding: set tower.embedding to {features}, it is {}",
            config.embedding
        )
    }
    Ok(())
}

/// The steps and the parameters up to the end of what a body calls `name`: a block such as `layer4.0`, or all of `layer4`.
fn frozen_up_to(name: &str, marks: &[Mark]) -> Result<(usize, BTreeSet<String>)> {
    let within = |mark: &&Mark| mark.name == name || mark.name.starts_with(&format!("{name}."));
    let Some(mark) = marks.iter().rfind(within) else {
        let names: Vec<&str> = marks.iter().map(|mark| mark.name.as_str()).collect();
        bail!(
            "tower.frozen is {name:?}, which this body has no part of; it has {}",
            names.join(", ")
        )
    };
    Ok((mark.steps, mark.parameters.iter().cloned().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::ImageInput;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn stages(count: usize) -> Body {
        let stage = Stage {
            channels: 8,
            convolutions: 1,
        };
        Body::Stages(Stages {
            stages: vec![stage; count],
            ..Stages::default()
        })
    }

    fn small() -> TowerConfig {
        TowerConfig {
            input: ImageInput {
                height: 4,
                width: 6,
                mean: vec![0.5],
                std: vec![0.25],
                fit: Default::default(),
            },
            body: stages(1),
            embedding: 5,
            ..TowerConfig::cifar100()
        }
    }

    #[test]
    fn the_default_tower_has_the_parameters_of_system_c() -> Result<()> {
        let tower = Tower::new(TowerConfig::cifar100(), 0, &Device::Cpu)?;
        assert_eq!(tower.parameters().count(), 1_305_376);
        Ok(())
    }

    #[test]
    fn embeddings_have_unit_length_unless_told_otherwise() -> Result<()> {
        let images = Tensor::ones((3, 1, 4, 6), candle_core::DType::F32, &Device::Cpu)?;
        let norm = |normalize| -> Result<Vec<f32>> {
            let config = TowerConfig {
                normalize,
                ..small()
            };
            let embeddings = Tower::new(config, 3, &Device::Cpu)?.embed(&images)?;
            assert_eq!(embeddings.dims(), [3, 5]);
            embeddings.sqr()?.sum(1)?.to_vec1::<f32>()
        };
        assert!(norm(true)?.iter().all(|n| (n - 1.0).abs() < 1e-5));
        assert!(norm(false)?.iter().all(|n| (n - 1.0).abs() > 1e-3));
        Ok(())
    }

    #[test]
    fn every_weight_receives_a_gradient() -> Result<()> {
        let tower = Tower::new(small(), 3, &Device::Cpu)?;
        let pixels: Vec<u8> = (0..4 * 24u32).map(|i| (i * 37 % 251) as u8).collect();
        let images = tower.config().input.to_tensor(&pixels, &Device::Cpu)?;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let embeddings = tower.embed_training(&images, &mut rng)?;
        let target = Tensor::arange(0f32, 20.0, &Device::Cpu)?.reshape((4, 5))?;
        let grads = (embeddings * target)?.sum_all()?.backward()?;
        for (name, var) in tower.parameters().trainable() {
            let grad = grads
                .get(&var)
                .map(|grad| grad.abs()?.max_all()?.to_scalar::<f32>());
            let largest = grad.transpose()?.unwrap_or_default();
            // BatchNorm takes away what a bias before it adds
            let moves = name != "backbone.0.bias";
            assert_eq!(largest > 1e-6, moves, "{name}: {largest}");
        }
        Ok(())
    }

    #[test]
    fn bf16_on_a_cpu_is_refused_before_anything_is_computed() -> Result<()> {
        let mut tower = Tower::new(small(), 1, &Device::Cpu)?;
        tower.set_precision(Precision::Tf32)?;
        let error = tower.set_precision(Precision::Bf16).unwrap_err();
        assert!(error.to_string().contains("choose f32"), "{error}");
        Ok(())
    }

    #[test]
    fn wrong_images_and_impossible_towers_are_errors_that_name_the_shapes() -> Result<()> {
        let tower = Tower::new(small(), 3, &Device::Cpu)?;
        let images = Tensor::ones((3, 1, 6, 4), candle_core::DType::F32, &Device::Cpu)?;
        let error = tower.embed(&images).unwrap_err().to_string();
        assert!(error.contains("[3, 1, 6, 4]"), "{error}");
        let mut config = small();
        config.body = stages(3);
        let error = Tower::new(config, 3, &Device::Cpu)
            .err()
            .map(|e| e.to_string());
        assert!(error.is_some_and(|e| e.contains("4x6")));
        Ok(())
    }

    #[test]
    fn an_embedding_keeps_nothing_of_the_way_there() -> Result<()> {
        let tower = Tower::new(small(), 3, &Device::Cpu)?;
        let images = Tensor::ones((2, 1, 4, 6), candle_core::DType::F32, &Device::Cpu)?;
        let grads = tower.embed(&images)?.sum_all()?.backward()?;
        for (name, var) in tower.parameters().all() {
            assert!(grads.get(&var).is_none(), "{name} is held on to");
        }
        Ok(())
    }

    /// Parameters without the head: torchvision's resnet18 and resnet34 without `fc`, and by hand.
    #[test]
    fn every_body_has_the_parameters_of_its_paper_and_trains() -> Result<()> {
        let bodies = [
            (Body::Resnet(Resnet::default()), 64, 11_176_512),
            (
                Body::Resnet(Resnet {
                    depth: 34,
                    ..Resnet::default()
                }),
                64,
                21_284_672,
            ),
            (
                Body::Resnet(Resnet {
                    stem: Stem::Small,
                    ..Resnet::default()
                }),
                16,
                11_168_832,
            ),
            (
                Body::Resnet(Resnet {
                    depth: 50,
                    ..Resnet::default()
                }),
                64,
                23_508_032,
            ),
            (Body::Resnet12(Resnet12::default()), 32, 12_424_320),
            (Body::Conv4(Conv4::default()), 32, 112_832),
            (Body::Resnet9(Resnet9 { width: 4 }), 16, 30_692),
        ];
        for (body, side, count) in bodies {
            let config = TowerConfig {
                input: ImageInput {
                    height: side,
                    width: side + 8,
                    ..ImageInput::cifar100()
                },
                body: body.clone(),
                dropout: 0.0,
                ..TowerConfig::cifar100()
            };
            let tower = Tower::new(config, 1, &Device::Cpu)?;
            let of_body = tower.parameters().trainable().into_iter();
            let of_body = of_body.filter(|(name, _)| name.starts_with("backbone."));
            assert_eq!(
                of_body.map(|(_, v)| v.elem_count()).sum::<usize>(),
                count,
                "{body}"
            );
            let pixels: Vec<u8> = (0..2 * side * (side + 8) * 3)
                .map(|i| (i * 37 % 251) as u8)
                .collect();
            let images = tower.config().input.to_tensor(&pixels, &Device::Cpu)?;
            let embeddings = tower.embed_training(&images, &mut ChaCha8Rng::seed_from_u64(1))?;
            assert_eq!(embeddings.dims(), [2, 128]);
            let weights = Tensor::arange(0f32, 256.0, &Device::Cpu)?.reshape((2, 128))?;
            let grads = (embeddings * weights)?.sum_all()?.backward()?;
            for (name, var) in tower.parameters().trainable() {
                let grad = grads
                    .get(&var)
                    .map(|g| g.abs()?.max_all()?.to_scalar::<f32>());
                let grad = grad.transpose()?.unwrap_or_default();
                assert!(grad > 0.0 && grad.is_finite(), "{body}: {name} {grad}");
            }
            assert_eq!(tower.embed(&images)?.dims(), [2, 128]);
        }
        Ok(())
    }

    fn body(body: Body, (height, width): (usize, usize), channels: usize) -> TowerConfig {
        TowerConfig {
            input: ImageInput {
                height,
                width,
                mean: vec![0.5; channels],
                std: vec![0.25; channels],
                fit: Default::default(),
            },
            body,
            ..small()
        }
    }

    /// As published, with the 4,097 of the head that compares: 38,951,745.
    #[test]
    fn the_towers_of_the_papers_have_their_parameters() -> Result<()> {
        let mlp = |layers| Mlp {
            hidden: vec![128; layers],
            ..Mlp::default()
        };
        let cases = [
            (Body::Koch(Koch::default()), 105, 4096, 38_947_648),
            (Body::Lenet(Lenet::default()), 80, 50, 504_962),
            (Body::Mlp(mlp(3)), 28, 128, 784 * 128 + 2 * 128 * 128),
            (Body::Mlp(mlp(4)), 28, 128, 784 * 128 + 3 * 128 * 128),
        ];
        for (of, side, embedding, count) in cases {
            let mut config = body(of, (side, side), 1);
            config.projection = false;
            let error = Tower::new(config.clone(), 1, &Device::Cpu).err().unwrap();
            let error = error.to_string();
            assert!(
                error.contains(&format!("tower.embedding to {embedding}")),
                "{error}"
            );
            config.embedding = embedding;
            let tower = Tower::new(config, 1, &Device::Cpu)?;
            assert_eq!(tower.parameters().count(), count, "{}", tower.config().body);
        }
        Ok(())
    }

    #[test]
    fn kochs_weights_are_drawn_as_published() -> Result<()> {
        let mut config = body(Body::Koch(Koch::default()), (65, 65), 1);
        (config.projection, config.embedding) = (false, 4096);
        let tower = Tower::new(config, 1, &Device::Cpu)?;
        let vars: std::collections::HashMap<_, _> = tower.parameters().all().into_iter().collect();
        for (name, mean, std) in [
            ("conv3.weight", 0.0, 0.01),
            ("conv3.bias", 0.5, 0.01),
            ("units.weight", 0.0, 0.2),
            ("units.bias", 0.5, 0.01),
        ] {
            let values = vars[&format!("backbone.{name}")]
                .flatten_all()?
                .to_vec1::<f32>()?;
            let n = values.len() as f32;
            let m = values.iter().sum::<f32>() / n;
            let s = (values.iter().map(|v| (v - m).powi(2)).sum::<f32>() / n).sqrt();
            let close = (m - mean).abs() < 4.0 * std / n.sqrt() && (s / std - 1.0).abs() < 0.2;
            assert!(close, "{name}: {m} {s}");
        }
        Ok(())
    }

    /// Gradients of a small ResNet frozen up to `name`, by parameter, beside its embeddings.
    fn frozen(name: Option<&str>) -> Result<(Tower, candle_core::backprop::GradStore, Tensor)> {
        let mut config = body(Body::Resnet9(Resnet9 { width: 3 }), (16, 24), 3);
        config.frozen = name.map(String::from);
        let tower = Tower::new(config, 5, &Device::Cpu)?;
        let pixels: Vec<u8> = (0..4 * 16 * 24 * 3u32)
            .map(|i| (i * 37 % 251) as u8)
            .collect();
        let images = tower.config().input.to_tensor(&pixels, &Device::Cpu)?;
        let y = tower.embed_training(&images, &mut ChaCha8Rng::seed_from_u64(1))?;
        let weights = Tensor::arange(0f32, 20.0, &Device::Cpu)?.reshape((4, 5))?;
        let grads = (y * weights)?.sum_all()?.backward()?;
        Ok((tower, grads, images))
    }

    #[test]
    fn what_is_frozen_has_no_gradient_and_keeps_its_statistics() -> Result<()> {
        let fresh: std::collections::BTreeMap<_, _> =
            Tower::new(frozen(None)?.0.config().clone(), 5, &Device::Cpu)?
                .parameters()
                .snapshot()
                .unwrap();
        for (name, still) in [
            ("stem", vec!["stem"]),
            ("stage2", vec!["stem", "stage1", "stage2"]),
            ("body", vec!["stem", "stage1", "stage2", "stage3"]),
        ] {
            let (tower, grads, _) = frozen(Some(name))?;
            let is_still = |of: &str| {
                still
                    .iter()
                    .any(|part| of.starts_with(&format!("backbone.{part}.")))
            };
            let trainable = tower.trainable();
            assert!(trainable.iter().all(|(of, _)| !is_still(of)), "{name}");
            for (of, var) in tower.parameters().trainable() {
                let has = grads.get(&var).is_some();
                assert_eq!(has, !is_still(&of), "{name}: {of}");
            }
            for (of, var) in tower.parameters().all() {
                let moved = (var.as_tensor() - &fresh[&of])?
                    .abs()?
                    .sum_all()?
                    .to_scalar::<f32>()?;
                assert_eq!(
                    moved > 0.0,
                    of.contains("running") && !is_still(&of),
                    "{name}: {of}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_frozen_may_run_beforehand() -> Result<()> {
        let (tower, _, images) = frozen(Some("stage1"))?;
        let before = tower.freeze(&images)?;
        assert_eq!(before.dims(), [4, 6, 8, 12]);
        let train = |t: &Tensor| tower.embed_frozen_training(t, &mut ChaCha8Rng::seed_from_u64(1));
        let (a, b) = (
            train(&before)?,
            tower.embed_training(&images, &mut ChaCha8Rng::seed_from_u64(1))?,
        );
        assert_eq!(a.to_vec2::<f32>()?, b.to_vec2::<f32>()?);
        let (a, b) = (tower.embed_frozen(&before)?, tower.embed(&images)?);
        assert_eq!(a.to_vec2::<f32>()?, b.to_vec2::<f32>()?);
        Ok(())
    }

    #[test]
    fn freezing_computes_what_the_whole_computes_in_use() -> Result<()> {
        let (whole, _, images) = frozen(None)?;
        let mut config = whole.config().clone();
        config.frozen = Some("stage2".into());
        let tensors = whole.parameters().snapshot().unwrap().into_iter().collect();
        let parameters = Parameters::from_tensors(tensors, &Device::Cpu);
        let part = Tower::with_parameters(config, parameters)?;
        let difference = (part.embed(&images)? - whole.embed(&images)?)?.abs()?;
        assert!(difference.max_all()?.to_scalar::<f32>()? < 1e-5);
        Ok(())
    }

    #[test]
    fn a_part_that_is_none_and_an_option_that_means_nothing_are_refused_by_name() {
        let refused = |config: TowerConfig| {
            let error = Tower::new(config, 1, &Device::Cpu).err().unwrap();
            error.to_string()
        };
        let mut config = body(Body::Resnet9(Resnet9 { width: 3 }), (16, 24), 3);
        config.frozen = Some("layer4".into());
        let error = refused(config);
        assert!(
            error.contains("tower.frozen") && error.contains("stem, stage1"),
            "{error}"
        );
        let resnet = Resnet {
            stride: Stride::First,
            ..Resnet::default()
        };
        let error = refused(body(Body::Resnet(resnet), (64, 64), 3));
        assert!(error.contains("tower.body.stride"), "{error}");
    }

    /// torchvision counts 1.814 billion multiply-adds for ResNet-18 at 224 with its `fc` of 1000.
    #[test]
    fn the_cost_is_the_published_one() -> Result<()> {
        let config = TowerConfig {
            input: ImageInput {
                height: 224,
                width: 224,
                ..ImageInput::cifar100()
            },
            body: Body::Resnet(Resnet::default()),
            embedding: 1000,
            ..TowerConfig::cifar100()
        };
        let cost = Tower::new(config, 1, &Device::Cpu)?.cost();
        assert_eq!(cost.multiply_adds, 1_814_073_344);
        Ok(())
    }
}
