//! The hub's cache on disk: blobs named by what the hub calls them, links to them, and locks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::{DataError, Progress, digest};

/// `folder/name` → `folder/name.ENDING`, whatever dots the name has.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Waits for other processes that hold the lock at `path`; it ends with the file.
pub(super) fn lock(path: &Path, progress: Progress) -> Result<File, DataError> {
    let file = File::create(path).map_err(DataError::io("creating", path))?;
    if file.try_lock().is_err() {
        progress.note("another process is downloading this file, waiting for it");
        file.lock().map_err(DataError::io("locking", path))?;
    }
    Ok(file)
}

/// Whether a blob named by its sha256, as the hub names large files, has that content.
///
/// True of other names: they say nothing that could be checked.
pub(super) fn agrees_with_its_name(path: &Path) -> Result<bool, DataError> {
    let read = DataError::io("reading", path);
    let checked = || {
        let blob = path.canonicalize()?;
        let name = blob.file_name().unwrap_or_default().to_string_lossy();
        match is_sha256(&name) {
            true => Ok(digest::sha256_of_file(&blob)? == name),
            false => Ok(true),
        }
    };
    checked().map_err(read)
}

pub(super) fn is_sha256(etag: &str) -> bool {
    etag.len() == 64 && etag.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Makes `pointer` lead to `blob`; `file` is the pointer's path within its snapshot. One that was there leads to its
/// blob until that instant: whoever is killed leaves one of the two.
pub(super) fn point(pointer: &Path, blob: &Path, file: &str) -> std::io::Result<()> {
    let folder = pointer.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // From snapshots/COMMIT and the folders of `file` up to where `blobs` is.
    let ups = "../".repeat(2 + file.matches('/').count());
    let name = blob.file_name().unwrap_or_default();
    let relative = Path::new(&ups).join("blobs").join(name);
    let beside = with_ending(pointer, "link");
    // of a process that was killed; whoever points holds the lock of this file
    let _ = fs::remove_file(&beside);
    match symlink(&relative, &beside) {
        Ok(()) => fs::rename(&beside, pointer),
        // no right to make links (Windows), or a disk that knows none: the file itself, as Python's client does
        Err(error) if cfg!(windows) || knows_no_links(&error) => fs::rename(blob, pointer),
        Err(error) => Err(error),
    }
}

fn knows_no_links(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, Unsupported};
    matches!(error.kind(), PermissionDenied | Unsupported)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
