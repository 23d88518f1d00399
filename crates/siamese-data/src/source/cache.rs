//! The folder for what is made once and kept: decoded sets, downloads.

use std::path::{Path, PathBuf};

use crate::variables::folder;

/// `given`, else `SIAMESE_CACHE`, else `$XDG_CACHE_HOME/siamese`, else `~/.cache/siamese`.
pub(crate) fn cache_folder(given: Option<&Path>) -> PathBuf {
    given
        .map(Path::to_path_buf)
        .or_else(|| folder("SIAMESE_CACHE"))
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("siamese")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache/siamese")))
        .unwrap_or_else(|| std::env::temp_dir().join("siamese"))
}
