//! Parquet files in a build without the feature `parquet`: each is refused by a sentence.

use std::path::{Path, PathBuf};

use super::listing::Listing;
use super::options::{Columns, OpenOptions};
use super::table_text::Table;
use crate::error::DataError;

fn absent<T>(path: &Path) -> Result<T, DataError> {
    Err(DataError::WithoutFeature {
        what: format!("reading the parquet file {}", path.display()),
        feature: "parquet",
    })
}

pub(crate) fn list(place: &Path, _: &[PathBuf], _: &OpenOptions) -> Result<Listing, DataError> {
    absent(place)
}

pub(crate) fn has_pictures(path: &Path, _: &Columns) -> Result<bool, DataError> {
    absent(path)
}

pub(crate) fn read_table(path: &Path) -> Result<Table, DataError> {
    absent(path)
}
