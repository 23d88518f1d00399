//! The folder for what is made once and kept: decoded sets, downloads.

use std::path::{Path, PathBuf};

/// `given`, else `SIAMESE_CACHE`, else `$XDG_CACHE_HOME/siamese`, else `~/.cache/siamese`.
pub(crate) fn cache_folder(given: Option<&Path>) -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    given
        .map(Path::to_path_buf)
        .or_else(|| variable("SIAMESE_CACHE").map(PathBuf::from))
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| Path::new(&cache).join("siamese")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache/siamese")))
        .unwrap_or_else(|| std::env::temp_dir().join("siamese"))
}
