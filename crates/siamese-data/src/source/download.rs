//! Known sets: found on this machine, or fetched from where they are published.

use std::fs;
use std::path::{Path, PathBuf};

use super::dataset::{Origin, SourceChoice};
use super::listing::Listing;
use super::look::open_path;
use super::names::{CIFAR100, Known, Published};
use super::options::OpenOptions;
use super::{hub_repo, sample};
use crate::error::DataError;
use crate::hub;

/// Opens the set `known`: from a folder of data sets, from what was downloaded before, else downloaded now.
///
/// # Errors
///
/// [`DataError::Unrecognised`] if it is not there and published nowhere; any [`DataError`] of the network.
pub(crate) fn open(known: &Known, options: &OpenOptions) -> Result<Listing, DataError> {
    let found = match options.source {
        SourceChoice::Auto => known.find(&options.dataset_folders()),
        SourceChoice::Hub | SourceChoice::Sample => None,
    };
    let mut listing = match found {
        Some(path) => open_path(&path, options)?,
        None if known.name == CIFAR100.name => cifar100(options)?,
        None => open_path(&downloaded(known, options)?, options)?,
    };
    known.introduce(&mut listing);
    Ok(listing)
}

/// CIFAR-100 from the hub; without a network the bundled sample, unless the hub was asked for.
fn cifar100(options: &OpenOptions) -> Result<Listing, DataError> {
    match (options.source, hub_repo::open("uoft-cs/cifar100", options)) {
        (SourceChoice::Sample, _) => bundled(options),
        (
            SourceChoice::Auto,
            Err(error @ (DataError::Unreachable { .. } | DataError::Offline { .. })),
        ) => {
            let mut listing = bundled(options)?;
            listing.fallback = Some(error.to_string());
            Ok(listing)
        }
        (_, found) => found,
    }
}

fn bundled(options: &OpenOptions) -> Result<Listing, DataError> {
    let folder = sample::find("uoft-cs/cifar100", options.datasets.as_deref())?;
    let mut listing = open_path(&folder, options)?;
    listing.origin = Origin::Sample(folder.canonicalize().unwrap_or(folder));
    Ok(listing)
}

/// The folder (or the one file) with what is published of `known`, fetched where it is not there yet.
fn downloaded(known: &Known, options: &OpenOptions) -> Result<PathBuf, DataError> {
    let folder = options.cache_folder().join("downloads").join(known.name);
    if known.files.is_empty() {
        return Err(DataError::unrecognised(
            Path::new(known.name),
            "it is in none of the data folders, and published nowhere that it could be fetched from",
            "put it into a folder of data sets (SIAMESE_DATASETS), or give its path",
        ));
    }
    for file in known.files {
        fetch(file, &folder, options)?;
    }
    match known.files {
        [only] => Ok(folder.join(only.name)),
        _ => Ok(folder),
    }
}

/// A file that bears its name is whole: it was checked before it was given the name.
fn fetch(file: &Published, folder: &Path, options: &OpenOptions) -> Result<(), DataError> {
    let path = folder.join(file.name);
    if path.is_file() {
        return Ok(());
    }
    if options.hub.offline {
        return Err(DataError::Offline {
            file: file.name.into(),
            cache: folder.to_path_buf(),
        });
    }
    let base = options
        .mirror
        .as_deref()
        .unwrap_or(file.url)
        .trim_end_matches('/');
    fs::create_dir_all(folder).map_err(DataError::io("creating", folder))?;
    hub::fetch_published(
        &format!("{base}/{}", file.name),
        file.md5,
        &path,
        &options.hub,
        options.progress,
    )
}
