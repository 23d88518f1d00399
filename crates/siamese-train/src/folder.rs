//! A run folder: where a run keeps all that it leaves behind.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use siamese_data::read_text;
use siamese_report::EpochRow;

use crate::config::TrainConfig;
use crate::data::DataRecord;
use crate::summary::Summary;

/// The version of Candle in the workspace; a test keeps it true.
const CANDLE_VERSION: &str = "0.11.1";

/// The folder of a run.
///
/// | file | what |
/// |---|---|
/// | `config.json` | all that decides the run, with versions, data and device |
/// | `split.csv` | which image is in which part |
/// | `metrics.jsonl` | one line of JSON per epoch |
/// | `best.safetensors` | the model: weights of the best epoch, preprocessing, distance, threshold |
/// | `last.safetensors` | the checkpoint that `--resume` goes on from |
/// | `result.json` | the final figures under their standard names, with intervals |
/// | `report.html` | everything to look at |
/// | `README.md` | the model card |
/// | `events.out.tfevents.*` | for TensorBoard |
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

/// What `config.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this crate.
    pub siamese: String,
    /// Version of Candle that it was built with.
    pub candle: String,
    /// What the run computes on.
    pub device: String,
    /// Operating system and architecture.
    pub platform: String,
    /// The data set.
    pub data: DataRecord,
    /// The command line, without the program's folder.
    pub command: String,
    /// The configuration.
    pub config: TrainConfig,
    /// The run beside this one whose settings these are, and that was judged on the images which this one trains on too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refit_of: Option<String>,
}

impl RunRecord {
    /// The record of a new run.
    pub fn new(config: &TrainConfig, data: &DataRecord, device: String, command: String) -> Self {
        Self {
            siamese: env!("CARGO_PKG_VERSION").into(),
            candle: CANDLE_VERSION.into(),
            device,
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            data: data.clone(),
            command,
            config: config.clone(),
            refit_of: None,
        }
    }

    /// The record of the run that trains on the test images of the run `name` too, which this is the record of.
    pub fn refit(&self, name: String, command: String) -> Self {
        let mut refit = self.clone();
        refit.config.data.refit = true;
        Self {
            refit_of: Some(name),
            command,
            ..refit
        }
    }

    /// Whether a run may go on with this data.
    ///
    /// # Errors
    /// When a file of the set changed since the run was started, or it is another set.
    pub fn check_data(&self, data: &DataRecord) -> Result<()> {
        ensure!(
            self.data.name == data.name && self.data.sample == data.sample,
            "the run was started on {} ({}), but this is {} ({}): give the same data",
            self.data.name,
            self.data.origin,
            data.name,
            data.origin
        );
        ensure!(
            self.data.fingerprint == data.fingerprint,
            "{} is not what it was when the run was started (a picture was added, removed or changed): put it back, or start a new run",
            data.origin
        );
        Ok(())
    }
}

impl RunFolder {
    /// Makes the folder `parent/name`, or without a name `parent/stem-1`, `parent/stem-2`, …
    ///
    /// # Errors
    /// When a folder of the given name is there already, or none can be made.
    pub fn create(parent: &Path, name: Option<&str>, stem: &str) -> Result<Self> {
        fs::create_dir_all(parent)
            .with_context(|| format!("making the folder {}", parent.display()))?;
        let path = match name {
            Some(name) => parent.join(name),
            None => (1..)
                .map(|n| parent.join(format!("{stem}-{n}")))
                .find(|p| !p.exists())
                .unwrap_or_default(),
        };
        ensure!(
            !path.exists(),
            "{} is there already: go on with it by --resume {}, or choose another --name",
            path.display(),
            path.display()
        );
        fs::create_dir(&path).with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Self { path })
    }

    /// Opens the folder of an earlier run.
    ///
    /// # Errors
    /// When it holds no `config.json`.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self {
            path: path.to_path_buf(),
        };
        ensure!(
            folder.file("config.json").is_file(),
            "{} is not the folder of a run: it has no config.json",
            path.display()
        );
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the run.
    pub fn name(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The model of the best epoch.
    pub fn best(&self) -> PathBuf {
        self.file("best.safetensors")
    }

    /// The checkpoint.
    pub fn last(&self) -> PathBuf {
        self.file("last.safetensors")
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn record(&self) -> Result<RunRecord> {
        let path = self.file("config.json");
        let text = read_text(&path)?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Reads `result.json`: the figures of a run that is finished.
    ///
    /// # Errors
    /// When it is not there, or cannot be understood.
    pub fn summary(&self) -> Result<Summary> {
        let path = self.file("result.json");
        let reading = || format!("reading {}", path.display());
        let text = read_text(&path)?;
        serde_json::from_str(&text).with_context(reading)
    }

    /// The folder of a run beside this one.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// Writes a file of pretty JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string_pretty(value)?;
        text.push('\n');
        self.write(name, text.as_bytes())
    }

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.file(name);
        siamese_files::write_bytes(&path, bytes)
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Adds a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append_epoch(&self, row: &EpochRow) -> Result<()> {
        let path = self.file("metrics.jsonl");
        let append = || -> Result<()> {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            writeln!(file, "{}", serde_json::to_string(row)?)?;
            Ok(())
        };
        append().with_context(|| format!("writing {}", path.display()))
    }

    /// The rows of `metrics.jsonl`, none if there is no such file.
    ///
    /// # Errors
    /// When a line cannot be understood; the message names it.
    pub fn epochs(&self) -> Result<Vec<EpochRow>> {
        let path = self.file("metrics.jsonl");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let row = |(i, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("reading {}:{}", path.display(), i + 1))
        };
        text.lines().enumerate().map(row).collect()
    }

    /// Keeps the first `count` rows of `metrics.jsonl`: those that a checkpoint knows of.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn keep_epochs(&self, count: usize) -> Result<()> {
        let path = self.file("metrics.jsonl");
        if !path.exists() {
            return Ok(());
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let kept: String = text
            .lines()
            .take(count)
            .flat_map(|line| [line, "\n"])
            .collect();
        self.write("metrics.jsonl", kept.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_up_and_never_taken_twice() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let first = RunFolder::create(parent.path(), None, "quick")?;
        let second = RunFolder::create(parent.path(), None, "quick")?;
        assert!(first.path().ends_with("quick-1") && second.path().ends_with("quick-2"));
        let error = RunFolder::create(parent.path(), Some("quick-1"), "quick").unwrap_err();
        assert!(error.to_string().contains("--resume"), "{error}");
        Ok(())
    }

    #[test]
    fn epochs_are_appended_read_back_and_cut_to_what_a_checkpoint_knows() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let folder = RunFolder::create(parent.path(), Some("run"), "")?;
        assert!(folder.epochs()?.is_empty());
        for epoch in 1..=3 {
            folder.append_epoch(&EpochRow {
                epoch,
                train_loss: 0.1,
                ..Default::default()
            })?;
        }
        folder.keep_epochs(2)?;
        let epochs: Vec<usize> = folder.epochs()?.iter().map(|row| row.epoch).collect();
        assert_eq!(epochs, [1, 2]);
        Ok(())
    }

    #[test]
    fn the_recorded_version_of_candle_is_the_locked_one() -> Result<()> {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
        let lock = fs::read_to_string(lock)?;
        let entry = format!("name = \"candle-core\"\nversion = \"{CANDLE_VERSION}\"");
        assert!(lock.contains(&entry));
        Ok(())
    }

    #[test]
    fn another_folder_is_no_run() {
        let folder = tempfile::tempdir().unwrap();
        let error = RunFolder::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("config.json"), "{error}");
    }
}
