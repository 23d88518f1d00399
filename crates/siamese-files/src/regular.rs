//! Files that end: a pipe is waited for without end, a device gives bytes without end.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a regular file, or one that a link leads to; its metadata tells the length.
///
/// # Errors
/// As [`File::open`]; in words where it is a pipe, a device, a socket or a folder.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    // asked before it is opened: opening a pipe waits for who writes to it
    check(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    let found = file.metadata()?;
    check(&found)?;
    Ok((file, found))
}

/// Reads a regular file whole.
///
/// # Errors
/// As [`open_regular`].
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let (file, found) = open_regular(path)?;
    let mut bytes = Vec::new();
    // one that grows while it is read would not end either
    file.take(found.len()).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a regular file of text.
///
/// # Errors
/// As [`open_regular`]; if it is no UTF-8.
pub fn read_regular_text(path: &Path) -> io::Result<String> {
    let bytes = read_regular(path)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no UTF-8"))
}

fn check(found: &Metadata) -> io::Result<()> {
    let other = match () {
        () if found.is_file() => return Ok(()),
        () if found.is_dir() => "a folder",
        () => "a pipe, a device or a socket",
    };
    let told = format!("it is no regular file, but {other}");
    Err(io::Error::other(told))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[cfg_attr(miri, ignore = "makes a socket")]
    #[test]
    fn devices_sockets_and_folders_are_refused_and_files_behind_links_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "text").unwrap();
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("zero")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!(read_regular(&at("link")).unwrap(), b"text");
        for name in ["zero", "socket"] {
            let error = read_regular(&at(name)).unwrap_err().to_string();
            assert!(error.contains("no regular file"), "{name}: {error}");
        }
        assert!(read_regular(folder.path()).is_err());
    }
}
