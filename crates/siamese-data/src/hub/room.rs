//! Whether a file has room on its disk, asked before it is fetched.

use std::path::Path;

use crate::DataError;

/// Checks that `missing` bytes of `url` have room in `folder`; where the system does not say, they are taken to have.
///
/// # Errors
///
/// [`DataError::NoRoom`] if they do not.
pub(super) fn check(url: &str, missing: u64, folder: &Path) -> Result<(), DataError> {
    match free(folder) {
        Some(free) if free < missing => Err(DataError::NoRoom {
            url: url.into(),
            missing,
            folder: folder.to_path_buf(),
            free,
        }),
        _ => Ok(()),
    }
}

/// Bytes that a user may still write into `folder`.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}
