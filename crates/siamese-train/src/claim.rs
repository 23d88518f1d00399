//! A claim on a run folder: one process trains in it, and another is told so.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::sync::{Arc, PoisonError};

use anyhow::{Context, Result, bail};

use crate::folder::{LOCK, RunFolder};

/// Keeps other processes out of a run folder while it lives. The lock is the system's and ends with the process.
#[derive(Debug)]
#[must_use = "the folder is free again when this is dropped"]
pub struct Claim(#[expect(dead_code, reason = "it is held, not read")] Arc<File>);

impl RunFolder {
    /// Claims the folder for this process; clones of a folder that is claimed already share the claim.
    ///
    /// # Errors
    /// When another process trains in it, or the lock file cannot be made.
    pub fn claim(&self) -> Result<Claim> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = claimed.upgrade() {
            return Ok(Claim(file));
        }
        let path = self.file(LOCK);
        let locking = || format!("locking {}", path.display());
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        let file = Arc::new(options.open(&path).with_context(locking)?);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another process is training in {}: wait until it ends, or end it (Ctrl-C leaves a checkpoint)",
                self.path().display()
            ),
            // some network file systems know no locks
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(locking),
        }
        *claimed = Arc::downgrade(&file);
        Ok(Claim(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_claimed_once_until_the_claim_ends() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let folder = RunFolder::create(parent.path(), Some("run"), "")?;
        let other = RunFolder::at(folder.path());
        let claim = folder.claim()?;
        let shared = folder.clone().claim()?;
        drop(claim);
        let error = other.claim().unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(shared);
        assert!(other.claim().is_ok());
        Ok(())
    }
}
