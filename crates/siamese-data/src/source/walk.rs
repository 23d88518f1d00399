//! All files below a folder, and which of them are pictures.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::listing::LeftOut;
use super::shown::shown;
use crate::error::DataError;
use crate::picture::{Looks, looks_of_file};

/// Folders and files that tools leave behind, in lower case.
const OF_TOOLS: [&str; 21] = [
    "__macosx",
    "@eadir",
    "@recycle",
    "@recently-snapshot",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "lost+found",
    "__pycache__",
    "node_modules",
    "ipod photo cache",
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "icon\r",
    "zbthumbnail.info",
    "picasa.ini",
    "pspbrwse.jbf",
];

/// How the copies end that editors and downloads leave behind.
const OF_COPIES: [&str; 4] = ["~", ".part", ".partial", ".crdownload"];

/// Why a folder is left out that holds nothing: it may be meant as a class.
pub(crate) const EMPTY_FOLDER: &str = "an empty folder";

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
    let unread = |error: io::Error| LeftOut::path(&folder, format!("cannot be read: {error}"));
    let entries = match fs::read_dir(root.join(&folder)) {
        Ok(entries) => entries,
        Err(error) => return walked.left_out.push(unread(error)),
    };
    let mut empty = true;
    for entry in entries {
        empty = false;
        let found = match entry {
            Ok(entry) => what_is(&folder, &entry, &above),
            Err(error) => Found::LeftOut(unread(error)),
        };
        match found {
            Found::File(path) => walked.files.push(path),
            Found::Folder(path, whole) => {
                open.push((path, above.iter().cloned().chain(Some(whole)).collect()));
            }
            Found::LeftOut(left_out) => walked.left_out.push(left_out),
        }
    }
    if empty && !folder.as_os_str().is_empty() {
        walked.left_out.push(LeftOut::path(&folder, EMPTY_FOLDER));
    }
}

/// What an entry of a folder is.
enum Found {
    File(PathBuf),
    /// Its path, and where it really is.
    Folder(PathBuf, PathBuf),
    LeftOut(LeftOut),
}

fn what_is(folder: &Path, entry: &DirEntry, above: &[PathBuf]) -> Found {
    let path = folder.join(entry.file_name());
    if let Some(why) = left_behind(&path) {
        return Found::LeftOut(LeftOut::beside(&path, why));
    }
    // follows links; the entry itself tells the common case without a look at the disk
    let kind = match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => Ok(kind),
        _ => fs::metadata(entry.path()).map(|metadata| metadata.file_type()),
    };
    let why = match kind {
        Ok(kind) if kind.is_file() => return Found::File(path),
        Ok(kind) if kind.is_dir() => match entry.path().canonicalize() {
            Ok(whole) if !above.contains(&whole) => return Found::Folder(path, whole),
            _ => "a link that leads back to where it lies",
        },
        Ok(_) => "neither a file nor a folder",
        Err(_) => "a link that leads nowhere",
    };
    Found::LeftOut(LeftOut::path(&path, why))
}

/// Whether the last name of `path` is one that a tool leaves behind, or hidden; the reason in words.
pub(crate) fn left_behind(path: &Path) -> Option<&'static str> {
    let name = shown(path.file_name()?).to_lowercase();
    let copy = OF_COPIES.iter().any(|ending| name.ends_with(ending));
    let tool = copy || OF_TOOLS.contains(&name.as_str());
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
    let look = |file: &PathBuf| match looks(&root.join(file)) {
        Ok(looks) => LeftOut::unless_picture(file, looks),
        Err(why) => Some(LeftOut::path(file, why)),
    };
    let looks: Vec<Option<LeftOut>> = files.par_iter().map(look).collect();
    let mut pictures = Vec::new();
    for (file, why) in files.into_iter().zip(looks) {
        match why {
            None => pictures.push(file),
            Some(why) => left_out.push(why),
        }
    }
    pictures
}

/// Why the file at `path` is no picture, in words; `None` if it begins as one.
pub(crate) fn why_no_picture(path: &Path) -> Option<String> {
    looks(path).map_or_else(Some, Looks::why_not)
}

fn looks(path: &Path) -> Result<Looks, String> {
    looks_of_file(path).map_err(|error| format!("cannot be read: {error}"))
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
