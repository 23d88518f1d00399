//! Where the bytes of a listed set's pictures are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;
use siamese_files::{guarded, read_regular};

#[cfg(feature = "parquet")]
use super::rows::Rows;
use super::spans::Spans;
use super::stored::{Stored, spread};
use crate::digest;
use crate::error::DataError;
use crate::picture::PictureLimits;

/// The pictures of a set, each to be had by its number, from several threads at once.
#[derive(Debug)]
pub(crate) enum Store {
    /// A file each.
    Files(Vec<PathBuf>),
    /// Parts of larger files: archives, records.
    Spans(Spans),
    /// Rows of parquet files.
    #[cfg(feature = "parquet")]
    Rows(Rows),
}

impl Store {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Files(paths) => paths.len(),
            Self::Spans(spans) => spans.spans.len(),
            #[cfg(feature = "parquet")]
            Self::Rows(rows) => rows.rows.len(),
        }
    }

    /// Picture `item`, where its file is within the limits; an error says why it cannot be read, in words.
    pub(crate) fn picture(&self, item: usize, limits: &PictureLimits) -> Result<Stored, String> {
        guarded(|| match self {
            Self::Files(paths) => read_file(&paths[item], limits).map(Stored::Encoded),
            Self::Spans(spans) => spans.picture(item, limits),
            #[cfg(feature = "parquet")]
            Self::Rows(rows) => rows.picture(item).map(Stored::Encoded),
        })
        .unwrap_or_else(Err)
    }

    /// At most `most` pictures that are quick to get, spread as evenly as that allows.
    pub(crate) fn sample(&self, most: usize) -> Vec<usize> {
        match self {
            #[cfg(feature = "parquet")]
            Self::Rows(rows) => rows.sample(most),
            Self::Files(_) | Self::Spans(_) => spread(self.len(), most),
        }
    }

    /// The files behind the pictures, each once.
    fn files(&self) -> Vec<&Path> {
        match self {
            Self::Files(paths) => paths.iter().map(PathBuf::as_path).collect(),
            Self::Spans(spans) => spans.files.iter().map(|file| file.path.as_path()).collect(),
            #[cfg(feature = "parquet")]
            Self::Rows(rows) => rows.files.iter().map(PathBuf::as_path).collect(),
        }
    }

    /// See [`Listing::fingerprint`](super::listing::Listing::fingerprint).
    pub(crate) fn fingerprint(&self) -> Result<String, DataError> {
        let line = |path: &&Path| {
            let metadata = fs::metadata(path).map_err(DataError::io("reading", path))?;
            let time = metadata
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
            let mut line = whole.into_os_string().into_encoded_bytes();
            line.extend(
                format!(
                    " {} {}\n",
                    metadata.len(),
                    time.unwrap_or_default().as_nanos()
                )
                .bytes(),
            );
            Ok(line)
        };
        let lines: Vec<Result<Vec<u8>, DataError>> = self.files().par_iter().map(line).collect();
        let lines: Vec<Vec<u8>> = lines.into_iter().collect::<Result<_, _>>()?;
        Ok(digest::sha256(&lines.concat()))
    }
}

fn read_file(path: &Path, limits: &PictureLimits) -> Result<Vec<u8>, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    limits
        .check_file(length)
        .map_err(|error| error.to_string())?;
    read_regular(path).map_err(|error| error.to_string())
}
