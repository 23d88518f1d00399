//! Labelled images from the parquet files of the Hugging Face hub.
//!
//! Columns: `img: struct{bytes, path}`, `fine_label: int64`, `coarse_label: int64`. The names of
//! the labels are in the file's own metadata, as JSON under the key `huggingface`.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use crate::decode::{Decoded, decode_all};
use crate::error::DataError;
use crate::image_set::ImageSet;

/// Reads the shards of one split, in their order, as one set.
pub(crate) fn read_shards(paths: &[PathBuf]) -> Result<ImageSet, DataError> {
    let mut shards = paths.iter().map(|path| Shard::read(path));
    let Some(first) = shards.next() else {
        return Err(DataError::Invalid("no parquet files to read".into()));
    };
    let mut all = first?;
    for (shard, path) in shards.zip(&paths[1..]) {
        let shard = shard?;
        if (shard.height, shard.width) != (all.height, all.width) || shard.names != all.names {
            let reason = format!(
                "its images or label names differ from {}'s",
                paths[0].display()
            );
            return Err(DataError::damaged(path, reason));
        }
        all.pixels.extend_from_slice(&shard.pixels);
        all.fine.extend_from_slice(&shard.fine);
        all.coarse.extend_from_slice(&shard.coarse);
    }
    let LabelNames { fine, coarse } = all.names;
    ImageSet::new(all.height, all.width, 3, all.pixels, all.fine, fine)?
        .with_superclasses(all.coarse, coarse)
}

/// What one file holds, decoded.
struct Shard {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
    fine: Vec<u32>,
    coarse: Vec<u32>,
    names: LabelNames,
}

impl Shard {
    fn read(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::io("opening", path))?;
        let damaged = |error: ParquetError| DataError::damaged(path, error);
        let reader = SerializedFileReader::new(file).map_err(damaged)?;
        let names = label_names(&reader, path)?;

        let (mut encoded, mut fine, mut coarse) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..reader.num_row_groups() {
            let group = reader.get_row_group(i).map_err(damaged)?;
            encoded.extend(byte_column(&*group, "img.bytes").map_err(damaged)?);
            fine.extend(label_column(&*group, "fine_label").map_err(damaged)?);
            coarse.extend(label_column(&*group, "coarse_label").map_err(damaged)?);
        }
        drop(reader);

        let encoded: Vec<&[u8]> = encoded.iter().map(ByteArray::data).collect();
        let Decoded {
            height,
            width,
            pixels,
        } = decode_all(&encoded, path)?;
        Ok(Self {
            height,
            width,
            pixels,
            fine,
            coarse,
            names,
        })
    }
}

/// The names of the two kinds of label.
#[derive(PartialEq)]
struct LabelNames {
    fine: Vec<String>,
    coarse: Vec<String>,
}

fn label_names<R: FileReader>(reader: &R, path: &Path) -> Result<LabelNames, DataError> {
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let json: serde_json::Value = metadata
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == "huggingface"))
        .and_then(|pair| pair.value.as_deref())
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| DataError::damaged(path, "no `huggingface` entry in its metadata"))?;
    let names = |column: &str| {
        let names = &json["info"]["features"][column]["names"];
        serde_json::from_value::<Vec<String>>(names.clone())
            .map_err(|_| DataError::damaged(path, format!("no names for {column} in its metadata")))
    };
    Ok(LabelNames {
        fine: names("fine_label")?,
        coarse: names("coarse_label")?,
    })
}

/// The reader of the leaf column `name`.
fn column(group: &dyn RowGroupReader, name: &str) -> Result<ColumnReader, ParquetError> {
    let columns = group.metadata().columns();
    match columns
        .iter()
        .position(|column| column.column_path().string() == name)
    {
        Some(i) => group.get_column_reader(i),
        None => {
            let found: Vec<_> = columns.iter().map(|c| c.column_path().string()).collect();
            let found = found.join(", ");
            Err(ParquetError::General(format!(
                "no column {name}, but {found}"
            )))
        }
    }
}

/// Reads every value of a typed column reader; an error if one is null.
macro_rules! read_whole {
    ($reader:expr, $group:expr, $name:expr) => {{
        let rows = usize::try_from($group.metadata().num_rows()).unwrap_or(0);
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        $reader.read_records(rows, Some(&mut levels), None, &mut values)?;
        if values.len() != rows {
            let found = values.len();
            return Err(ParquetError::General(format!(
                "column {} has {found} values in {rows} rows",
                $name
            )));
        }
        values
    }};
}

fn byte_column(group: &dyn RowGroupReader, name: &str) -> Result<Vec<ByteArray>, ParquetError> {
    match column(group, name)? {
        ColumnReader::ByteArrayColumnReader(mut reader) => Ok(read_whole!(reader, group, name)),
        _ => Err(ParquetError::General(format!("column {name} is not bytes"))),
    }
}

fn label_column(group: &dyn RowGroupReader, name: &str) -> Result<Vec<u32>, ParquetError> {
    let values: Vec<i64> = match column(group, name)? {
        ColumnReader::Int64ColumnReader(mut reader) => read_whole!(reader, group, name),
        _ => return Err(ParquetError::General(format!("column {name} is not int64"))),
    };
    let label = |value| {
        u32::try_from(value)
            .map_err(|_| ParquetError::General(format!("column {name} holds the label {value}")))
    };
    values.into_iter().map(label).collect()
}
