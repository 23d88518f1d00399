//! Where the pixels of images live: in memory, or in a file that is read image by image.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::DataError;

/// The pixels of equally large images, one after the other; a clone shares them.
#[derive(Clone)]
pub struct PixelStore(Place);

#[derive(Clone)]
enum Place {
    Memory(Arc<dyn Deref<Target = [u8]> + Send + Sync>),
    File(Arc<PixelFile>),
}

/// Images in a file. It stays open: removing or replacing it does no harm to who reads it.
pub(crate) struct PixelFile {
    file: File,
    path: PathBuf,
    /// Where the first image begins.
    start: u64,
    image_len: usize,
    /// CRC-32C of each image.
    checksums: Vec<u32>,
}

impl PixelStore {
    /// The number of bytes.
    pub fn len(&self) -> usize {
        match &self.0 {
            Place::Memory(pixels) => pixels.len(),
            Place::File(file) => file.image_len * file.checksums.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether images are read from a file when they are asked for.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.0, Place::File(_))
    }

    pub(crate) fn shared(pixels: Arc<dyn Deref<Target = [u8]> + Send + Sync>) -> Self {
        Self(Place::Memory(pixels))
    }

    pub(crate) fn file(file: PixelFile) -> Self {
        Self(Place::File(Arc::new(file)))
    }

    /// Image `i` of those that are `image_len` bytes long: borrowed from memory, or read.
    ///
    /// # Errors
    ///
    /// Where the file does not give it: it was cut or changed, or the system failed.
    pub(crate) fn image(&self, i: usize, image_len: usize) -> Result<Cow<'_, [u8]>, DataError> {
        match &self.0 {
            Place::Memory(pixels) => Ok(Cow::Borrowed(&pixels[i * image_len..][..image_len])),
            Place::File(file) => {
                let mut pixels = vec![0; image_len];
                file.read(i, &mut pixels)?;
                Ok(Cow::Owned(pixels))
            }
        }
    }

    /// As [`PixelStore::image`], into memory that is there already.
    pub(crate) fn copy_image(&self, i: usize, out: &mut [u8]) -> Result<(), DataError> {
        match &self.0 {
            Place::Memory(pixels) => out.copy_from_slice(&pixels[i * out.len()..][..out.len()]),
            Place::File(file) => file.read(i, out)?,
        }
        Ok(())
    }
}

impl From<Vec<u8>> for PixelStore {
    fn from(pixels: Vec<u8>) -> Self {
        Self::shared(Arc::new(pixels))
    }
}

impl PixelFile {
    pub(crate) fn new(
        file: File,
        path: &Path,
        start: u64,
        image_len: usize,
        checksums: Vec<u32>,
    ) -> Self {
        Self {
            file,
            path: path.to_path_buf(),
            start,
            image_len,
            checksums,
        }
    }

    fn read(&self, i: usize, out: &mut [u8]) -> Result<(), DataError> {
        let at = self.start + (i * self.image_len) as u64;
        read_at(&self.file, out, at).map_err(DataError::io("reading", &self.path))?;
        if crc32c::crc32c(out) != self.checksums[i] {
            let reason = format!("image {i} has not the checksum that was written");
            return Err(DataError::damaged(&self.path, reason));
        }
        Ok(())
    }
}

#[cfg(unix)]
pub(crate) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut out: &mut [u8], mut at: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                out = &mut out[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}
