//! Writes `.npz` files as NumPy does, of any type.

use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::Result;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::made::write;

/// An array's name and its `.npy`.
pub(crate) type Named = (&'static str, Vec<u8>);

pub(crate) fn file(at: &Path, arrays: &[Named]) -> Result<()> {
    write(at, "e.npz", npz(arrays)?)
}

pub(crate) fn npz(arrays: &[Named]) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default())?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// An `.npy` as NumPy writes it.
pub(crate) fn npy(kind: &str, shape: &[u64], values: &[u8]) -> Vec<u8> {
    let sides: String = shape.iter().map(|side| format!("{side},")).collect();
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sides}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), values].concat()
}

pub(crate) fn array(name: &'static str, kind: &str, shape: &[u64], values: Vec<u8>) -> Named {
    (name, npy(kind, shape, &values))
}

/// An array of eight rows as Fortran, and NumPy after a transposition, lays it out.
pub(crate) fn columns_first((name, npy): Named) -> Named {
    let (head, rows) = npy.split_at(npy.len() - 8 * 3 * 4);
    let place = head.windows(5).position(|word| word == b"False");
    let place = place.unwrap_or_default();
    let values: Vec<&[u8]> = rows.chunks(4).collect();
    let turned = (0..24).flat_map(|i| values[i % 8 * 3 + i / 8].to_vec());
    let head = [&head[..place], b"True ", &head[place + 5..]].concat();
    (name, [head, turned.collect()].concat())
}

/// The numbers of so many rows of three, each as bytes; the label is the row's number modulo two.
pub(crate) fn bytes(rows: usize, number: impl Fn(f32) -> Vec<u8>) -> Vec<u8> {
    let value = |i: usize| match i % 3 {
        0 => (i / 3 % 2) as f32 * 4.0,
        1 => (i / 3) as f32 * 0.25,
        _ => 1.0,
    };
    (0..3 * rows).flat_map(|i| number(value(i))).collect()
}

pub(crate) fn floats(name: &'static str, rows: usize, change: impl Fn(f32) -> f32) -> Named {
    let values = bytes(rows, |value| change(value).to_le_bytes().to_vec());
    array(name, "<f4", &[rows as u64, 3], values)
}

/// Two rows of each label, at opposite places of a circle: none are farther apart.
pub(crate) fn swapped() -> [Named; 2] {
    let rows = |i: usize| {
        let angle = (i / 2) as f32 * 0.05 + (i % 2) as f32 * std::f32::consts::PI;
        [9.0 * angle.cos(), 9.0 * angle.sin(), 1.0]
    };
    let values = (0..40).flat_map(rows).flat_map(f32::to_le_bytes);
    let labels = (0..40i64).flat_map(|i| (i / 2).to_le_bytes());
    [
        array("embeddings", "<f4", &[40, 3], values.collect()),
        array("labels", "<i8", &[40], labels.collect()),
    ]
}

pub(crate) fn labels(rows: i64) -> Named {
    array(
        "labels",
        "<i8",
        &[rows as u64],
        (0..rows).flat_map(|i| (i % 2).to_le_bytes()).collect(),
    )
}

pub(crate) fn of_gallery(rows: i64) -> Named {
    ("gallery_labels", labels(rows).1)
}

/// A number of 16 bits; those in use have few digits.
pub(crate) fn half(value: f32) -> u16 {
    match value.to_bits() {
        0 => 0,
        bits => (((bits >> 23) as u16 - 112) << 10) | (bits >> 13) as u16 & 0x3FF,
    }
}
