//! Labelled images in, balanced pairs and batches out.

#![doc = include_str!("../README.md")]
// what is used by the features alone; with all of them, nothing may lie unused
#![cfg_attr(not(all(feature = "hub", feature = "parquet")), allow(dead_code))]

mod batch;
mod check;
mod digest;
mod entries;
mod error;
#[cfg(feature = "hub")]
mod hub;
#[cfg(not(feature = "hub"))]
#[path = "hub_absent.rs"]
mod hub;
mod hub_name;
#[cfg(test)]
#[cfg(feature = "hub")]
#[path = "../tests/hub_server/mod.rs"]
mod hub_server;
mod image_set;
mod one_shot;
mod packed_images;
mod picture;
mod pixel_store;
mod progress;
mod rng;
mod sampler;
mod source;
mod split;
mod superclass;
mod turned;
mod turned_images;
mod variables;

pub use batch::augment::{
    AugmentConfig, AugmentError, ImageShape, RandomAffine, RandomCrop, RandomErase,
};
pub use batch::loader::{
    Batch, ImageBatch, ImageBatches, Loader, LoaderConfig, LoaderError, Shrunk, part_of,
};
pub use check::{
    ClassInSplit, Duplicate, OddSize, PicturesReport, SoundnessReport, Twins, check, check_listing,
};
pub use digest::sha256;
pub use error::DataError;
#[cfg(feature = "hub")]
pub use hub::Proxies;
pub use hub::{HubOptions, cached_weights, fetch_weights};
pub use hub_name::hub_name;
pub use image_set::ImageSet;
pub use one_shot::{OneShotRun, bundled_one_shot_runs, read_one_shot_runs};
pub use packed_images::{Filled, PackOptions, PackedImages, PackedKey, packed_images};
pub use picture::{
    Colour, Fit, Format, Framing, Looks, Picture, PictureError, PictureInfo, PictureLimits, decode,
    decode_file, is_picture_name, looks_of_file, probe, probe_file, read_image, read_picture,
    read_thumbnail,
};
pub use pixel_store::PixelStore;
pub use progress::{Meter, Progress};
pub use rng::stream;
pub use sampler::Sampler;
pub use sampler::chances::ClassSampling;
pub use sampler::config::{Episodes, PairSampling, PerClass, SamplerConfig};
pub use sampler::draw::Draw;
pub use sampler::error::SamplerError;
pub use sampler::evaluation::{Pair, evaluation_pairs};
pub use sampler::listed::{ListedPairs, chosen_pairs};
pub use sampler::pairs::{PairSampler, PairSamplerConfig};
pub use source::cifar100::{FetchedFiles, fetch_cifar100, load_cifar100};
pub use source::dataset::Dataset;
pub use source::describe::Description;
pub use source::files::file_at;
pub use source::listing::{Item, LeftOut, ListedPair, Listing};
pub use source::load::Loaded;
pub use source::open::open;
pub use source::options::{Columns, Loose, OpenOptions};
pub use source::origin::{Origin, SourceChoice};
pub use source::pairs_file::{PathPair, read_pairs, read_text};
pub use source::pictures::{PictureItem, Pictures, ReadPicture};
pub use source::sizes::Sizes;
pub use split::{
    ClassLists, Division, Items, Part, SplitBy, SplitConfig, SplitError, check_split,
    pairs_of_part, split, stratified_split, write_split,
};
pub use turned::Turned;
