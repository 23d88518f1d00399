//! Files that others read are written whole or not at all.
//!
//! A reader never sees half a file, whatever happens while it is written: a crash, a full disk, a second writer.
//! Every writer of the toolkit goes through [`write_whole`].
//!
//! And files that others wrote do no harm: [`limits`] says how much one may ask of the machine, [`open_regular`] opens
//! those that end, [`guarded`] catches what their parsers throw, [`legible`] is their text as a
//! terminal may see it, [`quoted`] as a shell may.

mod guard;
mod legible;
pub mod limits;
mod regular;
mod shell;

pub use guard::guarded;
pub use legible::{is_illegible, legible};
pub use regular::{open_regular, read_regular, read_regular_text};
pub use shell::quoted;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The ending of a file that is being written; one that a killed process left may be removed.
pub const PARTIAL: &str = "partial";

/// Writes the file at `path` by way of a temporary file beside it: written, synced to disk, renamed, and the folder
/// synced too. Until then an older file of that name stays whole.
///
/// A link is followed, and what it leads to replaced. What is no regular file (`/dev/stdout`, a pipe) is written in
/// place. The file's mode is what the umask says.
///
/// ```
/// use std::io::Write;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("answer.txt");
/// siamese_files::write_whole(&path, |file| writeln!(file, "42"))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "42\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// What `write` or the file system says; the temporary file is removed then.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if target.metadata().is_ok_and(|found| !found.is_file()) {
        let mut file = BufWriter::new(OpenOptions::new().write(true).open(&target)?);
        write(&mut file)?;
        return file.flush();
    }
    replace(&target, write, |_| Ok(()))
}

/// Writes these bytes as [`write_whole`] does.
///
/// # Errors
/// As [`write_whole`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole(path, |file| file.write_all(bytes))
}

/// Writes these bytes as [`write_bytes`] does, and keeps the file that was there under the name `older`.
///
/// Whenever this is interrupted, one of the two is whole, and in all but the moment between two renames it is `path`.
///
/// # Errors
/// As [`write_whole`].
pub fn write_keeping(path: &Path, older: &Path, bytes: &[u8]) -> io::Result<()> {
    let keep = |path: &Path| match fs::rename(path, older) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    };
    replace(path, |file| file.write_all(bytes), keep)
}

/// Written beside, synced, renamed; `before` is done to the old file right before the new one takes its place.
fn replace(
    target: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    before: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let partial = partial_of(target);
    let written = write_synced(&partial, write)
        .and_then(|()| before(target))
        .and_then(|()| fs::rename(&partial, target));
    if written.is_err() {
        // what is left of it is of no use to anyone, and the first error is the one to tell
        fs::remove_file(&partial).ok();
        return written;
    }
    sync_folder(target)
}

fn write_synced(
    partial: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(partial)?);
    write(&mut file)?;
    file.into_inner()?.sync_all()
}

/// `folder/name` → `folder/.name.PID.partial`: hidden, and not another process's.
fn partial_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.{PARTIAL}", std::process::id()));
    path.with_file_name(name)
}

/// Makes a rename last through a power cut; only Unix lets a folder be opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_older_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        write_bytes(&path, b"old").unwrap();
        let error = write_whole(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(error.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_file_that_was_there_is_kept_under_its_other_name() {
        let folder = tempfile::tempdir().unwrap();
        let [path, older] = ["last", "previous"].map(|name| folder.path().join(name));
        for (bytes, kept) in [("1", None), ("2", Some("1")), ("3", Some("2"))] {
            write_keeping(&path, &older, bytes.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
            assert_eq!(fs::read_to_string(&older).ok().as_deref(), kept);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_missing_folder_is_an_error_and_a_bare_name_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_bytes(&folder.path().join("none/model"), b"x").is_err());
        assert_eq!(
            partial_of(Path::new("model")).parent(),
            Some(Path::new("")),
            "beside the file"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_devices_written_in_place_and_modes_left_to_the_umask() {
        use std::os::unix::fs::{MetadataExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        write_bytes(&real, b"old").unwrap();
        symlink(&real, &link).unwrap();
        write_bytes(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");

        let plain = folder.path().join("plain");
        fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode();
        assert_eq!(mode(&real), mode(&plain));

        write_bytes(Path::new("/dev/null"), b"gone").unwrap();
        if Path::new("/dev/full").exists() {
            let error = write_bytes(Path::new("/dev/full"), b"x").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
