//! A run folder: where a run keeps all that it leaves behind.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use serde::{Deserialize, Serialize};
use siamese_data::read_text;

use crate::checkpoint::Checkpoint;
use crate::config::TrainConfig;
use crate::data::DataRecord;
use crate::summary::Summary;

/// The version of Candle in the workspace; a test keeps it true.
const CANDLE_VERSION: &str = "0.11.1";

const LAST: &str = "last.safetensors";
/// What is kept of a training that diverged.
pub(crate) const DIVERGED: &str = "diverged.json";
pub(crate) const DIVERGED_PICTURES: &str = "diverged.png";
/// The file that is locked. It is never replaced or removed, since a lock is on the file and not on its name.
pub(crate) const LOCK: &str = ".lock";

/// The folder of a run.
///
/// | file | what |
/// |---|---|
/// | `config.json` | all that decides the run, with versions, data and device |
/// | `split.csv` | which image is in which part |
/// | `metrics.jsonl` | one line of JSON per epoch |
/// | `best.safetensors` | the model: weights of the best epoch, preprocessing, distance, threshold |
/// | `last.safetensors` | the checkpoint that `--resume` goes on from: it says how far the others count |
/// | `previous.safetensors` | the one before, for when that is damaged |
/// | `result.json` | the final figures under their standard names, with intervals |
/// | `report.html` | everything to look at |
/// | `README.md` | the model card |
/// | `events.out.tfevents.*` | for TensorBoard |
/// | `diverged.json` | the first step at which the loss was no number, and its images |
/// | `diverged.png` | these as they were augmented for that step, pixel for pixel, row by row |
/// | `.lock` | locked by the process that trains |
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// The lock file, while a claim on the folder lives.
    pub(crate) claimed: Arc<Mutex<Weak<File>>>,
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
    /// The place of a run whose folder is another process's: nothing of the run is written there.
    pub fn elsewhere() -> Self {
        Self::at(std::env::temp_dir())
    }

    /// A folder of which nothing is known yet.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            claimed: Arc::default(),
        }
    }

    /// Makes the folder of a new run and writes down what decides it: `parent/name`, or without a name `parent/DATA-PRESET-1`,
    /// `parent/DATA-PRESET-2`, …
    ///
    /// A folder of the given name in which a start failed before it trained is emptied and taken again.
    ///
    /// # Errors
    /// When there is another folder of the given name, or none can be made or written to.
    pub fn begin(parent: &Path, name: Option<&str>, record: &RunRecord) -> Result<Self> {
        let data = &record.data.name;
        let stem = match record.config.preset.as_str() {
            "auto" => data.clone(),
            preset => format!("{data}-{preset}"),
        };
        let folder = Self::create(parent, name, &stem)?;
        folder.write_json("config.json", record)?;
        Ok(folder)
    }

    pub(crate) fn create(parent: &Path, name: Option<&str>, stem: &str) -> Result<Self> {
        fs::create_dir_all(parent)
            .with_context(|| format!("making the folder {}", parent.display()))?;
        if let Some(name) = name {
            let folder = Self::at(parent.join(name));
            if !folder.make()? {
                folder.take_again()?;
            }
            return Ok(folder);
        }
        for n in 1.. {
            let folder = Self::at(parent.join(format!("{stem}-{n}")));
            if folder.make()? {
                return Ok(folder);
            }
        }
        bail!("there is no number left for a folder {stem}-N")
    }

    /// Makes the folder, or finds that there is something of its name: of several processes one makes it.
    fn make(&self) -> Result<bool> {
        match fs::create_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            made => {
                made.with_context(|| format!("making the folder {}", self.path.display()))?;
                Ok(true)
            }
        }
    }

    /// Empties a folder in which a start failed.
    fn take_again(&self) -> Result<()> {
        let path = self.path.display();
        ensure!(
            self.path.is_dir() && is_failed_start(&self.path)?,
            "{path} is there already: go on with it by --resume {path}, or choose another --name"
        );
        let _claim = self.claim()?;
        for entry in fs::read_dir(&self.path)? {
            let file = entry?.path();
            if file.file_name() != Some(LOCK.as_ref()) {
                fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
            }
        }
        Ok(())
    }

    /// Opens the folder of an earlier run.
    ///
    /// # Errors
    /// When it holds no `config.json`.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self::at(path);
        ensure!(
            folder.file("config.json").is_file(),
            "{} is not the folder of a run: it has no config.json",
            path.display()
        );
        Ok(folder)
    }

    /// Opens the folder of the run that made a model: the folder given, or that in which the file given lies.
    ///
    /// # Errors
    /// As [`Self::open`]; and when the file is another one than the run's model, of which the run can tell nothing.
    pub fn of_model(place: &Path) -> Result<Self> {
        if place.is_dir() {
            return Self::open(place);
        }
        let folder = Self::open(place.parent().unwrap_or(place))?;
        ensure!(
            place.file_name() == folder.best().file_name(),
            "{} is not the model of the run in whose folder it lies",
            place.display()
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
        self.file(LAST)
    }

    /// The checkpoint before that.
    pub fn previous(&self) -> PathBuf {
        self.file("previous.safetensors")
    }

    /// Removes what killed processes left of files that they were writing.
    pub(crate) fn sweep(&self) -> Result<()> {
        siamese_files::sweep(&self.path)
            .with_context(|| format!("sweeping {}", self.path.display()))
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
}

/// Whether all that a folder holds is what a start leaves that never came to train, its first checkpoint included.
fn is_failed_start(path: &Path) -> Result<bool> {
    for entry in fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
        let name = entry?.file_name();
        let of_a_start = match &*name.to_string_lossy() {
            "config.json" | "split.csv" | DIVERGED | DIVERGED_PICTURES | LOCK => true,
            LAST => Checkpoint::load(&path.join(LAST), &Device::Cpu)
                .is_ok_and(|checkpoint| checkpoint.state.position.step == 0),
            text => text.starts_with("events.out.tfevents.") || siamese_files::is_partial(&name),
        };
        if !of_a_start {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_counted_up_and_never_taken_twice() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let first = RunFolder::create(parent.path(), None, "quick")?;
        let second = RunFolder::create(parent.path(), None, "quick")?;
        assert!(first.path().ends_with("quick-1") && second.path().ends_with("quick-2"));
        first.write("last.safetensors", b"trained")?;
        let error = RunFolder::create(parent.path(), Some("quick-1"), "quick").unwrap_err();
        assert!(error.to_string().contains("--resume"), "{error}");
        Ok(())
    }

    #[test]
    fn starts_at_the_same_instant_get_names_of_their_own() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let create = || RunFolder::create(parent.path(), None, "birds");
        let made: Result<Vec<RunFolder>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(create)).collect();
            let made = threads.into_iter().map(|thread| thread.join().unwrap());
            made.collect()
        });
        let names: BTreeSet<String> = made?.iter().map(RunFolder::name).collect();
        assert_eq!(names.len(), 16);
        Ok(())
    }

    #[test]
    fn a_start_that_failed_is_started_again_and_nothing_else_is_emptied() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let create = || RunFolder::create(parent.path(), Some("run"), "");
        let first = create()?;
        for left in [
            "config.json",
            "split.csv",
            "events.out.tfevents.1.a",
            ".x.1.partial",
        ] {
            first.write(left, b"x")?;
        }
        let claim = first.claim()?;
        let error = format!("{:#}", create().unwrap_err());
        assert!(error.contains("another process"), "{error}");
        drop(claim);
        let again = create()?;
        let left = fs::read_dir(again.path())?.count();
        assert_eq!(left, 1, "the lock alone");
        for trained in ["last.safetensors", "metrics.jsonl", "notes.txt"] {
            again.write(trained, b"x")?;
            assert!(create().is_err(), "{trained}");
            fs::remove_file(again.file(trained))?;
        }
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
    fn a_run_tells_of_its_own_model_alone() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let folder = RunFolder::create(parent.path(), Some("a"), "b")?;
        folder.write_json("config.json", &0)?;
        for place in [folder.path(), &folder.best()] {
            assert_eq!(RunFolder::of_model(place)?.name(), "a");
        }
        let other = RunFolder::of_model(&folder.file("other.safetensors"));
        let error = other.expect_err("another's model").to_string();
        assert!(error.contains("is not the model of the run"), "{error}");
        Ok(())
    }

    #[test]
    fn another_folder_is_no_run() {
        let folder = tempfile::tempdir().unwrap();
        let error = RunFolder::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("config.json"), "{error}");
    }
}
