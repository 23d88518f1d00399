//! Siamese towers, distances and objectives on Candle.

#![doc = include_str!("../README.md")]

mod class_head;
mod distance;
mod domain;
mod error;
mod face_crop;
mod head;
mod init;
mod input;
mod model;
pub mod objective;
mod parameters;
pub mod tensor_file;
mod threshold;
mod tower;
mod weight_average;
mod whitening;

pub use class_head::ClassHead;
pub use distance::TensorDistance;
pub use domain::{Domain, Strange};
pub use error::{Error, Misfit, Result};
pub use face_crop::{FaceAlign, FaceCrop};
pub use head::{ComparisonConfig, Head, HeadConfig};
pub use input::{Fit, ImageInput};
pub use model::{Model, Provenance};
pub use objective::{Objective, ObjectiveConfig};
pub use parameters::{Loaded, Parameters};
pub use threshold::Threshold;
pub use tower::{
    Body, Conv4, Cost, DinoV2, Hidden, Koch, Lenet, Mlp, Pool, Pretrained, Resnet, Resnet9,
    Resnet12, Stage, Stages, Stem, Stride, Tokens, Tower, TowerConfig, TowerStep, VitSize,
};
pub use weight_average::WeightAverage;
pub use whitening::Whitening;

pub use candle_core as candle;
pub use siamese_kernels::Precision;
/// Verification, retrieval and few-shot figures (`siamese-metrics`).
pub use siamese_metrics as metrics;
pub use siamese_metrics::{Combine, Distance, Metric};
