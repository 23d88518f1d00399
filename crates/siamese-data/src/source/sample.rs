//! Finds the `datasets` folder with the samples that are bundled with the repository.

use std::path::{Path, PathBuf};

use super::cifar_files::FILES;
use crate::digest;
use crate::error::DataError;
use crate::variables::folder;

/// The md5 of the sample's files of training and test images.
const MD5: [&str; 2] = [
    "a020c16b8341736c80226c137cd6ad2a",
    "f51e9cc9cb2dfcd9281c0a80f05564b0",
];

/// The folder `datasets/NAME`, as `uoft-cs/cifar100`, of the bundled samples.
///
/// `datasets` is `given`, else `SIAMESE_DATASETS`, else the nearest one upward from the current
/// directory that has `NAME`, else that of the source tree this was built from.
pub(crate) fn find(name: &str, given: Option<&Path>) -> Result<PathBuf, DataError> {
    let named = given
        .map(Path::to_path_buf)
        .or_else(|| folder("SIAMESE_DATASETS"));
    let places = match named {
        Some(folder) => vec![folder],
        None => upward(),
    };
    let found = places.iter().map(|place| place.join(name));
    found
        .into_iter()
        .find(|folder| folder.is_dir())
        .ok_or_else(|| {
            let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
            DataError::NoSample {
                name: name.into(),
                looked: looked.join(", "),
            }
        })
}

/// Whether `folder` holds the bundled sample of CIFAR-100, whole and unchanged.
///
/// # Errors
///
/// [`DataError::Damaged`] if it does not.
pub(crate) fn check(folder: &Path) -> Result<(), DataError> {
    for (file, md5) in FILES.iter().zip(MD5) {
        let path = folder.join(file);
        let found = digest::md5_of_file(&path).map_err(DataError::io("reading", &path))?;
        if found != md5 {
            return Err(DataError::damaged(&path, "it is not the bundled sample"));
        }
    }
    Ok(())
}

fn upward() -> Vec<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let mut places: Vec<PathBuf> = here.ancestors().map(|dir| dir.join("datasets")).collect();
    places.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets"));
    places
}
