//! The door: a path, a name, or a repository of the hub.

use std::ffi::OsStr;
use std::path::Path;

use super::listing::Listing;
use super::look::open_path;
use super::names::{self, KNOWN, Known};
use super::options::OpenOptions;
use super::shown::shown;
use super::{download, hub_repo};
use crate::error::DataError;

/// Opens a data set: `what` is a path, a name (`cifar100`, `fashion-mnist`, …), or a repository of the Hugging Face
/// hub, `hf:user/name[@revision][/config]`. No picture is decoded but for some headers.
///
/// A path is recognised by looking: a folder with one subfolder per class, perhaps under `train/` and `test/`, or
/// with `metadata.csv`; a table of `path, label` or of `path, path, same`; parquet files with a column of pictures;
/// IDX files; Omniglot's zips; CIFAR's records; a tar or zip archive; WebDataset's shards.
///
/// # Errors
///
/// [`DataError::Unrecognised`] says what was found, and what to type instead; any other [`DataError`] of the files
/// and of the network.
pub fn open(what: impl AsRef<OsStr>, options: &OpenOptions) -> Result<Listing, DataError> {
    let path = Path::new(what.as_ref());
    let name = shown(path.as_os_str());
    if let Some(repo) = name.strip_prefix("hf:") {
        return hub_repo::open(repo, options);
    }
    if path.exists() {
        return open_path(path, options);
    }
    if let Some(known) = Known::of(&name) {
        return download::open(known, options);
    }
    let names = KNOWN.map(|known| known.name).join(", ");
    let meant =
        names::nearest(&name).map_or(String::new(), |name| format!("; did you mean {name}?"));
    Err(DataError::unrecognised(
        path,
        "there is no file or folder of that name, and no data set is called so",
        format!("give a path, a name ({names}), or hf:user/name{meant}"),
    ))
}
