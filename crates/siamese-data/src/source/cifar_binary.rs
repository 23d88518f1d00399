//! CIFAR-100's original records: `coarse u8, fine u8, 3072 u8` in planes of red, green, blue.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use md5::{Digest, Md5};
use rayon::prelude::*;

use crate::digest;
use crate::error::DataError;
use crate::image_set::ImageSet;

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 2 + 3 * PLANE;

/// The files of the binary version: both splits, then the names of both kinds of label.
pub(crate) const FILES: [&str; 4] = [
    "train.bin",
    "test.bin",
    "fine_label_names.txt",
    "coarse_label_names.txt",
];

/// Train and test from the unpacked folder.
pub(crate) fn read_folder(folder: &Path) -> Result<[ImageSet; 2], DataError> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(DataError::io("reading", &path))
    };
    let [train, test, fine, coarse] = FILES.map(read);
    splits(folder, [train?, test?, fine?, coarse?])
}

/// Train and test from `cifar-100-binary.tar.gz`, without unpacking it on disk.
pub(crate) fn read_archive(path: &Path) -> Result<[ImageSet; 2], DataError> {
    let file = File::open(path).map_err(DataError::io("opening", path))?;
    let damaged = |error: std::io::Error| DataError::damaged(path, error);

    let mut contents = FILES.map(|_| None);
    let mut others = Vec::new();
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?.into_owned();
        match FILES.iter().position(|&file| name.ends_with(file)) {
            Some(i) => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(damaged)?;
                contents[i] = Some(bytes);
            }
            None => others.push(name.display().to_string()),
        }
    }
    match contents {
        [Some(train), Some(test), Some(fine), Some(coarse)] => {
            splits(path, [train, test, fine, coarse])
        }
        _ => Err(DataError::NotADataSet {
            path: path.to_path_buf(),
            expected: "an archive of CIFAR-100's binary version \
                       (train.bin, test.bin, fine_label_names.txt, coarse_label_names.txt)",
            found: others.join(", "),
        }),
    }
}

/// The md5 of `set` written back as original records, in the order of its images.
///
/// `None` if it cannot be: pixels that cannot be read, another size, no superclasses, or labels past 255.
pub(crate) fn record_md5(set: &ImageSet) -> Option<String> {
    let coarse_labels = set.coarse_labels.as_ref()?;
    if (set.height, set.width, set.channels) != (SIDE, SIDE, 3) {
        return None;
    }
    let mut md5 = Md5::new();
    let mut record = [0; RECORD];
    for (i, (&coarse, &fine)) in coarse_labels.iter().zip(&set.labels).enumerate() {
        record[0] = u8::try_from(coarse).ok()?;
        record[1] = u8::try_from(fine).ok()?;
        for (at, pixel) in set.image(i).ok()?.chunks_exact(3).enumerate() {
            for (channel, &value) in pixel.iter().enumerate() {
                record[2 + channel * PLANE + at] = value;
            }
        }
        md5.update(record);
    }
    Some(digest::hex(&md5.finalize()))
}

fn splits(path: &Path, contents: [Vec<u8>; 4]) -> Result<[ImageSet; 2], DataError> {
    let [train, test, fine, coarse] = contents;
    let names = |text: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(text);
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        names.map(String::from).collect()
    };
    let (fine, coarse) = (names(&fine), names(&coarse));
    let split = |name: &str, records: &[u8]| {
        if records.is_empty() || !records.len().is_multiple_of(RECORD) {
            let length = records.len();
            return Err(DataError::damaged(
                path,
                format!("{name} is {length} bytes long, not a multiple of a record's {RECORD}"),
            ));
        }
        from_records(records, &fine, &coarse)
            .map_err(|error| DataError::damaged(path, format!("{name}: {error}")))
    };
    Ok([split(FILES[0], &train)?, split(FILES[1], &test)?])
}

fn from_records(records: &[u8], fine: &[String], coarse: &[String]) -> Result<ImageSet, DataError> {
    let mut pixels = vec![0; records.len() / RECORD * 3 * PLANE];
    pixels
        .par_chunks_exact_mut(3 * PLANE)
        .zip(records.par_chunks_exact(RECORD))
        .for_each(|(image, record)| {
            let planes = &record[2..];
            for (at, pixel) in image.chunks_exact_mut(3).enumerate() {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = planes[channel * PLANE + at];
                }
            }
        });
    let byte = |at: usize| -> Vec<u32> {
        let records = records.chunks_exact(RECORD);
        records.map(|record| u32::from(record[at])).collect()
    };
    ImageSet::new(SIDE, SIDE, 3, pixels, byte(1), fine.to_vec())?
        .with_superclasses(byte(0), coarse.to_vec())
}
