//! WebDataset's shards: tar archives in which `KEY.jpg` lies beside `KEY.cls` or `KEY.json`.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;
use siamese_words::counted;

use super::archive::Archive;
use super::columns::{LABEL_WORDS, sorted_classes};
use super::listing::{Item, LeftOut, Listing};
use super::options::OpenOptions;
use super::shards::part_of_file;
use super::shown::shown;
use super::spans::{Content, Span, Spans};
use super::store::Store;
use crate::error::DataError;

/// More than this is no label.
const MAX_LABEL: usize = 1 << 20;

/// Whether files with labels lie beside the pictures of `archive`.
pub(crate) fn is_one(archive: &Archive) -> bool {
    let labelled = |ending: &str| {
        archive
            .entries
            .iter()
            .any(|(path, _)| ending_of(path) == ending)
    };
    labelled("cls")
        || (labelled("json")
            && archive
                .entries
                .iter()
                .filter(|(path, _)| ending_of(path) == "json")
                .count()
                > 1)
}

/// The path up to the first dot of the file's name.
fn key_of(path: &Path) -> String {
    let name = shown(path.file_name().unwrap_or_default());
    let stem = name.split('.').next().unwrap_or_default().to_string();
    let folder = path
        .parent()
        .map(|folder| shown(folder.as_os_str()))
        .unwrap_or_default();
    format!("{folder}/{stem}")
}

/// What follows the first dot of the file's name, in lower case.
fn ending_of(path: &Path) -> String {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.split_once('.')
        .map(|(_, ending)| ending.to_lowercase())
        .unwrap_or_default()
}

/// Lists the pictures of these shards.
///
/// # Errors
///
/// [`DataError::Unrecognised`] if there are fewer than two classes.
pub(crate) fn list(
    place: &Path,
    mut archive: Archive,
    options: &OpenOptions,
) -> Result<Listing, DataError> {
    let wanted = options.columns.label.as_deref();
    let mut labels: HashMap<(u32, String), String> = HashMap::new();
    let is_label = |path: &Path| ["cls", "json"].contains(&ending_of(path).as_str());
    let (sidecars, others): (Vec<_>, Vec<_>) = std::mem::take(&mut archive.entries)
        .into_iter()
        .partition(|(path, _)| is_label(path));
    archive.entries = others;
    for (path, span) in &sidecars {
        let text = String::from_utf8_lossy(&archive.head(span, MAX_LABEL)).into_owned();
        let label = match ending_of(path).as_str() {
            "cls" => Some(text.trim().to_string()).filter(|label| !label.is_empty()),
            _ => label_of(&text, wanted),
        };
        match label {
            // a class file is meant to hold the class; a JSON file may speak of something else
            Some(label) if ending_of(path) == "cls" => {
                labels.insert((span.file, key_of(path)), label);
            }
            Some(label) => {
                labels.entry((span.file, key_of(path))).or_insert(label);
            }
            None => archive
                .left_out
                .push(LeftOut::path(path, "without a class in it")),
        }
    }
    let mut found: BTreeMap<(u32, String), (Span, String, String)> = BTreeMap::new();
    for (path, span) in archive.pictures() {
        let key = (span.file, key_of(&path));
        match labels.get(&key) {
            None => archive
                .left_out
                .push(LeftOut::path(&path, "a picture without a class beside it")),
            Some(_) if found.contains_key(&key) => archive
                .left_out
                .push(LeftOut::path(&path, "a second picture of the same key")),
            Some(label) => {
                found.insert(key, (span, shown(path.as_os_str()), label.clone()));
            }
        }
    }
    let found: Vec<_> = found.into_values().collect();
    let (classes, ids) = sorted_classes(found.iter().map(|(_, _, label)| label.as_str()));
    let items = found.iter().zip(ids).map(|((span, _, _), label)| Item {
        label,
        part: part_of_file(&archive.files[span.file as usize].path),
        ..Item::default()
    });
    let items = items.collect();
    let name = |(span, name, _): &(Span, String, String)| {
        let shard = archive.files[span.file as usize]
            .path
            .file_name()
            .unwrap_or_default();
        format!("{}/{name}", shown(shard))
    };
    let names = found.iter().map(name).collect();
    let spans = Spans {
        spans: found.iter().map(|(span, _, _)| *span).collect(),
        files: archive.files,
        content: Content::Picture,
    };
    let kind = format!("WebDataset, {}", counted(spans.files.len(), "shard"));
    let listing = Listing {
        classes,
        items,
        names,
        left_out: archive.left_out,
        ..Listing::new(place, kind, Store::Spans(spans))
    };
    listing.finish(place)
}

/// The class that a JSON object names.
fn label_of(text: &str, wanted: Option<&str>) -> Option<String> {
    let object: Value = serde_json::from_str(text).ok()?;
    let keys: Vec<&str> = wanted.map_or_else(|| LABEL_WORDS.to_vec(), |wanted| vec![wanted]);
    match keys.into_iter().find_map(|key| object.get(key))? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
