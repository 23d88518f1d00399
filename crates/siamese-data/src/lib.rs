//! Labelled images in, balanced pairs and batches out.
//!
//! The crate knows nothing of tensors or models: it ends where bytes become a tensor.

mod augment;
mod chances;
mod cifar100;
mod error;
mod groups;
mod image_set;
mod loader;
mod pairs;
mod prefetch;
mod rng;
mod sampler;
mod sampler_error;
mod source;
mod split;

pub use augment::{AugmentConfig, AugmentError, ImageShape};
pub use chances::ClassSampling;
pub use cifar100::load_cifar100;
pub use error::DataError;
pub use image_set::ImageSet;
pub use loader::{ImageBatch, ImageBatches, LoaderConfig, LoaderError, PairBatch, PairLoader};
pub use pairs::{Pair, evaluation_pairs};
pub use rng::stream;
pub use sampler::{PairSampler, PairSamplerConfig};
pub use sampler_error::SamplerError;
pub use source::{Dataset, LoadOptions, Origin, Progress, Provenance, SourceChoice};
pub use split::stratified_split;
