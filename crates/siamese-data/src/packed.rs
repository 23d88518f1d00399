//! The packed file: a decoded data set as one file that is read in one go.
//!
//! ```text
//! 0   8  "siamese\0"
//! 8   4  version of this format, u32 little-endian like all numbers here
//! 12  4  CRC-32C of all that follows
//! 16  4  length of the header
//! 20     header: JSON, a [`Header`]
//!        pixels (N, H, W, C) of train, then of test
//! ```
//!
//! The header names what the set was made from, so that a changed source is noticed; length and
//! checksum tell a file that was cut or changed. Whatever does not fit is no error: the set is
//! then decoded again.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pixel_store::PixelStore;
use crate::{DataError, Dataset, ImageSet, Provenance};

const MAGIC: [u8; 8] = *b"siamese\0";
const VERSION: u32 = 1;
const CHECKSUM_AT: u64 = 12;
const HEADER_AT: usize = 20;

#[derive(Serialize, Deserialize)]
struct Header {
    /// What the set was made from: see [`crate::source::locate::Found::fingerprint`].
    fingerprint: String,
    provenance: Provenance,
    splits: [SplitHeader; 2],
}

#[derive(Serialize, Deserialize)]
struct SplitHeader {
    height: usize,
    width: usize,
    channels: usize,
    labels: Vec<u32>,
    coarse_labels: Option<Vec<u32>>,
    classes: Vec<String>,
    superclasses: Vec<String>,
}

/// Which packed file will do.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// One made from exactly this.
    MadeFrom(&'a str),
    /// Any: the source itself is gone.
    Any,
}

/// The data set packed at `path`, or `None` if there is none that is whole and wanted.
pub(crate) fn read(path: &Path, wanted: Wanted) -> Option<Dataset> {
    let bytes: Arc<Vec<u8>> = Arc::new(std::fs::read(path).ok()?);
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    if bytes.get(..8)? != MAGIC || number(8)? != VERSION {
        return None;
    }
    let pixels_at = HEADER_AT + number(16)? as usize;
    let header: Header = serde_json::from_slice(bytes.get(HEADER_AT..pixels_at)?).ok()?;
    if matches!(wanted, Wanted::MadeFrom(source) if source != header.fingerprint) {
        return None;
    }
    if number(12)? != crc32c::crc32c(&bytes[CHECKSUM_AT as usize + 4..]) {
        return None;
    }

    let mut start = pixels_at;
    let [train, test] = header.splits.map(|split| {
        let length = split.labels.len() * split.height * split.width * split.channels;
        let range = start..start + length;
        start = range.end;
        split.image_set(&bytes, range)
    });
    let (train, test) = (train?, test?);
    (start == bytes.len()).then_some(Dataset {
        train,
        test,
        provenance: header.provenance,
    })
}

/// Writes `dataset` to `path`, whole or not at all.
pub(crate) fn write(path: &Path, dataset: &Dataset, fingerprint: &str) -> Result<(), DataError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(DataError::io("creating", folder))?;
    siamese_files::write_whole(path, |out| write_to(out, dataset, fingerprint))
        .map_err(DataError::io("writing", path))
}

fn write_to(out: &mut BufWriter<File>, dataset: &Dataset, fingerprint: &str) -> io::Result<()> {
    let splits = [&dataset.train, &dataset.test];
    let header = serde_json::to_vec(&Header {
        fingerprint: fingerprint.to_string(),
        provenance: dataset.provenance.clone(),
        splits: splits.map(SplitHeader::of),
    })?;
    let header_len = u32::try_from(header.len()).map_err(io::Error::other)?;

    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&[0; 4])?;
    let mut checksum = 0;
    let mut put = |bytes: &[u8]| {
        checksum = crc32c::crc32c_append(checksum, bytes);
        out.write_all(bytes)
    };
    put(&header_len.to_le_bytes())?;
    put(&header)?;
    for split in splits {
        for i in 0..split.len() {
            put(&split.image(i).map_err(io::Error::other)?)?;
        }
    }
    out.seek(SeekFrom::Start(CHECKSUM_AT))?;
    out.write_all(&checksum.to_le_bytes())
}

impl SplitHeader {
    fn of(set: &ImageSet) -> Self {
        Self {
            height: set.height,
            width: set.width,
            channels: set.channels,
            labels: set.labels.clone(),
            coarse_labels: set.coarse_labels.clone(),
            classes: set.classes.clone(),
            superclasses: set.superclasses.clone(),
        }
    }

    fn image_set(self, file: &Arc<Vec<u8>>, range: Range<usize>) -> Option<ImageSet> {
        file.get(range.clone())?;
        let size = (self.height, self.width, self.channels);
        let part = Part {
            file: Arc::clone(file),
            range,
        };
        let store = PixelStore::shared(Arc::new(part));
        let set = ImageSet::from_store(size, store, self.labels, self.classes).ok()?;
        match self.coarse_labels {
            Some(labels) => set.with_superclasses(labels, self.superclasses).ok(),
            None => Some(set),
        }
    }
}

/// A part of the file's bytes.
struct Part {
    file: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Deref for Part {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.file[self.range.clone()]
    }
}
