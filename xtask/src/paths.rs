//! Where things are: the repository's root, cargo, the target folder, the user's home.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The root of the repository: the folder above this crate.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that started this, or the one on `PATH`.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match variable("CARGO_TARGET_DIR") {
        // A relative one is the caller's; what we start may stand elsewhere.
        Some(dir) => std::path::absolute(&dir).unwrap_or(dir),
        None => root().join("target"),
    }
}

/// The path in an environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The first executable called `name` on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(&name))
        .find(|path| path.is_file())
}

/// A path as a person writes it: relative to the repository or to the home folder where it lies inside.
pub(crate) fn display(path: &Path) -> String {
    if let Ok(inside) = path.strip_prefix(root()) {
        return inside.display().to_string();
    }
    match std::env::home_dir().and_then(|home| path.strip_prefix(home).ok().map(Path::to_path_buf))
    {
        Some(inside) => format!("~/{}", inside.display()),
        None => path.display().to_string(),
    }
}
