//! Parquet files as people have them: every compression and type of label, shards that are missing, pointers.

#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use siamese_data::{Colour, Fit, Framing, Listing, OpenOptions, open};

fn png(value: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(3, 2, image::Rgb([value, 0, 9]));
    image.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Labels as a column has them.
enum Labels<'a> {
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Double(&'a [f64]),
    Text(&'a [&'a [u8]]),
}

/// Writes the columns `image` and `label`, the n-th picture of the red n, without any metadata.
fn write(path: &Path, kind: &str, labels: &Labels, compression: Compression) {
    let schema = format!("message schema {{ required binary image; required {kind}; }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut first = true;
    while let Some(mut column) = group.next_column().unwrap() {
        let bytes =
            |values: Vec<Vec<u8>>| values.into_iter().map(ByteArray::from).collect::<Vec<_>>();
        match (column.untyped(), labels) {
            (ColumnWriter::ByteArrayColumnWriter(writer), _) if first => {
                let pictures = bytes((0..4).map(png).collect());
                writer.write_batch(&pictures, None, None).unwrap();
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Labels::Text(labels)) => {
                let labels = bytes(labels.iter().map(|label| label.to_vec()).collect());
                writer.write_batch(&labels, None, None).unwrap();
            }
            (ColumnWriter::Int32ColumnWriter(writer), Labels::Int32(labels)) => {
                writer.write_batch(labels, None, None).unwrap();
            }
            (ColumnWriter::Int64ColumnWriter(writer), Labels::Int64(labels)) => {
                writer.write_batch(labels, None, None).unwrap();
            }
            (ColumnWriter::DoubleColumnWriter(writer), Labels::Double(labels)) => {
                writer.write_batch(labels, None, None).unwrap();
            }
            _ => panic!("{kind} is another type"),
        }
        first = false;
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

fn opened(path: &Path, cache: &Path) -> Result<Listing, String> {
    let options = OpenOptions {
        cache: Some(cache.into()),
        ..OpenOptions::default()
    };
    open(path, &options).map_err(|error| error.to_string())
}

fn classes(listing: &Listing) -> Vec<&str> {
    let class = |label: u32| listing.classes[label as usize].as_str();
    listing.items.iter().map(|item| class(item.label)).collect()
}

#[test]
fn every_compression_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let framing = Framing {
        height: 2,
        width: 3,
        colour: Colour::Rgb,
        fit: Fit::Crop,
    };
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(Default::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let path = folder.path().join(format!("{compression:?}.parquet"));
        write(
            &path,
            "int64 label",
            &Labels::Int64(&[0, 1, 0, 1]),
            compression,
        );
        let listing = opened(&path, folder.path()).unwrap();
        let options = OpenOptions {
            cache: Some(folder.path().into()),
            ..OpenOptions::default()
        };
        let images = listing.load(&framing, &options).unwrap().images;
        let reds: Vec<u8> = (0..4).map(|i| images.image(i).unwrap()[0]).collect();
        assert_eq!(
            (reds, images.labels),
            (vec![0, 1, 2, 3], vec![0, 1, 0, 1]),
            "{compression:?}"
        );
    }
}

#[test]
fn labels_of_every_type_are_read_without_the_hubs_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let cases: [(&str, Labels, [&str; 4]); 8] = [
        (
            "int32 label",
            Labels::Int32(&[3, -2, 3, 10]),
            ["3", "-2", "3", "10"],
        ),
        (
            "int32 label (INTEGER(8,false))",
            Labels::Int32(&[3, 2, 3, 200]),
            ["3", "2", "3", "200"],
        ),
        (
            "int32 label (UINT_32)",
            Labels::Int32(&[1, -1, 1, 2]),
            ["1", "4294967295", "1", "2"],
        ),
        (
            "int64 label (UINT_64)",
            Labels::Int64(&[1, -1, 1, 2]),
            ["1", "18446744073709551615", "1", "2"],
        ),
        (
            "double label",
            Labels::Double(&[1.0, 0.0, 1.0, 2.0]),
            ["1", "0", "1", "2"],
        ),
        (
            "binary label (UTF8)",
            Labels::Text(&[b"cat", b"dog", b"cat", b"owl"]),
            ["cat", "dog", "cat", "owl"],
        ),
        (
            "binary label",
            Labels::Text(&[b"cat", b"dog", b"cat", b"owl"]),
            ["cat", "dog", "cat", "owl"],
        ),
        (
            "binary label",
            Labels::Text(&[b"a\xff", b"a\xfe", b"b", b"b"]),
            ["a\\xFF", "a\\xFE", "b", "b"],
        ),
    ];
    for (kind, labels, expected) in cases {
        write(&path, kind, &labels, Compression::SNAPPY);
        let listing = opened(&path, folder.path()).unwrap();
        assert_eq!(classes(&listing), expected, "{kind}");
    }
}

#[test]
fn a_whole_file_is_never_to_be_removed_and_another_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write(
        &path,
        "int64 label",
        &Labels::Int64(&[0, 1, 0, 1]),
        Compression::SNAPPY,
    );
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(
        opened(&path, folder.path())
            .unwrap_err()
            .contains("fetch it again")
    );
    // whole at both ends, and another in between
    let mut changed = whole.clone();
    let end = changed.len();
    changed[end - 60..end - 8].fill(0xFF);
    fs::write(&path, &changed).unwrap();
    let error = opened(&path, folder.path()).unwrap_err();
    assert!(!error.contains("remove"), "{error}");

    for (bytes, words) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:0"[..],
            "git lfs pull",
        ),
        (b"<!DOCTYPE html><title>Sign in</title>", "a web page"),
    ] {
        let lone = folder.path().join("lone");
        fs::create_dir_all(&lone).unwrap();
        for name in [
            "x.parquet",
            "x.zip",
            "x.csv",
            "t10k-images-idx3-ubyte",
            "data_batch_1.bin",
        ] {
            let file = lone.join(name);
            fs::write(&file, bytes).unwrap();
            let error = opened(&file, folder.path()).unwrap_err();
            assert!(
                error.contains(words) && !error.contains("remove"),
                "{name}: {error}"
            );
        }
        for name in ["x.csv", "t10k-images-idx3-ubyte", "data_batch_1.bin"] {
            fs::remove_file(lone.join(name)).unwrap();
        }
        let error = opened(&lone, folder.path()).unwrap_err();
        assert!(error.contains(words), "a folder of them: {error}");
    }
}

#[test]
fn a_shard_named_alone_is_not_the_set() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [0, 1].map(|shard| {
        folder
            .path()
            .join(format!("train-0000{shard}-of-00002.parquet"))
    });
    let labels = Labels::Int64(&[0, 1, 0, 1]);
    write(&first, "int64 label", &labels, Compression::SNAPPY);
    for place in [folder.path(), &first] {
        let error = opened(place, folder.path()).unwrap_err();
        assert!(error.contains("train-00001-of-00002"), "{error}");
    }
    write(&second, "int64 label", &labels, Compression::SNAPPY);
    assert_eq!(opened(folder.path(), folder.path()).unwrap().items.len(), 8);
    let error = opened(&first, folder.path()).unwrap_err();
    assert!(error.contains("name the folder"), "{error}");
}
