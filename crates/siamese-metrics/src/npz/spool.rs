//! An `.npz` whose number of rows is known at its end only.

use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::steady::Steady;
use super::{Names, npy, stored, write_names};

/// Rows that wait in `S`, a temporary file mostly, to become an `.npz`: memory holds labels and names alone.
///
/// ```
/// use std::io::Cursor;
/// use siamese_metrics::npz::{Names, NpzSpool};
///
/// let mut spool = NpzSpool::new(Cursor::new(Vec::new()), 2);
/// spool.push(&[0.5, 1.0], Some(0))?;
/// let mut file = Cursor::new(Vec::new());
/// spool.finish(&mut file, &Names::default())?;
/// assert!(file.into_inner().starts_with(b"PK"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct NpzSpool<S: Write> {
    rows: BufWriter<S>,
    dim: usize,
    labels: Vec<Option<u32>>,
}

impl<S: Read + Write + Seek> NpzSpool<S> {
    /// No row yet, each to be of `dim` numbers; `waiting` is empty.
    pub fn new(waiting: S, dim: usize) -> Self {
        Self {
            rows: BufWriter::new(waiting),
            dim,
            labels: Vec::new(),
        }
    }

    /// Takes a row, with its label where it has one.
    ///
    /// # Errors
    /// Another length; what the file system says.
    pub fn push(&mut self, row: &[f32], label: Option<u32>) -> io::Result<()> {
        if row.len() != self.dim {
            let message = format!("a row of {} numbers among rows of {}", row.len(), self.dim);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.labels.push(label);
        self.rows.write_all(&bytes)
    }

    /// Writes the archive: `embeddings` as `f4`, `labels` as `i8` where all rows have one, and the names there are.
    ///
    /// # Errors
    /// Some rows with a label and some without; what the file system says.
    pub fn finish(self, writer: impl Write + Seek, names: &Names) -> io::Result<()> {
        let (rows, dim) = (self.labels.len(), self.dim);
        let labels: Vec<u32> = self.labels.into_iter().flatten().collect();
        if !labels.is_empty() && labels.len() != rows {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{} of {rows} rows have no class, and an .npz holds a label for all or none",
                    rows - labels.len()
                ),
            ));
        }
        let mut waiting = self
            .rows
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        waiting.rewind()?;
        let mut archive = ZipWriter::new(Steady::new(writer));
        archive.start_file("embeddings.npy", stored(rows * dim))?;
        archive.write_all(&npy::header("<f4", &format!("({rows}, {dim})")))?;
        io::copy(&mut BufReader::new(waiting), &mut archive)?;
        if !labels.is_empty() {
            archive.start_file("labels.npy", SimpleFileOptions::default())?;
            archive.write_all(&npy::header("<i8", &format!("({rows},)")))?;
            let labels = labels.iter().flat_map(|l| i64::from(*l).to_le_bytes());
            archive.write_all(&labels.collect::<Vec<u8>>())?;
        }
        write_names(&mut archive, names)?;
        archive.finish()?.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::read_from;
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_pushed() {
        let mut spool = NpzSpool::new(Cursor::new(Vec::new()), 3);
        spool.push(&[1.0, 2.0, 3.0], Some(1)).unwrap();
        spool.push(&[-1.0, 0.5, 9.0], Some(0)).unwrap();
        assert!(spool.push(&[1.0], Some(0)).is_err());
        let mut file = Cursor::new(Vec::new());
        let names = Names {
            classes: vec!["cat".into(), "dog".into()],
            files: vec!["a".into(), "b".into()],
        };
        spool.finish(&mut file, &names).unwrap();
        let length = file.get_ref().len() as u64;
        let read = read_from(file, length).unwrap();
        assert_eq!(read.embeddings.values, [1.0, 2.0, 3.0, -1.0, 0.5, 9.0]);
        assert_eq!((read.embeddings.labels, read.names), (vec![1, 0], names));
    }

    #[test]
    fn labels_are_of_all_rows_or_of_none() {
        let mut spool = NpzSpool::new(Cursor::new(Vec::new()), 1);
        spool.push(&[1.0], Some(1)).unwrap();
        spool.push(&[1.0], None).unwrap();
        let error = spool.finish(Cursor::new(Vec::new()), &Names::default());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("1 of 2 rows have no class"), "{error}");
    }
}
