//! A gallery as a text file, to keep, to move to another store, or to read by other programs.
//!
//! The first line is what the gallery says of itself, and each other line an entry: an object with `class`, `name`,
//! `source`, `hash`, `time`, `data`, and as base64 `thumbnail` and `embedding` (little-endian `f32`s), so that numbers
//! come back to the bit.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::about::About;
use crate::entry::{Added, Entry, Filter, bytes_of, embedding_of};
use crate::error::{Error, Result};
use crate::gallery::Gallery;

/// Entries of a transaction.
const TOGETHER: usize = 512;

/// What was written or read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// Entries.
    pub entries: usize,
    /// Entries whose pictures were in the gallery already.
    pub known: usize,
}

#[derive(Serialize, Deserialize)]
struct Line {
    class: String,
    name: String,
    source: Option<String>,
    hash: Option<String>,
    time: i64,
    data: Value,
    thumbnail: Option<String>,
    embedding: String,
}

impl Gallery {
    /// Writes all entries to the file at `path`, which is whole or not there.
    ///
    /// # Errors
    /// What the store or the file system says.
    pub fn export(&mut self, path: &Path) -> Result<Exchanged> {
        let about =
            serde_json::to_string(self.about()).map_err(|e| Error::Invalid(e.to_string()))?;
        let mut exchanged = Exchanged::default();
        let mut failed = None;
        let written = siamese_files::write_whole(path, |file| {
            writeln!(file, "{about}")?;
            let seen = self.entries(&Filter::default(), |row| {
                exchanged.entries += 1;
                let line = serde_json::to_string(&Line::of(row.entry));
                let line = line.map_err(|e| Error::Invalid(e.to_string()))?;
                writeln!(file, "{line}").map_err(io("writing", path))
            });
            seen.map_err(|error| {
                failed = Some(error);
                std::io::ErrorKind::Interrupted.into()
            })
        });
        match failed {
            Some(error) => Err(error),
            None => written.map_err(io("writing", path)).map(|()| exchanged),
        }
    }

    /// Adds the entries of a file that [`Self::export`] wrote, of a gallery of the same model.
    ///
    /// # Errors
    /// Another model; a line that cannot be read, named: entries before it may be added. What the store says.
    pub fn import(&mut self, path: &Path, mut progress: impl FnMut(usize)) -> Result<Exchanged> {
        let mut lines = lines(path)?;
        let about = about_of(path, &mut lines)?;
        self.about().model.check(&about.model)?;
        let mut exchanged = Exchanged::default();
        let mut waiting = Vec::with_capacity(TOGETHER);
        for (number, line) in lines {
            let line = line.map_err(io("reading", path))?;
            waiting.push(entry(&line).map_err(|why| at(path, number, why))?);
            if waiting.len() == TOGETHER {
                self.take(&mut waiting, &mut exchanged)?;
                progress(exchanged.entries + exchanged.known);
            }
        }
        self.take(&mut waiting, &mut exchanged)?;
        Ok(exchanged)
    }

    fn take(&mut self, waiting: &mut Vec<Entry>, exchanged: &mut Exchanged) -> Result<()> {
        let added = self.add_entries(waiting)?;
        let new = added.iter().filter(|a| matches!(a, Added::New(_))).count();
        exchanged.entries += new;
        exchanged.known += added.len() - new;
        waiting.clear();
        Ok(())
    }
}

impl About {
    /// What an exported gallery says of itself.
    ///
    /// # Errors
    /// A file that cannot be read, or is no exported gallery.
    pub fn of_export(path: &Path) -> Result<Self> {
        about_of(path, &mut lines(path)?)
    }
}

type Lines = std::iter::Zip<std::ops::RangeFrom<usize>, std::io::Lines<BufReader<File>>>;

fn lines(path: &Path) -> Result<Lines> {
    let file = File::open(path).map_err(io("reading", path))?;
    Ok((1..).zip(BufReader::new(file).lines()))
}

fn about_of(path: &Path, lines: &mut Lines) -> Result<About> {
    let no_export = |why: String| {
        at(
            path,
            1,
            format!("{why}; expected a file of `siamese gallery export`"),
        )
    };
    let (_, line) = lines
        .next()
        .ok_or_else(|| no_export("the file is empty".into()))?;
    let line = line.map_err(io("reading", path))?;
    serde_json::from_str(&line).map_err(|error| no_export(error.to_string()))
}

fn at(path: &Path, line: usize, why: String) -> Error {
    let path = path.to_path_buf();
    Error::Line { path, line, why }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io {
        action,
        path,
        source,
    }
}

impl Line {
    fn of(entry: Entry) -> Self {
        Self {
            class: entry.class,
            name: entry.name,
            source: entry.source,
            hash: entry.hash,
            time: entry.time,
            data: entry.data,
            thumbnail: entry.thumbnail.map(|bytes| STANDARD.encode(bytes)),
            embedding: STANDARD.encode(bytes_of(&entry.embedding)),
        }
    }
}

fn entry(line: &str) -> Result<Entry, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let decoded = |text: String, what| {
        let bytes = STANDARD.decode(text);
        bytes.map_err(|error| format!("{what}: {error}"))
    };
    let embedding = decoded(line.embedding, "embedding")?;
    let thumbnail = line.thumbnail.map(|text| decoded(text, "thumbnail"));
    Ok(Entry {
        class: line.class,
        name: line.name,
        source: line.source,
        hash: line.hash,
        time: line.time,
        data: line.data,
        thumbnail: thumbnail.transpose()?,
        embedding: embedding_of(&embedding).ok_or("embedding: a number is cut")?,
    })
}
