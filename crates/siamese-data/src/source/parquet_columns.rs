//! Columns of parquet files as plain values, with what is missing.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Deref;
use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use siamese_files::limits::check_growth;
use siamese_files::{guarded, open_regular};

use super::mistaken::mistaken;
use super::parquet_pages::check_pages;
use super::shown::shown_bytes;
use super::table_text::Table;
use crate::error::DataError;
use crate::picture::HEAD;

/// The values of one column in one row group; `None` where there is none.
#[derive(Debug)]
pub(crate) enum Values {
    Whole(Vec<Option<i128>>),
    Real(Vec<Option<f64>>),
    Bytes(Vec<Option<ByteArray>>),
}

impl Values {
    /// The first number that is not whole.
    pub(crate) fn first_with_a_fraction(&self) -> Option<f64> {
        let Self::Real(numbers) = self else {
            return None;
        };
        let mut numbers = numbers.iter().flatten().copied();
        numbers.find(|number| number.is_finite() && number.fract() != 0.0)
    }

    /// The value in `row` as text; `None` where there is none. Whole numbers are written as such, which pandas keeps as
    /// 1.0 where one is missing; bytes that are no text as `\xNN`.
    pub(crate) fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Whole(numbers) => numbers.get(row)?.map(|number| number.to_string()),
            Self::Real(numbers) => {
                let number = numbers.get(row)?.filter(|number| !number.is_nan())?;
                Some(number.to_string())
            }
            Self::Bytes(bytes) => {
                let text = shown_bytes(bytes.get(row)?.as_ref()?.data());
                Some(text.trim().to_string()).filter(|text| !text.is_empty())
            }
        }
    }
}

/// A parquet file of which the table of contents was read.
pub(crate) struct ParquetFile {
    reader: SerializedFileReader<File>,
    /// The same file, to look at its pages before they are unpacked.
    pages: File,
    length: u64,
}

impl Deref for ParquetFile {
    type Target = SerializedFileReader<File>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

impl ParquetFile {
    /// How many rows group `number` has.
    pub(crate) fn rows_of(&self, number: usize) -> usize {
        let rows = self.metadata().row_group(number).num_rows();
        usize::try_from(rows).unwrap_or(0)
    }

    /// Checks that texts of so many bytes may come from it.
    pub(crate) fn check_texts(&self, bytes: usize) -> Result<(), ParquetError> {
        check_growth(self.length, bytes as u64).map_err(ParquetError::General)
    }
}

/// Opens a parquet file.
///
/// # Errors
///
/// [`DataError::Unrecognised`] if it is none, [`DataError::Damaged`] if it is cut.
pub(crate) fn open(path: &Path) -> Result<ParquetFile, DataError> {
    let (mut file, found) = open_regular(path).map_err(DataError::io("opening", path))?;
    let mut head = Vec::new();
    let read = file.by_ref().take(HEAD as u64).read_to_end(&mut head);
    read.map_err(DataError::io("reading", path))?;
    if !head.starts_with(MAGIC) {
        return Err(mistaken(path, &head, "parquet file"));
    }
    let pages = file.try_clone().map_err(DataError::io("opening", path))?;
    let reader = parsed(|| SerializedFileReader::new(file)).map_err(refusal(path))?;
    check_rows(&reader, found.len())
        .map_err(|why| DataError::unrecognised(path, why, "look at it with another program"))?;
    let length = found.len();
    Ok(ParquetFile {
        reader,
        pages,
        length,
    })
}

/// What the parser says; where it panics, that the file is damaged.
fn parsed<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    guarded(work).unwrap_or_else(|gave_up| Err(ParquetError::General(gave_up)))
}

/// A row takes so many bytes here, with its name and its texts.
const BYTES_OF_A_ROW: u64 = 256;

/// Checks the rows that a file of `bytes` declares: a row may take no byte of it, where all are alike.
fn check_rows(reader: &SerializedFileReader<File>, bytes: u64) -> Result<(), String> {
    let metadata = reader.metadata();
    let rows = |rows: i64| u64::try_from(rows).map_err(|_| format!("it declares {rows} rows"));
    let mut told = 0u64;
    for group in metadata.row_groups() {
        told = told.saturating_add(rows(group.num_rows())?);
    }
    let whole = rows(metadata.file_metadata().num_rows())?;
    if told != whole {
        return Err(format!(
            "it declares {whole} rows, and {told} in its row groups"
        ));
    }
    check_growth(bytes, whole.saturating_mul(BYTES_OF_A_ROW))
        .map_err(|why| format!("it declares {whole} rows: {why}"))
}

/// How a parquet file begins and ends.
const MAGIC: &[u8] = b"PAR1";

/// What is wrong with the file at `path`, for `map_err`. A file that ends as it should may be whole: nobody is told to
/// remove it.
pub(crate) fn refusal(path: &Path) -> impl Fn(ParquetError) -> DataError {
    move |error| {
        let (found, advice) = match error {
            ParquetError::NYI(kind) => (
                format!("it is a parquet file of a sort that is not read: {kind}"),
                "write it anew, with whole numbers or text as labels, compressed with zstd, snappy or gzip",
            ),
            error if ends_whole(path) => (
                format!("it ends as a whole parquet file does, but cannot be read: {error}"),
                "look whether another program reads it; if none does, copy or fetch it again",
            ),
            error => return DataError::damaged(path, error),
        };
        DataError::unrecognised(path, found, advice)
    }
}

fn ends_whole(path: &Path) -> bool {
    let last = || -> std::io::Result<[u8; 4]> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-4))?;
        let mut last = [0; 4];
        file.read_exact(&mut last)?;
        Ok(last)
    };
    last().is_ok_and(|last| last == MAGIC)
}

/// The paths of the leaf columns, as `image.bytes`, that hold one value per row.
pub(crate) fn leaves(reader: &ParquetFile) -> Vec<(usize, String)> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let columns = schema.columns().iter().enumerate();
    let single = columns.filter(|(_, column)| column.max_rep_level() == 0);
    single
        .map(|(i, column)| (i, column.path().string()))
        .collect()
}

/// Whether the leaf column `index` holds bytes.
pub(crate) fn is_bytes(reader: &ParquetFile, index: usize) -> bool {
    let column = reader
        .metadata()
        .file_metadata()
        .schema_descr()
        .column(index);
    column.physical_type() == Type::BYTE_ARRAY
}

/// Reads the leaf column `index` of row group `number`.
///
/// # Errors
///
/// What the parquet file has wrong with it; [`ParquetError::NYI`] for a type that is none of numbers, text and bytes.
pub(crate) fn read_column(
    file: &ParquetFile,
    number: usize,
    index: usize,
) -> Result<Values, ParquetError> {
    parsed(|| {
        let group = file.reader.get_row_group(number)?;
        let (start, length) = group.metadata().column(index).byte_range();
        let pages = (start, start.saturating_add(length));
        check_pages(&file.pages, pages).map_err(ParquetError::General)?;
        read_values(&*group, index)
    })
}

fn read_values(group: &dyn RowGroupReader, index: usize) -> Result<Values, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let column = group.metadata().column(index).column_descr_ptr();
    let level = column.max_def_level();
    Ok(match group.get_column_reader(index)? {
        ColumnReader::ByteArrayColumnReader(reader) => {
            Values::Bytes(read_all(reader, rows, level)?)
        }
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            Values::Bytes(each(read_all(reader, rows, level)?, ByteArray::from))
        }
        ColumnReader::Int64ColumnReader(reader) => {
            let values = read_all(reader, rows, level)?;
            Values::Whole(match is_unsigned(&column) {
                true => each(values, |value| i128::from(value.cast_unsigned())),
                false => each(values, i128::from),
            })
        }
        ColumnReader::Int32ColumnReader(reader) => {
            let values = read_all(reader, rows, level)?;
            Values::Whole(match is_unsigned(&column) {
                true => each(values, |value| i128::from(value.cast_unsigned())),
                false => each(values, i128::from),
            })
        }
        ColumnReader::BoolColumnReader(reader) => {
            Values::Whole(each(read_all(reader, rows, level)?, i128::from))
        }
        ColumnReader::FloatColumnReader(reader) => {
            Values::Real(each(read_all(reader, rows, level)?, f64::from))
        }
        ColumnReader::DoubleColumnReader(reader) => Values::Real(read_all(reader, rows, level)?),
        ColumnReader::Int96ColumnReader(_) => {
            let name = column.path().string();
            return Err(ParquetError::NYI(format!("column {name} holds times")));
        }
    })
}

/// Numbers without a sign are stored as such with one.
fn is_unsigned(column: &ColumnDescriptor) -> bool {
    let told =
        matches!(column.logical_type_ref(), Some(LogicalType::Integer(kind)) if !kind.is_signed);
    let converted = [
        ConvertedType::UINT_8,
        ConvertedType::UINT_16,
        ConvertedType::UINT_32,
        ConvertedType::UINT_64,
    ];
    told || converted.contains(&column.converted_type())
}

fn each<T, U>(values: Vec<Option<T>>, into: impl Fn(T) -> U) -> Vec<Option<U>> {
    let values = values.into_iter();
    values.map(|value| value.map(&into)).collect()
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
    let damaged = refusal(path);
    let reader = open(path)?;
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    let mut bytes = 0;
    for (index, name) in leaves(&reader) {
        let mut values = Vec::new();
        for i in 0..reader.num_row_groups() {
            // a column of another type says nothing about where a picture is or what it shows
            let Ok(column) = read_column(&reader, i, index) else {
                break;
            };
            for row in 0..reader.rows_of(i) {
                let text = column.text(row).unwrap_or_default();
                bytes += text.len();
                values.push(text);
            }
            reader.check_texts(bytes).map_err(&damaged)?;
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
