//! A folder with one subfolder per class, perhaps under `train/` and `test/`.

use std::path::Path;

use super::by_folders::by_folders;
use super::listing::{LeftOut, Listing};
use super::shown::shown;
use super::store::Store;
use super::walk::{Walked, pictures};
use crate::error::DataError;

/// Lists the pictures among `walked`, the files below `root`.
pub(crate) fn list(root: &Path, mut walked: Walked) -> Result<Listing, DataError> {
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

fn joined(mut a: Vec<LeftOut>, b: Vec<LeftOut>) -> Vec<LeftOut> {
    a.extend(b);
    a
}
