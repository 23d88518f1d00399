//! The files that a table names.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::walk::why_no_picture;

/// For each name the file, or why it is left out.
pub(crate) fn check_files(folder: &Path, names: Vec<&str>) -> Vec<Result<PathBuf, String>> {
    let check = |name: &&str| match file_at(folder, name) {
        None if name.is_empty() => Err("without a path".to_string()),
        None if name.contains("://") => Err("an address, not a file".into()),
        None => Err("no such file".into()),
        Some(path) => match why_no_picture(&path) {
            None => Ok(path),
            Some(why) => Err(why),
        },
    };
    names.par_iter().map(check).collect()
}

/// The file called `name` from `folder`, also where the name is written as on Windows.
pub fn file_at(folder: &Path, name: &str) -> Option<PathBuf> {
    let written = [name.to_string(), name.replace('\\', "/")];
    written
        .map(|name| folder.join(name))
        .into_iter()
        .find(|path| path.is_file())
}
