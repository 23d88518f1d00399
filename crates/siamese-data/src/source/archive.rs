//! The files in a tar or zip archive, and where each lies.

use std::io::Read;
use std::path::PathBuf;

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use siamese_files::guarded;

use super::listing::LeftOut;
use super::mistaken::mistaken;
use super::shards::each_shard;
use super::shown::{shown, shown_bytes};
use super::spans::{Span, SpanFile};
use super::walk::left_behind_in;
use crate::error::DataError;
use crate::picture::{HEAD, Looks};

/// The files in one or more archives.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    pub(crate) files: Vec<SpanFile>,
    /// Path within the archive, and place.
    pub(crate) entries: Vec<(PathBuf, Span)>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// What kind of archive a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveKind {
    Tar,
    Zip,
}

impl ArchiveKind {
    /// By the first 512 bytes (unpacked); `None` if it is no archive.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Some(Self::Zip);
        }
        let header = head.get(..512)?;
        // a tar's first header carries the sum of its own bytes, in octal digits
        let told = std::str::from_utf8(&header[148..156]).ok()?;
        let told = u32::from_str_radix(told.trim_matches(['\0', ' ']), 8).ok()?;
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        let field: u32 = header[148..156].iter().map(|&byte| u32::from(byte)).sum();
        (sum - field + 8 * u32::from(b' ') == told).then_some(Self::Tar)
    }
}

impl Archive {
    /// Reads the tables of contents of these archives.
    pub(crate) fn read(files: Vec<SpanFile>) -> Result<Self, DataError> {
        let mut archive = Self::default();
        for (i, file) in files.iter().enumerate() {
            archive.read_file(i, file)?;
        }
        archive.files = files;
        Ok(archive)
    }

    /// As [`Archive::read`], of the shards of one set: those that are damaged are left out where they `may_miss`.
    pub(crate) fn read_shards(files: Vec<SpanFile>, may_miss: bool) -> Result<Self, DataError> {
        let mut archive = Self::default();
        let damaged = each_shard(
            &files,
            |file| &file.path,
            may_miss,
            |i, file| archive.read_file(i, file),
        )?;
        archive.left_out.extend(damaged);
        archive.files = files;
        Ok(archive)
    }

    /// Adds what is in the archive of this number, or nothing.
    fn read_file(&mut self, number: usize, file: &SpanFile) -> Result<(), DataError> {
        let (entries, left_out) = (self.entries.len(), self.left_out.len());
        let head = file.head(HEAD)?;
        let kind = ArchiveKind::of(&head)
            .ok_or_else(|| mistaken(&file.path, &head, "tar or zip archive"))?;
        let read = guarded(|| match kind {
            ArchiveKind::Tar => self.read_tar(number as u32, file),
            ArchiveKind::Zip => self.read_zip(number as u32, file),
        });
        let read = read.unwrap_or_else(|gave_up| Err(DataError::damaged(&file.path, gave_up)));
        if read.is_err() {
            self.entries.truncate(entries);
            self.left_out.truncate(left_out);
        }
        read
    }

    fn read_tar(&mut self, number: u32, file: &SpanFile) -> Result<(), DataError> {
        let damaged = |error: std::io::Error| DataError::damaged(&file.path, error);
        let whole = file.length()?;
        let mut tar = tar::Archive::new(file.reader()?);
        for entry in tar.entries_with_seek().map_err(damaged)? {
            let entry = entry.map_err(damaged)?;
            let path = entry.path().map_err(damaged)?.into_owned();
            if entry.header().entry_type().is_dir() {
                continue;
            }
            if !entry.header().entry_type().is_file() {
                self.left_out
                    .push(LeftOut::path(&path, "neither a file nor a folder"));
                continue;
            }
            let (at, length) = (entry.raw_file_position(), entry.size());
            // entries fill blocks of 512 bytes
            if at.saturating_add(length).next_multiple_of(512) > whole {
                return Err(damaged(std::io::Error::other(format!(
                    "it ends within {}",
                    shown(path.as_os_str())
                ))));
            }
            self.add(
                path,
                Span {
                    file: number,
                    at,
                    length,
                    inflated: None,
                },
            );
        }
        Ok(())
    }

    fn read_zip(&mut self, number: u32, file: &SpanFile) -> Result<(), DataError> {
        let damaged = |error: zip::result::ZipError| DataError::damaged(&file.path, error);
        let reader = std::io::BufReader::with_capacity(1 << 12, file.reader()?);
        let mut zip = ZipArchive::new(reader).map_err(damaged)?;
        for i in 0..zip.len() {
            let entry = zip.by_index_raw(i).map_err(damaged)?;
            // a name that is no text is no reason to do without the picture
            let path = match entry.name() {
                Ok(name) => PathBuf::from(name.as_ref()),
                Err(_) => PathBuf::from(shown_bytes(entry.name_raw())),
            };
            if entry.is_dir() {
                continue;
            }
            let inflated = match entry.compression() {
                _ if entry.encrypted() => Err("encrypted".to_string()),
                CompressionMethod::Stored => Ok(None),
                CompressionMethod::Deflated => Ok(Some(entry.size())),
                other => Err(format!("packed in a way that is not read ({other:?})")),
            };
            match (inflated, entry.data_start()) {
                (Ok(inflated), Some(at)) => {
                    let length = entry.compressed_size();
                    self.add(
                        path,
                        Span {
                            file: number,
                            at,
                            length,
                            inflated,
                        },
                    );
                }
                (Err(why), _) => self.left_out.push(LeftOut::path(&path, why)),
                (_, None) => self.left_out.push(LeftOut::path(&path, "without content")),
            }
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf, span: Span) {
        match left_behind_in(&path) {
            Some(why) => self.left_out.push(LeftOut::beside(&path, why)),
            None => self.entries.push((path, span)),
        }
    }

    /// The first bytes of an entry, at most `most`; what cannot be read is empty.
    pub(crate) fn head(&self, span: &Span, most: usize) -> Vec<u8> {
        // deflate may make a few bytes more of what does not shrink
        let wanted = span
            .length
            .min(most as u64 + if span.inflated.is_some() { 1024 } else { 0 });
        let mut bytes = vec![0; wanted as usize];
        if self.files[span.file as usize]
            .read_at(span.at, &mut bytes)
            .is_err()
        {
            return Vec::new();
        }
        if span.inflated.is_none() {
            return bytes;
        }
        let mut head = Vec::new();
        // cut in mid stream, it ends with an error once what is there was read
        DeflateDecoder::new(&bytes[..])
            .take(most as u64)
            .read_to_end(&mut head)
            .ok();
        head
    }

    /// Those entries that begin as pictures do, sorted by path; the others are left out.
    pub(crate) fn pictures(&mut self) -> Vec<(PathBuf, Span)> {
        let mut pictures = Vec::new();
        for (path, span) in std::mem::take(&mut self.entries) {
            match LeftOut::unless_picture(&path, Looks::of(&self.head(&span, HEAD))) {
                None => pictures.push((path, span)),
                Some(left_out) => self.left_out.push(left_out),
            }
        }
        pictures.sort_by(|a, b| a.0.cmp(&b.0));
        pictures
    }
}
