//! ResNet-12, the larger network of the few-shot papers (Lee et al. 2019), with MetaOptNet's tensor names.

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::drop_block::DropBlock;
use super::layers::Layers;

/// Four residual blocks of three 3×3 convolutions, LeakyReLU, a 2×2 max-pool after each; then the global mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resnet12 {
    /// Channels of each block.
    pub channels: [usize; 4],
    /// Slope of the LeakyReLU for negative values.
    pub leaky_slope: f32,
    /// Share that training drops after each block: of single values after the first two, of squares after the last two.
    pub drop: f32,
    /// Side of a square that is dropped, in pixels; RFS takes 2 for images of 32.
    #[serde(skip_serializing_if = "is_usual")]
    pub drop_block: usize,
}

impl Default for Resnet12 {
    /// Channels 64-160-320-640, slope 0.1, a tenth dropped, squares of 5×5.
    fn default() -> Self {
        Self {
            channels: [64, 160, 320, 640],
            leaky_slope: 0.1,
            drop: 0.1,
            drop_block: BLOCK,
        }
    }
}

/// Side of a square that is dropped, where nothing is said.
const BLOCK: usize = 5;

fn is_usual(block: &usize) -> bool {
    *block == BLOCK
}

impl Resnet12 {
    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        if self.channels.contains(&0) {
            bail!(
                "ResNet-12's channels must be at least 1, got {:?}",
                self.channels
            )
        }
        if self.drop_block == 0 {
            bail!("tower.body.drop_block is the side of a square in pixels: it must be at least 1")
        }
        for (i, channels) in self.channels.into_iter().enumerate() {
            let name = format!("layer{}.0", i + 1);
            self.block(layers, channels, &vb.pp(&name))?;
            match i {
                0 | 1 => layers.dropout(self.drop, "tower.body.drop")?,
                _ => layers.drop_block(DropBlock {
                    share: self.drop,
                    size: self.drop_block,
                }),
            }
            layers.mark(name);
        }
        layers.global_average();
        Ok(())
    }

    fn block(&self, layers: &mut Layers, channels: usize, vb: &VarBuilder) -> Result<()> {
        let leaky = Activation::LeakyRelu(self.leaky_slope);
        let body = |layers: &mut Layers| {
            for i in 1..=3 {
                layers.conv_of_he(channels, (3, 1), vb.pp(format!("conv{i}")))?;
                layers.norm(vb.pp(format!("bn{i}")))?;
                if i < 3 {
                    layers.activation(leaky);
                }
            }
            Ok(())
        };
        let shortcut = |layers: &mut Layers| {
            layers.conv_of_he(channels, (1, 1), vb.pp("downsample.0"))?;
            layers.norm(vb.pp("downsample.1"))
        };
        layers.residual(body, shortcut, Some(leaky))?;
        layers.max_pool(MaxPool2d::new(2))
    }
}

impl fmt::Display for Resnet12 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.channels;
        write!(f, "ResNet-12 {a}-{b}-{c}-{d}")
    }
}
