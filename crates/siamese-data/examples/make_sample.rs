//! Makes the bundled sample of CIFAR-100 from the hub's parquet files.
//!
//! The first 40 training and the first 10 test images of each class, in the order of their rows
//! and byte for byte as they are; schema and metadata are copied. The same files come out each
//! time.
//!
//! ```sh
//! cargo run --release -p siamese-data --example make_sample -- \
//!     ../shared/datasets/hub/datasets/uoft-cs/cifar100/cifar100 \
//!     datasets/uoft-cs/cifar100/cifar100
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use parquet::basic::Compression;
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

const PARTS: [(&str, usize); 2] = [
    ("train-00000-of-00001.parquet", 40),
    ("test-00000-of-00001.parquet", 10),
];

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        bail!("usage: make_sample FROM_FOLDER TO_FOLDER");
    };
    fs::create_dir_all(&to)?;
    for (name, per_class) in PARTS {
        let (from, to) = (from.join(name), to.join(name));
        let rows = sample(&from, &to, per_class)
            .with_context(|| format!("sampling {} into {}", from.display(), to.display()))?;
        let bytes = fs::metadata(&to)?.len();
        println!("{}: {rows} rows, {bytes} bytes", to.display());
    }
    Ok(())
}

/// The columns of some rows.
#[derive(Default)]
struct Rows {
    bytes: Vec<ByteArray>,
    fine: Vec<i64>,
    coarse: Vec<i64>,
}

/// Writes the first `per_class` rows of each class; returns how many rows that are.
fn sample(from: &Path, to: &Path, per_class: usize) -> Result<usize> {
    let reader = SerializedFileReader::new(File::open(from)?)?;
    let all = read(&reader)?;
    let mut seen = [0; 256];
    let chosen: Vec<usize> = (0..all.fine.len())
        .filter(|&row| {
            let seen = &mut seen[all.fine[row] as usize];
            *seen += 1;
            *seen <= per_class
        })
        .collect();

    let metadata = reader.metadata().file_metadata();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_column_dictionary_enabled(ColumnPath::from("img.bytes"), false)
        .set_key_value_metadata(metadata.key_value_metadata().cloned())
        .build();
    let schema = metadata.schema_descr();
    let (root, file) = (schema.root_schema_ptr(), File::create(to)?);
    let mut writer = SerializedFileWriter::new(file, root, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for descriptor in schema.columns() {
        let levels = vec![descriptor.max_def_level(); chosen.len()];
        let mut column = group
            .next_column()?
            .context("a column for each in the schema")?;
        match descriptor.path().string().as_str() {
            "img.bytes" => column.typed::<ByteArrayType>().write_batch(
                &pick(&all.bytes, &chosen),
                Some(&levels),
                None,
            ),
            // No path anywhere: the struct is there, its field is not.
            "img.path" => column.typed::<ByteArrayType>().write_batch(
                &[],
                Some(&vec![descriptor.max_def_level() - 1; chosen.len()]),
                None,
            ),
            "fine_label" => column.typed::<Int64Type>().write_batch(
                &pick(&all.fine, &chosen),
                Some(&levels),
                None,
            ),
            "coarse_label" => column.typed::<Int64Type>().write_batch(
                &pick(&all.coarse, &chosen),
                Some(&levels),
                None,
            ),
            name => bail!("a column {name} was not expected"),
        }?;
        column.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(chosen.len())
}

fn read(reader: &SerializedFileReader<File>) -> Result<Rows> {
    let mut all = Rows::default();
    for i in 0..reader.num_row_groups() {
        let group = reader.get_row_group(i)?;
        let rows = usize::try_from(group.metadata().num_rows())?;
        for (at, column) in group.metadata().columns().iter().enumerate() {
            let name = column.column_path().string();
            let mut levels = Vec::new();
            let (expected, (_, values, _)) = match (group.get_column_reader(at)?, name.as_str()) {
                (ColumnReader::ByteArrayColumnReader(mut reader), "img.bytes") => {
                    let levels = Some(&mut levels);
                    (
                        rows,
                        reader.read_records(rows, levels, None, &mut all.bytes)?,
                    )
                }
                (ColumnReader::ByteArrayColumnReader(mut reader), "img.path") => {
                    let levels = Some(&mut levels);
                    (0, reader.read_records(rows, levels, None, &mut Vec::new())?)
                }
                (ColumnReader::Int64ColumnReader(mut reader), "fine_label") => {
                    let levels = Some(&mut levels);
                    (
                        rows,
                        reader.read_records(rows, levels, None, &mut all.fine)?,
                    )
                }
                (ColumnReader::Int64ColumnReader(mut reader), "coarse_label") => {
                    let levels = Some(&mut levels);
                    (
                        rows,
                        reader.read_records(rows, levels, None, &mut all.coarse)?,
                    )
                }
                _ => bail!("a column {name} was not expected"),
            };
            ensure!(
                values == expected,
                "{values} values, not {expected}, in {name}"
            );
        }
    }
    Ok(all)
}

fn pick<T: Clone>(from: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| from[row].clone()).collect()
}
