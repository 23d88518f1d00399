//! Siamese towers, distances and objectives on [Candle](https://github.com/huggingface/candle).
//!
//! A *tower* is one network with one set of weights that turns an image into an *embedding*; two images
//! show the same thing when the *distance* between their embeddings is below a *threshold*. This crate holds
//! the tower, the distances and the objectives. It opens no image file (that is `siamese-data`), runs no
//! optimizer (that is `siamese-train`) and draws every random number from a seed that you give.
//!
//! ```
//! use siamese_core::{Distance, TensorDistance, Tower, TowerConfig, candle::Device};
//!
//! # fn main() -> siamese_core::candle::Result<()> {
//! let tower = Tower::new(TowerConfig::system_c(), 42, &Device::Cpu)?; // or Model::load("model.safetensors", &device)
//! let pixels = vec![127u8; 2 * 32 * 32 * 3];                          // two RGB images, (B, H, W, C)
//! let images = tower.config().input.to_tensor(&pixels, &Device::Cpu)?;
//! let embeddings = tower.embed(&images)?;                             // (2, 128), L2-normalised
//! let (a, b) = (embeddings.narrow(0, 0, 1)?, embeddings.narrow(0, 1, 1)?);
//! let distance = Distance::Euclidean.between(&a, &b)?.to_vec1::<f32>()?[0];
//! assert!(distance < 1e-3); // the same image twice
//! # Ok(())
//! # }
//! ```
//!
//! # Shapes
//!
//! B batch · C, H, W channels, height and width of an image · D length of an embedding · P probes ·
//! G gallery. Everything is a distance: smaller means more alike.

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
    Body, Conv4, Cost, Hidden, Koch, Lenet, Mlp, Pool, Pretrained, Resnet, Resnet9, Resnet12,
    Stage, Stages, Stem, Stride, Tower, TowerConfig, TowerStep,
};
pub use weight_average::WeightAverage;
pub use whitening::Whitening;

pub use candle_core as candle;
pub use siamese_kernels::Precision;
/// Verification, retrieval and few-shot figures (`siamese-metrics`).
pub use siamese_metrics as metrics;
pub use siamese_metrics::{Combine, Distance, Metric};
