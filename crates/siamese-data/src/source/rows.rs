//! Pictures in rows of parquet files, read a row group at a time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::data_type::ByteArray;

use super::parquet_columns::{Values, open, read_column};
use super::stored::spread;

/// So many row groups are kept: threads that read on in order meet in at most two.
const KEPT: usize = 2;

/// A row group: the file, and which of it.
type Group = (u32, u32);

/// The pictures of a row group; `None` where a row has none.
type Pictures = Arc<Vec<Option<ByteArray>>>;

/// Pictures in rows.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) files: Vec<PathBuf>,
    /// For each file the leaf column with the pictures.
    pub(crate) columns: Vec<usize>,
    pub(crate) rows: Vec<Row>,
    recent: Mutex<VecDeque<(Group, Pictures)>>,
}

/// Where one picture is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// An index into [`Rows::files`].
    pub(crate) file: u32,
    pub(crate) group: u32,
    /// Within the group.
    pub(crate) row: u32,
}

impl Rows {
    pub(crate) fn new(files: Vec<PathBuf>, columns: Vec<usize>, rows: Vec<Row>) -> Self {
        Self {
            files,
            columns,
            rows,
            recent: Mutex::default(),
        }
    }

    /// Picture `item`; an error says why it cannot be read, in words.
    pub(crate) fn picture(&self, item: usize) -> Result<Vec<u8>, String> {
        let Row { file, group, row } = self.rows[item];
        let pictures = self.group((file, group))?;
        let picture = pictures.get(row as usize).and_then(Option::as_ref);
        picture
            .map(|bytes| bytes.data().to_vec())
            .ok_or_else(|| "a row without a picture".into())
    }

    /// Pictures of the first row group, and of the last: each group that is touched is read whole.
    pub(crate) fn sample(&self, most: usize) -> Vec<usize> {
        let group = |item: usize| (self.rows[item].file, self.rows[item].group);
        let Some(last) = self.rows.len().checked_sub(1) else {
            return Vec::new();
        };
        let first = (0..=last).take_while(|&i| group(i) == group(0)).count();
        let of_last = (0..=last)
            .rev()
            .take_while(|&i| group(i) == group(last))
            .count();
        let end = (last + 1 - of_last).max(first)..last + 1;
        let mut items: Vec<usize> = spread(first, most / 2);
        let rest = spread(end.len(), most - items.len());
        items.extend(rest.into_iter().map(|i| end.start + i));
        items
    }

    /// A row group, read if it is none of the last. Others wait meanwhile: they mostly want the same.
    fn group(&self, wanted: Group) -> Result<Pictures, String> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pictures)) = recent.iter().find(|(group, _)| *group == wanted) {
            return Ok(Arc::clone(pictures));
        }
        let pictures = Arc::new(self.read(wanted)?);
        recent.truncate(KEPT - 1);
        recent.push_front((wanted, Arc::clone(&pictures)));
        Ok(pictures)
    }

    fn read(&self, (file, group): Group) -> Result<Vec<Option<ByteArray>>, String> {
        let reader = open(&self.files[file as usize]).map_err(|error| error.to_string())?;
        match read_column(&reader, group as usize, self.columns[file as usize])
            .map_err(|error| error.to_string())?
        {
            Values::Bytes(pictures) => Ok(pictures),
            Values::Whole(_) | Values::Real(_) => {
                Err("the column holds numbers, not pictures".into())
            }
        }
    }
}
