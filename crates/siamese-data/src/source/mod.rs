//! Data sets from wherever they lie: recognised by looking, listed, then loaded at a size chosen later.
//!
//! [`open`](open::open) finds out what it was given and makes a [`Listing`](listing::Listing): the classes, the
//! parts, what was left out and why, and for each picture where its bytes are. No picture is decoded before
//! [`Listing::load`](listing::Listing::load). Each kind of data set is a file of this folder that fills a listing.

pub(crate) mod archive;
pub(crate) mod archives;
pub(crate) mod by_folders;
pub(crate) mod cache;
pub(crate) mod cifar;
pub(crate) mod cifar100;
pub(crate) mod cifar_files;
pub(crate) mod columns;
pub(crate) mod dataset;
pub(crate) mod delimiter;
pub(crate) mod describe;
pub(crate) mod download;
pub(crate) mod files;
pub(crate) mod folder;
#[cfg(feature = "parquet")]
pub(crate) mod hub_parquet;
pub(crate) mod hub_repo;
pub(crate) mod idx;
pub(crate) mod listing;
pub(crate) mod load;
pub(crate) mod look;
pub(crate) mod mistaken;
pub(crate) mod names;
pub(crate) mod omniglot;
pub(crate) mod open;
pub(crate) mod options;
pub(crate) mod origin;
pub(crate) mod originals;
pub(crate) mod pair_columns;
pub(crate) mod pairs_file;
pub(crate) mod pairs_layout;
pub(crate) mod pairs_rows;
#[cfg(not(feature = "parquet"))]
pub(crate) mod parquet_absent;
#[cfg(feature = "parquet")]
pub(crate) mod parquet_columns;
#[cfg(feature = "parquet")]
pub(crate) mod parquet_pages;
pub(crate) mod pictures;
pub(crate) mod pixels;
#[cfg(feature = "parquet")]
pub(crate) mod rows;
pub(crate) mod sample;
pub(crate) mod shards;
pub(crate) mod shown;
pub(crate) mod sizes;
pub(crate) mod spans;
pub(crate) mod store;
pub(crate) mod stored;
pub(crate) mod table;
pub(crate) mod table_file;
pub(crate) mod table_pairs;
pub(crate) mod table_text;
pub(crate) mod verdict;
pub(crate) mod walk;
pub(crate) mod webdataset;

#[cfg(not(feature = "parquet"))]
pub(crate) use parquet_absent::{self as hub_parquet, self as parquet_columns};
