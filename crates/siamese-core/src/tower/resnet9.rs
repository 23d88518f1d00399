//! ResNet-9: a small residual network for small images, after David Page's of DAWNBench.

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::layers::Layers;

/// 3→w→2w, pool, residual 2w, 4w, pool, residual 4w, 8w, pool, residual 8w, global maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resnet9 {
    /// w, the channels of the first convolution.
    pub width: usize,
}

impl Default for Resnet9 {
    /// A narrow one.
    fn default() -> Self {
        Self { width: 32 }
    }
}

impl Resnet9 {
    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        if self.width == 0 {
            bail!("ResNet-9's width must be at least 1")
        }
        block(layers, self.width, &vb, "stem")?;
        layers.mark("stem");
        for (i, times) in [2, 4, 8].into_iter().enumerate() {
            let width = times * self.width;
            let stage = vb.pp(format!("stage{}", i + 1));
            block(layers, width, &stage, "conv")?;
            layers.max_pool(MaxPool2d::new(2))?;
            let body = |layers: &mut Layers| {
                block(layers, width, &stage, "residual.0")?;
                block(layers, width, &stage, "residual.1")
            };
            layers.residual(body, |_| Ok(()), None)?;
            layers.mark(format!("stage{}", i + 1));
        }
        layers.global_maximum();
        Ok(())
    }
}

/// Convolution, BatchNorm, ReLU.
fn block(layers: &mut Layers, channels: usize, vb: &VarBuilder, name: &str) -> Result<()> {
    layers.conv(channels, (3, 1), false, vb.pp(format!("{name}.conv")))?;
    layers.norm(vb.pp(format!("{name}.bn")))?;
    layers.activation(Activation::Relu);
    Ok(())
}

impl fmt::Display for Resnet9 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResNet-9 of width {}", self.width)
    }
}
