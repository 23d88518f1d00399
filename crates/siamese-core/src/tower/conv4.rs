//! Conv-4, the small network of the few-shot papers (Snell, Swersky and Zemel 2017).

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::layers::Layers;

/// Four 3×3 convolutions, each with BatchNorm, LeakyReLU and a 2×2 max-pool.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conv4 {
    /// Channels of each of the four.
    pub channels: [usize; 4],
    /// Slope of the LeakyReLU for negative values; 0 is ReLU.
    pub leaky_slope: f32,
}

impl Default for Conv4 {
    /// 64 channels, slope 0.1.
    fn default() -> Self {
        Self {
            channels: [64; 4],
            leaky_slope: 0.1,
        }
    }
}

impl Conv4 {
    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        if self.channels.contains(&0) {
            bail!(
                "Conv-4's channels must be at least 1, got {:?}",
                self.channels
            )
        }
        for (i, channels) in self.channels.into_iter().enumerate() {
            layers.conv(channels, (3, 1), false, vb.pp(format!("{i}.conv")))?;
            layers.norm(vb.pp(format!("{i}.bn")))?;
            layers.activation(Activation::LeakyRelu(self.leaky_slope));
            layers.max_pool(MaxPool2d::new(2))?;
            layers.mark(i.to_string());
        }
        Ok(())
    }
}

impl fmt::Display for Conv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.channels;
        write!(f, "Conv-4 {a}-{b}-{c}-{d}")
    }
}
