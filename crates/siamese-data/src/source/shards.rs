//! What the names of files say: the part, and which of how many shards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::listing::LeftOut;
use super::shown::shown;
use crate::error::DataError;
use crate::split::Part;

/// The part that the name of a file or of the folder it lies in tells: `train-00000-of-00002.parquet`,
/// `default/test/0000.parquet`.
pub(crate) fn part_of_file(path: &Path) -> Option<Part> {
    let name = shown(path.file_stem()?);
    let in_name = name
        .split(|c: char| !c.is_alphanumeric())
        .find_map(Part::of_word);
    in_name.or_else(|| Part::of_word(path.parent()?.file_name()?.to_str()?))
}

/// What is said of a shard that may be missing.
const MISSING: &str = "missing, as was allowed";
/// What is said of one that is damaged, or no shard at all.
const UNREADABLE: &str = "cannot be read, and may be missing";

/// Reads shard after shard by `read`. One that cannot be read is left out by name where shards `may_miss` and others can;
/// `read` must then have added nothing.
///
/// # Errors
///
/// The first that `read` has; of a damaged shard it also says how to go on without.
pub(crate) fn each_shard<'a, T>(
    shards: &'a [T],
    path: impl Fn(&'a T) -> &'a Path,
    may_miss: bool,
    mut read: impl FnMut(usize, &'a T) -> Result<(), DataError>,
) -> Result<Vec<LeftOut>, DataError> {
    let mut left_out = Vec::new();
    let mut first = None;
    for (i, shard) in shards.iter().enumerate() {
        let path = path(shard);
        match read(i, shard) {
            Err(error) if may_miss && error.path() == Some(path) => {
                left_out.push(LeftOut::path(path, UNREADABLE));
                first.get_or_insert(error);
            }
            Err(DataError::Damaged { path, reason }) if shards.len() > 1 => {
                let reason = format!("{reason} (--allow-missing-shards goes on without it)");
                return Err(DataError::Damaged { path, reason });
            }
            done => done?,
        }
    }
    match first {
        Some(error) if left_out.len() == shards.len() => Err(error),
        _ => Ok(left_out),
    }
}

/// The files of one part, in their order.
#[derive(Debug, PartialEq)]
pub(crate) struct Shards {
    pub(crate) part: Option<Part>,
    pub(crate) files: Vec<PathBuf>,
}

/// Sorts files into parts; what is left out comes beside: where some files are of a part those of none, and the shards
/// that are missing where they `may_miss`.
///
/// # Errors
///
/// [`DataError::Unrecognised`] if a shard is missing, or if a part is there in two writings.
pub(crate) fn by_part(
    place: &Path,
    files: &[PathBuf],
    may_miss: bool,
) -> Result<(Vec<Shards>, Vec<LeftOut>), DataError> {
    let mut parts: BTreeMap<Option<Part>, Vec<PathBuf>> = BTreeMap::new();
    for file in files {
        parts
            .entry(part_of_file(file))
            .or_default()
            .push(file.clone());
    }
    let others = match parts.len() {
        0 | 1 => Vec::new(),
        _ => parts.remove(&None).unwrap_or_default(),
    };
    let of_none =
        |file: &PathBuf| LeftOut::path(file, "of none of the parts train, validation and test");
    let mut left_out: Vec<LeftOut> = others.iter().map(of_none).collect();
    for (part, files) in &parts {
        left_out.extend(whole(place, *part, files, may_miss)?);
    }
    let shards = parts.into_iter().map(|(part, mut files)| {
        files.sort();
        Shards { part, files }
    });
    Ok((shards.collect(), left_out))
}

/// Checks that the shards of one part are all there, once; see [`all_shards`].
fn whole(
    place: &Path,
    part: Option<Part>,
    files: &[PathBuf],
    may_miss: bool,
) -> Result<Vec<LeftOut>, DataError> {
    let mut writings: BTreeSet<(String, Option<u32>)> = BTreeSet::new();
    for file in files {
        let (stem, shard) = shard_of(file);
        writings.insert((stem, shard.map(|(_, count)| count)));
    }
    let part = part.map_or("the set".to_string(), |part| format!("the {part} part"));
    let names: Vec<String> = files
        .iter()
        .map(|file| shown(file.file_name().unwrap_or_default()))
        .collect();
    if writings.len() > 1
        && writings
            .iter()
            .any(|(_, count)| count.is_some() || files.len() == 2)
    {
        return Err(DataError::unrecognised(
            place,
            format!(
                "{part} is there in {} writings ({})",
                writings.len(),
                names.join(", ")
            ),
            "leave one of them in the folder, or name it",
        ));
    }
    all_shards(place, files, may_miss)
}

/// Checks that each shard that a file's name counts is there, and once. Those that are missing are returned, where they
/// `may_miss`.
///
/// # Errors
///
/// [`DataError::Unrecognised`] names the shard that is missing, or that is there twice.
pub(crate) fn all_shards(
    place: &Path,
    files: &[PathBuf],
    may_miss: bool,
) -> Result<Vec<LeftOut>, DataError> {
    // which name, of how many → which are there
    let mut writings: BTreeMap<(String, u32), BTreeMap<u32, String>> = BTreeMap::new();
    for file in files {
        let (stem, Some((number, count))) = shard_of(file) else {
            continue;
        };
        let name = shown(file.file_name().unwrap_or_default());
        let seen = writings.entry((stem, count)).or_default();
        if let Some(other) = seen.insert(number, name.clone()) {
            let found = format!("shard {number:05} of {count} is there twice ({other}, {name})");
            let advice = "leave the files of one writing in the folder";
            return Err(DataError::unrecognised(place, found, advice));
        }
    }
    let mut left_out = Vec::new();
    for ((stem, count), seen) in &writings {
        let mut missing = (0..*count).filter(|number| !seen.contains_key(number));
        let called = |number: u32| format!("{stem}-{number:05}-of-{count:05}");
        if may_miss {
            left_out.extend(missing.map(|number| LeftOut::new(called(number), MISSING)));
        } else if let Some(missing) = missing.next() {
            let found = format!(
                "shard {missing:05} of {count} is missing ({})",
                called(missing)
            );
            let place_to_look = match place.is_file() {
                true => "name the folder with all of them, and fetch what is not there",
                false => "fetch it too",
            };
            let advice = format!("{place_to_look}, or go without it by --allow-missing-shards");
            return Err(DataError::unrecognised(place, found, advice));
        }
    }
    Ok(left_out)
}

/// The name without the shard's number, and which of how many it is: `train-00000-of-00002-HASH.parquet`; a plain
/// `0000.parquet` has no count.
fn shard_of(file: &Path) -> (String, Option<(u32, u32)>) {
    let name = shown(file.file_stem().unwrap_or_default());
    let folder = file
        .parent()
        .map(|folder| shown(folder.as_os_str()))
        .unwrap_or_default();
    let words: Vec<&str> = name.split(['-', '_']).collect();
    let numbered = words.windows(3).enumerate().find_map(|(i, words)| {
        // a name may end twice, as in `.tar.gz`
        let count = words[2].split('.').next()?;
        let shard = (words[1] == "of").then(|| Some((words[0].parse().ok()?, count.parse().ok()?)));
        Some((i, shard??))
    });
    match numbered {
        Some((i, shard)) => (format!("{folder}/{}", words[..i].join("-")), Some(shard)),
        None => (
            format!(
                "{folder}/{}",
                name.trim_end_matches(|c: char| c.is_ascii_digit())
            ),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> Result<Vec<(Option<Part>, usize)>, String> {
        let files: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        let sorted = by_part(Path::new("set"), &files, false).map_err(|error| error.to_string())?;
        Ok(sorted
            .0
            .iter()
            .map(|shards| (shards.part, shards.files.len()))
            .collect())
    }

    #[test]
    fn names_and_folders_tell_the_part() {
        let (train, test) = (Some(Part::Train), Some(Part::Test));
        assert_eq!(
            sorted(&[
                "train-00000-of-00002.parquet",
                "train-00001-of-00002.parquet",
                "test.parquet"
            ]),
            Ok(vec![(train, 2), (test, 1)])
        );
        assert_eq!(
            sorted(&[
                "default/train/0000.parquet",
                "default/train/0001.parquet",
                "default/test/0000.parquet"
            ]),
            Ok(vec![(train, 2), (test, 1)])
        );
        assert_eq!(
            sorted(&["0000.parquet", "0001.parquet", "0002.parquet"]),
            Ok(vec![(None, 3)])
        );
    }

    #[test]
    fn a_shard_that_may_be_missing_is_left_out_by_name() {
        let files = ["a-00000-of-00004.tar", "a-00002-of-00004.tar"].map(PathBuf::from);
        let left_out = all_shards(Path::new("set"), &files, true).unwrap();
        let names: Vec<&str> = left_out.iter().map(|left| left.what.as_str()).collect();
        assert_eq!(names, ["/a-00001-of-00004", "/a-00003-of-00004"]);
        let error = all_shards(Path::new("set"), &files, false).unwrap_err();
        assert!(
            error.to_string().contains("--allow-missing-shards"),
            "{error}"
        );
        // twice is twice
        let twice = ["a-0-of-1-x.tar", "a-0-of-1-y.tar"].map(PathBuf::from);
        assert!(all_shards(Path::new("set"), &twice, true).is_err());
    }

    #[test]
    fn a_missing_shard_and_a_second_writing_are_refused_by_name() {
        let error = sorted(&[
            "train-00000-of-00003.parquet",
            "train-00002-of-00003.parquet",
        ])
        .unwrap_err();
        assert!(error.contains("train-00001-of-00003"), "{error}");
        let error = sorted(&["train_00000_of_00002.parquet"]).unwrap_err();
        assert!(error.contains("shard 00001 of 2 is missing"), "{error}");
        let error = sorted(&[
            "train-00000-of-00002.parquet",
            "train-00001-of-00002.parquet",
            "train-00000-of-00003.parquet",
        ])
        .unwrap_err();
        assert!(error.contains("2 writings"), "{error}");
        let error = sorted(&[
            "train-00000-of-00001-aa.parquet",
            "train-00000-of-00001-bb.parquet",
        ])
        .unwrap_err();
        assert!(
            error.contains("there twice") && error.contains("-bb.parquet"),
            "{error}"
        );
        let error = sorted(&["train-00000-of-00001.parquet", "train.parquet"]).unwrap_err();
        assert!(error.contains("2 writings"), "{error}");
        let error = sorted(&[
            "a/train-00000-of-00001.parquet",
            "b/train-00000-of-00001.parquet",
        ])
        .unwrap_err();
        assert!(error.contains("2 writings"), "{error}");
    }
}
