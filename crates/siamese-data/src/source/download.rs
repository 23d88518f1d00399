//! Known sets: found on this machine, or fetched from where they are published.

use std::fs;
use std::path::{Path, PathBuf};

use super::cifar_files::{FILES, REPO};
use super::listing::Listing;
use super::look::open_path;
use super::names::{CIFAR100, Known, Published};
use super::options::OpenOptions;
use super::origin::{Origin, SourceChoice};
use super::{hub_repo, sample};
use crate::error::DataError;
use crate::hub::{self, HubRepo};

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

/// CIFAR-100 from the hub; where it cannot be reached what was fetched before, else the bundled sample, unless the
/// hub was asked for.
fn cifar100(options: &OpenOptions) -> Result<Listing, DataError> {
    match options.source {
        SourceChoice::Sample => return bundled(options),
        SourceChoice::Hub => return hub_repo::open(REPO, options),
        SourceChoice::Auto => {}
    }
    let repo = HubRepo::new(REPO, &options.hub);
    let error = match repo.probe(FILES[0], options.progress) {
        Ok(()) => return hub_repo::open(REPO, options),
        Err(error) if error.is_out_of_reach() => error,
        Err(error) => return Err(error),
    };
    if FILES.iter().all(|file| repo.cached(file).is_some()) {
        let mut offline = options.clone();
        offline.hub.offline = true;
        return hub_repo::open(REPO, &offline);
    }
    let mut listing = bundled(options)?;
    listing.fallback = Some(error.to_string());
    Ok(listing)
}

fn bundled(options: &OpenOptions) -> Result<Listing, DataError> {
    let folder = sample::find(REPO, options.datasets.as_deref())?;
    sample::check(&folder)?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use md5::{Digest, Md5};

    use super::*;
    use crate::hub::HubOptions;
    use crate::hub_server::{Faults, HubServer, nobody};
    use crate::progress::Progress;

    const CONTENT: &[u8] = b"0123456789 and more";

    fn options(folder: &Path, endpoint: &str) -> OpenOptions {
        OpenOptions {
            cache: Some(folder.join("cache")),
            datasets: Some(folder.join("datasets")),
            mirror: Some(format!("{endpoint}/published/")),
            hub: HubOptions {
                token: Some("hf_secret".into()),
                retries: 2,
                backoff: Duration::from_millis(1),
                ..HubOptions::new(&nobody(), &folder.join("hub"))
            },
            progress: Progress::Silent,
            ..OpenOptions::default()
        }
    }

    fn file(md5: &'static str) -> Published {
        Published {
            name: "a.gz",
            url: "http://nowhere/",
            md5,
            unpacked_md5: None,
        }
    }

    fn right_md5() -> &'static str {
        crate::digest::hex(&Md5::digest(CONTENT)).leak()
    }

    #[test]
    fn a_published_file_is_resumed_checked_and_fetched_once_without_the_hubs_token() {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults {
            cuts: 1,
            ..Faults::default()
        };
        let server = HubServer::start(vec![("a.gz", CONTENT.to_vec())], faults);
        let options = options(folder.path(), &server.endpoint);
        for _ in 0..2 {
            fetch(&file(right_md5()), folder.path(), &options).unwrap();
            assert_eq!(fs::read(folder.path().join("a.gz")).unwrap(), CONTENT);
        }
        assert_eq!(server.starts(), [0, CONTENT.len() / 2]);
        assert!(
            server
                .seen()
                .iter()
                .all(|seen| seen.authorization.is_none())
        );
    }

    #[test]
    fn a_published_file_that_is_another_is_refused_and_does_not_bear_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let server = HubServer::start(vec![("a.gz", CONTENT.to_vec())], Faults::default());
        let options = options(folder.path(), &server.endpoint);
        let error = fetch(&file("0123"), folder.path(), &options).unwrap_err();
        assert!(
            error.to_string().contains("not what its checksum 0123"),
            "{error}"
        );
        assert!(!folder.path().join("a.gz").exists());
    }

    #[test]
    fn offline_a_known_set_that_is_not_here_is_an_error_that_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(folder.path(), &nobody());
        options.hub.offline = true;
        let error = super::super::open::open("mnist", &options)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("train-images-idx3-ubyte.gz") && error.contains("HF_HUB_OFFLINE"),
            "{error}"
        );
        let error = super::super::open::open("att-faces", &options)
            .unwrap_err()
            .to_string();
        assert!(error.contains("SIAMESE_DATASETS"), "{error}");
    }
}
