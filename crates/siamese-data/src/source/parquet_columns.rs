//! Columns of parquet files as plain values, with what is missing.

use std::fs::File;
use std::path::Path;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use super::table_file::Table;
use crate::error::DataError;

/// The values of one column in one row group; `None` where there is none.
#[derive(Debug)]
pub(crate) enum Values {
    Numbers(Vec<Option<i64>>),
    Bytes(Vec<Option<ByteArray>>),
}

impl Values {
    /// The value in `row` as text; `None` where there is none, or it is no text.
    pub(crate) fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Numbers(numbers) => numbers.get(row)?.map(|number| number.to_string()),
            Self::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes.get(row)?.as_ref()?.data()).ok()?;
                Some(text.trim().to_string()).filter(|text| !text.is_empty())
            }
        }
    }
}

/// Opens a parquet file.
///
/// # Errors
///
/// [`DataError::Damaged`] if it is none, or cut.
pub(crate) fn open(path: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let file = File::open(path).map_err(DataError::io("opening", path))?;
    SerializedFileReader::new(file).map_err(|error| DataError::damaged(path, error))
}

/// The paths of the leaf columns, as `image.bytes`, that hold one value per row.
pub(crate) fn leaves(reader: &SerializedFileReader<File>) -> Vec<(usize, String)> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let columns = schema.columns().iter().enumerate();
    let single = columns.filter(|(_, column)| column.max_rep_level() == 0);
    single
        .map(|(i, column)| (i, column.path().string()))
        .collect()
}

/// Whether the leaf column `index` holds bytes.
pub(crate) fn is_bytes(reader: &SerializedFileReader<File>, index: usize) -> bool {
    let column = reader
        .metadata()
        .file_metadata()
        .schema_descr()
        .column(index);
    column.physical_type() == parquet::basic::Type::BYTE_ARRAY
}

/// Reads the leaf column `index` of one row group.
///
/// # Errors
///
/// What the parquet file has wrong with it, or a type that is none of numbers, text and bytes.
pub(crate) fn read_column(
    group: &dyn RowGroupReader,
    index: usize,
) -> Result<Values, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let level = group
        .metadata()
        .column(index)
        .column_descr()
        .max_def_level();
    Ok(match group.get_column_reader(index)? {
        ColumnReader::ByteArrayColumnReader(reader) => {
            Values::Bytes(read_all(reader, rows, level)?)
        }
        ColumnReader::Int64ColumnReader(reader) => Values::Numbers(read_all(reader, rows, level)?),
        ColumnReader::Int32ColumnReader(reader) => {
            Values::Numbers(widened(read_all(reader, rows, level)?))
        }
        ColumnReader::BoolColumnReader(reader) => {
            Values::Numbers(widened(read_all(reader, rows, level)?))
        }
        _ => {
            let name = group.metadata().column(index).column_path().string();
            return Err(ParquetError::General(format!(
                "column {name} holds neither whole numbers nor text nor bytes"
            )));
        }
    })
}

fn widened<T: Into<i64>>(values: Vec<Option<T>>) -> Vec<Option<i64>> {
    values
        .into_iter()
        .map(|value| value.map(Into::into))
        .collect()
}

/// All values of a column; a value is there where its definition level is the highest.
fn read_all<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    level: i16,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        match reader
            .read_records(rows - read, Some(&mut levels), None, &mut values)?
            .0
        {
            0 => {
                return Err(ParquetError::General(format!(
                    "a column ends at row {read} of {rows}"
                )));
            }
            n => read += n,
        }
    }
    if level == 0 {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    Ok(levels
        .into_iter()
        .map(|found| if found == level { values.next() } else { None })
        .collect())
}

/// The columns of text and numbers of a parquet file as a table.
///
/// # Errors
///
/// [`DataError::Damaged`] if it cannot be read to its end.
pub(crate) fn read_table(path: &Path) -> Result<Table, DataError> {
    let damaged = |error: ParquetError| DataError::damaged(path, error);
    let reader = open(path)?;
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    for (index, name) in leaves(&reader) {
        let mut values = Vec::new();
        for i in 0..reader.num_row_groups() {
            let group = reader.get_row_group(i).map_err(damaged)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            // a column of another type says nothing about where a picture is or what it shows
            let Ok(column) = read_column(&*group, index) else {
                break;
            };
            values.extend((0..rows).map(|row| column.text(row).unwrap_or_default()));
        }
        columns.push((name, values));
    }
    let rows = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
    columns.retain(|(_, values)| values.len() == rows);
    let row = |i: usize| {
        columns
            .iter()
            .map(|(_, values)| values[i].clone())
            .collect()
    };
    Ok(Table {
        rows: (0..rows).map(|i| (i as u64, row(i))).collect(),
        header: columns.iter().map(|(name, _)| name.clone()).collect(),
    })
}
