//! The bodies by name.

use std::fmt;

use candle_core::Result;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::conv4::Conv4;
use super::dino_v2::DinoV2;
use super::koch::Koch;
use super::layers::Layers;
use super::lenet::Lenet;
use super::mlp::Mlp;
use super::resnet::Resnet;
use super::resnet9::Resnet9;
use super::resnet12::Resnet12;
use super::stages::Stages;

/// The body of a tower; `kind` tells them apart in a file.
///
/// A body of a kind of its own is a file in this folder, a variant here, and its tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// Stages of 3×3 convolutions, each halving the image.
    Stages(Stages),
    /// Four convolutions, as the few-shot papers have it.
    Conv4(Conv4),
    /// A small residual network for small images.
    Resnet9(Resnet9),
    /// ResNet-12, as the few-shot papers have it.
    Resnet12(Resnet12),
    /// ResNet-18 to 152.
    Resnet(Resnet),
    /// The convolutional network of Koch et al.
    Koch(Koch),
    /// Two convolutions and two connected layers, system D's.
    Lenet(Lenet),
    /// Connected layers alone, system E's.
    Mlp(Mlp),
    /// DINOv2, a vision transformer that is used and not trained.
    DinoV2(DinoV2),
}

impl Body {
    /// The kinds there are, by the names that files use.
    pub const NAMES: [&str; 9] = [
        "stages", "conv4", "resnet9", "resnet12", "resnet", "koch", "lenet", "mlp", "dino_v2",
    ];

    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        match self {
            Self::Stages(body) => body.build(layers, vb),
            Self::Conv4(body) => body.build(layers, vb),
            Self::Resnet9(body) => body.build(layers, vb),
            Self::Resnet12(body) => body.build(layers, vb),
            Self::Resnet(body) => body.build(layers, vb),
            Self::Koch(body) => body.build(layers, vb),
            Self::Lenet(body) => body.build(layers, vb),
            Self::Mlp(body) => body.build(layers, vb),
            Self::DinoV2(body) => body.build(layers, vb),
        }
    }
}

impl fmt::Display for Body {
    /// In a clause, for a model card.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stages(body) => write!(f, "{body}"),
            Self::Conv4(body) => write!(f, "{body}"),
            Self::Resnet9(body) => write!(f, "{body}"),
            Self::Resnet12(body) => write!(f, "{body}"),
            Self::Resnet(body) => write!(f, "{body}"),
            Self::Koch(body) => write!(f, "{body}"),
            Self::Lenet(body) => write!(f, "{body}"),
            Self::Mlp(body) => write!(f, "{body}"),
            Self::DinoV2(body) => write!(f, "{body}"),
        }
    }
}
