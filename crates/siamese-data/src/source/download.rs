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
#[cfg(feature = "hub")]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use md5::{Digest, Md5};

    use super::*;
    use crate::hub::HubOptions;
    use crate::hub_server::{Faults, HubServer, nobody};
    use crate::picture::{Colour, Fit, Framing};
    use crate::progress::Progress;
    use crate::split::Part;

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

    /// MNIST's four files, small: five images of 2×3 pixels to train, two to test.
    fn idx_files() -> Vec<(&'static str, Vec<u8>)> {
        let gzipped = |bytes: Vec<u8>| {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gz.write_all(&bytes).unwrap();
            gz.finish().unwrap()
        };
        let images = |count: u8| {
            let head = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3];
            gzipped(
                head.into_iter()
                    .chain((0..6 * count).map(|i| i * 5))
                    .collect(),
            )
        };
        let labels = |count: u8| {
            let head = [0, 0, 8, 1, 0, 0, 0, count];
            gzipped(head.into_iter().chain((0..count).map(|i| i % 2)).collect())
        };
        vec![
            ("train-images-idx3-ubyte.gz", images(5)),
            ("train-labels-idx1-ubyte.gz", labels(5)),
            ("t10k-images-idx3-ubyte.gz", images(2)),
            ("t10k-labels-idx1-ubyte.gz", labels(2)),
        ]
    }

    /// A set of these files; that at `wrong` is not what its checksum says.
    fn known(files: &[(&'static str, Vec<u8>)], wrong: Option<usize>) -> Known {
        let published = files
            .iter()
            .enumerate()
            .map(|(i, (name, content))| Published {
                name,
                url: "http://nowhere/",
                md5: match wrong == Some(i) {
                    true => "0123",
                    false => crate::digest::hex(&Md5::digest(content)).leak(),
                },
                unpacked_md5: None,
            });
        Known {
            name: "tiny-digits",
            title: "Tiny digits",
            hub_id: "",
            licence: Some("MIT"),
            citation: "Nobody, 2026",
            places: &[],
            files: published.collect::<Vec<_>>().leak(),
        }
    }

    #[test]
    fn a_named_set_is_fetched_whole_checked_opened_and_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults {
            cuts: 1,
            ..Faults::default()
        };
        let files = idx_files();
        let server = HubServer::start(files.clone(), faults);
        let mut options = options(folder.path(), &server.endpoint);
        let downloads = folder.path().join("cache/downloads/tiny-digits");

        // one file is not what it should be: it does not get its name, those before it stay
        let error = open(&known(&files, Some(2)), &options)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("t10k-images") && error.contains("checksum 0123"),
            "{error}"
        );
        let there = |name: &str| downloads.join(name).is_file();
        assert!(there(files[0].0) && there(files[1].0) && !there(files[2].0));

        let tiny = known(&files, None);
        let listing = open(&tiny, &options).unwrap();
        assert_eq!(
            (listing.name.as_str(), listing.title.as_str()),
            ("tiny-digits", "Tiny digits")
        );
        assert_eq!(listing.licence.as_deref(), Some("MIT"));
        let described = listing.describe().to_string();
        assert!(described.contains("licence: MIT") && described.contains("cite: Nobody, 2026"));
        assert_eq!(
            [Part::Train, Part::Test].map(|part| listing.count(part)),
            [5, 2]
        );
        let framing = Framing {
            height: 2,
            width: 3,
            colour: Colour::Grey,
            fit: Fit::Stretch,
        };
        let images = listing.load(&framing, &options).unwrap().images;
        assert_eq!(&*images.image(1).unwrap(), [30, 35, 40, 45, 50, 55]);
        assert_eq!(images.labels, [0, 1, 0, 1, 0, 0, 1]);

        // it is there by now: nothing is asked for again
        let asked = server.seen().len();
        options.hub.offline = true;
        assert_eq!(open(&tiny, &options).unwrap().items.len(), 7);
        assert_eq!(server.seen().len(), asked);
    }

    #[test]
    fn what_is_served_under_a_known_name_and_is_another_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let server = HubServer::start(idx_files(), Faults::default());
        let options = options(folder.path(), &server.endpoint);
        let error = super::super::open::open("fashion-mnist", &options);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("train-images-idx3-ubyte.gz"), "{error}");
        assert!(
            error.contains("8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            "{error}"
        );
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
