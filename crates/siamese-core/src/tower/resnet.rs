//! ResNet-18 and 34 (He et al. 2016), with torchvision's tensor names and initial weights.

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::layers::Layers;

/// A ResNet of basic blocks, with a global mean at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resnet {
    /// 18 or 34.
    pub depth: usize,
    /// How it begins.
    pub stem: Stem,
}

/// How a ResNet begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// 7×7 with stride 2, then a 3×3 max-pool with stride 2: for photos.
    #[default]
    Imagenet,
    /// 3×3 with stride 1: for small images.
    Small,
}

impl Default for Resnet {
    /// ResNet-18 with the stem for photos.
    fn default() -> Self {
        Self {
            depth: 18,
            stem: Stem::default(),
        }
    }
}

impl Resnet {
    /// Blocks of each of the four stages.
    fn blocks(&self) -> Result<[usize; 4]> {
        match self.depth {
            18 => Ok([2, 2, 2, 2]),
            34 => Ok([3, 4, 6, 3]),
            depth => bail!("a ResNet of basic blocks has a depth of 18 or 34, got {depth}"),
        }
    }

    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        let blocks = self.blocks()?;
        let stem = match self.stem {
            Stem::Imagenet => (7, 2),
            Stem::Small => (3, 1),
        };
        layers.conv_of_he(64, stem, vb.pp("conv1"))?;
        layers.norm(vb.pp("bn1"))?;
        layers.activation(Activation::Relu);
        if self.stem == Stem::Imagenet {
            layers.max_pool(MaxPool2d {
                kernel_size: 3,
                stride: 2,
                padding: 1,
            })?;
        }
        for (i, count) in blocks.into_iter().enumerate() {
            for block in 0..count {
                let stride = if i > 0 && block == 0 { 2 } else { 1 };
                let vb = vb.pp(format!("layer{}.{block}", i + 1));
                basic(layers, 64 << i, stride, &vb)?;
            }
        }
        layers.global_average();
        Ok(())
    }
}

/// `relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))`
fn basic(layers: &mut Layers, channels: usize, stride: usize, vb: &VarBuilder) -> Result<()> {
    let changes = stride != 1 || layers.shape.channels != channels;
    let body = |layers: &mut Layers| {
        layers.conv_of_he(channels, (3, stride), vb.pp("conv1"))?;
        layers.norm(vb.pp("bn1"))?;
        layers.activation(Activation::Relu);
        layers.conv_of_he(channels, (3, 1), vb.pp("conv2"))?;
        layers.norm(vb.pp("bn2"))
    };
    let shortcut = |layers: &mut Layers| {
        if changes {
            layers.conv_of_he(channels, (1, stride), vb.pp("downsample.0"))?;
            layers.norm(vb.pp("downsample.1"))?;
        }
        Ok(())
    };
    layers.residual(body, shortcut, Some(Activation::Relu))
}

impl fmt::Display for Resnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stem = match self.stem {
            Stem::Imagenet => "ImageNet",
            Stem::Small => "small-image",
        };
        write!(f, "ResNet-{} with the {stem} stem", self.depth)
    }
}
