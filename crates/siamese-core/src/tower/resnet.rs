//! ResNet-18 to 152 (He et al. 2016), with torchvision's tensor names and initial weights.

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::layers::Layers;

/// A ResNet: a stem, four stages of residual blocks, and a pool over all pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resnet {
    /// 18 or 34 (basic blocks); 50, 101 or 152 (bottlenecks).
    pub depth: usize,
    /// How it begins.
    pub stem: Stem,
    /// Which convolution of a bottleneck halves the image; basic blocks do it in their first.
    #[serde(skip_serializing_if = "is_default")]
    pub stride: Stride,
    /// How many of the four stages there are, the first ones: 3 ends with what `layer3` gives. Earlier features are of
    /// parts and textures rather than of ImageNet's things, and often tell other things apart better.
    #[serde(skip_serializing_if = "is_whole")]
    pub stages: usize,
    /// How it ends.
    #[serde(skip_serializing_if = "is_default")]
    pub pool: Pool,
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

/// Which convolution of a stage's first bottleneck has the stride: weights made for one compute nonsense in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Stride {
    /// The 3×3, as in torchvision and timm ("v1.5").
    #[default]
    #[serde(rename = "3x3")]
    Middle,
    /// The first 1×1, as in the paper and in Keras.
    #[serde(rename = "1x1")]
    First,
}

/// How a ResNet's last feature map `(C, H, W)` becomes its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The mean of each channel.
    #[default]
    Average,
    /// The maximum of each channel.
    Maximum,
    /// The generalised mean of each channel, its exponent learned from 3 (Radenović et al. 2018).
    Gem,
    /// All values as they are.
    None,
}

impl Default for Resnet {
    /// ResNet-18 with the stem for photos.
    fn default() -> Self {
        Self {
            depth: 18,
            stem: Stem::default(),
            stride: Stride::default(),
            stages: STAGES,
            pool: Pool::default(),
        }
    }
}

/// As published.
const STAGES: usize = 4;

fn is_whole(stages: &usize) -> bool {
    *stages == STAGES
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Resnet {
    /// Depths with the blocks of their four stages, and whether these are bottlenecks.
    const DEPTHS: [(usize, [usize; 4], bool); 5] = [
        (18, [2, 2, 2, 2], false),
        (34, [3, 4, 6, 3], false),
        (50, [3, 4, 6, 3], true),
        (101, [3, 4, 23, 3], true),
        (152, [3, 8, 36, 3], true),
    ];

    /// The depth that has so many blocks.
    pub(super) fn depth_of(blocks: [usize; 4], bottlenecks: bool) -> Option<usize> {
        let found = |&&(_, b, n): &&(usize, [usize; 4], bool)| (b, n) == (blocks, bottlenecks);
        Self::DEPTHS.iter().find(found).map(|(depth, ..)| *depth)
    }

    /// Channels of the fourth stage.
    pub(super) fn channels(&self) -> usize {
        if self.depth < 50 { 512 } else { 2048 }
    }

    fn blocks(&self) -> Result<([usize; 4], bool)> {
        let found = Self::DEPTHS.iter().find(|(depth, ..)| *depth == self.depth);
        let Some((_, blocks, bottlenecks)) = found else {
            bail!(
                "a ResNet has a depth of 18, 34, 50, 101 or 152, got {}",
                self.depth
            )
        };
        Ok((*blocks, *bottlenecks))
    }

    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        let (blocks, bottlenecks) = self.blocks()?;
        if !bottlenecks && self.stride != Stride::default() {
            bail!(
                "tower.body.stride says where a bottleneck has its stride, and ResNet-{} has none: leave it out",
                self.depth
            )
        }
        if !(1..=STAGES).contains(&self.stages) {
            bail!(
                "tower.body.stages is how many of a ResNet's {STAGES} stages there are, got {}",
                self.stages
            )
        }
        self.stem(layers, &vb)?;
        layers.mark("stem");
        for (i, count) in blocks.into_iter().enumerate().take(self.stages) {
            for block in 0..count {
                let stride = if i > 0 && block == 0 { 2 } else { 1 };
                let name = format!("layer{}.{block}", i + 1);
                let vb = vb.pp(&name);
                match bottlenecks {
                    true => bottleneck(layers, 64 << i, (stride, self.stride), &vb)?,
                    false => basic(layers, 64 << i, stride, &vb)?,
                }
                layers.mark(name);
            }
        }
        match self.pool {
            Pool::Average => layers.global_average(),
            Pool::Maximum => layers.global_maximum(),
            Pool::Gem => layers.generalised_mean(vb.pp("pool"))?,
            Pool::None => (),
        }
        Ok(())
    }

    fn stem(&self, layers: &mut Layers, vb: &VarBuilder) -> Result<()> {
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
        Ok(())
    }
}

/// `relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))`
fn basic(layers: &mut Layers, channels: usize, stride: usize, vb: &VarBuilder) -> Result<()> {
    let body = |layers: &mut Layers| {
        layers.conv_of_he(channels, (3, stride), vb.pp("conv1"))?;
        layers.norm(vb.pp("bn1"))?;
        layers.activation(Activation::Relu);
        layers.conv_of_he(channels, (3, 1), vb.pp("conv2"))?;
        layers.norm(vb.pp("bn2"))
    };
    block(layers, channels, stride, vb, body)
}

/// 1×1 to `channels`, 3×3, 1×1 to four times `channels`, BatchNorm after each, ReLU between; plus the shortcut.
fn bottleneck(
    layers: &mut Layers,
    channels: usize,
    (stride, place): (usize, Stride),
    vb: &VarBuilder,
) -> Result<()> {
    let (first, middle) = match place {
        Stride::First => (stride, 1),
        Stride::Middle => (1, stride),
    };
    let body = |layers: &mut Layers| {
        layers.conv_of_he(channels, (1, first), vb.pp("conv1"))?;
        layers.norm(vb.pp("bn1"))?;
        layers.activation(Activation::Relu);
        layers.conv_of_he(channels, (3, middle), vb.pp("conv2"))?;
        layers.norm(vb.pp("bn2"))?;
        layers.activation(Activation::Relu);
        layers.conv_of_he(4 * channels, (1, 1), vb.pp("conv3"))?;
        layers.norm(vb.pp("bn3"))
    };
    block(layers, 4 * channels, stride, vb, body)
}

/// A body beside its shortcut, which is a 1×1 convolution where the shape changes.
fn block(
    layers: &mut Layers,
    channels: usize,
    stride: usize,
    vb: &VarBuilder,
    body: impl FnOnce(&mut Layers) -> Result<()>,
) -> Result<()> {
    let changes = stride != 1 || layers.shape.channels != channels;
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
        write!(f, "ResNet-{} with the {stem} stem", self.depth)?;
        if !is_whole(&self.stages) {
            write!(f, ", the first {} of its stages", self.stages)?;
        }
        match self.pool {
            Pool::Average => Ok(()),
            Pool::Maximum => write!(f, " and a global maximum"),
            Pool::Gem => write!(f, " and a generalised mean"),
            Pool::None => write!(f, " and no pool at its end"),
        }
    }
}
