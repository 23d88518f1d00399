//! Stages of 3×3 convolutions.

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::layers::Layers;

/// Some 3×3 convolutions of one width, each with BatchNorm and LeakyReLU, then a 2×2 max-pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Channels of each convolution.
    pub channels: usize,
    /// How many convolutions.
    pub convolutions: usize,
}

/// Stages, each halving height and width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stages {
    /// The first stage first.
    pub stages: Vec<Stage>,
    /// Slope of the LeakyReLU for negative values; 0 is ReLU.
    pub leaky_slope: f32,
}

impl Default for Stages {
    /// System C's: four stages of two convolutions, channels 32-64-128-256.
    fn default() -> Self {
        let stage = |channels| Stage {
            channels,
            convolutions: 2,
        };
        Self {
            stages: [32, 64, 128, 256].map(stage).to_vec(),
            leaky_slope: 0.01,
        }
    }
}

impl Stages {
    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        if self.stages.is_empty() {
            bail!("a tower needs at least one stage")
        }
        for (i, stage) in self.stages.iter().enumerate() {
            if stage.channels == 0 || stage.convolutions == 0 {
                bail!("a stage's channels and convolutions must be at least 1, got {stage:?}")
            }
            for _ in 0..stage.convolutions {
                let at = layers.list.len();
                layers.conv(stage.channels, (3, 1), true, vb.pp(at))?;
                layers.norm(vb.pp(at + 1))?;
                layers.activation(Activation::LeakyRelu(self.leaky_slope));
            }
            layers.max_pool(MaxPool2d::new(2))?;
            layers.mark(format!("stage{}", i + 1));
        }
        Ok(())
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} convolutional stages", self.stages.len())
    }
}
