//! Finds out what lies at a path.

use std::path::{Path, PathBuf};

use siamese_files::guarded;

use super::archive::{Archive, ArchiveKind};
use super::archives;
use super::listing::Listing;
use super::mistaken::refuse_stand_in;
use super::names;
use super::options::OpenOptions;
use super::shown::shown;
use super::spans::SpanFile;
use super::table_file::is_table_name;
use super::walk::{Walked, walk};
use super::{cifar, folder, hub_parquet, idx, omniglot, table};
use crate::error::DataError;
use crate::picture::{HEAD, Looks, UNKNOWN, is_picture_name};

/// Opens the file or folder at `path`.
///
/// # Errors
///
/// [`DataError::Unrecognised`] says what was found, and what to type instead; any other [`DataError`] of the files.
pub(crate) fn open_path(path: &Path, options: &OpenOptions) -> Result<Listing, DataError> {
    let open = || match path.is_dir() {
        true => open_folder(path, options),
        false => open_file(path, options),
    };
    guarded(open).unwrap_or_else(|gave_up| Err(DataError::damaged(path, gave_up)))
}

fn open_file(path: &Path, options: &OpenOptions) -> Result<Listing, DataError> {
    if !path.is_file() {
        return Err(DataError::unrecognised(
            path,
            "it is neither a file nor a folder",
            "name a file or a folder",
        ));
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = PathBuf::from(path.file_name().unwrap_or_default());
    let file = SpanFile::open(path, &options.cache_folder())?;
    let head = file.head(HEAD)?;
    if let Some(kind) = ArchiveKind::of(&head) {
        return open_archive(path, file, kind, options);
    }
    let looks = Looks::of(&head);
    refuse_stand_in(path, looks)?;
    if head.starts_with(&[0, 0, 8]) {
        let beside = walk(folder)?;
        return idx::list(folder, &idx::image_files(&beside), options);
    }
    if head.starts_with(b"PAR1") {
        return match hub_parquet::has_pictures(path, &options.columns)? {
            true => hub_parquet::list(path, &[path.to_path_buf()], options),
            false => table::list(path, options),
        };
    }
    let form = cifar::FORMS.iter().find(|form| form.has(&name));
    if let Some(form) = form {
        return cifar::list_folder(form, folder, options);
    }
    let (found, advice) = match looks {
        Looks::Text => return table::list(path, options),
        // text of another encoding: its reader names the line
        Looks::Other(UNKNOWN) if is_table_name(path) => return table::list(path, options),
        Looks::Picture(_) => (
            "it is a single picture".to_string(),
            "name the folder above its class's folder",
        ),
        looks => (
            format!("it is {}", looks.in_words()),
            "name a folder of class folders, a table, an archive (tar, tar.gz, zip), IDX or parquet files",
        ),
    };
    Err(DataError::unrecognised(path, found, advice))
}

fn open_archive(
    path: &Path,
    file: SpanFile,
    kind: ArchiveKind,
    options: &OpenOptions,
) -> Result<Listing, DataError> {
    let contents = Archive::read(vec![file.clone()])?;
    let names: Vec<PathBuf> = contents
        .entries
        .iter()
        .map(|(path, _)| path.clone())
        .collect();
    if let Some(form) = cifar::Form::of(&names).filter(|_| kind == ArchiveKind::Tar) {
        return cifar::list_archive(form, path, contents);
    }
    let listing = archives::list(path, vec![file], options)?;
    Ok(introduced(listing))
}

/// Knows AT&T's faces by what they are.
fn introduced(mut listing: Listing) -> Listing {
    let people = (1..=40)
        .map(|person| format!("s{person}"))
        .collect::<std::collections::BTreeSet<_>>();
    let found = listing.classes.iter().cloned().collect();
    if people == found && listing.items.len() == 400 {
        names::ATT_FACES.introduce(&mut listing);
    }
    listing
}

fn open_folder(path: &Path, options: &OpenOptions) -> Result<Listing, DataError> {
    let walked = walk(path)?;
    let images = idx::image_files(&walked);
    if !images.is_empty() {
        return idx::list(path, &images, options);
    }
    if omniglot::is_one(&walked) {
        return omniglot::list(path, walked, options);
    }
    if let Some(form) = cifar::Form::of(&walked.files) {
        let folder = walked
            .files
            .iter()
            .find(|file| form.has(file))
            .and_then(|file| file.parent());
        return cifar::list_folder(form, &path.join(folder.unwrap_or(Path::new(""))), options);
    }
    let metadata = metadata_of(&walked);
    if !metadata.is_empty() {
        let tables: Vec<PathBuf> = metadata.iter().map(|file| path.join(file)).collect();
        return table::list_metadata(path, &tables, options);
    }
    if walked.files.iter().any(|file| is_picture_name(file)) {
        return open_pictures(path, walked, options);
    }
    let with = |ending: &str| -> Vec<PathBuf> {
        let named = |file: &&PathBuf| shown(file.as_os_str()).to_lowercase().ends_with(ending);
        walked
            .files
            .iter()
            .filter(named)
            .map(|file| path.join(file))
            .collect()
    };
    let parquet = with(".parquet");
    if let Some(first) = parquet.first()
        && hub_parquet::has_pictures(first, &options.columns)?
    {
        return hub_parquet::list(path, &parquet, options);
    }
    let shards: Vec<PathBuf> = [".tar", ".tar.gz", ".tgz", ".zip"]
        .iter()
        .flat_map(|ending| with(ending))
        .collect();
    match shards.as_slice() {
        [] => open_pictures(path, walked, options),
        [only] => open_file(only, options),
        several => {
            let scratch = options.cache_folder();
            let files = several
                .iter()
                .map(|shard| SpanFile::open(shard, &scratch))
                .collect::<Result<_, _>>()?;
            archives::list(path, files, options)
        }
    }
}

/// Class folders; where that fails and a single table lies beside the pictures, the table.
fn open_pictures(path: &Path, walked: Walked, options: &OpenOptions) -> Result<Listing, DataError> {
    let is_table = |file: &&PathBuf| file.parent() == Some(Path::new("")) && is_table_name(file);
    let tables: Vec<PathBuf> = walked
        .files
        .iter()
        .filter(is_table)
        .map(|file| path.join(file))
        .collect();
    match (
        folder::list(path, walked, options.loose).map(introduced),
        tables.as_slice(),
    ) {
        (Err(_), [only]) => table::list(only, options),
        (listing, _) => listing,
    }
}

/// The tables called `metadata` in the folder, or in its `train/`, `test/` and so on.
fn metadata_of(walked: &Walked) -> Vec<PathBuf> {
    let is_one = |file: &&PathBuf| {
        let stem = file.file_stem().unwrap_or_default();
        let ending = file
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let shallow = file.components().count() <= 2;
        shallow && stem == "metadata" && ["csv", "jsonl", "parquet"].contains(&ending.as_str())
    };
    walked.files.iter().filter(is_one).cloned().collect()
}
