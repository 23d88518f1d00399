//! Pictures that are parts of larger files: entries of archives, records of a fixed length.
//!
//! A gzipped file is unpacked once, into a file that has no name and goes when the set does.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::{DeflateDecoder, MultiGzDecoder};

use siamese_files::limits::check_growth;
use siamese_files::open_regular;

use super::stored::{RawImage, Stored};
use crate::error::DataError;
use crate::picture::PictureLimits;

/// Pictures within files.
#[derive(Debug)]
pub(crate) struct Spans {
    pub(crate) files: Vec<SpanFile>,
    pub(crate) spans: Vec<Span>,
    pub(crate) content: Content,
}

/// Where one picture lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// An index into [`Spans::files`].
    pub(crate) file: u32,
    pub(crate) at: u64,
    pub(crate) length: u64,
    /// The length that it unpacks to, where it is deflated.
    pub(crate) inflated: Option<u64>,
}

/// What a span holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// A picture file.
    Picture,
    /// Grey values, row by row.
    Grey { height: usize, width: usize },
    /// A plane of red, one of green, one of blue.
    Planes { height: usize, width: usize },
}

impl Spans {
    /// Picture `item`, where it is within the limits; an error says why it cannot be read, in words.
    pub(crate) fn picture(&self, item: usize, limits: &PictureLimits) -> Result<Stored, String> {
        let span = self.spans[item];
        let longest = span.length.max(span.inflated.unwrap_or(0));
        limits
            .check_file(longest)
            .map_err(|error| error.to_string())?;
        check_growth(span.length, longest)?;
        let file = &self.files[span.file as usize];
        // an entry may claim to be longer than the archive that it lies in
        let end = span.at.saturating_add(span.length);
        if file.length().map_err(|error| error.to_string())? < end {
            return Err("it ends beyond the file that it lies in".into());
        }
        let mut bytes = vec![0; span.length as usize];
        file.read_at(span.at, &mut bytes)
            .map_err(|error| error.to_string())?;
        if let Some(length) = span.inflated {
            bytes = inflate(&bytes, length).map_err(|error| error.to_string())?;
        }
        Ok(match self.content {
            Content::Picture => Stored::Encoded(bytes),
            Content::Grey { height, width } => Stored::Raw(RawImage {
                height,
                width,
                channels: 1,
                pixels: bytes,
            }),
            Content::Planes { height, width } => Stored::Raw(RawImage {
                height,
                width,
                channels: 3,
                pixels: interleaved(&bytes, height * width),
            }),
        })
    }
}

/// Planes of red, green and blue as pixels.
fn interleaved(planes: &[u8], plane: usize) -> Vec<u8> {
    let value = |at: usize| [planes[at], planes[plane + at], planes[2 * plane + at]];
    (0..plane).flat_map(value).collect()
}

fn inflate(bytes: &[u8], length: u64) -> io::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    DeflateDecoder::new(bytes)
        .take(length + 1)
        .read_to_end(&mut inflated)?;
    if inflated.len() as u64 != length {
        return Err(io::Error::other(format!(
            "it does not unpack to the {length} bytes that the archive says"
        )));
    }
    Ok(inflated)
}

/// A file that pictures lie in.
#[derive(Clone, Debug)]
pub(crate) struct SpanFile {
    /// The file's name; that of the gzipped one, where it was unpacked.
    pub(crate) path: PathBuf,
    unpacked: Option<Arc<File>>,
}

impl SpanFile {
    /// The file at `path`; where it is gzipped, it is unpacked into `scratch` first.
    ///
    /// # Errors
    ///
    /// [`DataError::Damaged`] if it cannot be unpacked, [`DataError::Unrecognised`] if it unpacks to too much.
    pub(crate) fn open(path: &Path, scratch: &Path) -> Result<Self, DataError> {
        let (mut file, _) = open_regular(path).map_err(DataError::io("opening", path))?;
        let mut magic = [0; 2];
        let gzipped = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        let unpacked = gzipped
            .then(|| unpack(path, file, scratch).map(Arc::new))
            .transpose()?;
        Ok(Self {
            path: path.to_path_buf(),
            unpacked,
        })
    }

    /// The length of what can be read.
    pub(crate) fn length(&self) -> Result<u64, DataError> {
        let metadata = match &self.unpacked {
            Some(file) => file.metadata(),
            None => fs::metadata(&self.path),
        };
        Ok(metadata
            .map_err(DataError::io("reading", &self.path))?
            .len())
    }

    /// A reader of the whole, with a place of its own.
    pub(crate) fn reader(&self) -> Result<SpanReader, DataError> {
        let file = match &self.unpacked {
            Some(file) => Arc::clone(file),
            None => Arc::new(File::open(&self.path).map_err(DataError::io("opening", &self.path))?),
        };
        Ok(SpanReader {
            file,
            at: 0,
            length: self.length()?,
        })
    }

    /// The first bytes, at most `most`.
    pub(crate) fn head(&self, most: usize) -> Result<Vec<u8>, DataError> {
        let mut head = Vec::new();
        let read = self.reader()?.take(most as u64).read_to_end(&mut head);
        read.map_err(DataError::io("reading", &self.path))?;
        Ok(head)
    }

    /// Fills `bytes` from place `at` on.
    pub(crate) fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match &self.unpacked {
            Some(file) => read_exact_at(file, at, bytes),
            None => read_exact_at(&File::open(&self.path)?, at, bytes),
        }
    }
}

/// Reads a file without moving a place that others share.
#[derive(Clone, Debug)]
pub(crate) struct SpanReader {
    file: Arc<File>,
    at: u64,
    length: u64,
}

impl Read for SpanReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = read_at(&self.file, self.at, bytes)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for SpanReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a place before the file")
        })?;
        Ok(self.at)
    }
}

fn read_exact_at(file: &File, mut at: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match read_at(file, at, bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                at += n as u64;
                bytes = &mut bytes[n..];
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
fn read_at(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, at)
}

/// Unpacks `file` into a nameless file in `scratch`, within the limits.
fn unpack(path: &Path, mut file: File, scratch: &Path) -> Result<File, DataError> {
    let packed = file
        .metadata()
        .map_err(DataError::io("reading", path))?
        .len();
    file.rewind().map_err(DataError::io("reading", path))?;
    fs::create_dir_all(scratch).map_err(DataError::io("creating", scratch))?;
    let mut out =
        tempfile::tempfile_in(scratch).map_err(DataError::io("creating a file in", scratch))?;
    let mut reader = MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, file));
    let mut buffer = vec![0; 1 << 18];
    let mut length = 0u64;
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(out),
            Ok(n) => n,
            Err(error) => return Err(DataError::damaged(path, error)),
        };
        out.write_all(&buffer[..n])
            .map_err(DataError::io("unpacking into", scratch))?;
        length += n as u64;
        check_growth(packed, length).map_err(|why| {
            let advice = "or unpack it yourself, and name the folder";
            DataError::unrecognised(path, why, advice)
        })?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder};

    #[test]
    fn a_gzipped_file_reads_as_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, gz) = (folder.path().join("plain"), folder.path().join("gz"));
        fs::write(&plain, b"0123456789").unwrap();
        let mut packer = GzEncoder::new(File::create(&gz).unwrap(), Compression::fast());
        packer.write_all(b"0123456789").unwrap();
        packer.finish().unwrap();
        for path in [&plain, &gz] {
            let file = SpanFile::open(path, folder.path()).unwrap();
            let mut bytes = [0; 3];
            file.read_at(4, &mut bytes).unwrap();
            assert_eq!((&bytes, file.length().unwrap()), (b"456", 10));
            assert!(file.read_at(8, &mut bytes).is_err(), "past the end");
        }
        let whole = fs::read(&gz).unwrap();
        fs::write(&gz, &whole[..whole.len() - 9]).unwrap();
        let error = SpanFile::open(&gz, folder.path()).unwrap_err();
        assert!(matches!(error, DataError::Damaged { .. }), "{error}");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_deflated_entry_that_lies_about_its_length_is_an_error() {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&[7; 100]).unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(inflate(&packed, 100).unwrap(), [7; 100]);
        assert!(inflate(&packed, 99).is_err() && inflate(&packed, 101).is_err());
    }

    #[test]
    fn planes_become_pixels() {
        assert_eq!(
            interleaved(&[1, 2, 11, 12, 21, 22], 2),
            [1, 11, 21, 2, 12, 22]
        );
    }
}
