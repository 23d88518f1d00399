//! Omniglot: alphabets of characters, each drawn by the same twenty people.
//!
//! `images_background/Alphabet/characterNN/NNNN_MM.png` is to train on, `images_evaluation/…` to test with: other
//! alphabets, other characters. An alphabet is a superclass, a character a class, and MM the drawer.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::Archive;
use super::listing::{Item, LeftOut, Listing};
use super::names::OMNIGLOT;
use super::options::OpenOptions;
use super::shown::shown;
use super::spans::{Content, SpanFile, Spans};
use super::store::Store;
use super::walk::{Walked, pictures};
use crate::digest;
use crate::error::DataError;
use crate::split::Part;

const FOLDERS: [(&str, Part); 2] = [
    ("images_background", Part::Train),
    ("images_evaluation", Part::Test),
];

/// Whether this folder, of these files, is Omniglot's: its zips, or what they unpack to.
pub(crate) fn is_one(walked: &Walked) -> bool {
    let zip = |file: &PathBuf| {
        FOLDERS
            .iter()
            .any(|(name, _)| file.as_os_str() == format!("{name}.zip").as_str())
    };
    let unpacked = |file: &PathBuf| {
        FOLDERS.iter().any(|(name, _)| file.starts_with(name)) && path_of(file).is_some()
    };
    walked.files.iter().any(|file| zip(file) || unpacked(file))
}

/// Lists the characters in `folder`.
///
/// # Errors
///
/// Any [`DataError`] of the archives.
pub(crate) fn list(
    folder: &Path,
    mut walked: Walked,
    options: &OpenOptions,
) -> Result<Listing, DataError> {
    let zips: Vec<PathBuf> = FOLDERS
        .iter()
        .map(|(name, _)| folder.join(format!("{name}.zip")))
        .filter(|zip| zip.is_file())
        .collect();
    let (paths, store, left_out) = if zips.is_empty() {
        let paths = pictures(folder, walked.files, &mut walked.left_out);
        let store = Store::Files(paths.iter().map(|path| folder.join(path)).collect());
        (paths, store, walked.left_out)
    } else {
        let open = |zip: &PathBuf| SpanFile::open(zip, &options.cache_folder());
        let mut archive = Archive::read(zips.iter().map(open).collect::<Result<_, _>>()?)?;
        let (paths, spans) = archive.pictures().into_iter().unzip();
        let (files, content) = (archive.files, Content::Picture);
        (
            paths,
            Store::Spans(Spans {
                files,
                spans,
                content,
            }),
            archive.left_out,
        )
    };
    let mut listing = Listing::new(
        folder,
        "Omniglot's alphabets, one class per character",
        store,
    );
    listing.left_out = left_out;
    fill(&mut listing, &paths);
    OMNIGLOT.introduce(&mut listing);
    if zips.len() == FOLDERS.len() {
        let same = |zip: &PathBuf| {
            Ok(digest::md5_of_file(zip).map_err(DataError::io("reading", zip))? == md5_of(zip))
        };
        let same: Vec<bool> = zips.iter().map(same).collect::<Result<_, DataError>>()?;
        // re-packed zips hold the same pictures under another md5: that says nothing
        listing.verified = same.iter().all(|&same| same).then_some(true);
    }
    listing.finish(folder)
}

fn md5_of(zip: &Path) -> &'static str {
    let name = zip.file_name().unwrap_or_default();
    let file = OMNIGLOT.files.iter().find(|file| name == file.name);
    file.map_or("", |file| file.md5)
}

/// Part, alphabet, character and drawer of a picture, by its path.
fn path_of(path: &Path) -> Option<(Part, String, String, String)> {
    let names: Vec<String> = path.iter().map(shown).collect();
    let [set, alphabet, character, file] = names.as_slice() else {
        return None;
    };
    let (_, part) = FOLDERS.iter().find(|(name, _)| name == set)?;
    let (_, drawer) = file.split('.').next()?.rsplit_once('_')?;
    Some((
        *part,
        alphabet.clone(),
        format!("{alphabet}/{character}"),
        drawer.to_string(),
    ))
}

/// Sets classes, superclasses and groups; pictures whose path is another's are dropped from the store.
fn fill(listing: &mut Listing, paths: &[PathBuf]) {
    let found: Vec<_> = paths.iter().map(|path| path_of(path)).collect();
    let known = || found.iter().flatten();
    let sorted = |names: BTreeSet<&String>| -> Vec<String> { names.into_iter().cloned().collect() };
    listing.superclasses = sorted(known().map(|(_, alphabet, _, _)| alphabet).collect());
    listing.classes = sorted(known().map(|(_, _, class, _)| class).collect());
    listing.groups = sorted(known().map(|(_, _, _, drawer)| drawer).collect());
    let ids =
        |names: &[String]| -> HashMap<String, u32> { names.iter().cloned().zip(0u32..).collect() };
    let (alphabets, classes, drawers) = (
        ids(&listing.superclasses),
        ids(&listing.classes),
        ids(&listing.groups),
    );
    for (path, found) in paths.iter().zip(&found) {
        let Some((part, alphabet, class, drawer)) = found else {
            listing
                .left_out
                .push(LeftOut::path(path, "not where Omniglot has its pictures"));
            continue;
        };
        listing.names.push(shown(path.as_os_str()));
        listing.items.push(Item {
            label: classes[class],
            superclass: Some(alphabets[alphabet]),
            group: Some(drawers[drawer]),
            part: Some(*part),
        });
    }
    let mut known = found.iter().map(Option::is_some);
    let mut keep = || known.next().unwrap_or(false);
    match Arc::get_mut(&mut listing.store) {
        Some(Store::Files(files)) => files.retain(|_| keep()),
        Some(Store::Spans(spans)) => spans.spans.retain(|_| keep()),
        #[cfg(feature = "parquet")]
        Some(Store::Rows(rows)) => rows.rows.retain(|_| keep()),
        None => debug_assert!(false, "a listing is shared only when it is whole"),
    }
}
