//! CIFAR-100, from whichever source there is.

use std::path::PathBuf;

use super::cache::cache_folder;
use super::dataset::{Dataset, LoadOptions, Origin, Provenance, SourceChoice};
use super::locate::{Found, locate};
use super::{cifar_binary, parquet_file, sample};
use crate::digest;
use crate::error::DataError;
use crate::hub::DatasetRepo;
use crate::image_set::ImageSet;
use crate::packed::{self, Wanted};

pub(crate) const REPO: &str = "uoft-cs/cifar100";
pub(crate) const FILES: [&str; 2] = [
    "cifar100/train-00000-of-00001.parquet",
    "cifar100/test-00000-of-00001.parquet",
];

/// The md5 of the original records: `train.bin` and `test.bin` of cifar-100-binary.tar.gz.
pub(crate) const RECORDS_MD5: [&str; 2] = [
    "6172c7755cfe09b2fe270c85cebc1b15",
    "4499cfba6c016c1be1438163640a0898",
];

/// The same of the bundled sample.
const SAMPLE_RECORDS_MD5: [&str; 2] = [
    "bb0a8e39855f2f9563817ee56e2e9732",
    "a9f103b078bb08e2f62ccb7786eab8b2",
];

/// Loads CIFAR-100: 50,000 training and 10,000 test images of 100 classes in 20 superclasses,
/// 32×32 RGB. The bundled sample has 4,000 and 1,000 of them.
///
/// The images are decoded once and kept as one packed file in the cache; a second call reads
/// that. Which source is used, and whether it is the original bit for bit, is in the result's
/// [`Provenance`]: a caller should say so loudly where [`Provenance::is_sample`].
///
/// ```no_run
/// use siamese_data::{LoadOptions, load_cifar100};
///
/// let dataset = load_cifar100(&LoadOptions::default())?;
/// println!("{} images from {}", dataset.train.len(), dataset.provenance.origin);
/// # Ok::<(), siamese_data::DataError>(())
/// ```
///
/// # Errors
///
/// Any [`DataError`]. Without a network, [`SourceChoice::Auto`] takes the sample instead.
pub fn load_cifar100(options: &LoadOptions) -> Result<Dataset, DataError> {
    if let Some(path) = &options.data {
        let found = locate(path)?;
        let whole = path
            .canonicalize()
            .map_err(DataError::io("reading", path))?;
        return load(options, &found, Origin::Path(whole));
    }
    match options.source {
        SourceChoice::Sample => load_sample(options, None),
        SourceChoice::Hub => load_hub(options),
        SourceChoice::Auto if is_at_hand(options) => load_hub(options),
        SourceChoice::Auto => match repo(options).probe(FILES[0], options.progress) {
            Ok(()) => load_hub(options),
            Err(error) if error.is_out_of_reach() => load_sample(options, Some(error.to_string())),
            Err(error) => Err(error),
        },
    }
}

/// The hub's files on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFiles {
    /// The parquet file of the training split.
    pub train: PathBuf,
    /// The parquet file of the test split.
    pub test: PathBuf,
    /// The commit of the repository they belong to.
    pub commit: String,
}

/// Downloads CIFAR-100 from the Hugging Face hub into the hub's cache, if it is not there yet.
///
/// A file in the cache is checked against its checksum, and fetched again if it is damaged.
///
/// # Errors
///
/// Any [`DataError`] of the hub, and of the file system.
pub fn fetch_cifar100(options: &LoadOptions) -> Result<FetchedFiles, DataError> {
    let repo = repo(options);
    Ok(FetchedFiles {
        train: repo.get(FILES[0], options.progress)?,
        test: repo.get(FILES[1], options.progress)?,
        commit: repo.cached_commit().unwrap_or_default(),
    })
}

fn repo(options: &LoadOptions) -> DatasetRepo<'_> {
    DatasetRepo::new(REPO, &options.hub)
}

/// Whether the hub's set can be had without the network.
fn is_at_hand(options: &LoadOptions) -> bool {
    let repo = repo(options);
    FILES.iter().all(|file| repo.cached(file).is_some())
        || packed_path(options, &hub_key()).is_file()
}

fn load_hub(options: &LoadOptions) -> Result<Dataset, DataError> {
    let path = packed_path(options, &hub_key());
    let repo = repo(options);
    // Where the hub's cache was emptied, the packed file stands for itself.
    let wanted = match FILES.map(|file| repo.cached(file)) {
        [Some(train), Some(test)] => Some(parquet(train, test).fingerprint()?),
        _ => None,
    };
    let wanted = wanted.as_deref().map_or(Wanted::Any, Wanted::MadeFrom);
    if let Some(dataset) = packed::read(&path, wanted) {
        return Ok(dataset);
    }
    let files = fetch_cifar100(options)?;
    let origin = Origin::Hub {
        repo: REPO.into(),
        commit: files.commit,
    };
    load(options, &parquet(files.train, files.test), origin)
}

fn load_sample(options: &LoadOptions, fallback: Option<String>) -> Result<Dataset, DataError> {
    let folder = sample::find(REPO, options.samples.as_deref())?;
    let folder = folder.canonicalize().unwrap_or(folder);
    let found = locate(&folder)?;
    let mut dataset = load(options, &found, Origin::Sample(folder.clone()))?;
    if !dataset.provenance.verified {
        return Err(DataError::damaged(&folder, "it is not the bundled sample"));
    }
    dataset.provenance.fallback = fallback;
    Ok(dataset)
}

fn parquet(train: PathBuf, test: PathBuf) -> Found {
    Found::Parquet {
        train: vec![train],
        test: vec![test],
    }
}

/// The packed file of `found`, made first if there is none or it is of another source.
fn load(options: &LoadOptions, found: &Found, origin: Origin) -> Result<Dataset, DataError> {
    let key = match &origin {
        Origin::Hub { .. } => hub_key(),
        Origin::Path(path) => format!("path {}", path.display()),
        Origin::Sample(path) => format!("sample {}", path.display()),
    };
    let path = packed_path(options, &key);
    let fingerprint = found.fingerprint()?;
    if let Some(dataset) = packed::read(&path, Wanted::MadeFrom(&fingerprint)) {
        return Ok(dataset);
    }

    options
        .progress
        .note(&format!("decoding CIFAR-100 from {origin}"));
    let [train, test] = read(found)?;
    let expected = match &origin {
        Origin::Sample(_) => SAMPLE_RECORDS_MD5,
        Origin::Hub { .. } | Origin::Path(_) => RECORDS_MD5,
    };
    let dataset = Dataset {
        provenance: Provenance {
            name: "cifar100".into(),
            verified: has_md5(&train, expected[0]) && has_md5(&test, expected[1]),
            origin,
            fallback: None,
        },
        train,
        test,
    };
    if let Err(error) = packed::write(&path, &dataset, &fingerprint) {
        let note = format!("the decoded set is not kept, the next start decodes again: {error}");
        options.progress.note(&note);
    }
    Ok(dataset)
}

fn read(found: &Found) -> Result<[ImageSet; 2], DataError> {
    match found {
        Found::Archive(path) => cifar_binary::read_archive(path),
        Found::Folder(path) => cifar_binary::read_folder(path),
        Found::Parquet { train, test } => Ok([
            parquet_file::read_shards(train)?,
            parquet_file::read_shards(test)?,
        ]),
    }
}

fn has_md5(set: &ImageSet, md5: &str) -> bool {
    cifar_binary::record_md5(set).is_some_and(|found| found == md5)
}

fn hub_key() -> String {
    format!("hub {REPO}")
}

/// Where the set with this key is packed: one file per source, so that a changed source
/// replaces what it was.
fn packed_path(options: &LoadOptions, key: &str) -> PathBuf {
    let digest = digest::sha256(key.as_bytes());
    cache_folder(options.cache.as_deref()).join(format!("cifar100-{}.packed", &digest[..12]))
}
