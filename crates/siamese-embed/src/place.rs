//! Where a model lies; and where none does, what lies there instead and what to type.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use siamese_core::Model;
use siamese_data::{HubOptions, Looks, Progress, fetch_weights, hub_name, looks_of_file};

use crate::backbone::Backbone;
use crate::error::Error;

/// The model within a run's folder.
const BEST: &str = "best.safetensors";

/// So many files of a folder are looked at to say what it is.
const LOOKED_AT: usize = 500;

/// A run's best model, or the file itself.
pub fn model_path(place: &Path) -> PathBuf {
    match place.is_dir() {
        true => place.join(BEST),
        false => place.to_path_buf(),
    }
}

/// The model in a run's folder, or in a model file, or in a repository of the hub, `hf:user/name`; or a backbone that was
/// trained elsewhere, by its safetensors file in torchvision's names or by its name on the hub, such as
/// `timm/resnet50.tv_in1k`.
///
/// # Errors
/// When it cannot be read; where something else lies there, it says what that looks like and what to type.
pub fn load_model(place: &Path, device: &Device) -> Result<Model, Error> {
    let path = model_path(place);
    if place.is_dir() && !path.is_file() {
        return Err(other_folder(place));
    }
    let word = place.to_string_lossy();
    if let (false, Some(name)) = (place.exists(), hub_name(&word)) {
        let path = fetch_weights(name, &HubOptions::from_env(), Progress::default())?;
        return match Model::load(&path, device) {
            Err(siamese_core::Error::NotAModel { .. }) => {
                Backbone::of_file(&path, &word, device)?.model(device)
            }
            loaded => Ok(loaded?),
        };
    }
    match Model::load(&path, device) {
        Err(siamese_core::Error::NotAModel { path }) => {
            Backbone::of_file(&path, &path.to_string_lossy(), device)?.model(device)
        }
        Err(
            error
            @ (siamese_core::Error::OtherFile { .. } | siamese_core::Error::NotTensors { .. }),
        ) => Err(other_file(&path).unwrap_or_else(|| error.into())),
        loaded => Ok(loaded?),
    }
}

fn no_model(place: &Path, found: impl Into<String>, advice: impl Into<String>) -> Error {
    Error::NoModel {
        place: place.to_path_buf(),
        found: found.into(),
        advice: advice.into(),
    }
}

/// `None` where it begins as a model does.
fn other_file(path: &Path) -> Option<Error> {
    let looks = looks_of_file(path).ok()?;
    let advice = match looks {
        looks if looks.is_stand_in() => "fetch the file itself",
        Looks::Picture(_) | Looks::Unread(_) => {
            "name the model before the pictures: a run's folder, or its best.safetensors"
        }
        Looks::Other("a safetensors file") => return None,
        _ => "name a run's folder, or its best.safetensors",
    };
    let found = format!("it looks like {}", looks.in_words());
    Some(no_model(path, found, advice))
}

fn other_folder(place: &Path) -> Error {
    let within = entries(place);
    let shown = place.display();
    let is = |name: &str| within.iter().any(|path| path.ends_with(name));
    if is("config.json") || is("last.safetensors") {
        let found = "it is the folder of a run that has no best.safetensors yet";
        return no_model(
            place,
            found,
            format!("go on with it: siamese train --resume {shown}"),
        );
    }
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        within.into_iter().partition(|path| path.is_dir());
    if let Some(run) = folders.iter().find(|folder| folder.join(BEST).is_file()) {
        let advice = format!("name one of them, such as {}", run.display());
        return no_model(place, "it is a folder of runs", advice);
    }
    if let Some(file) = files.iter().find(|file| is_model(file)) {
        return no_model(
            place,
            "it has no best.safetensors",
            format!("name the model's file: {}", file.display()),
        );
    }
    let classes = folders.iter().filter(|folder| holds_pictures(folder));
    match (classes.count(), pictures(&files)) {
        (0, 0) => no_model(
            place,
            "it holds neither a model nor pictures",
            "name a run's folder, which has a best.safetensors",
        ),
        (0, loose) => no_model(
            place,
            format!("it looks like a folder of {loose} loose pictures"),
            "name the model first, a run's folder or its best.safetensors, and then the pictures",
        ),
        (_, _) => no_model(
            place,
            "it looks like a folder of pictures in subfolders, a data set",
            format!("train a model on it: siamese train {shown}; or name a run's folder"),
        ),
    }
}

/// Whether pictures lie in `folder`, or in its own folders as in `train/CLASS/`.
fn holds_pictures(folder: &Path) -> bool {
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(folder).into_iter().partition(|path| path.is_dir());
    pictures(&files) > 0 || folders.iter().any(|folder| pictures(&entries(folder)) > 0)
}

fn pictures(files: &[PathBuf]) -> usize {
    let is_one = |path: &&PathBuf| matches!(looks_of_file(path), Ok(Looks::Picture(_)));
    files.iter().filter(is_one).count()
}

fn is_model(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == "safetensors")
}

/// The first entries of a folder by name; none where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.truncate(LOOKED_AT);
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

    fn said(place: &Path) -> String {
        load_model(place, &Device::Cpu).err().unwrap().to_string()
    }

    #[test]
    fn a_file_that_is_no_model_is_told_by_what_it_looks_like() {
        let folder = tempfile::tempdir().unwrap();
        let cases: [(&[u8], [&str; 2]); 6] = [
            (
                b"version https://git-lfs.github.com/spec/v1\noid",
                ["git lfs pull", "fetch"],
            ),
            (
                b"<!DOCTYPE html><html>",
                ["a web page", "fetch the file itself"],
            ),
            (
                PNG,
                ["looks like a picture", "name the model before the pictures"],
            ),
            (b"PK\x03\x04", ["a zip archive", "a run's folder"]),
            (b"{\"seed\": 1}", ["text", "a run's folder"]),
            (b"", ["an empty file", "best.safetensors"]),
        ];
        for (bytes, parts) in cases {
            let path = folder.path().join("best.safetensors");
            fs::write(&path, bytes).unwrap();
            for place in [folder.path(), &path] {
                let said = said(place);
                assert!(parts.iter().all(|part| said.contains(part)), "{said}");
                assert!(said.contains("best.safetensors is no model"), "{said}");
            }
        }
    }

    #[test]
    fn a_model_that_is_cut_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        fs::write(&path, b"\x40\0\0\0\0\0\0\0{\"__metadata__\":").unwrap();
        assert!(
            said(&path).contains("no whole safetensors file"),
            "{}",
            said(&path)
        );
    }

    #[test]
    fn a_folder_without_a_model_is_told_by_what_is_in_it() {
        let cases: [(&[&str], [&str; 2]); 6] = [
            (
                &["a.jpg", "b"],
                ["2 loose pictures", "name the model first"],
            ),
            (
                &["train/cat/a.png", "test/cat/b.png"],
                ["a data set", "siamese train"],
            ),
            (&["cat/a.png", "dog/b.png"], ["a data set", "siamese train"]),
            (
                &["config.json", "split.csv"],
                ["no best.safetensors yet", "--resume"],
            ),
            (
                &["x-1/best.safetensors", "x-2/config.json"],
                ["a folder of runs", "x-1"],
            ),
            (
                &["mine.safetensors"],
                ["no best.safetensors", "mine.safetensors"],
            ),
        ];
        for (files, parts) in cases {
            let folder = tempfile::tempdir().unwrap();
            for file in files {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, PNG).unwrap();
            }
            let said = said(folder.path());
            assert!(
                parts.iter().all(|part| said.contains(part)),
                "{files:?}: {said}"
            );
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(said(empty.path()).contains("neither a model nor pictures"));
    }
}
