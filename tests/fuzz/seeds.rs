//! Small whole inputs of every kind.

use std::io::{Cursor, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use image::{DynamicImage, ImageFormat, RgbImage};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use siamese_core::candle::Device;
use siamese_core::{Body, Conv4, Distance, Model, Stage, Stages, Tower, TowerConfig};
use zip::write::SimpleFileOptions;

pub(crate) fn photo(seed: u32) -> RgbImage {
    RgbImage::from_fn(12, 9, |x, y| {
        let value = |by: u32| ((x * 19 + y * 31 + seed * 7) * by % 251) as u8;
        image::Rgb([value(1), value(3), value(5)])
    })
}

pub(crate) fn picture(format: ImageFormat) -> Result<Vec<Vec<u8>>> {
    let photo = DynamicImage::from(photo(1));
    let of = |image: DynamicImage| -> Result<Vec<u8>> {
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, format)?;
        Ok(file.into_inner())
    };
    let mut seeds = vec![of(photo.clone())?];
    // what the format cannot hold is no seed
    let others = [
        photo.to_luma8().into(),
        photo.to_rgba8().into(),
        photo.to_rgb16().into(),
    ];
    seeds.extend(others.into_iter().filter_map(|image| of(image).ok()));
    Ok(seeds)
}

pub(crate) fn heic() -> Result<Vec<Vec<u8>>> {
    let image = photo(2);
    let options = heifer::EncodeOptions::default();
    let file = heifer::encode_rgb8(image.width(), image.height(), &image, &options);
    Ok(vec![file.ok().context("no HEIC")?])
}

/// One array in NumPy's format.
pub(crate) fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    header.push_str(&" ".repeat(127 - (10 + header.len()) % 64));
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    file
}

pub(crate) fn arrays() -> Result<Vec<Vec<u8>>> {
    let floats: Vec<u8> = (0..12u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    let doubles: Vec<u8> = (0..12u8).flat_map(|i| f64::from(i).to_be_bytes()).collect();
    Ok(vec![
        npy("<f4", "(4, 3)", &floats),
        npy(">f8", "(4, 3)", &doubles),
        npy("|u1", "(4, 3)", &[7; 12]),
    ])
}

/// The embeddings of an `.npz`, with labels beside them.
pub(crate) fn npz(embeddings: Vec<u8>) -> Vec<u8> {
    let labels: Vec<u8> = [0u64, 0, 1, 1]
        .iter()
        .flat_map(|i| i.to_le_bytes())
        .collect();
    zip(&[
        ("embeddings.npy", embeddings),
        ("labels.npy", npy("<i8", "(4,)", &labels)),
        (
            "class_names.npy",
            npy(
                "<U2",
                "(2,)",
                &[b'a', 0, 0, 0, 0, 0, 0, 0, b'b', 0, 0, 0, 0, 0, 0, 0],
            ),
        ),
    ])
}

pub(crate) fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (i, (name, bytes)) in files.iter().enumerate() {
        let method = match i % 2 {
            0 => zip::CompressionMethod::Deflated,
            _ => zip::CompressionMethod::Stored,
        };
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    tar.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: Vec<u8>) -> Vec<u8> {
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    file.write_all(&bytes).unwrap();
    file.finish().unwrap()
}

fn png(seed: u32) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    photo(seed).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Class folders, as archives hold them.
pub(crate) fn classes() -> Vec<(&'static str, Vec<u8>)> {
    let names = ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"];
    names
        .into_iter()
        .zip(0..)
        .map(|(name, seed)| (name, png(seed)))
        .collect()
}

/// A shard of WebDataset's.
pub(crate) fn shard() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("0.png", png(0)),
        ("0.cls", b"0".to_vec()),
        ("1.png", png(1)),
        ("1.cls", b"1".to_vec()),
        ("2.png", png(2)),
        ("2.json", br#"{"label": "1"}"#.to_vec()),
    ]
}

/// Omniglot's alphabets.
pub(crate) fn omniglot() -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "images_background/A/character01/0001_01.png",
        "images_background/A/character01/0001_02.png",
        "images_background/A/character02/0002_01.png",
        "images_background/A/character02/0002_02.png",
    ];
    names
        .into_iter()
        .zip(0..)
        .map(|(name, seed)| (name, png(seed)))
        .collect()
}

pub(crate) fn parquet() -> Result<Vec<Vec<u8>>> {
    let kinds = [
        ("required int64 label", Compression::SNAPPY),
        ("required int64 label", Compression::UNCOMPRESSED),
        (
            "optional binary label (STRING)",
            Compression::ZSTD(Default::default()),
        ),
        (
            "required binary label (STRING)",
            Compression::GZIP(Default::default()),
        ),
    ];
    kinds
        .into_iter()
        .map(|(label, compression)| parquet_of(label, compression))
        .collect()
}

fn parquet_of(label: &str, compression: Compression) -> Result<Vec<u8>> {
    let schema = format!("message schema {{ required binary image; {label}; }}");
    let properties = WriterProperties::builder().set_compression(compression);
    let mut file = Vec::new();
    let schema = Arc::new(parse_message_type(&schema)?);
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties.build()))?;
    let mut group = writer.next_row_group()?;
    let mut column = group.next_column()?.context("no column")?;
    let ColumnWriter::ByteArrayColumnWriter(images) = column.untyped() else {
        bail!("images are bytes");
    };
    let pictures: Vec<ByteArray> = (0..6).map(|seed| ByteArray::from(png(seed))).collect();
    images.write_batch(&pictures, None, None)?;
    column.close()?;
    let mut column = group.next_column()?.context("no column")?;
    let present = [1i16; 6];
    let levels = label.starts_with("optional").then_some(&present[..]);
    match column.untyped() {
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let texts: Vec<_> = (0..6)
                .map(|i| ByteArray::from(["cat", "dog"][i % 2]))
                .collect();
            writer.write_batch(&texts, levels, None)?
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            writer.write_batch(&[0, 1, 0, 1, 0, 1], levels, None)?
        }
        _ => bail!("{label} is of another type"),
    };
    column.close()?;
    group.close()?;
    writer.close()?;
    Ok(file)
}

/// Models that nobody trained, of two bodies.
pub(crate) fn models() -> Result<Vec<Vec<u8>>> {
    let stage = Stage {
        channels: 4,
        convolutions: 1,
    };
    let stages = Stages {
        stages: vec![stage, stage],
        ..Stages::default()
    };
    let bodies = [Body::Stages(stages), Body::Conv4(Conv4::default())];
    bodies.into_iter().map(model).collect()
}

fn model(body: Body) -> Result<Vec<u8>> {
    let config = TowerConfig {
        body,
        embedding: 4,
        ..TowerConfig::system_c()
    };
    let model = Model::new(Tower::new(config, 7, &Device::Cpu)?, Distance::Euclidean);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    model.save(&path)?;
    Ok(std::fs::read(path)?)
}

/// IDX images, six of 2×3.
pub(crate) fn idx() -> Vec<u8> {
    let mut file = b"\0\0\x08\x03".to_vec();
    file.extend([6u32, 2, 3].into_iter().flat_map(u32::to_be_bytes));
    file.extend(0..36);
    file
}

/// The labels of these.
pub(crate) fn idx_labels() -> Vec<u8> {
    [&b"\0\0\x08\x01\0\0\0\x06"[..], &[0, 1, 0, 1, 0, 1]].concat()
}

/// CIFAR-100's records, four of them.
pub(crate) fn records() -> Vec<u8> {
    (0..4u8)
        .flat_map(|i| [&[0, i % 2][..], &[i; 3072]].concat())
        .collect()
}
