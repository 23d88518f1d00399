//! Classes and parts from the folders that pictures lie in: `CLASS/…` or `train/CLASS/…`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use super::listing::{Item, LeftOut};
use super::shown::shown;
use crate::error::DataError;
use crate::split::Part;

/// What the folders say.
#[derive(Debug)]
pub(crate) struct ByFolders {
    /// What was recognised, in words.
    pub(crate) kind: String,
    /// The names of the class folders, in the order of their bytes.
    pub(crate) classes: Vec<String>,
    /// For each picture that belongs to a class, its number among the paths, and what is known of it.
    pub(crate) items: Vec<(usize, Item)>,
    /// Pictures outside of the class folders.
    pub(crate) left_out: Vec<LeftOut>,
}

/// Sorts pictures, given by their paths within `place`, into classes.
///
/// # Errors
///
/// [`DataError::Unrecognised`] says what the folders look like, and what to do.
pub(crate) fn by_folders(place: &Path, paths: &[PathBuf]) -> Result<ByFolders, DataError> {
    let names: Vec<Vec<&OsStr>> = paths.iter().map(|path| folders_of(path)).collect();
    let skipped = common_folders(&names);
    let names: Vec<&[&OsStr]> = names
        .iter()
        .map(|folders| &folders[skipped.min(folders.len())..])
        .collect();
    let tops: BTreeSet<&OsStr> = names
        .iter()
        .filter_map(|folders| folders.first().copied())
        .collect();
    if tops.is_empty() {
        return Err(loose(place, paths.len()));
    }
    let parts = parts(&tops);
    turned_around(place, &names)?;
    if let [(part, folder)] = parts.as_slice()
        && *part != Part::Train
    {
        return Err(DataError::unrecognised(
            place,
            format!(
                "it holds the folder {} alone, and nothing to train on",
                shown(folder)
            ),
            match place.is_file() {
                true => format!("unpack it, and name {} within", shown(folder)),
                false => format!(
                    "name {} to take its subfolders as classes",
                    place.join(folder).display()
                ),
            },
        ));
    }
    let depth = usize::from(!parts.is_empty());

    let mut members: BTreeMap<&OsStr, Vec<(usize, Option<Part>)>> = BTreeMap::new();
    let mut left_out = Vec::new();
    for (i, folders) in names.iter().enumerate() {
        let part = folders
            .first()
            .and_then(|top| parts.iter().find(|(_, folder)| folder == top));
        match folders.get(depth) {
            Some(class) if depth == 0 || part.is_some() => {
                members
                    .entry(class)
                    .or_default()
                    .push((i, part.map(|(part, _)| *part)));
            }
            _ => left_out.push(LeftOut::path(&paths[i], "outside of the class folders")),
        }
    }
    if members.is_empty() {
        let (folder, count) = (
            shown(tops.first().copied().unwrap_or_default()),
            paths.len(),
        );
        return Err(DataError::unrecognised(
            place,
            format!(
                "{folder} and the folders beside it hold {count} loose pictures and no class folders"
            ),
            "put the pictures of each class into a folder of its own, train/CLASS/…, or write a table with the \
             columns path,label",
        ));
    }
    let classes = members.keys().map(|name| shown(name)).collect();
    let mut items: Vec<(usize, Item)> = (0u32..)
        .zip(members.values())
        .flat_map(|(label, files)| {
            let item = move |part| Item {
                label,
                part,
                ..Item::default()
            };
            files.iter().map(move |&(i, part)| (i, item(part)))
        })
        .collect();
    items.sort_by_key(|&(i, _)| i);
    Ok(ByFolders {
        kind: kind(&parts),
        classes,
        items,
        left_out,
    })
}

/// The names of the folders above a file.
fn folders_of(path: &Path) -> Vec<&OsStr> {
    let names = path.parent().into_iter().flat_map(Path::components);
    names
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect()
}

/// How many folders lie around everything, as an archive's own name does: at least one level of folders is left,
/// and no folder called `train` or the like is taken off.
fn common_folders(names: &[Vec<&OsStr>]) -> usize {
    let mut skipped = 0;
    loop {
        let deepest = names.iter().map(Vec::len).max().unwrap_or(0);
        let first = names.iter().find_map(|folders| folders.get(skipped));
        let common = names.iter().all(|folders| folders.get(skipped) == first);
        match first {
            Some(name) if common && deepest >= skipped + 2 && part_of(name).is_none() => {
                skipped += 1
            }
            _ => return skipped,
        }
    }
}

fn part_of(folder: &OsStr) -> Option<Part> {
    Part::of_word(folder.to_str()?)
}

/// The folders that are parts: where there is one to train on beside another, or where there is nothing else.
fn parts(tops: &BTreeSet<&OsStr>) -> Vec<(Part, OsString)> {
    let mut parts: Vec<(Part, OsString)> = tops
        .iter()
        .filter_map(|&top| Some((part_of(top)?, top.to_os_string())))
        .collect();
    parts.sort();
    let has_train = parts.iter().any(|(part, _)| *part == Part::Train);
    let has_other = parts.iter().any(|(part, _)| *part != Part::Train);
    match (has_train && has_other) || parts.len() == tops.len() {
        true => parts,
        false => Vec::new(),
    }
}

/// Refuses `CLASS/train/…`: read as classes, the split would be lost.
fn turned_around(place: &Path, names: &[&[&OsStr]]) -> Result<(), DataError> {
    let inner = |folders: &&[&OsStr]| {
        folders.len() >= 2 && part_of(folders[1]).is_some() && part_of(folders[0]).is_none()
    };
    let inside = names.iter().filter(|folders| folders.len() >= 2);
    if names.iter().any(|folders| folders.len() >= 2) && inside.clone().all(inner) {
        let example = inside
            .take(1)
            .map(|folders| format!("{}/{}", shown(folders[0]), shown(folders[1])));
        return Err(DataError::unrecognised(
            place,
            format!(
                "train and test lie within the classes ({})",
                example.collect::<String>()
            ),
            "turn the folders around, train/CLASS/… and test/CLASS/…, or write a table with the columns \
             path,label,split",
        ));
    }
    Ok(())
}

fn loose(place: &Path, count: usize) -> DataError {
    DataError::unrecognised(
        place,
        format!("it looks like a folder of {count} loose pictures without classes"),
        "put the pictures of each class into a subfolder of its own, or write a table with the columns path,label \
         and name that",
    )
}

fn kind(parts: &[(Part, OsString)]) -> String {
    let folders: Vec<String> = parts
        .iter()
        .map(|(_, folder)| format!("{}/", shown(folder)))
        .collect();
    match folders.as_slice() {
        [] => "one subfolder per class".into(),
        [only] => format!("one subfolder per class under {only}"),
        [others @ .., last] => format!(
            "one subfolder per class under {} and {last}",
            others.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(paths: &[&str]) -> Result<ByFolders, String> {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        by_folders(Path::new("set"), &paths).map_err(|error| error.to_string())
    }

    fn labels(found: &ByFolders) -> Vec<u32> {
        found.items.iter().map(|(_, item)| item.label).collect()
    }

    #[test]
    fn a_folder_is_a_class_and_folders_within_it_belong_to_it() {
        let found = sorted(&["cat/a.png", "cat/old/b.png", "dog/c.png", "cover.png"]).unwrap();
        assert_eq!(found.classes, ["cat", "dog"]);
        assert_eq!(labels(&found), [0, 0, 1]);
        assert_eq!(
            found.left_out,
            [LeftOut::new("cover.png", "outside of the class folders")]
        );
    }

    #[test]
    fn parts_are_recognised_in_any_case_and_share_their_classes() {
        let found = sorted(&[
            "Test/dog/a",
            "TRAIN/cat/b",
            "TRAIN/dog/c",
            "Valid/cat/d",
            "notes/e",
        ])
        .unwrap();
        assert_eq!(found.classes, ["cat", "dog"]);
        let parts: Vec<_> = found
            .items
            .iter()
            .map(|(_, item)| item.part.unwrap())
            .collect();
        assert_eq!(
            parts,
            [Part::Test, Part::Train, Part::Train, Part::Validation]
        );
        assert_eq!(found.left_out.len(), 1);
        assert_eq!(
            found.kind,
            "one subfolder per class under TRAIN/, Valid/ and Test/"
        );
    }

    #[test]
    fn a_class_may_be_called_train_where_others_are_called_bus() {
        let found = sorted(&["bus/a", "train/b", "tram/c"]).unwrap();
        assert_eq!(found.classes, ["bus", "train", "tram"]);
        assert!(found.items.iter().all(|(_, item)| item.part.is_none()));
    }

    #[test]
    fn a_folder_around_everything_is_no_class() {
        let found = sorted(&["faces/s1/a", "faces/s2/b"]).unwrap();
        assert_eq!(found.classes, ["s1", "s2"]);
        let found = sorted(&["x/y/train/s1/a", "x/y/test/s1/b"]).unwrap();
        assert_eq!(
            (found.classes.len(), found.items[1].1.part),
            (1, Some(Part::Test))
        );
    }

    #[test]
    fn what_cannot_be_says_what_it_looks_like_and_what_to_do() {
        let error = sorted(&["a.png", "b.png"]).unwrap_err();
        assert!(
            error.contains("2 loose pictures without classes") && error.contains("path,label"),
            "{error}"
        );
        let error = sorted(&["train/a.png", "test/b.png"]).unwrap_err();
        assert!(
            error.contains("loose pictures and no class folders"),
            "{error}"
        );
        let error = sorted(&["cat/train/a.png", "cat/test/b.png", "dog/train/c.png"]).unwrap_err();
        assert!(
            error.contains("cat/train") && error.contains("turn the folders around"),
            "{error}"
        );
        let error = sorted(&["test/cat/a.png", "test/dog/b.png"]).unwrap_err();
        assert!(
            error.contains("nothing to train on") && error.contains("set/test"),
            "{error}"
        );
    }
}
