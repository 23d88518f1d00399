//! Embeddings written row by row, whole or not at all: `.npz`, `.parquet` or `.jsonl`.

mod jsonl;
mod npz;
#[cfg(feature = "parquet")]
mod parquet;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use siamese_files::write_whole;

use self::jsonl::Jsonl;
use self::npz::Npz;
#[cfg(feature = "parquet")]
use self::parquet::Parquet;
use crate::error::Error;

/// How embeddings lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// NumPy's arrays `embeddings`, `labels`, `class_names` and `files`, as `siamese evaluate --embeddings` reads them.
    Npz,
    /// Columns `file`, `class` and `embedding`, a list of floats; with the feature `parquet`.
    #[cfg(feature = "parquet")]
    Parquet,
    /// An object a line, with `file`, `class` and `embedding`.
    Jsonl,
}

impl TableFormat {
    /// What the ending of a file's name says.
    ///
    /// # Errors
    /// Another ending; the message lists those there are.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_lowercase().as_str() {
            "npz" => Ok(Self::Npz),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self::Parquet),
            #[cfg(not(feature = "parquet"))]
            "parquet" => Err(Error::Rows(format!(
                "{}: writing parquet takes siamese-embed's feature `parquet`, and this program was built without it; name a \
                 file that ends in .npz or .jsonl",
                path.display()
            ))),
            "jsonl" => Ok(Self::Jsonl),
            _ => Err(Error::Rows(format!(
                "{}: its ending tells no format; name a file that ends in .npz, .parquet or .jsonl",
                path.display()
            ))),
        }
    }
}

/// One embedding and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TableRow<'a> {
    /// Where it comes from.
    pub file: &'a str,
    /// Its class, where it has one.
    pub class: Option<&'a str>,
    /// (D)
    pub embedding: &'a [f32],
}

/// Takes rows one after another; see [`write_table`].
pub struct TableWriter<'a> {
    path: PathBuf,
    dim: usize,
    form: Form<'a>,
}

enum Form<'a> {
    Npz(Npz<'a>),
    #[cfg(feature = "parquet")]
    Parquet(Box<Parquet<'a>>),
    Jsonl(Jsonl<'a>),
}

impl<'a> TableWriter<'a> {
    fn new(
        path: &Path,
        format: TableFormat,
        dim: usize,
        file: &'a mut BufWriter<File>,
    ) -> io::Result<Self> {
        let form = match format {
            TableFormat::Npz => Form::Npz(Npz::new(path, dim, file)?),
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => Form::Parquet(Box::new(Parquet::new(file)?)),
            TableFormat::Jsonl => Form::Jsonl(Jsonl { file }),
        };
        let path = path.to_path_buf();
        Ok(Self { path, dim, form })
    }

    /// Takes a row.
    ///
    /// # Errors
    /// Another length than that of the others; what the file system says.
    pub fn push(&mut self, row: TableRow) -> Result<(), Error> {
        if row.embedding.len() != self.dim {
            let (found, dim) = (row.embedding.len(), self.dim);
            let message = format!("{}: {found} numbers, the others have {dim}", row.file);
            return Err(Error::Rows(message));
        }
        let pushed = match &mut self.form {
            Form::Npz(form) => form.push(row),
            #[cfg(feature = "parquet")]
            Form::Parquet(form) => form.push(row),
            Form::Jsonl(form) => form.push(row),
        };
        pushed.map_err(|source| Error::Write {
            path: self.path.clone(),
            source,
        })
    }

    fn finish(self) -> io::Result<()> {
        match self.form {
            Form::Npz(form) => form.finish(),
            #[cfg(feature = "parquet")]
            Form::Parquet(form) => form.finish(),
            Form::Jsonl(_) => Ok(()),
        }
    }
}

/// Writes the rows that `fill` gives, each of `dim` numbers, to the file at `path`: it is whole or not there.
///
/// ```
/// use siamese_embed::{Error, TableFormat, TableRow, write_table};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("two.jsonl");
/// write_table(&path, TableFormat::Jsonl, 2, |table| -> Result<(), Error> {
///     table.push(TableRow { file: "a.png", class: Some("cat"), embedding: &[0.5, 1.0] })
/// })?;
/// let line = "{\"file\":\"a.png\",\"class\":\"cat\",\"embedding\":[0.5,1.0]}\n";
/// assert_eq!(std::fs::read_to_string(&path)?, line);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What `fill` or the file system says; nothing is written then.
pub fn write_table<T, E: From<Error>>(
    path: &Path,
    format: TableFormat,
    dim: usize,
    fill: impl FnOnce(&mut TableWriter) -> Result<T, E>,
) -> Result<T, E> {
    // of fill, which may fail in ways of its own; the writing of the file is told after it
    let mut filled: Option<Result<T, E>> = None;
    let written = write_whole(path, |file| {
        let mut table = TableWriter::new(path, format, dim, file)?;
        let result = fill(&mut table);
        let sound = result.is_ok();
        filled = Some(result);
        match sound {
            true => table.finish(),
            false => Err(io::ErrorKind::Interrupted.into()),
        }
    });
    let failed = |source| Error::Write {
        path: path.to_path_buf(),
        source,
    };
    match (filled, written) {
        (Some(Err(error)), _) => Err(error),
        (Some(Ok(value)), Ok(())) => Ok(value),
        (_, Err(error)) => Err(failed(error).into()),
        (None, Ok(())) => Err(failed(io::ErrorKind::Other.into()).into()),
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::metrics::npz::read_npz;

    use super::*;

    const ROWS: [(&str, Option<&str>, [f32; 3]); 3] = [
        ("a.png", Some("dog"), [0.0, 1.0, 2.0]),
        ("ß.png", Some("cat"), [3.0, -1.5, 0.5]),
        ("c.png", Some("dog"), [1.0, 1.0, 1.0]),
    ];

    fn written(
        name: &str,
        rows: &[(&str, Option<&str>, [f32; 3])],
    ) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let format = TableFormat::of(&path).unwrap();
        write_table(&path, format, 3, |table| -> Result<(), Error> {
            for (file, class, embedding) in rows {
                table.push(TableRow {
                    file,
                    class: *class,
                    embedding,
                })?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        (folder, path)
    }

    #[test]
    fn an_npz_is_read_back_with_its_classes_and_files() {
        let (_folder, path) = written("x.npz", &ROWS);
        let read = read_npz(&path).unwrap();
        assert_eq!(read.embeddings.values, ROWS.map(|row| row.2).concat());
        assert_eq!(read.embeddings.labels, [0, 1, 0]);
        assert_eq!(read.names.classes, ["dog", "cat"]);
        assert_eq!(read.names.files, ["a.png", "ß.png", "c.png"]);
    }

    #[test]
    fn a_parquet_file_has_a_row_for_each() {
        use ::parquet::file::reader::{FileReader, SerializedFileReader};
        let (_folder, path) = written("x.parquet", &ROWS);
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let rows = reader.get_row_iter(None).unwrap();
        let rows: Vec<String> = rows.map(|row| row.unwrap().to_string()).collect();
        assert!(
            rows[1].starts_with("{file: \"ß.png\", class: \"cat\", embedding: [3.0,"),
            "{}",
            rows[1]
        );
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn a_class_that_is_unknown_is_null() {
        let rows = [("a.png", None, [0.0; 3]), ("b.png", Some("x"), [1.0; 3])];
        let (_folder, path) = written("x.jsonl", &rows);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.starts_with("{\"file\":\"a.png\",\"class\":null,"),
            "{text}"
        );
        use ::parquet::file::reader::{FileReader, SerializedFileReader};
        let (_folder, path) = written("x.parquet", &rows);
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
        assert!(row.to_string().contains("class: null"), "{row}");
    }

    #[test]
    fn what_is_not_filled_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        for ending in ["npz", "parquet", "jsonl"] {
            let path = folder.path().join(format!("x.{ending}"));
            let format = TableFormat::of(&path).unwrap();
            let result = write_table(&path, format, 3, |table| -> Result<(), Error> {
                table.push(TableRow {
                    file: "a",
                    class: None,
                    embedding: &[1.0],
                })
            });
            assert!(result.unwrap_err().to_string().contains("1 numbers"));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let error = TableFormat::of(Path::new("x.txt")).unwrap_err();
        assert!(error.to_string().contains(".npz"), "{error}");
    }
}
