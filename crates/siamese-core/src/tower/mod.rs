//! The tower: one network, one set of weights, image → embedding.

mod body;
mod config;
mod conv4;
mod dino_v2;
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
mod timm;

use std::collections::BTreeSet;

use candle_core::{DType, Device, Result, Tensor, Var, bail};
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
pub use dino_v2::{DinoV2, Tokens, VitSize};
pub use koch::Koch;
pub use layers::Cost;
pub use lenet::Lenet;
pub use mlp::Mlp;
pub use network::TowerStep;
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
    precision: Precision,
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
        check_trained_here(&config)?;
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
            precision: Precision::default(),
            config,
            parameters,
            cost: layers.cost,
        })
    }

    /// The same network for images of another height and width: it has the same weights, and trains them.
    ///
    /// # Errors
    /// When these weights are for one size only, as those of a layer are that connects every pixel; when such an image
    /// does not reach the end.
    pub fn at_size(&self, (height, width): (usize, usize)) -> Result<Self> {
        let mut config = self.config.clone();
        (config.input.height, config.input.width) = (height, width);
        let at = |e: candle_core::Error| {
            e.context(format!(
                "{} at {height}x{width}: images of several sizes are for a body that ends in a global pooling, such as \
                 resnet9 or resnet",
                self.config.body
            ))
        };
        let mut tower = Self::with_parameters(config, self.parameters.clone()).map_err(at)?;
        tower.set_precision(self.precision)?;
        Ok(tower)
    }

    /// What it is made of.
    pub fn config(&self) -> &TowerConfig {
        &self.config
    }

    /// What an image costs it.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Bytes of working memory that training on a CPU keeps for each image of a batch; what is frozen keeps none.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn kept_bytes(&self) -> Result<usize> {
        let input = &self.config.input;
        let shape = (1, input.channels(), input.height, input.width);
        let image = Tensor::zeros(shape, DType::F32, self.parameters.device())?;
        self.trained.kept_bytes(&self.freeze(&image)?)
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
        self.precision = precision;
        self.frozen.set_precision(precision);
        self.trained.set_precision(precision);
        Ok(())
    }

    /// Says that the parameters will not change any more: what [`Self::embed`] makes of them on a CPU is made once and kept,
    /// in up to five times their memory. A single image is then embedded in a fraction of the time. Training forgets it.
    pub fn prepack(&mut self) {
        self.frozen.prepack();
        self.trained.prepack();
    }

    /// What [`Self::embed`] does to images `(B, C, H, W)`, step by step: without the scaling to length 1, which
    /// [`TowerConfig::normalize`] asks for.
    pub fn steps(&self) -> Vec<TowerStep<'_>> {
        self.frozen.steps().chain(self.trained.steps()).collect()
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

/// Whether what is to be trained has a gradient.
fn check_trained_here(config: &TowerConfig) -> Result<()> {
    if matches!(config.body, Body::DinoV2(_)) && config.frozen.as_deref() != Some("body") {
        bail!(
            "{} is used as it was published and has no gradient here: say tower.frozen = \"body\", and what follows it is \
             trained",
            config.body
        )
    }
    Ok(())
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
mod tests;
