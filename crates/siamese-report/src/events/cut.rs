//! Cutting event files to what still counts when a run goes on from an earlier step.

use std::fs::{self, OpenOptions};
use std::path::Path;

use super::{PREFIX, proto, record};
use crate::error::{Result, io_at};

/// Cuts every event file in `folder` before its first record of a step after `step`, or the first that is not whole.
pub(super) fn after(folder: &Path, step: u64) -> Result<()> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let path = entry.map_err(io_at(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(PREFIX) || !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path).map_err(io_at(&path))?;
        let kept = counting(&bytes, step);
        if kept < bytes.len() {
            let cut = OpenOptions::new().write(true).open(&path);
            cut.and_then(|file| file.set_len(kept as u64).and_then(|()| file.sync_all()))
                .map_err(io_at(&path))?;
        }
    }
    Ok(())
}

/// How many bytes at the beginning of a file hold whole events of `step` and before.
fn counting(bytes: &[u8], step: i64) -> usize {
    let mut rest = bytes;
    while let Some((event, after)) = record::first(rest) {
        if proto::step(event).is_none_or(|of| of > step) {
            break;
        }
        rest = after;
    }
    bytes.len() - rest.len()
}
