//! A decoded set in a cache file: made once, streamed to disk, read whole or image by image.
//!
//! ```text
//! 0     8  "siamese\0"
//! 8     4  version of this format, u32 little-endian like all numbers here
//! 12    4  zeros
//! 16       pixels (N, H, W, C)
//!          CRC-32C of each image, (N) u32
//!          JSON, a [`Summary`]
//! −20   8  length of the JSON
//! −12   4  CRC-32C of checksums and JSON
//! −8    8  "siamese\0"
//! ```
//!
//! What is known only in the end stands at the end, so that no set need fit into memory. Whatever
//! does not fit (another source, a cut file, a changed byte) is no error: the set is decoded again.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::picture::Framing;
use crate::pixel_store::{PixelFile, PixelStore, read_at};
use crate::progress::Progress;

const MAGIC: [u8; 8] = *b"siamese\0";
const VERSION: u32 = 2;
const PIXELS_AT: u64 = 16;
const FOOTER: u64 = 20;

/// Bytes of images that are decoded before they are written.
const CHUNK: usize = 32 << 20;

/// Which set a cache file holds.
#[derive(Clone, Copy, Debug)]
pub struct PackedKey<'a> {
    /// Tells the sets of a cache folder apart: a set of the same name takes the place of an older.
    pub name: &'a str,
    /// Of the source files (paths, lengths, times): where it differs, the set is decoded again.
    pub fingerprint: &'a str,
}

/// How a set is packed.
#[derive(Clone, Copy, Debug)]
pub struct PackOptions {
    /// Where to report how far the decoding is.
    pub progress: Progress,
    /// Sets of up to this many bytes are held in memory, larger ones read image by image.
    pub memory: u64,
}

/// 1 GiB in memory.
impl Default for PackOptions {
    fn default() -> Self {
        Self {
            progress: Progress::default(),
            memory: 1 << 30,
        }
    }
}

/// One picture of a set to be packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Its pixels (H, W, C), framed.
    Pixels(Vec<u8>),
    /// It cannot be read; why.
    LeftOut(String),
}

/// What cannot be read is left out, and why.
impl From<Result<Vec<u8>, DataError>> for Filled {
    fn from(read: Result<Vec<u8>, DataError>) -> Self {
        match read {
            Ok(pixels) => Self::Pixels(pixels),
            Err(error) => Self::LeftOut(error.to_string()),
        }
    }
}

/// The pixels of a set, and which of its pictures they are.
#[derive(Clone)]
pub struct PackedImages {
    /// (N, H, W, C) of the pictures in `kept`.
    pub pixels: PixelStore,
    /// The pictures that could be read, in their order.
    pub kept: Vec<u32>,
    /// The others, each with the reason.
    pub left_out: Vec<(u32, String)>,
}

#[derive(Serialize, Deserialize)]
struct Summary {
    name: String,
    fingerprint: String,
    framing: Framing,
    /// Pictures that were asked for.
    count: usize,
    left_out: Vec<(u32, String)>,
}

/// The images of a set of `count` pictures, from the cache file in `folder` if there is one of
/// this key and framing, else by `fill`, on all cores, and kept there.
///
/// A set that is to be held in memory is had even where `folder` cannot be written to.
///
/// ```
/// use siamese_data::{
///     Colour, Filled, Fit, Framing, PackOptions, PackedKey, Progress, packed_images,
/// };
///
/// # let folder = tempfile::tempdir()?;
/// let framing = Framing { height: 1, width: 2, colour: Colour::Grey, fit: Fit::Crop };
/// let key = PackedKey { name: "greys", fingerprint: "a" };
/// let options = PackOptions { progress: Progress::Silent, ..PackOptions::default() };
/// let packed = packed_images(folder.path(), key, 3, &framing, &options, |i| {
///     Ok(if i == 1 { Filled::LeftOut("it is cut".into()) } else { Filled::Pixels(vec![i as u8; 2]) })
/// })?;
/// assert_eq!(packed.kept, [0, 2]);
/// assert_eq!(packed.left_out, [(1, "it is cut".into())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// What `fill` fails with; [`DataError::Io`] where the set is too large for memory and the file
/// cannot be written, as on a full disk; [`DataError::Invalid`] for pixels of another size.
pub fn packed_images(
    folder: &Path,
    key: PackedKey,
    count: usize,
    framing: &Framing,
    options: &PackOptions,
    fill: impl Fn(usize) -> Result<Filled, DataError> + Sync,
) -> Result<PackedImages, DataError> {
    let path = path_of(folder, key.name, framing);
    let wanted = Wanted {
        key,
        count,
        framing,
        options,
    };
    if let Some(packed) = wanted.read(&path) {
        return Ok(packed);
    }
    let made = fs::create_dir_all(folder).map_err(DataError::io("creating", folder));
    siamese_files::sweep(folder).ok(); // who cannot remove what killed processes left can still work
    let bytes = (count * framing.image_len()) as u64;
    if bytes > options.memory {
        made?;
        wanted.write(&path, |out| wanted.stream(&fill, out))?;
        let reason = "it changed while it was written";
        return wanted
            .read(&path)
            .ok_or_else(|| DataError::damaged(&path, reason));
    }
    let mut pixels = Vec::with_capacity(bytes as usize);
    let filled = wanted.stream(&fill, &mut pixels)?;
    let kept = wanted.write(&path, |out| {
        out.write_all(&pixels)
            .map_err(DataError::io("writing", &path))?;
        Ok(filled.clone())
    });
    if let Err(error) = made.and(kept) {
        let note = format!("the decoded set is not kept, the next start decodes again: {error}");
        options.progress.note(&note);
    }
    Ok(PackedImages {
        pixels: pixels.into(),
        kept: kept_of(count, &filled.left_out),
        left_out: filled.left_out,
    })
}

/// One file for each set and framing.
fn path_of(folder: &Path, name: &str, framing: &Framing) -> PathBuf {
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(plain).collect();
    let Framing {
        height,
        width,
        colour,
        fit,
    } = framing;
    let kind = format!("{height}x{width}-{colour:?}-{fit:?}").to_lowercase();
    folder.join(format!("{name}-{kind}.images"))
}

/// What a pass over the pictures gave beside their pixels.
#[derive(Clone)]
struct Pass {
    checksums: Vec<u32>,
    left_out: Vec<(u32, String)>,
}

struct Wanted<'a> {
    key: PackedKey<'a>,
    count: usize,
    framing: &'a Framing,
    options: &'a PackOptions,
}

impl Wanted<'_> {
    /// Fills all pictures in their order, a chunk at a time, and writes their pixels.
    fn stream(
        &self,
        fill: &(impl Fn(usize) -> Result<Filled, DataError> + Sync),
        out: &mut impl Write,
    ) -> Result<Pass, DataError> {
        let image_len = self.framing.image_len();
        let mut pass = Pass {
            checksums: Vec::with_capacity(self.count),
            left_out: Vec::new(),
        };
        let at_once = (CHUNK / image_len.max(1)).clamp(1, 1024);
        let label = format!("decoding {}", self.key.name);
        let mut meter = self.options.progress.images(&label, self.count as u64);
        for start in (0..self.count).step_by(at_once) {
            let end = self.count.min(start + at_once);
            let chunk: Vec<_> = (start..end).into_par_iter().map(fill).collect();
            for (i, filled) in (start..).zip(chunk) {
                match filled? {
                    Filled::Pixels(pixels) if pixels.len() == image_len => {
                        pass.checksums.push(crc32c::crc32c(&pixels));
                        out.write_all(&pixels)
                            .map_err(DataError::io("writing", Path::new(self.key.name)))?;
                    }
                    Filled::Pixels(pixels) => {
                        let found = pixels.len();
                        return Err(DataError::Invalid(format!(
                            "picture {i} has {found} bytes of pixels, expected {image_len}"
                        )));
                    }
                    Filled::LeftOut(reason) => pass.left_out.push((i as u32, reason)),
                }
            }
            meter.set(end as u64);
        }
        meter.finish();
        Ok(pass)
    }

    /// Writes the file around the pixels that `pixels` writes.
    fn write(
        &self,
        path: &Path,
        pixels: impl FnOnce(&mut BufWriter<File>) -> Result<Pass, DataError>,
    ) -> Result<(), DataError> {
        let mut failed = None;
        let written = siamese_files::write_whole(path, |out| {
            out.write_all(&MAGIC)?;
            out.write_all(&VERSION.to_le_bytes())?;
            out.write_all(&[0; 4])?;
            let pass = pixels(out).map_err(|error| match error {
                DataError::Io { source, .. } => source,
                error => {
                    failed = Some(error);
                    io::Error::other("a picture failed")
                }
            })?;
            self.write_end(out, pass)
        });
        match failed {
            Some(error) => Err(error),
            None => written.map_err(DataError::io("writing", path)),
        }
    }

    fn write_end(&self, out: &mut impl Write, pass: Pass) -> io::Result<()> {
        let json = serde_json::to_vec(&Summary {
            name: self.key.name.into(),
            fingerprint: self.key.fingerprint.into(),
            framing: *self.framing,
            count: self.count,
            left_out: pass.left_out,
        })?;
        let checksums = pass.checksums.iter().flat_map(|crc| crc.to_le_bytes());
        let mut end: Vec<u8> = checksums.collect();
        end.extend(&json);
        out.write_all(&end)?;
        out.write_all(&(json.len() as u64).to_le_bytes())?;
        out.write_all(&crc32c::crc32c(&end).to_le_bytes())?;
        out.write_all(&MAGIC)
    }

    /// The set in the file at `path`, or `None` if there is none that is whole and wanted.
    fn read(&self, path: &Path) -> Option<PackedImages> {
        let file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let whole = length;
        let part = |at: u64, length: u64| -> Option<Vec<u8>> {
            // what a damaged file claims is not asked for
            let within = at.checked_add(length).is_some_and(|end| end <= whole);
            let mut bytes = vec![0; usize::try_from(length).ok().filter(|_| within)?];
            read_at(&file, &mut bytes, at).ok()?;
            Some(bytes)
        };
        let head = part(0, PIXELS_AT)?;
        if head[..8] != MAGIC || head[8..12] != VERSION.to_le_bytes() {
            return None;
        }
        let footer = part(length.checked_sub(FOOTER)?, FOOTER)?;
        let json_len = u64::from_le_bytes(footer[..8].try_into().ok()?);
        if footer[12..] != MAGIC {
            return None;
        }
        let json_at = (length - FOOTER).checked_sub(json_len)?;
        let json = part(json_at, json_len)?;
        let summary: Summary = serde_json::from_slice(&json).ok()?;
        if !self.is_met(&summary) {
            return None;
        }
        let images = (self.count as u64).checked_sub(summary.left_out.len() as u64)?;
        let pixels_len = images * self.framing.image_len() as u64;
        let checksums_at = PIXELS_AT + pixels_len;
        if checksums_at + images * 4 != json_at {
            return None;
        }
        let checksums = part(checksums_at, images * 4)?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&checksums), &json);
        if footer[8..12] != crc.to_le_bytes() {
            return None;
        }
        let (each, _) = checksums.as_chunks();
        let checksums: Vec<u32> = each.iter().map(|four| u32::from_le_bytes(*four)).collect();
        let pixels = self.pixels(file, path, pixels_len, checksums)?;
        Some(PackedImages {
            pixels,
            kept: kept_of(self.count, &summary.left_out),
            left_out: summary.left_out,
        })
    }

    fn is_met(&self, found: &Summary) -> bool {
        (&*found.name, &*found.fingerprint) == (self.key.name, self.key.fingerprint)
            && (found.framing, found.count) == (*self.framing, self.count)
    }

    /// A small set is read and checked at once; of a large one each image when it is read.
    fn pixels(
        &self,
        file: File,
        path: &Path,
        length: u64,
        checksums: Vec<u32>,
    ) -> Option<PixelStore> {
        let image_len = self.framing.image_len();
        if length > self.options.memory {
            let file = PixelFile::new(file, path, PIXELS_AT, image_len, checksums);
            return Some(PixelStore::file(file));
        }
        let mut pixels = vec![0; usize::try_from(length).ok()?];
        read_at(&file, &mut pixels, PIXELS_AT).ok()?;
        let images = pixels.par_chunks_exact(image_len).zip(&checksums);
        let whole = images
            .into_par_iter()
            .all(|(image, crc)| crc32c::crc32c(image) == *crc);
        whole.then(|| pixels.into())
    }
}

fn kept_of(count: usize, left_out: &[(u32, String)]) -> Vec<u32> {
    let mut missing = left_out.iter().map(|(i, _)| *i).peekable();
    let kept = (0..count as u32).filter(|i| missing.next_if_eq(i).is_none());
    kept.collect()
}

#[cfg(test)]
mod tests;
