//! What a training left, as far as it is the same each time: all but wall time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What is measured in seconds, or follows from it.
const TIMES: [&str; 3] = ["seconds", "images_per_second", "data_wait_share"];
/// A curve of the event files, which has a point in each epoch.
const CURVE: &[u8] = b"loss/train";

/// The files of a run by name, each as what of it is the same each time.
#[derive(Default)]
pub(crate) struct Ending(BTreeMap<String, Vec<u8>>);

impl Ending {
    pub(crate) fn of(run: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut points = 0;
        for entry in fs::read_dir(run).with_context(|| format!("reading {}", run.display()))? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let bytes = fs::read(&path)?;
            if name.starts_with("events.out.tfevents.") {
                points += bytes.windows(CURVE.len()).filter(|w| *w == CURVE).count();
                continue;
            }
            let same = match name.as_str() {
                "best.safetensors" | "split.csv" | "config.json" | "README.md" => bytes,
                "last.safetensors" => tensors(&bytes)?.to_vec(),
                "metrics.jsonl" | "result.json" => untimed(&bytes)?,
                // full of times, or empty; that they are there is what counts
                _ => Vec::new(),
            };
            files.insert(name, same);
        }
        files.insert("points of a curve".into(), points.to_string().into_bytes());
        Ok(Self(files))
    }

    /// # Errors
    /// What differs.
    pub(crate) fn same_as(&self, other: &Self) -> Result<()> {
        let names = |ending: &Self| ending.0.keys().cloned().collect::<Vec<_>>().join(" ");
        ensure!(
            names(self) == names(other),
            "there are {}, not {}",
            names(self),
            names(other)
        );
        for (name, same) in &self.0 {
            let show = |bytes: &[u8]| {
                String::from_utf8_lossy(bytes)
                    .chars()
                    .take(600)
                    .collect::<String>()
            };
            let wanted = &other.0[name];
            ensure!(
                same == wanted,
                "{name} is {}, not {}",
                show(same),
                show(wanted)
            );
        }
        Ok(())
    }
}

/// What follows the header of a safetensors file.
fn tensors(bytes: &[u8]) -> Result<&[u8]> {
    let (length, rest) = bytes.split_first_chunk().context("no header")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    rest.get(length..).context("a header cut short")
}

/// Values of JSON, a line each or one in all, without times.
fn untimed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut text = String::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        let mut value = value?;
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|key, _| !TIMES.contains(&key.as_str()));
        }
        text += &format!("{value}\n");
    }
    Ok(text.into_bytes())
}
