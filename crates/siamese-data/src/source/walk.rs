//! All files below a folder, and which of them are pictures.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::listing::{LeftOut, shown};
use crate::error::DataError;
use crate::source::sniff::{HEAD, not_a_picture};

/// Folders that tools leave behind.
const TOOL_FOLDERS: [&str; 6] = [
    "__MACOSX",
    "@eaDir",
    "__pycache__",
    "node_modules",
    "$RECYCLE.BIN",
    "lost+found",
];

/// Files that tools leave behind, in lower case.
const TOOL_FILES: [&str; 5] = [
    "thumbs.db",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "zbthumbnail.info",
];

/// What lies below a folder.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// All files, relative to the folder, sorted.
    pub(crate) files: Vec<PathBuf>,
    /// What is no file to read: folders and files that tools leave behind, links in a circle, devices, empty folders.
    pub(crate) left_out: Vec<LeftOut>,
}

/// All regular files below `root`; links are followed, but never back to where they came from.
///
/// # Errors
///
/// [`DataError::Io`] if `root` itself cannot be read; folders below it that cannot are left out by name.
pub(crate) fn walk(root: &Path) -> Result<Walked, DataError> {
    let mut walked = Walked::default();
    let whole = root
        .canonicalize()
        .map_err(DataError::io("reading", root))?;
    fs::read_dir(root).map_err(DataError::io("reading", root))?;
    let mut open = vec![(PathBuf::new(), vec![whole])];
    while let Some((folder, above)) = open.pop() {
        look_into(root, folder, above, &mut open, &mut walked);
    }
    walked.files.sort();
    walked.left_out.sort_by(|a, b| a.what.cmp(&b.what));
    Ok(walked)
}

/// Looks into one folder; `above` are it and the folders that led to it, as they really are.
fn look_into(
    root: &Path,
    folder: PathBuf,
    above: Vec<PathBuf>,
    open: &mut Vec<(PathBuf, Vec<PathBuf>)>,
    walked: &mut Walked,
) {
    let entries = match fs::read_dir(root.join(&folder)) {
        Ok(entries) => entries,
        Err(error) => {
            return walked
                .left_out
                .push(LeftOut::path(&folder, format!("cannot be read: {error}")));
        }
    };
    let mut empty = true;
    for entry in entries.flatten() {
        empty = false;
        let path = folder.join(entry.file_name());
        if let Some(why) = left_behind(&path) {
            walked.left_out.push(LeftOut::path(&path, why));
            continue;
        }
        // follows links; the entry itself tells the common case without a look at the disk
        let kind = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => Ok(kind),
            _ => fs::metadata(entry.path()).map(|metadata| metadata.file_type()),
        };
        match kind {
            Ok(kind) if kind.is_file() => walked.files.push(path),
            Ok(kind) if kind.is_dir() => match entry.path().canonicalize() {
                Ok(whole) if !above.contains(&whole) => {
                    let above = above.iter().cloned().chain(Some(whole)).collect();
                    open.push((path, above));
                }
                _ => walked.left_out.push(LeftOut::path(
                    &path,
                    "a link that leads back to where it lies",
                )),
            },
            Ok(_) => walked
                .left_out
                .push(LeftOut::path(&path, "neither a file nor a folder")),
            Err(_) => walked
                .left_out
                .push(LeftOut::path(&path, "a link that leads nowhere")),
        }
    }
    if empty && !folder.as_os_str().is_empty() {
        walked
            .left_out
            .push(LeftOut::path(&folder, "an empty folder"));
    }
}

/// Whether the last name of `path` is one that a tool leaves behind, or hidden; the reason in words.
pub(crate) fn left_behind(path: &Path) -> Option<&'static str> {
    let name = shown(path.file_name()?);
    let tool =
        TOOL_FOLDERS.contains(&name.as_str()) || TOOL_FILES.contains(&name.to_lowercase().as_str());
    match () {
        () if tool || name.starts_with("._") => Some("left behind by a tool"),
        () if name.starts_with('.') => Some("hidden"),
        () => None,
    }
}

/// As [`left_behind`], for a path within an archive: any of its names.
pub(crate) fn left_behind_in(path: &Path) -> Option<&'static str> {
    path.ancestors().find_map(left_behind)
}

/// Those of `files`, relative to `root`, that begin as pictures do; the others are left out.
pub(crate) fn pictures(
    root: &Path,
    files: Vec<PathBuf>,
    left_out: &mut Vec<LeftOut>,
) -> Vec<PathBuf> {
    let whys: Vec<Option<String>> = files
        .par_iter()
        .map(|file| why_no_picture(&root.join(file)))
        .collect();
    let mut pictures = Vec::new();
    for (file, why) in files.into_iter().zip(whys) {
        match why {
            None => pictures.push(file),
            Some(why) => left_out.push(LeftOut::path(&file, why)),
        }
    }
    pictures
}

/// Why the file at `path` is no picture, in words; `None` if it begins as one.
pub(crate) fn why_no_picture(path: &Path) -> Option<String> {
    match head(path) {
        Ok(head) => not_a_picture(&head).map(String::from),
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(walked: &Walked) -> Vec<(&str, &str)> {
        walked
            .left_out
            .iter()
            .map(|l| (l.what.as_str(), l.why.as_str()))
            .collect()
    }

    #[test]
    fn what_tools_leave_behind_is_passed_over_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "cat/a.png",
            "cat/.b.png",
            "__MACOSX/cat/a.png",
            "cat/Thumbs.db",
            "cat/._a.png",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        fs::create_dir(folder.path().join("dog")).unwrap();
        let walked = walk(folder.path()).unwrap();
        assert_eq!(walked.files, [Path::new("cat/a.png")]);
        let tool = "left behind by a tool";
        assert_eq!(
            found(&walked),
            [
                ("__MACOSX", tool),
                ("cat/._a.png", tool),
                ("cat/.b.png", "hidden"),
                ("cat/Thumbs.db", tool),
                ("dog", "an empty folder")
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_pipes_and_names_that_are_no_text_do_no_harm() {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let cat = folder.path().join("cat");
        fs::create_dir(&cat).unwrap();
        fs::write(cat.join(std::ffi::OsStr::from_bytes(b"\xff.png")), "x").unwrap();
        symlink(folder.path(), cat.join("up")).unwrap();
        symlink("nowhere", cat.join("gone")).unwrap();
        symlink(&cat, folder.path().join("dog")).unwrap();
        let pipe = cat.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("without a pipe: mkfifo is absent");
            std::os::unix::net::UnixListener::bind(&pipe).unwrap();
        }
        let walked = walk(folder.path()).unwrap();
        assert_eq!(
            walked.files.len(),
            2,
            "a linked folder is read like another"
        );
        assert_eq!(
            found(&walked)[..3],
            [
                ("cat/gone", "a link that leads nowhere"),
                ("cat/pipe", "neither a file nor a folder"),
                ("cat/up", "a link that leads back to where it lies"),
            ]
        );
    }
}
