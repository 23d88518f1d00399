//! Parquet, a group of rows at a time.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;

use super::TableRow;

const SCHEMA: &str = "message embeddings {
  required binary file (UTF8);
  optional binary class (UTF8);
  required group embedding (LIST) { repeated group list { required float element; } }
}";
/// Rows that are in memory at once.
const GROUP: usize = 4096;

pub(super) struct Parquet<'a> {
    writer: SerializedFileWriter<&'a mut BufWriter<File>>,
    files: Vec<ByteArray>,
    classes: Vec<ByteArray>,
    /// 1 where a row has a class.
    classed: Vec<i16>,
    values: Vec<f32>,
    /// 0 where a list begins, 1 within it.
    repeated: Vec<i16>,
}

impl<'a> Parquet<'a> {
    pub(super) fn new(file: &'a mut BufWriter<File>) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(told)?);
        let level = ZstdLevel::try_new(1).map_err(told)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            // no two numbers are alike
            .set_column_dictionary_enabled("embedding.list.element".into(), false)
            .build();
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(told)?;
        Ok(Self {
            writer,
            files: Vec::new(),
            classes: Vec::new(),
            classed: Vec::new(),
            values: Vec::new(),
            repeated: Vec::new(),
        })
    }

    pub(super) fn push(&mut self, row: TableRow) -> io::Result<()> {
        self.files.push(row.file.into());
        self.classed.push(i16::from(row.class.is_some()));
        self.classes.extend(row.class.map(ByteArray::from));
        self.values.extend_from_slice(row.embedding);
        let within = (0..row.embedding.len()).map(|at| i16::from(at > 0));
        self.repeated.extend(within);
        match self.files.len() {
            GROUP => self.flush().map_err(told),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let present = vec![1i16; self.values.len()];
        let mut group = self.writer.next_row_group()?;
        let mut number = 0;
        while let Some(mut column) = group.next_column()? {
            match number {
                0 => column
                    .typed::<ByteArrayType>()
                    .write_batch(&self.files, None, None)?,
                1 => column.typed::<ByteArrayType>().write_batch(
                    &self.classes,
                    Some(&self.classed),
                    None,
                )?,
                _ => column.typed::<FloatType>().write_batch(
                    &self.values,
                    Some(&present),
                    Some(&self.repeated),
                )?,
            };
            column.close()?;
            number += 1;
        }
        group.close()?;
        self.files.clear();
        self.classes.clear();
        self.classed.clear();
        self.values.clear();
        self.repeated.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.files.is_empty() {
            self.flush().map_err(told)?;
        }
        self.writer.close().map_err(told)?;
        Ok(())
    }
}

/// The file system's own error where there is one.
fn told(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
