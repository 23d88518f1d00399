//! Labeled Faces in the Wild: its pairs, and where their pictures lie.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use siamese_core::metrics::protocols::{LfwImage, LfwPairs, parse_lfw_pairs};
use siamese_data::{PathPair, is_picture_name, read_text};

/// Reads LFW's `pairs.txt`, in UTF-8 or by its mark in UTF-16.
///
/// # Errors
/// Names the line that does not hold what its place asks for.
pub fn read_lfw_pairs(path: &Path) -> Result<LfwPairs> {
    Ok(parse_lfw_pairs(&read_text(path)?, path)?)
}

/// The pairs with the pictures' paths from `folder`, which holds a folder for each person: JPEG as published, or any
/// other kind of picture.
///
/// # Errors
/// Names the first picture that is not there.
pub fn lfw_path_pairs(folder: &Path, protocol: &LfwPairs) -> Result<Vec<PathPair>> {
    let mut people = HashMap::new();
    let mut find = |image: &LfwImage| find(folder, image, &mut people);
    let pairs = protocol.pairs.iter().map(|pair| {
        let line = || format!("line {}", pair.line);
        Ok(PathPair {
            a: find(&pair.a).with_context(line)?,
            b: find(&pair.b).with_context(line)?,
            like: pair.like(),
            line: pair.line as u64,
        })
    });
    pairs.collect()
}

fn find(
    folder: &Path,
    image: &LfwImage,
    people: &mut HashMap<String, HashMap<OsString, PathBuf>>,
) -> Result<PathBuf> {
    let pictures = people
        .entry(image.person.clone())
        .or_insert_with(|| pictures_of(folder, &image.person));
    let stem = image.stem();
    let found = stem.file_name().and_then(|name| pictures.get(name));
    found.cloned().with_context(|| {
        format!(
            "{}: no picture {}.jpg, nor one of another kind (.png, …)",
            folder.display(),
            stem.display()
        )
    })
}

/// A person's pictures by their names without the endings; of several the JPEG.
fn pictures_of(folder: &Path, person: &str) -> HashMap<OsString, PathBuf> {
    let entries = fs::read_dir(folder.join(person));
    let names = entries.into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = names.map(|entry| entry.file_name().into()).collect();
    names.retain(|name| is_picture_name(name));
    names.sort_by_key(|name| (name.extension() == Some("jpg".as_ref()), name.clone()));
    let named = names.into_iter().filter_map(|name| {
        let stem = name.file_stem()?.to_os_string();
        Some((stem, Path::new(person).join(name)))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: &str = "1\nAnn_A\t1\t2\nAnn_A\t1\tBob\t10\n";

    #[test]
    fn lfw_is_read_with_its_mark_and_found_in_any_kind_of_picture() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let list = folder.path().join("pairs.txt");
        let wide = "\u{feff}".encode_utf16().chain(PAIRS.encode_utf16());
        let wide: Vec<u8> = wide.flat_map(u16::to_le_bytes).collect();
        for bytes in [
            PAIRS.into(),
            format!("\u{feff}{PAIRS}").into_bytes(),
            PAIRS.replace('\n', "\r\n").into_bytes(),
            PAIRS.replace('\n', "\r").into_bytes(),
            wide,
        ] {
            fs::write(&list, bytes)?;
            assert_eq!(read_lfw_pairs(&list)?.pairs.len(), 2);
        }
        let protocol = read_lfw_pairs(&list)?;
        for person in ["Ann_A", "Bob"] {
            fs::create_dir(folder.path().join(person))?;
        }
        for name in [
            "Ann_A/Ann_A_0001.jpg",
            "Ann_A/Ann_A_0001.png",
            "Ann_A/Ann_A_0002.PNG",
        ] {
            fs::write(folder.path().join(name), "")?;
        }
        let missing = lfw_path_pairs(folder.path(), &protocol)
            .err()
            .map(|e| format!("{e:#}"));
        assert!(missing.is_some_and(
            |missing| missing.starts_with("line 3: ") && missing.contains("Bob_0010.jpg")
        ));
        fs::write(folder.path().join("Bob/Bob_0010.webp"), "")?;
        let pairs = lfw_path_pairs(folder.path(), &protocol)?;
        assert_eq!(pairs[0].a, Path::new("Ann_A/Ann_A_0001.jpg"));
        assert_eq!(pairs[0].b, Path::new("Ann_A/Ann_A_0002.PNG"));
        assert_eq!(pairs[1].b, Path::new("Bob/Bob_0010.webp"));
        Ok(())
    }
}
