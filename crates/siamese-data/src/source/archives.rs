//! An archive of pictures, or several: class folders within them, or WebDataset's shards.

use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::by_folders::by_folders;
use super::describe::reasons;
use super::listing::Listing;
use super::options::OpenOptions;
use super::shards::{all_shards, part_of_file};
use super::shown::shown;
use super::spans::{Content, SpanFile, Spans};
use super::store::Store;
use super::webdataset;
use crate::error::DataError;

/// Lists one archive, or several as one set.
///
/// # Errors
///
/// Any [`DataError`] of the archive; [`DataError::Unrecognised`] if its folders are no classes.
pub(crate) fn list(
    place: &Path,
    files: Vec<SpanFile>,
    options: &OpenOptions,
) -> Result<Listing, DataError> {
    let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
    let missing = all_shards(place, &paths, options.missing_shards)?;
    let mut archive = Archive::read_shards(files, options.missing_shards)?;
    archive.left_out.extend(missing);
    if webdataset::is_one(&archive) {
        return webdataset::list(place, archive, options);
    }
    let several = archive.files.len() > 1;
    let pictures = archive.pictures();
    if pictures.is_empty() {
        return Err(DataError::unrecognised(
            place,
            format!(
                "there is no picture in the archive{}",
                reasons(&archive.left_out)
            ),
            "name an archive with one folder of pictures per class",
        ));
    }
    let paths: Vec<PathBuf> = pictures.iter().map(|(path, _)| path.clone()).collect();
    let mut found = by_folders(place, &paths)?;
    if several {
        for (i, item) in &mut found.items {
            let file = &archive.files[pictures[*i].1.file as usize];
            item.part = item.part.or_else(|| part_of_file(&file.path));
        }
    }
    let spans = Spans {
        files: archive.files,
        spans: found.items.iter().map(|&(i, _)| pictures[i].1).collect(),
        content: Content::Picture,
    };
    let what = if several { "archives" } else { "an archive" };
    let listing = Listing {
        classes: found.classes,
        names: found
            .items
            .iter()
            .map(|&(i, _)| shown(paths[i].as_os_str()))
            .collect(),
        items: found.items.into_iter().map(|(_, item)| item).collect(),
        left_out: archive.left_out.into_iter().chain(found.left_out).collect(),
        ..Listing::new(
            place,
            format!("{what} with {}", found.kind),
            Store::Spans(spans),
        )
    };
    listing.finish(place)
}
