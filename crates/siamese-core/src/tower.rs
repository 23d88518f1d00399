//! The tower: one network, one set of weights, image → embedding.

use candle_core::{Device, Module, Result, Tensor, bail};
use candle_nn::{Linear, ModuleT, linear};
use rand::Rng;
use serde::{Deserialize, Serialize};
use siamese_kernels::{
    Activation, BatchNorm2d, BatchNormConfig, Conv2d, Conv2dConfig, MaxPool2d, Precision,
    Sequential,
};

use crate::distance::normalize;
use crate::input::ImageInput;
use crate::parameters::Parameters;

/// Some 3×3 convolutions of one width, each with BatchNorm and LeakyReLU, then a 2×2 max-pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Channels of each convolution.
    pub channels: usize,
    /// How many convolutions.
    pub convolutions: usize,
}

/// What a tower is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerConfig {
    /// The images that it takes.
    pub input: ImageInput,
    /// The convolutional body, first stage first; each stage halves height and width.
    pub stages: Vec<Stage>,
    /// Slope of the LeakyReLU for negative values; 0 is ReLU.
    pub leaky_slope: f32,
    /// Share of the flattened features that training drops before the last layer.
    pub dropout: f32,
    /// D, the length of an embedding.
    pub embedding: usize,
    /// Whether embeddings are scaled to unit length.
    pub normalize: bool,
}

impl TowerConfig {
    /// The default tower for 32×32 images: four stages of two convolutions, channels 32-64-128-256, a dropout of
    /// one half, an L2-normalised embedding of 128; 1,305,376 parameters.
    pub fn cifar100() -> Self {
        let stage = |channels| Stage {
            channels,
            convolutions: 2,
        };
        Self {
            input: ImageInput::cifar100(),
            stages: [32, 64, 128, 256].map(stage).to_vec(),
            leaky_slope: 0.01,
            dropout: 0.5,
            embedding: 128,
            normalize: true,
        }
    }

    /// Features that the body hands to the last layer.
    fn features(&self) -> Result<usize> {
        let shrink = |side: usize| self.stages.iter().fold(side, |side, _| side / 2);
        let (height, width) = (shrink(self.input.height), shrink(self.input.width));
        let Some(last) = self.stages.last() else {
            bail!("a tower needs at least one stage")
        };
        if height == 0 || width == 0 {
            bail!(
                "{} stages halve a {}x{} image away; use fewer stages or larger images",
                self.stages.len(),
                self.input.height,
                self.input.width
            )
        }
        Ok(last.channels * height * width)
    }

    fn validate(&self) -> Result<()> {
        if self.embedding == 0
            || self
                .stages
                .iter()
                .any(|s| s.channels == 0 || s.convolutions == 0)
        {
            bail!("a tower's embedding, channels and convolutions must be at least 1")
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
        let features = config.features()?;
        let vb = parameters.builder();
        let backbone = backbone(&config, vb.pp("backbone"))?;
        let head = linear(features, config.embedding, vb.pp("head"))?;
        Ok(Self {
            config,
            parameters,
            backbone,
            head,
        })
    }

    /// What it is made of.
    pub fn config(&self) -> &TowerConfig {
        &self.config
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

    /// Images `(B, C, H, W)` → embeddings `(B, D)`, as a trained tower is used: running statistics, no dropout.
    ///
    /// # Errors
    /// When the images are not of the size that the tower was made for, or on another device.
    pub fn embed(&self, images: &Tensor) -> Result<Tensor> {
        self.check(images)?;
        let features = self.backbone.forward_t(&images.detach(), false)?;
        self.project(&features.flatten_from(1)?)
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

fn backbone(config: &TowerConfig, vb: candle_nn::VarBuilder) -> Result<Sequential> {
    let mut layers = Vec::new();
    let mut channels = config.input.channels();
    let convolution = Conv2dConfig {
        bias: true,
        ..Default::default()
    };
    for stage in &config.stages {
        for _ in 0..stage.convolutions {
            let name = |offset: usize| (layers.len() + offset).to_string();
            let (conv, norm) = (vb.pp(name(0)), vb.pp(name(1)));
            layers.push(Conv2d::new(channels, stage.channels, convolution, conv)?.into());
            layers.push(BatchNorm2d::new(stage.channels, BatchNormConfig::default(), norm)?.into());
            layers.push(Activation::LeakyRelu(config.leaky_slope).into());
            channels = stage.channels;
        }
        layers.push(MaxPool2d::new(2).into());
    }
    Ok(Sequential::new(layers))
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

    fn small() -> TowerConfig {
        TowerConfig {
            input: ImageInput {
                height: 4,
                width: 6,
                mean: vec![0.5],
                std: vec![0.25],
                fit: Default::default(),
            },
            stages: vec![Stage {
                channels: 8,
                convolutions: 1,
            }],
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
            assert!(grads.get(&var).is_some(), "{name} has no gradient");
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
        config.stages = vec![config.stages[0]; 3];
        let error = Tower::new(config, 3, &Device::Cpu)
            .err()
            .map(|e| e.to_string());
        assert!(error.is_some_and(|e| e.contains("4x6")));
        Ok(())
    }
}
