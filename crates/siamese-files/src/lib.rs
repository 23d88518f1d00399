//! Files written whole or not at all, and read within limits.

#![doc = include_str!("../README.md")]

mod guard;
mod legible;
pub mod limits;
mod regular;
mod shell;

pub use guard::guarded;
pub use legible::{is_illegible, legible};
pub use regular::{open_regular, read_regular, read_regular_text};
pub use shell::quoted;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The ending of a file that is being written.
const PARTIAL: &str = "partial";
/// Where the file system knows no locks, a partial file that nobody changed for so long is taken for abandoned.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

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

/// Whether a file of this name is one that is, or was, being written.
///
/// ```
/// assert!(siamese_files::is_partial(".report.html.4711.partial".as_ref()));
/// assert!(!siamese_files::is_partial("thesis.partial".as_ref()));
/// ```
pub fn is_partial(name: &OsStr) -> bool {
    let hidden = name.as_encoded_bytes().starts_with(b".");
    hidden && Path::new(name).extension() == Some(PARTIAL.as_ref())
}

/// Removes from a folder what processes that are gone left of files that they were writing.
///
/// # Errors
/// When the folder cannot be read, or such a file not be removed.
pub fn sweep(folder: &Path) -> io::Result<()> {
    sweep_those(folder, is_partial)
}

fn sweep_those(folder: &Path, meant: impl Fn(&OsStr) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if meant(&entry.file_name()) {
            remove_if_abandoned(&entry.path())?;
        }
    }
    Ok(())
}

/// Whoever writes a partial file holds a lock on it, which ends with the process.
fn remove_if_abandoned(partial: &Path) -> io::Result<()> {
    let gone = |done: io::Result<()>| match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()), // another was faster
        done => done,
    };
    let file = match OpenOptions::new().write(true).open(partial) {
        Ok(file) => file,
        Err(error) => return gone(Err(error)),
    };
    let abandoned = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => {
            let changed = file.metadata()?.modified()?;
            let age = SystemTime::now().duration_since(changed);
            age.is_ok_and(|age| age > ABANDONED)
        }
    };
    match abandoned {
        true => gone(fs::remove_file(partial)),
        false => Ok(()),
    }
}

/// Written beside, synced, renamed; `before` is done to the old file right before the new one takes its place.
fn replace(
    target: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    before: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    // what cannot be removed is no reason not to write
    sweep_those(folder_of(target), |name| is_partial_of(name, target)).ok();
    let (file, partial) = create_locked(target)?;
    let written = write_synced(file, write).and_then(|_locked| {
        before(target)?;
        fs::rename(&partial, target)
    });
    if written.is_err() {
        // what is left of it is of no use to anyone, and the first error is the one to tell
        fs::remove_file(&partial).ok();
        return written;
    }
    sync_folder(target)
}

/// A new partial file for `target`, locked, and where it is.
fn create_locked(target: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let partial = partial_of(target, NUMBER.fetch_add(1, Ordering::Relaxed));
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&partial);
        let file = match created {
            // a process of the same number was killed, or lives in another container
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            created => created?,
        };
        // until it was locked, it may have been swept away, or another may just be about to; not all file systems know locks
        let being_swept = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if !being_swept && partial.exists() {
            return Ok((file, partial));
        }
    }
}

/// The file as written, still locked.
fn write_synced(
    file: File,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<File> {
    let mut file = BufWriter::new(file);
    write(&mut file)?;
    let file = file.into_inner()?;
    file.sync_all()?;
    Ok(file)
}

/// `folder/name` → `folder/.name.PID-NUMBER.partial`: hidden, and not another process's or thread's.
fn partial_of(path: &Path, number: u64) -> PathBuf {
    let mut name = hidden(path);
    name.push(format!("{}-{number}.{PARTIAL}", std::process::id()));
    path.with_file_name(name)
}

/// Whether this is the name of any process's partial file of `path`.
fn is_partial_of(name: &OsStr, path: &Path) -> bool {
    let rest = name
        .as_encoded_bytes()
        .strip_prefix(hidden(path).as_encoded_bytes());
    let process = rest.and_then(|rest| rest.strip_suffix(format!(".{PARTIAL}").as_bytes()));
    let numbers = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
    process.is_some_and(|process| !process.is_empty() && process.iter().all(numbers))
}

/// `folder/name` → `.name.`
fn hidden(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Makes a rename last through a power cut; only Unix lets a folder be opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    File::open(folder_of(path))?.sync_all()
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
    fn what_a_killed_process_left_is_swept_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let left = [
            ".a.1-0.partial",
            ".a.2-7.partial",
            ".b.1.partial",
            ".a.b.1.partial",
            "a.partial",
        ];
        for name in left {
            fs::write(at(name), b"half").unwrap();
        }
        let writing = File::open(at(".a.2-7.partial")).unwrap();
        writing.lock().unwrap();
        write_bytes(&at("a"), b"whole").unwrap();
        assert_eq!(
            left.map(|name| at(name).exists()),
            [false, true, true, true, true]
        );
        sweep(folder.path()).unwrap();
        assert_eq!(
            left.map(|name| at(name).exists()),
            [false, true, false, false, true]
        );
        drop(writing);
        sweep(folder.path()).unwrap();
        assert!(!at(".a.2-7.partial").exists() && at("a").exists());
    }

    #[test]
    fn of_threads_that_write_one_file_the_last_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let whole = |i: u8| vec![i; 100_000];
        std::thread::scope(|scope| {
            for i in 0..8 {
                let path = &path;
                scope.spawn(move || write_bytes(path, &whole(i)).unwrap());
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes, whole(bytes[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_and_a_bare_name_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_bytes(&folder.path().join("none/model"), b"x").is_err());
        assert_eq!(
            partial_of(Path::new("model"), 0).parent(),
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
