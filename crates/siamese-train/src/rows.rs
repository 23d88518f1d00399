//! The rows of `metrics.jsonl`: one line of JSON per epoch, as many as the checkpoint counts.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::{Context, Result, bail, ensure};
use siamese_report::EpochRow;

use crate::folder::RunFolder;

const FILE: &str = "metrics.jsonl";

impl RunFolder {
    /// Adds a line to `metrics.jsonl` and sees it onto the disk; what was not measured is left out of it.
    ///
    /// # Errors
    /// When the loss is not finite, or the file cannot be written.
    pub fn append_epoch(&self, row: &EpochRow) -> Result<()> {
        let path = self.file(FILE);
        let epoch = row.epoch;
        ensure!(
            row.train_loss.is_finite(),
            "the training loss of epoch {epoch} is {}",
            row.train_loss
        );
        let line = serde_json::to_string(row)?;
        let append = || -> Result<()> {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(format!("{line}\n").as_bytes())?;
            Ok(file.sync_all()?)
        };
        append().with_context(|| format!("writing {}", path.display()))
    }

    /// The rows of `metrics.jsonl`, none if there is no such file. A last line that is still being written is no row.
    ///
    /// # Errors
    /// When a line cannot be understood; the message names it.
    pub fn epochs(&self) -> Result<Vec<EpochRow>> {
        let (path, text) = (self.file(FILE), self.rows_text()?);
        let mut rows = Vec::new();
        for (i, line) in text.split_inclusive('\n').enumerate() {
            match serde_json::from_str(line) {
                Ok(row) => rows.push(row),
                Err(_) if !line.ends_with('\n') => {}
                Err(error) => {
                    let at = format!("reading {}:{}", path.display(), i + 1);
                    return Err(error).context(at);
                }
            }
        }
        Ok(rows)
    }

    /// Keeps the first `count` rows of `metrics.jsonl`, those that the checkpoint counts, and cuts whatever follows.
    ///
    /// # Errors
    /// When these are not the epochs from 1 to `count`, or the file cannot be read or written.
    pub(crate) fn keep_epochs(&self, count: usize) -> Result<()> {
        let (path, text) = (self.file(FILE), self.rows_text()?);
        let mut lines = text.lines();
        let mut kept = String::new();
        for epoch in 1..=count {
            let line = lines.next().unwrap_or_default();
            match serde_json::from_str::<EpochRow>(line) {
                Ok(row) if row.epoch == epoch => kept.extend([line, "\n"]),
                _ => bail!(
                    "{}:{epoch} is not the row of epoch {epoch}, but the checkpoint counts {count} epochs: put the file back as it \
                     was, or start a new run with `siamese train {}`",
                    path.display(),
                    self.file("config.json").display()
                ),
            }
        }
        if kept == text {
            return Ok(());
        }
        self.write(FILE, kept.as_bytes())
    }

    /// The text of `metrics.jsonl`; a torn write may have left what is no text.
    fn rows_text(&self) -> Result<String> {
        let path = self.file(FILE);
        if !path.exists() {
            return Ok(String::new());
        }
        let bytes = siamese_files::read_regular(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn row(epoch: usize) -> EpochRow {
        EpochRow {
            epoch,
            train_loss: 0.1,
            ..Default::default()
        }
    }

    #[test]
    fn rows_beyond_the_checkpoint_are_cut_wherever_a_write_ended() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let folder = RunFolder::create(parent.path(), Some("run"), "")?;
        assert!(folder.epochs()?.is_empty());
        for epoch in 1..=3 {
            folder.append_epoch(&row(epoch))?;
        }
        let whole = fs::read(folder.file(FILE))?;
        let two = whole.len() / 3 * 2;
        for end in two - 1..whole.len() {
            folder.write(FILE, &whole[..end])?;
            assert_eq!(
                folder.epochs()?.len(),
                if end + 1 < whole.len() { 2 } else { 3 }
            );
            folder.keep_epochs(2)?;
            assert!(fs::read(folder.file(FILE))? == whole[..two], "cut at {end}");
            folder.append_epoch(&row(3))?;
            assert!(fs::read(folder.file(FILE))? == whole);
        }
        Ok(())
    }

    #[test]
    fn a_gap_a_duplicate_and_a_missing_row_are_refused_by_line() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let folder = RunFolder::create(parent.path(), Some("run"), "")?;
        for epochs in [[1, 3, 4], [1, 1, 2], [1, 0, 3]] {
            fs::write(folder.file(FILE), "")?;
            for epoch in epochs {
                folder.append_epoch(&row(epoch))?;
            }
            let error = folder.keep_epochs(3).unwrap_err().to_string();
            assert!(error.contains("metrics.jsonl:2"), "{error}");
        }
        fs::remove_file(folder.file(FILE))?;
        assert!(folder.keep_epochs(1).is_err());
        folder.keep_epochs(0)
    }

    #[test]
    fn null_never_reaches_the_file() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let folder = RunFolder::create(parent.path(), Some("run"), "")?;
        let mut row = row(1);
        row.eer = Some(f64::NAN);
        folder.append_epoch(&row)?;
        row.train_loss = f64::INFINITY;
        assert!(folder.append_epoch(&row).is_err());
        let text = fs::read_to_string(folder.file(FILE))?;
        assert!(
            !text.contains("null") && text.lines().count() == 1,
            "{text}"
        );
        Ok(())
    }
}
