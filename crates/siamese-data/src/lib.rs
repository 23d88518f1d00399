//! Labelled images in, balanced pairs and batches out.
//!
//! The crate knows nothing of tensors or models: it ends where bytes become a tensor.

mod augment;
mod chances;
mod check;
mod cifar100;
mod cifar_binary;
mod decode;
mod digest;
mod error;
mod folder;
mod groups;
mod hub;
mod image_set;
mod loader;
mod locate;
mod one_shot;
mod packed;
mod packed_images;
mod pairs;
mod parquet_file;
mod picture;
mod pixel_store;
mod prefetch;
mod progress;
mod rng;
mod sample;
mod sampler;
mod sampler_error;
mod source;
mod split;

pub use augment::{AugmentConfig, AugmentError, ImageShape};
pub use chances::ClassSampling;
pub use check::{
    ClassInSplit, Duplicate, FolderReport, SoundnessReport, Twins, check, check_folder,
};
pub use cifar100::{FetchedFiles, fetch_cifar100, load_cifar100};
pub use error::DataError;
pub use folder::{FileProblem, ImageFolder, read_image, read_image_folder, read_thumbnail};
pub use hub::HubOptions;
pub use image_set::ImageSet;
pub use loader::{ImageBatch, ImageBatches, LoaderConfig, LoaderError, PairBatch, PairLoader};
pub use one_shot::{OneShotRun, bundled_one_shot_runs, read_one_shot_runs};
pub use packed_images::{Filled, PackOptions, PackedImages, PackedKey, packed_images};
pub use pairs::{Pair, evaluation_pairs};
pub use picture::{
    Colour, Fit, Format, Framing, Picture, PictureError, PictureInfo, PictureLimits, decode,
    is_picture_name, looks_like_picture, probe, probe_file, read_picture,
};
pub use pixel_store::PixelStore;
pub use progress::Progress;
pub use rng::stream;
pub use sampler::{PairSampler, PairSamplerConfig};
pub use sampler_error::SamplerError;
pub use source::{Dataset, LoadOptions, Origin, Provenance, SourceChoice};
pub use split::stratified_split;
