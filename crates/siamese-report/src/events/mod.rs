//! TensorBoard event files, written without TensorFlow.

mod cut;
mod proto;
mod record;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::data::Thumbnail;
use crate::error::{Result, io_at};
use proto::What;

/// What the names of event files begin with.
const PREFIX: &str = "events.out.tfevents.";
const HISTOGRAM_BUCKETS: usize = 40;

/// Writes one `events.out.tfevents.<time>.<host>` file into a folder.
///
/// An event file is never appended to: a resumed run starts a new one ([`EventWriter::resume`]), and what older files
/// say of later steps is cut from them, since the run will say it again.
///
/// ```
/// use siamese_report::EventWriter;
///
/// let folder = tempfile::tempdir()?;
/// let mut events = EventWriter::create(folder.path())?;
/// events.scalar("loss/train", 1, 0.25)?;
/// events.flush()?;
/// # anyhow::Ok(())
/// ```
#[derive(Debug)]
pub struct EventWriter {
    file: BufWriter<File>,
    path: PathBuf,
}

impl EventWriter {
    /// Starts an event file in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// When the folder or file cannot be made.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(io_at(folder))?;
        let seconds = now() as u64;
        let (file, path) = create_new(folder, &file_name(seconds, &host_name()))?;
        let mut writer = Self {
            file: BufWriter::new(file),
            path,
        };
        writer.event(0, What::FileVersion)?;
        writer.flush()?;
        Ok(writer)
    }

    /// Starts an event file for a run that goes on after `step`. What older files in the folder say of later steps is
    /// cut from them, and so is a record that was not written to its end; a TensorBoard that has read it already is told
    /// to forget it.
    ///
    /// # Errors
    /// When the folder or file cannot be made, or an older file cannot be read or cut.
    pub fn resume(folder: impl AsRef<Path>, step: u64) -> Result<Self> {
        cut::after(folder.as_ref(), step)?;
        let mut writer = Self::create(folder)?;
        // TensorBoard drops earlier events whose step is not below that of the session's start.
        writer.event(step.saturating_add(1), What::SessionStart)?;
        writer.flush()?;
        Ok(writer)
    }

    /// One value of a curve; tags with a common part before `/` share a group.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f32) -> Result<()> {
        self.event(step, What::Value(proto::scalar(tag, value)))
    }

    /// A picture.
    ///
    /// # Errors
    /// When the pixels do not fit their shape or the file cannot be written.
    pub fn image(&mut self, tag: &str, step: u64, picture: &Thumbnail) -> Result<()> {
        let shape = [picture.height, picture.width, picture.channels];
        let value = proto::image(tag, shape, &picture.to_png()?);
        self.event(step, What::Value(value))
    }

    /// A distribution, in 40 buckets of equal width; values that are not finite are left out.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn histogram(&mut self, tag: &str, step: u64, values: &[f32]) -> Result<()> {
        let value = proto::histogram(tag, values, HISTOGRAM_BUCKETS);
        self.event(step, What::Value(value))
    }

    /// Sees everything onto the disk; call it once per epoch.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        let flushed = self.file.flush();
        flushed
            .and_then(|()| self.file.get_ref().sync_data())
            .map_err(io_at(&self.path))
    }

    /// The file being written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn event(&mut self, step: u64, what: What) -> Result<()> {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let bytes = record::frame(&proto::event(now(), step, what));
        self.file.write_all(&bytes).map_err(io_at(&self.path))
    }
}

/// TensorBoard knows its files by "tfevents" and reads them in the order of their names.
fn file_name(seconds: u64, host: &str) -> String {
    format!("{PREFIX}{seconds:010}.{host}")
}

/// Two files of one second get a number, so that a later one sorts later and none is overwritten.
fn create_new(folder: &Path, name: &str) -> Result<(File, PathBuf)> {
    let mut number = 0;
    loop {
        let path = match number {
            0 => folder.join(name),
            _ => folder.join(format!("{name}.{number:03}")),
        };
        match File::create_new(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            opened => {
                return opened
                    .map(|file| (file, path.clone()))
                    .map_err(io_at(&path));
            }
        }
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .or_else(|_| std::env::var("HOSTNAME"))
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .unwrap_or_default();
    let safe: String = name
        .trim()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    if safe.is_empty() {
        "localhost".into()
    } else {
        safe
    }
}

#[cfg(test)]
mod tests;
