//! Embeddings in NumPy's `.npz`, from and to any framework.
//!
//! | array | shape | type |
//! |---|---|---|
//! | `embeddings` | `(N, D)` | `f2`, `f4`, `f8` or integers, either byte order |
//! | `labels` | `(N,)` | whole numbers or text (`U`, `S`) |
//! | `gallery_embeddings` | `(G, D)` | optional; what to search instead of the set itself |
//! | `gallery_labels` | `(G,)` | with it |
//! | `class_names` | `(C,)` | optional text: the name of label 0, 1, … |
//! | `files` | `(N,)` | optional text: where each embedding comes from |
//!
//! ```python
//! np.savez("embeddings.npz", embeddings=embeddings, labels=labels)
//! ```

mod labels;
mod npy;
mod spool;
mod steady;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use labels::{Labels, number};
use npy::Array;
use siamese_files::limits::check_growth;
use siamese_files::{guarded, open_regular};
pub use spool::NpzSpool;
use steady::Steady;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use crate::embeddings::EmbeddingView;
use crate::error::{Error, Result};

/// As many arrays as are named where those that are wanted are missing.
const NAMED: usize = 8;

/// Embeddings `(N, D)` with their labels, owned.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingTable {
    /// Row after row.
    pub values: Vec<f32>,
    /// Numbers in a row, D.
    pub dim: usize,
    /// The label of each row.
    pub labels: Vec<u32>,
}

impl EmbeddingTable {
    /// The table as the figures take it.
    ///
    /// # Errors
    /// Those of [`EmbeddingView::new`].
    pub fn view(&self) -> Result<EmbeddingView<'_>> {
        EmbeddingView::new(&self.values, self.dim, &self.labels)
    }
}

/// What the numbers in a table stand for; empty where nobody said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// The class of label 0, 1, ….
    pub classes: Vec<String>,
    /// Where each embedding comes from.
    pub files: Vec<String>,
}

/// What an `.npz` of embeddings holds.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingFile {
    /// The set, or the probes where there is a gallery.
    pub embeddings: EmbeddingTable,
    /// What the probes are searched in.
    pub gallery: Option<EmbeddingTable>,
    /// Names of classes and files.
    pub names: Names,
}

/// Reads embeddings, stored or deflated.
///
/// # Errors
/// A file that is no `.npz`, or an array that is missing, of another type or shape than the
/// table above, or not finite: named with what was found.
pub fn read_npz(path: &Path) -> Result<EmbeddingFile> {
    let fail = |why: String| Error::File {
        path: path.to_owned(),
        why,
    };
    let (file, found) = open_regular(path).map_err(|e| fail(e.to_string()))?;
    let read = guarded(|| read_from(BufReader::new(file), found.len()));
    read.unwrap_or_else(Err).map_err(fail)
}

/// The names of an archive's arrays, in words.
fn held<R: Read + Seek>(archive: &zip::ZipArchive<R>) -> String {
    let names = archive.file_names().take(NAMED).flatten();
    let names: Vec<String> = names
        .map(|name| format!("`{}`", name.trim_end_matches(".npy")))
        .collect();
    match names.is_empty() {
        true => "nothing".into(),
        false => names.join(", "),
    }
}

/// Reads an archive of `packed` bytes.
fn read_from(reader: impl Read + Seek, packed: u64) -> Result<EmbeddingFile, String> {
    let mut archive =
        zip::ZipArchive::new(reader).map_err(|e| format!("is no .npz archive: {e}"))?;
    let held = held(&archive);
    let mut unpacked = 0u64;
    let mut array = |name: &str| -> Result<Option<Array>, String> {
        match archive.by_name(&format!("{name}.npy")) {
            Ok(entry) => {
                let room = |length: u64| {
                    unpacked = unpacked.saturating_add(length);
                    check_growth(packed, unpacked)
                };
                Array::read(entry, room)
                    .map(Some)
                    .map_err(|e| format!("array `{name}`: {e}"))
            }
            Err(ZipError::FileNotFound) => Ok(None),
            Err(e) => Err(format!("array `{name}`: {e}")),
        }
    };
    let mut pair = |embeddings: &str, labels: &str| match (array(embeddings)?, array(labels)?) {
        (None, None) => Ok(None),
        (Some(rows), Some(names)) => table(embeddings, &rows, labels, &names).map(Some),
        (None, _) => Err(format!("array `{embeddings}` is missing beside `{labels}`")),
        (_, None) => Err(format!("array `{labels}` is missing beside `{embeddings}`")),
    };
    let embeddings = pair("embeddings", "labels")?;
    let gallery = pair("gallery_embeddings", "gallery_labels")?;
    let (embeddings, labels) = embeddings.ok_or_else(|| {
        format!("holds no arrays `embeddings` and `labels`, but {held}: save them by these names")
    })?;
    let (gallery, gallery_labels) = gallery.unzip();
    let numbered = number(labels, gallery_labels)?;
    let embeddings = embeddings.with("embeddings", numbered.labels)?;
    let gallery = match gallery.zip(numbered.gallery) {
        Some((rows, labels)) => Some(rows.with("gallery_embeddings", labels)?),
        None => None,
    };
    if let Some(gallery) = gallery
        .as_ref()
        .filter(|gallery| gallery.dim != embeddings.dim)
    {
        let (gallery, probes) = (gallery.dim, embeddings.dim);
        return Err(format!(
            "`gallery_embeddings` has rows of {gallery}, `embeddings` of {probes}"
        ));
    }
    let mut texts = |name: &str| match array(name)? {
        Some(array) => array.texts().map_err(|e| format!("array `{name}`: {e}")),
        None => Ok(Vec::new()),
    };
    let (classes, files) = (texts("class_names")?, texts("files")?);
    let rows = embeddings.labels.len();
    if !files.is_empty() && files.len() != rows {
        return Err(format!(
            "array `files` has {} names, expected {rows}",
            files.len()
        ));
    }
    let classes = if numbered.classes.is_empty() {
        classes
    } else {
        numbered.classes
    };
    Ok(EmbeddingFile {
        embeddings,
        gallery,
        names: Names { classes, files },
    })
}

/// Rows that have no labels yet.
struct Rows {
    values: Vec<f32>,
    dim: usize,
}

impl Rows {
    fn with(self, name: &str, labels: Vec<u32>) -> Result<EmbeddingTable, String> {
        let Self { values, dim } = self;
        EmbeddingView::new(&values, dim, &labels).map_err(|error| match error {
            Error::Invalid { why, .. } => format!("array `{name}`: {why}"),
            error => format!("array `{name}`: {error}"),
        })?;
        Ok(EmbeddingTable {
            values,
            dim,
            labels,
        })
    }
}

fn table(
    rows_name: &str,
    rows: &Array,
    labels_name: &str,
    labels: &Array,
) -> Result<(Rows, Labels), String> {
    let [n, dim] = rows.shape[..] else {
        return Err(format!(
            "array `{rows_name}` has shape {}, expected (N, D)",
            rows.shape_text()
        ));
    };
    if labels.shape != [n] && labels.shape != [n, 1] {
        let (found, rows) = (labels.shape_text(), rows.shape_text());
        return Err(format!(
            "array `{labels_name}` has shape {found}, expected ({n},) beside `{rows_name}` {rows}"
        ));
    }
    let values = rows
        .floats()
        .map_err(|e| format!("array `{rows_name}`: {e}"))?;
    let labels = labels
        .labels()
        .map_err(|e| format!("array `{labels_name}`: {e}"))?;
    Ok((Rows { values, dim }, labels))
}

/// Writes embeddings as `np.load` reads them, stored: `f4`, `i8`, and `U` for the names that there are.
///
/// # Errors
/// A file that cannot be written.
pub fn write_npz(
    path: &Path,
    embeddings: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    names: &Names,
) -> Result<()> {
    let write = |file: &mut BufWriter<File>| {
        write_to(file, embeddings, gallery, names).map_err(std::io::Error::from)
    };
    siamese_files::write_whole(path, write).map_err(|e| Error::File {
        path: path.to_owned(),
        why: e.to_string(),
    })
}

fn write_to(
    writer: impl Write + Seek,
    embeddings: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    names: &Names,
) -> Result<(), ZipError> {
    let mut archive = zip::ZipWriter::new(Steady::new(writer));
    let sets = [("", Some(embeddings)), ("gallery_", gallery)];
    for (prefix, set) in sets
        .into_iter()
        .filter_map(|(prefix, set)| Some((prefix, set?)))
    {
        let options = stored(set.len() * set.dim());
        archive.start_file(format!("{prefix}embeddings.npy"), options)?;
        archive.write_all(&npy::header(
            "<f4",
            &format!("({}, {})", set.len(), set.dim()),
        ))?;
        for row in set.rows() {
            let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
            archive.write_all(&bytes)?;
        }
        archive.start_file(format!("{prefix}labels.npy"), options)?;
        archive.write_all(&npy::header("<i8", &format!("({},)", set.len())))?;
        let labels = set
            .labels()
            .iter()
            .flat_map(|l| i64::from(*l).to_le_bytes());
        archive.write_all(&labels.collect::<Vec<u8>>())?;
    }
    write_names(&mut archive, names)?;
    Ok(archive.finish()?.finish()?)
}

/// How an array of so many `f4` is kept.
fn stored(numbers: usize) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(numbers >= 1 << 29)
}

fn write_names(
    archive: &mut zip::ZipWriter<impl Write + Seek>,
    names: &Names,
) -> Result<(), ZipError> {
    let named = [("class_names", &names.classes), ("files", &names.files)];
    for (name, texts) in named.into_iter().filter(|(_, texts)| !texts.is_empty()) {
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        let (descr, bytes) = npy::texts(texts);
        archive.start_file(format!("{name}.npy"), options)?;
        archive.write_all(&npy::header(&descr, &format!("({},)", texts.len())))?;
        archive.write_all(&bytes)?;
    }
    Ok(())
}
