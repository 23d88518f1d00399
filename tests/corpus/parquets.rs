//! Parquet files: of every compression and type of label, cut, without their sisters, in two writings.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::entry::{Entry, Kind, entry};
use crate::made::{half, jpeg, write};

const CHECK: &str = "data check set.parquet";
const SET: &str = "data check set";

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = files();
    entries.extend(shards());
    entries
}

fn files() -> Vec<Entry> {
    let read = |name, make| {
        let never = &["is damaged", "remove it"];
        entry(Kind::Parquet, name, make, CHECK)
            .says(&["4 pictures in", "2 classes"])
            .never(never)
    };
    let refused = |name, make, words| entry(Kind::Parquet, name, make, CHECK).fails(words);
    let zstd = |at: &Path| one(at, "int64 label", Compression::ZSTD(ZstdLevel::default()));
    vec![
        read("zstd", zstd),
        read("gzip", |at| {
            one(at, "int64 label", Compression::GZIP(GzipLevel::default()))
        }),
        read("lz4", |at| one(at, "int64 label", Compression::LZ4_RAW)),
        read("int32 labels", |at| {
            one(at, "int32 label", Compression::SNAPPY)
        }),
        read("labels of a byte", |at| {
            one(at, "int32 label (INTEGER(8,false))", Compression::SNAPPY)
        }),
        read("text labels", |at| {
            one(at, "binary label (STRING)", Compression::SNAPPY)
        }),
        read("a column called otherwise", |at| {
            one(at, "int64 fine_label", Compression::SNAPPY)
        }),
        read("whole numbers with a point", |at| {
            one(at, "double label", Compression::SNAPPY)
        }),
        refused(
            "real numbers for classes",
            |at| one(at, "float label", Compression::SNAPPY),
            &["set.parquet", "column label holds real numbers such as 0.3"],
        ),
        refused(
            "cut",
            |at| {
                let whole = parquet("int64 label", Compression::SNAPPY, jpegs()?)?;
                write(at, "set.parquet", &whole[..whole.len() / 2])
            },
            &["set.parquet", "is damaged"],
        ),
        refused(
            "a beginning alone",
            |at| write(at, "set.parquet", b"PAR1"),
            &["set.parquet"],
        ),
        refused(
            "no labels",
            |at| one(at, "int64 height", Compression::SNAPPY),
            &["set.parquet"],
        ),
        entry(
            Kind::Parquet,
            "a picture that is none",
            |at| {
                let mut pictures = jpegs()?;
                pictures[1] = b"no picture".to_vec();
                write(
                    at,
                    "set.parquet",
                    parquet("int64 label", Compression::SNAPPY, pictures)?,
                )
            },
            CHECK,
        )
        .says(&["text"]),
        entry(
            Kind::Jpegs,
            "half a JPEG",
            |at| {
                let mut pictures = jpegs()?;
                let half = half(&pictures[1]).len();
                pictures[1].truncate(half);
                write(
                    at,
                    "set.parquet",
                    parquet("int64 label", Compression::SNAPPY, pictures)?,
                )
            },
            CHECK,
        )
        .says(&["damaged: 1 it ends before the picture does"]),
    ]
}

fn shards() -> Vec<Entry> {
    use Kind::Shards;
    let missing = &["train-00001-of-00002", "is missing"];
    vec![
        entry(
            Shards,
            "both shards",
            |at| of_names(at, &["train-00000-of-00002", "train-00001-of-00002"]),
            SET,
        )
        .says(&["8 pictures in"]),
        entry(
            Shards,
            "a lone shard",
            |at| of_names(at, &["train-00000-of-00002"]),
            SET,
        )
        .fails(missing),
        entry(
            Shards,
            "a lone shard, as allowed",
            |at| of_names(at, &["train-00000-of-00002"]),
            "data check set --allow-missing-shards",
        )
        .says(&[
            "4 pictures in",
            "1 missing, as was allowed",
            "train-00001-of-00002",
        ]),
        entry(Shards, "a cut shard", cut_shard, SET).fails(&[
            "train-00001-of-00002",
            "damaged",
            "--allow-missing-shards",
        ]),
        entry(
            Shards,
            "a cut shard, as allowed",
            cut_shard,
            "data check set --allow-missing-shards",
        )
        .says(&["4 pictures in", "1 cannot be read", "train-00001-of-00002"]),
        entry(
            Shards,
            "all shards cut",
            |at| {
                cut_shard(at)?;
                let shards = [0, 1].map(|i| format!("set/train-{i:05}-of-00002.parquet"));
                Ok(std::fs::copy(at.join(&shards[1]), at.join(&shards[0])).map(drop)?)
            },
            "data check set --allow-missing-shards",
        )
        .fails(&["train-00000-of-00002", "damaged"]),
        entry(
            Shards,
            "a lone shard, refused by name where none is read",
            |at| of_names(at, &["train-00000-of-00002"]),
            "evaluate --embeddings x.npz --allow-missing-shards",
        )
        .fails(&["--allow-missing-shards"]),
        entry(
            Shards,
            "a lone shard, named",
            |at| of_names(at, &["train-00000-of-00002"]),
            "data check set/train-00000-of-00002.parquet",
        )
        .fails(missing),
        entry(
            Shards,
            "a lone shard beside a whole part",
            |at| of_names(at, &["train-00000-of-00002", "test-00000-of-00001"]),
            SET,
        )
        .fails(missing),
        entry(
            Shards,
            "two writings",
            |at| {
                of_names(
                    at,
                    &[
                        "train-00000-of-00001",
                        "train-00000-of-00002",
                        "train-00001-of-00002",
                    ],
                )
            },
            SET,
        )
        .fails(&["2 writings"]),
        entry(
            Shards,
            "a shard and the whole",
            |at| of_names(at, &["train", "train-00000-of-00001"]),
            SET,
        )
        .fails(&["2 writings"]),
        entry(
            Shards,
            "a shard twice by its hash",
            |at| of_names(at, &["train-00000-of-00001-aa", "train-00000-of-00001-bb"]),
            SET,
        )
        .fails(&["there twice"]),
        entry(
            Shards,
            "a shard begun",
            |at| {
                of_names(at, &["train-00000-of-00002"])?;
                write(at, "set/train-00001-of-00002.parquet", b"PAR1")
            },
            SET,
        )
        .fails(&["train-00001-of-00002.parquet"]),
    ]
}

fn jpegs() -> Result<Vec<Vec<u8>>> {
    (0..4).map(jpeg).collect()
}

fn one(at: &Path, label: &str, compression: Compression) -> Result<()> {
    write(at, "set.parquet", parquet(label, compression, jpegs()?)?)
}

fn of_names(at: &Path, names: &[&str]) -> Result<()> {
    for name in names {
        let bytes = parquet("int64 label", Compression::SNAPPY, jpegs()?)?;
        write(at, format!("set/{name}.parquet"), bytes)?;
    }
    Ok(())
}

/// Two shards, the second cut in half.
fn cut_shard(at: &Path) -> Result<()> {
    of_names(at, &["train-00000-of-00002", "train-00001-of-00002"])?;
    let second = at.join("set/train-00001-of-00002.parquet");
    let bytes = std::fs::read(&second)?;
    Ok(std::fs::write(&second, &bytes[..bytes.len() / 2])?)
}

/// Pictures and labels, of two classes in turn, without any metadata.
fn parquet(label: &str, compression: Compression, pictures: Vec<Vec<u8>>) -> Result<Vec<u8>> {
    let schema = format!("message schema {{ required binary image; required {label}; }}");
    let properties = WriterProperties::builder().set_compression(compression);
    let mut file = Vec::new();
    let schema = Arc::new(parse_message_type(&schema)?);
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties.build()))?;
    let mut group = writer.next_row_group()?;
    let labels = 0..pictures.len();
    let mut column = group.next_column()?.context("no column")?;
    let ColumnWriter::ByteArrayColumnWriter(images) = column.untyped() else {
        bail!("images are bytes");
    };
    images.write_batch(
        &pictures
            .into_iter()
            .map(ByteArray::from)
            .collect::<Vec<_>>(),
        None,
        None,
    )?;
    column.close()?;
    let mut column = group.next_column()?.context("no column")?;
    match column.untyped() {
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let texts = labels.map(|i| ByteArray::from(["cat", "dog"][i % 2]));
            writer.write_batch(&texts.collect::<Vec<_>>(), None, None)?
        }
        ColumnWriter::Int32ColumnWriter(writer) => writer.write_batch(
            &labels.map(|i| (i % 2) as i32).collect::<Vec<_>>(),
            None,
            None,
        )?,
        ColumnWriter::Int64ColumnWriter(writer) => writer.write_batch(
            &labels.map(|i| (i % 2) as i64).collect::<Vec<_>>(),
            None,
            None,
        )?,
        ColumnWriter::DoubleColumnWriter(writer) => writer.write_batch(
            &labels.map(|i| (i % 2) as f64).collect::<Vec<_>>(),
            None,
            None,
        )?,
        ColumnWriter::FloatColumnWriter(writer) => writer.write_batch(
            &labels.map(|i| 0.3 + i as f32).collect::<Vec<_>>(),
            None,
            None,
        )?,
        _ => bail!("{label} is of another type"),
    };
    column.close()?;
    group.close()?;
    writer.close()?;
    Ok(file)
}
