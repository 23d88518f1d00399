//! Labelled images in, balanced pairs and batches out.
//!
//! The crate knows nothing of tensors or models: it ends where bytes become a tensor.

mod augment;
mod chances;
mod check;
mod decode;
mod digest;
mod error;
mod folder;
mod groups;
mod hub;
#[cfg(test)]
#[allow(dead_code)] // each test uses a part of it
#[path = "../tests/hub_server/mod.rs"]
mod hub_server;
mod image_set;
mod jpeg;
mod loader;
mod one_shot;
mod packed;
mod pairs;
mod picture;
mod prefetch;
mod progress;
mod rng;
mod sampler;
mod sampler_error;
mod source;
mod split;

pub use augment::{AugmentConfig, AugmentError, ImageShape};
pub use chances::ClassSampling;
pub use check::{
    ClassInSplit, Duplicate, FolderReport, SoundnessReport, Twins, check, check_folder,
};
pub use error::DataError;
pub use folder::{FileProblem, ImageFolder, read_image, read_image_folder, read_thumbnail};
pub use hub::HubOptions;
pub use image_set::ImageSet;
pub use loader::{ImageBatch, ImageBatches, LoaderConfig, LoaderError, PairBatch, PairLoader};
pub use one_shot::{OneShotRun, bundled_one_shot_runs, read_one_shot_runs};
pub use pairs::{Pair, evaluation_pairs};
pub use picture::framing::{Colour, Fit, Framing};
pub use progress::Progress;
pub use rng::stream;
pub use sampler::{PairSampler, PairSamplerConfig};
pub use sampler_error::SamplerError;
pub use source::cifar100::{FetchedFiles, fetch_cifar100, load_cifar100};
pub use source::dataset::{Dataset, LoadOptions, Origin, Provenance, SourceChoice};
pub use source::describe::Description;
pub use source::listing::{Item, LeftOut, ListedPair, Listing, Part};
pub use source::load::Loaded;
pub use source::look::open;
pub use source::options::{Columns, OpenOptions};
pub use source::sizes::Sizes;
pub use split::stratified_split;
