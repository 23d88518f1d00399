//! A folder with one subfolder per class, perhaps under `train/` and `test/`.

use std::path::{Path, PathBuf};

use super::by_folders::by_folders;
use super::listing::{Item, LeftOut, Listing};
use super::options::Loose;
use super::shown::shown;
use super::store::Store;
use super::walk::{Walked, pictures};
use crate::error::DataError;

/// Lists the pictures among `walked`, the files below `root`.
pub(crate) fn list(root: &Path, mut walked: Walked, loose: Loose) -> Result<Listing, DataError> {
    let pictures = pictures(root, walked.files, &mut walked.left_out);
    if pictures.is_empty() {
        let nothing = Listing {
            left_out: walked.left_out,
            ..Listing::new(root, "", Store::Files(Vec::new()))
        };
        return Err(DataError::unrecognised(
            root,
            format!("there is no picture in it{}", nothing.reasons()),
            "name a folder with one subfolder of pictures per class, a table, an archive or a known set",
        ));
    }
    let flat = pictures
        .iter()
        .all(|file| file.parent() == Some(Path::new("")));
    if loose == Loose::Unlabelled && flat && pictures.len() > 1 {
        return unlabelled(root, &pictures, walked.left_out);
    }
    let found = by_folders(root, &pictures)?;
    let files = found
        .items
        .iter()
        .map(|&(i, _)| root.join(&pictures[i]))
        .collect();
    let listing = Listing {
        classes: found.classes,
        names: found
            .items
            .iter()
            .map(|&(i, _)| shown(pictures[i].as_os_str()))
            .collect(),
        items: found.items.into_iter().map(|(_, item)| item).collect(),
        left_out: joined(walked.left_out, found.left_out),
        ..Listing::new(
            root,
            format!("a folder with {}", found.kind),
            Store::Files(files),
        )
    };
    listing.finish(root)
}

/// Loose pictures, each a class of its own.
fn unlabelled(
    root: &Path,
    pictures: &[PathBuf],
    left_out: Vec<LeftOut>,
) -> Result<Listing, DataError> {
    let names = pictures.iter().map(|file| shown(file.as_os_str()));
    let names: Vec<String> = names.collect();
    let item = |label: u32| Item {
        label,
        ..Item::default()
    };
    let files = pictures.iter().map(|file| root.join(file)).collect();
    let listing = Listing {
        classes: names.clone(),
        unlabelled: true,
        items: (0..pictures.len() as u32).map(item).collect(),
        names,
        left_out,
        ..Listing::new(
            root,
            "a folder of pictures without classes",
            Store::Files(files),
        )
    };
    listing.finish(root)
}

fn joined(mut a: Vec<LeftOut>, b: Vec<LeftOut>) -> Vec<LeftOut> {
    a.extend(b);
    a
}
