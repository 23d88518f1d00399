//! One file from the hub to the disk: resumed when it breaks off, named only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ureq::Body;
use ureq::http::{Response, StatusCode};

use super::answer::text;
use super::cache::with_ending;
use super::client::Client;
use super::failure::Failure;
use super::room;
use crate::progress::Meter;
use crate::{DataError, Progress, digest};

/// A transfer that brought this much has earned back its tries.
const HEADWAY: u64 = 1 << 20;

/// How often content that does not agree with its checksum is fetched again.
const CORRUPT_TRIES: u32 = 2;

/// What the content must agree with.
pub(super) enum Checksum {
    Sha256(String),
    Md5(String),
    /// Only the length is known.
    Unknown,
}

impl Checksum {
    fn agrees_with(&self, path: &Path) -> io::Result<bool> {
        Ok(match self {
            Self::Sha256(sha256) => digest::sha256_of_file(path)? == *sha256,
            Self::Md5(md5) => digest::md5_of_file(path)? == *md5,
            Self::Unknown => true,
        })
    }
}

/// Downloads `url`, `size` bytes long, to `blob`, by way of `blob.incomplete` (Python's name for the same thing).
pub(super) fn download(
    client: &Client,
    url: &str,
    size: u64,
    checksum: &Checksum,
    blob: &Path,
    progress: Progress,
) -> Result<(), DataError> {
    let folder = blob.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(DataError::io("creating", folder))?;
    let mut part = Part::open(with_ending(blob, "incomplete"))?;
    room::check(url, size.saturating_sub(part.len()?), folder)?;

    let name = url.rsplit('/').next().unwrap_or(url);
    let mut meter = progress.meter(name, size);
    for _ in 0..=CORRUPT_TRIES {
        fill(client, url, size, &mut part, &mut meter)?;
        let write = DataError::io("writing", &part.path);
        part.file.sync_all().map_err(write)?;
        let read = DataError::io("reading", &part.path);
        if checksum.agrees_with(&part.path).map_err(read)? {
            meter.finish();
            return fs::rename(&part.path, blob).map_err(DataError::io("writing", blob));
        }
        progress.note(&format!("{name} arrived damaged, fetching it again"));
        part.truncate()?;
    }
    Err(DataError::Refused {
        url: url.into(),
        reason: match checksum {
            Checksum::Sha256(digest) | Checksum::Md5(digest) => {
                format!("the content is not what its checksum {digest} says")
            }
            Checksum::Unknown => "the content is not whole".into(),
        },
        advice: "try another network, or give the data with --data PATH",
    })
}

/// Asks for what is missing from `part` until it has `size` bytes.
fn fill(
    client: &Client,
    url: &str,
    size: u64,
    part: &mut Part,
    meter: &mut Meter,
) -> Result<(), DataError> {
    let mut failures = 0;
    // headway is what was never there before: a server that sends the same again and again makes none
    let mut furthest = part.len()?.min(size);
    loop {
        let start = part.len()?;
        if start > size {
            part.truncate()?;
            continue;
        }
        meter.set(start);
        if start == size {
            return Ok(());
        }
        let failure = match client.send(url, start) {
            Ok(response) => match append(client, response, size, part, meter)? {
                None => continue,
                Some(failure) => failure,
            },
            Err(failure) => failure,
        };
        let received = part.len()?;
        if received >= furthest.saturating_add(HEADWAY) {
            failures = 0;
            furthest = received;
        }
        client.wait_out(failure, &mut failures, |last| DataError::BrokenDownload {
            url: url.into(),
            received,
            size,
            reason: last.reason(),
        })?;
    }
}

/// Writes one answer's body where it belongs. `Some` tells why it did not reach the end.
fn append(
    client: &Client,
    response: Response<Body>,
    size: u64,
    part: &mut Part,
    meter: &mut Meter,
) -> Result<Option<Failure>, DataError> {
    let passing = |reason: String| Ok(Some(Failure::passing(reason)));
    let start = part.len()?;
    let expected = format!("bytes {start}-{}/{size}", size - 1);
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {
            let range = text(response.headers(), "content-range").unwrap_or_default();
            if range != expected {
                part.truncate()?;
                return passing(format!("asked for {expected}, the server sent {range:?}"));
            }
        }
        // The whole file again: the server does not know ranges.
        StatusCode::OK => part.truncate()?,
        // Nothing there to resume: what we have is not of this file.
        _ => {
            part.truncate()?;
            return passing("the server has no such range".into());
        }
    }

    let missing = size - part.len()?;
    let mut body = client.body_of(response).take(missing);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = match body.read(&mut buffer) {
            Ok(n) => n,
            Err(error) => return passing(error.to_string()),
        };
        if n == 0 {
            break;
        }
        part.write(&buffer[..n])?;
        meter.advance(n as u64);
    }
    match part.len()? {
        length if length == size => Ok(None),
        length => passing(format!("the connection ended at byte {length}")),
    }
}

/// The file that a download grows in.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn open(path: PathBuf) -> Result<Self, DataError> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(DataError::io("opening", &path))?;
        Ok(Self { path, file })
    }

    fn len(&self) -> Result<u64, DataError> {
        let metadata = self.file.metadata();
        Ok(metadata
            .map_err(DataError::io("reading", &self.path))?
            .len())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let written = self.file.write_all(bytes);
        written.map_err(DataError::io("writing", &self.path))
    }

    fn truncate(&mut self) -> Result<(), DataError> {
        let truncated = self.file.set_len(0);
        truncated.map_err(DataError::io("writing", &self.path))
    }
}
