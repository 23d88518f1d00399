//! Finds out what a path given by the user holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::cifar_binary;
use crate::error::DataError;

const EXPECTED: &str = "CIFAR-100: wanted is a folder with train-*.parquet and test-*.parquet \
                        (as on the hub), cifar-100-binary.tar.gz, or its unpacked folder \
                        (train.bin, test.bin, fine_label_names.txt, coarse_label_names.txt)";

/// How far below a given folder the files may lie: `uoft-cs/cifar100/*.parquet`.
const DEPTH: usize = 2;

/// A data set on disk, not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The hub's parquet files, each split's in the order of their names.
    Parquet {
        train: Vec<PathBuf>,
        test: Vec<PathBuf>,
    },
    /// `cifar-100-binary.tar.gz`.
    Archive(PathBuf),
    /// The unpacked folder.
    Folder(PathBuf),
}

/// What CIFAR-100 lies at `path`: at the path, beside it if it is one of the files, or below.
///
/// # Errors
///
/// [`DataError::NotADataSet`] says what was found instead; also if there are several sets.
pub(crate) fn locate(path: &Path) -> Result<Found, DataError> {
    if !path.is_dir() {
        return locate_file(path);
    }
    let mut level = vec![path.to_path_buf()];
    for _ in 0..=DEPTH {
        let found: Vec<Found> = level
            .iter()
            .filter_map(|folder| in_folder(folder))
            .collect();
        match found.len() {
            0 => {}
            1 => return Ok(found.into_iter().next().expect("one was counted")),
            _ => return Err(several(path, &found)),
        }
        level = level.iter().flat_map(|folder| subfolders(folder)).collect();
    }
    Err(not_a_data_set(path, listing(path)))
}

impl Found {
    /// The set's files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Parquet { train, test } => [train.as_slice(), test].concat(),
            Self::Archive(path) => vec![path.clone()],
            Self::Folder(folder) => cifar_binary::FILES.map(|f| folder.join(f)).to_vec(),
        }
    }

    /// Where the files really are, their lengths and times: differs when one of them changes.
    pub(crate) fn fingerprint(&self) -> Result<String, DataError> {
        let mut lines = String::new();
        for file in self.files() {
            let seen = || {
                let path = file.canonicalize()?;
                let metadata = path.metadata()?;
                let time = metadata.modified()?.duration_since(UNIX_EPOCH);
                let nanos = time.unwrap_or_default().as_nanos();
                Ok(format!("{} {} {nanos}\n", path.display(), metadata.len()))
            };
            lines += &seen().map_err(DataError::io("reading", &file))?;
        }
        Ok(lines)
    }
}

fn locate_file(path: &Path) -> Result<Found, DataError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = name.rsplit('.').next().unwrap_or_default();
    match extension {
        _ if !path.exists() => Err(not_a_data_set(path, "nothing".into())),
        "gz" | "tgz" => Ok(Found::Archive(path.to_path_buf())),
        "parquet" | "bin" | "txt" => path
            .parent()
            .and_then(in_folder)
            .ok_or_else(|| not_a_data_set(path, "one file of several".into())),
        _ => Err(not_a_data_set(path, "a file of another kind".into())),
    }
}

/// The set whose files lie directly in `folder`.
fn in_folder(folder: &Path) -> Option<Found> {
    let shards = |split: &str| -> Vec<PathBuf> {
        let mut paths = entries(folder);
        paths.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(split) && name.ends_with(".parquet")
        });
        paths
    };
    let (train, test) = (shards("train-"), shards("test-"));
    if !train.is_empty() && !test.is_empty() {
        return Some(Found::Parquet { train, test });
    }
    let has = |file: &&str| folder.join(file).is_file();
    if cifar_binary::FILES.iter().all(has) {
        return Some(Found::Folder(folder.to_path_buf()));
    }
    let archive = folder.join("cifar-100-binary.tar.gz");
    archive.is_file().then_some(Found::Archive(archive))
}

/// What `folder` holds, sorted; nothing if it cannot be read.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let mut paths = entries(folder);
    paths.retain(|path| path.is_dir());
    paths
}

fn several(path: &Path, found: &[Found]) -> DataError {
    let places: Vec<String> = found
        .iter()
        .flat_map(|set| set.files().into_iter().take(1))
        .map(|file| file.display().to_string())
        .collect();
    let found = format!("several sets ({}); name one of them", places.join(", "));
    not_a_data_set(path, found)
}

fn listing(folder: &Path) -> String {
    let entries = entries(folder);
    let names = entries.iter().take(8).filter_map(|path| path.file_name());
    let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
    match entries.len() {
        0 => "an empty folder".into(),
        n if n > names.len() => format!("{} and {} more", names.join(", "), n - names.len()),
        _ => names.join(", "),
    }
}

fn not_a_data_set(path: &Path, found: String) -> DataError {
    DataError::NotADataSet {
        path: path.to_path_buf(),
        expected: EXPECTED,
        found,
    }
}
