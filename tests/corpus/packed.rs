//! Packs files into archives, and spoils these.

use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::made::write;

pub(crate) fn zipped(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default())?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

pub(crate) fn tarred(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    Ok(tar.into_inner()?)
}

pub(crate) fn gzipped(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?)
}

/// A zip archive with a word of each local and each central header set.
pub(crate) fn patched(zip: &[u8], (local, central): (usize, usize), value: u8) -> Vec<u8> {
    let mut zip = zip.to_vec();
    for at in 0..zip.len() - 4 {
        match &zip[at..at + 4] {
            b"PK\x03\x04" => zip[at + local] = value,
            b"PK\x01\x02" => zip[at + central] = value,
            _ => {}
        }
    }
    zip
}

/// Two thirds of a file.
pub(crate) fn cut(at: &Path, name: &str, whole: &[u8]) -> Result<()> {
    write(at, name, &whole[..2 * whole.len() / 3])
}
