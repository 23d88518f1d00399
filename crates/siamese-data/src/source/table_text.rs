//! A table as text, whatever it was written in.

/// A table as text.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// The names of the columns; empty where a CSV file's first line is already a row.
    pub(crate) header: Vec<String>,
    /// Line (or row) in the file, and one value per column; a missing value is empty.
    pub(crate) rows: Vec<(u64, Vec<String>)>,
}
