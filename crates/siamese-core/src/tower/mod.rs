//! The tower: one network, one set of weights, image → embedding.

mod body;
mod conv4;
mod layers;
mod resnet;
mod resnet9;
mod stages;

use candle_core::{DType, Device, Module, Result, Tensor, bail};
use candle_nn::{Linear, ModuleT, linear};
use rand::Rng;
use serde::{Deserialize, Serialize};
use siamese_kernels::{Precision, Sequential};

use crate::distance::normalize;
use crate::input::ImageInput;
use crate::parameters::Parameters;
use layers::{Layers, Shape};

pub use body::Body;
pub use conv4::Conv4;
pub use layers::Cost;
pub use resnet::{Resnet, Stem};
pub use resnet9::Resnet9;
pub use stages::{Stage, Stages};

/// What a tower is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerConfig {
    /// The images that it takes.
    pub input: ImageInput,
    /// The convolutional body.
    pub body: Body,
    /// Share of the flattened features that training drops before the last layer.
    #[serde(default)]
    pub dropout: f32,
    /// D, the length of an embedding.
    #[serde(default = "usual_embedding")]
    pub embedding: usize,
    /// Whether embeddings are scaled to unit length.
    #[serde(default = "yes")]
    pub normalize: bool,
}

fn usual_embedding() -> usize {
    128
}

fn yes() -> bool {
    true
}

impl TowerConfig {
    /// System C's tower for 32×32 images: four stages of two convolutions, channels 32-64-128-256, a dropout of
    /// one half, an L2-normalised embedding of 128; 1,305,376 parameters.
    pub fn cifar100() -> Self {
        Self {
            input: ImageInput::cifar100(),
            body: Body::Stages(Stages::default()),
            dropout: 0.5,
            embedding: usual_embedding(),
            normalize: true,
        }
    }

    fn validate(&self) -> Result<()> {
        if self.embedding == 0 {
            bail!("a tower's embedding must be at least 1")
        }
        if !(0.0..1.0).contains(&self.dropout) {
            bail!("dropout must be in 0..1, got {}", self.dropout)
        }
        Ok(())
    }
}

/// A network that turns images into embeddings. Clones share their weights.
#[derive(Clone)]
pub struct Tower {
    config: TowerConfig,
    parameters: Parameters,
    cost: Cost,
    backbone: Sequential,
    head: Linear,
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
        let mut layers = Layers::new(Shape {
            channels: input.channels(),
            height: input.height,
            width: input.width,
        });
        let in_words = |e: candle_core::Error| {
            let (height, width) = (input.height, input.width);
            e.context(format!(
                "building {} for {height}x{width} images",
                config.body
            ))
        };
        config
            .body
            .build(&mut layers, vb.pp("backbone"))
            .map_err(in_words)?;
        let features = layers.shape.len();
        let head = linear(features, config.embedding, vb.pp("head"))?;
        let mut cost = layers.cost;
        cost.multiply_adds += (features * config.embedding) as u64;
        Ok(Self {
            backbone: Sequential::new(layers.list),
            config,
            parameters,
            cost,
            head,
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

    /// Bytes of working memory that training on a CPU keeps for each image of a batch.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn kept_bytes(&self) -> Result<usize> {
        let input = &self.config.input;
        let shape = (1, input.channels(), input.height, input.width);
        let image = Tensor::zeros(shape, DType::F32, self.parameters.device())?;
        self.backbone.kept_bytes(&image)
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
        self.backbone.set_precision(precision);
        Ok(())
    }

    /// Images `(B, C, H, W)` → embeddings `(B, D)`, as a trained tower is used: running statistics, no dropout. The
    /// result holds on to nothing of the way there.
    ///
    /// # Errors
    /// When the images are not of the size that the tower was made for, or on another device.
    pub fn embed(&self, images: &Tensor) -> Result<Tensor> {
        self.check(images)?;
        let features = self.backbone.forward_t(&images.detach(), false)?;
        // the weights are variables: without this, the embeddings would keep every layer's output alive
        Ok(self.project(&features.flatten_from(1)?)?.detach())
    }

    /// Images `(B, C, H, W)` → embeddings `(B, D)`, as in training: BatchNorm takes its statistics from the
    /// batch (so both images of each pair belong into one), and dropout draws its mask from `rng`.
    ///
    /// # Errors
    /// As [`Self::embed`].
    pub fn embed_training(&self, images: &Tensor, rng: &mut impl Rng) -> Result<Tensor> {
        self.check(images)?;
        let features = self.backbone.forward_t(images, true)?.flatten_from(1)?;
        self.project(&dropout(&features, self.config.dropout, rng)?)
    }

    fn project(&self, features: &Tensor) -> Result<Tensor> {
        let embeddings = self.head.forward(features)?;
        if self.config.normalize {
            return normalize(&embeddings);
        }
        Ok(embeddings)
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

/// Inverted dropout: a share `p` of the features becomes 0, the others grow by 1 / (1 − p).
fn dropout(features: &Tensor, p: f32, rng: &mut impl Rng) -> Result<Tensor> {
    if p == 0.0 {
        return Ok(features.clone());
    }
    let kept = 1.0 / (1.0 - p);
    let draw = |_| if rng.random::<f32>() < p { 0.0 } else { kept };
    let mask: Vec<f32> = (0..features.elem_count()).map(draw).collect();
    features * Tensor::from_vec(mask, features.shape(), features.device())?
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn dropout_keeps_the_mean_and_drops_its_share() -> Result<()> {
        let ones = Tensor::ones((100, 100), candle_core::DType::F32, &Device::Cpu)?;
        let dropped = dropout(&ones, 0.25, &mut ChaCha8Rng::seed_from_u64(9))?;
        let values = dropped.flatten_all()?.to_vec1::<f32>()?;
        let zeros = values.iter().filter(|&&v| v == 0.0).count() as f32 / 1e4;
        let mean = values.iter().sum::<f32>() / 1e4;
        assert!(
            (zeros - 0.25).abs() < 0.02 && (mean - 1.0).abs() < 0.03,
            "{zeros} {mean}"
        );
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
