//! Embeddings from NumPy and back, and what is said of files that do not fit.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use std::io::Write;
use std::path::{Path, PathBuf};

use siamese_metrics::Embeddings;
use siamese_metrics::npz::{read_npz, write_npz};
use zip::write::SimpleFileOptions;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn rows() -> Vec<f32> {
    (0..12).map(|i| i as f32 / 4.0 - 1.0).collect()
}

#[test]
fn numpys_savez_is_read() {
    let file = read_npz(&golden("plain.npz")).unwrap();
    assert_eq!(file.embeddings.values, rows());
    assert_eq!(
        (file.embeddings.dim, &file.embeddings.labels[..]),
        (3, &[3, 1, 2, 3][..])
    );
    assert!(file.gallery.is_none());
}

#[test]
fn compressed_big_endian_and_fortran_ordered_arrays_are_read() {
    let file = read_npz(&golden("odd.npz")).unwrap();
    assert_eq!(file.embeddings.values, rows());
    assert_eq!(file.embeddings.labels, [3, 1, 2, 255]);
    let gallery = file.gallery.unwrap();
    assert_eq!(gallery.values, rows()[..6]);
    assert_eq!(gallery.labels, [7, 4_000_000_000]);
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.npz");
    let values = rows();
    let set = Embeddings::new(&values, 3, &[0, 1, u32::MAX, 2]).unwrap();
    let gallery = Embeddings::new(&values[..3], 3, &[9]).unwrap();
    write_npz(&path, &set, Some(&gallery)).unwrap();
    let file = read_npz(&path).unwrap();
    assert_eq!(file.embeddings.values, values);
    assert_eq!(file.embeddings.labels, [0, 1, u32::MAX, 2]);
    assert_eq!(file.gallery.unwrap().labels, [9]);
    // NumPy wants an array's data to start at a multiple of 64 bytes from its own start.
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
    assert_eq!(
        archive.by_name("embeddings.npy").unwrap().size() % 64,
        12 * 4
    );
}

/// An archive of arrays given by type, shape and bytes; reads it and gives the error's text.
fn error_of(arrays: &[(&str, &str, &str, &[u8])]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.npz");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, descr, shape, bytes) in arrays {
        archive
            .start_file(format!("{name}.npy"), SimpleFileOptions::default())
            .unwrap();
        let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
        archive.write_all(b"\x93NUMPY\x01\x00").unwrap();
        archive
            .write_all(&(header.len() as u16).to_le_bytes())
            .unwrap();
        archive.write_all(header.as_bytes()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
    let message = read_npz(&path).unwrap_err().to_string();
    message
        .strip_prefix(&format!("{}: ", path.display()))
        .unwrap()
        .to_owned()
}

#[test]
fn arrays_that_do_not_fit_are_named() {
    let labels = ("labels", "'|u1'", "(1,)", &[1u8][..]);
    let rows = ("embeddings", "'<f4'", "(1, 2)", &[0u8; 8][..]);
    assert_eq!(error_of(&[]), "holds no arrays `embeddings` and `labels`");
    assert_eq!(
        error_of(&[rows]),
        "array `labels` is missing beside `embeddings`"
    );
    assert_eq!(
        error_of(&[labels]),
        "array `embeddings` is missing beside `labels`"
    );
    assert_eq!(
        error_of(&[("embeddings", "'<f4'", "(2,)", &[0; 8]), labels]),
        "array `embeddings` has shape (2,), expected (N, D)"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "'|u1'", "(2,)", &[0; 2])]),
        "array `labels` has shape (2,), expected (1,) beside `embeddings` (1, 2)"
    );
    assert_eq!(
        error_of(&[("embeddings", "'<f2'", "(1, 2)", &[0; 4]), labels]),
        "array `embeddings`: has type <f2, expected f4 or f8"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "'<f8'", "(1,)", &[0; 8])]),
        "array `labels`: has type <f8, expected integers"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "'<U3'", "(1,)", &[0; 12])]),
        "array `labels`: has type <U3, which is no plain number"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "'<i2'", "(1,)", &[0xff; 2])]),
        "array `labels`: [0] is -1, labels go from 0 to 4294967295"
    );
    assert_eq!(
        error_of(&[("embeddings", "'<f4'", "(1, 2)", &[0; 7]), labels]),
        "array `embeddings`: 8 bytes of data expected for its shape, found 7"
    );
    assert_eq!(
        error_of(&[
            ("embeddings", "'<f4'", "(1, 1)", &f32::NAN.to_le_bytes()),
            labels
        ]),
        "array `embeddings`: embeddings[0] is NaN: every value must be finite"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "[('a', '<i4')]", "(1,)", &[0; 4])]),
        "array `labels`: has no plain `descr` in its header"
    );
    let huge = format!("({}, {})", usize::MAX, 3);
    assert_eq!(
        error_of(&[("embeddings", "'<f4'", &huge, &[0; 8]), labels]),
        "array `embeddings`: its shape is too large"
    );
    assert_eq!(
        error_of(&[
            rows,
            labels,
            ("gallery_embeddings", "'<f4'", "(1, 1)", &[0; 4]),
            ("gallery_labels", "'|u1'", "(1,)", &[0]),
        ]),
        "`gallery_embeddings` has rows of 1, `embeddings` of 2"
    );
}

#[test]
fn a_file_that_is_no_archive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.npz");
    std::fs::write(&path, b"\x93NUMPY").unwrap();
    assert!(
        read_npz(&path)
            .unwrap_err()
            .to_string()
            .contains("is no .npz archive")
    );
    assert!(read_npz(&folder.path().join("absent.npz")).is_err());
}
