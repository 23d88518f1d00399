//! Checksums as lower-case hexadecimal digits.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use md5::Md5;
use sha2::{Digest, Sha256};

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn sha256_of_file(path: &Path) -> io::Result<String> {
    of_file::<Sha256>(path)
}

pub(crate) fn md5_of_file(path: &Path) -> io::Result<String> {
    of_file::<Md5>(path)
}

pub(crate) fn md5_of(reader: impl Read) -> io::Result<String> {
    of::<Md5>(reader)
}

fn of_file<D: Digest>(path: &Path) -> io::Result<String> {
    of::<D>(File::open(path)?)
}

fn of<D: Digest>(mut file: impl Read) -> io::Result<String> {
    let mut digest = D::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            n => digest.update(&buffer[..n]),
        }
    }
}

/// SHA-256 of some bytes, as 64 lower-case digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
