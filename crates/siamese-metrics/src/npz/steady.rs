//! A writer that fails at the end and not on the way.

use std::io::{self, Seek, SeekFrom, Write};

/// Takes everything, and keeps the first failure of what it writes to: nothing is written after that.
///
/// An archive goes on writing when it is dropped after a failure, prints what becomes of that, and asserts that the file is
/// as long as it thinks.
pub(super) struct Steady<W> {
    inner: W,
    failed: Option<io::Error>,
    at: u64,
    end: u64,
}

impl<W: Write + Seek> Steady<W> {
    /// Writes from the beginning of `inner`.
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            failed: None,
            at: 0,
            end: 0,
        }
    }

    /// Sees all of it written.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.failed.map_or(Ok(()), Err)
    }

    fn unless_failed(&mut self, done: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = done(&mut self.inner).err();
        }
    }
}

impl<W: Write + Seek> Write for Steady<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_failed(|inner| inner.write_all(bytes));
        self.at += bytes.len() as u64;
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_failed(Write::flush);
        Ok(())
    }
}

impl<W: Write + Seek> Seek for Steady<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        let at = self.at;
        self.unless_failed(|inner| inner.seek(SeekFrom::Start(at)).map(drop));
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has room for so many bytes.
    struct Small(io::Cursor<Vec<u8>>, usize);

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.position() as usize + bytes.len() > self.1 {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => self.0.write(bytes),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Small {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn an_archive_on_a_disk_of_any_size_is_an_error_and_never_a_panic() {
        let archived = |room| -> io::Result<()> {
            let mut archive = zip::ZipWriter::new(Steady::new(Small(io::Cursor::default(), room)));
            for name in ["a", "b"] {
                archive.start_file(name, zip::write::SimpleFileOptions::default())?;
                archive.write_all(&[7; 100])?;
            }
            archive.finish()?.finish()
        };
        let whole = (0..)
            .find(|&room| archived(room).is_ok())
            .unwrap_or_default();
        assert!((50..1000).contains(&whole), "{whole}");
        let error = archived(whole - 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
