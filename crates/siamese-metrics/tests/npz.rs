//! Embeddings from NumPy and back, and what is said of files that do not fit.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use std::io::Write;
use std::path::{Path, PathBuf};

use siamese_metrics::npz::{EmbeddingFile, Names, read_npz, write_npz};
use siamese_metrics::{EmbeddingView, Result};
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
    let set = EmbeddingView::new(&values, 3, &[0, 1, u32::MAX, 2]).unwrap();
    let gallery = EmbeddingView::new(&values[..3], 3, &[9]).unwrap();
    let names = Names {
        classes: vec!["Élan".into(), "b".into()],
        files: ["x/1.png", "x/2.png", "", "日本.jpg"]
            .map(String::from)
            .into(),
    };
    write_npz(&path, &set, Some(&gallery), &names).unwrap();
    let file = read_npz(&path).unwrap();
    assert_eq!(file.names, names);
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

/// Reads an archive of arrays given by type, shape and bytes.
fn read_arrays(arrays: &[(&str, &str, &str, &[u8])]) -> (Result<EmbeddingFile>, PathBuf) {
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
    (read_npz(&path), path)
}

/// What is said of such an archive.
fn error_of(arrays: &[(&str, &str, &str, &[u8])]) -> String {
    let (read, path) = read_arrays(arrays);
    let message = read.unwrap_err().to_string();
    message
        .strip_prefix(&format!("{}: ", path.display()))
        .unwrap()
        .to_owned()
}

#[test]
fn arrays_that_do_not_fit_are_named() {
    let labels = ("labels", "'|u1'", "(1,)", &[1u8][..]);
    let rows = ("embeddings", "'<f4'", "(1, 2)", &[0u8; 8][..]);
    let missing = "holds no arrays `embeddings` and `labels`, but";
    let advice = "save them by these names";
    assert_eq!(error_of(&[]), format!("{missing} nothing: {advice}"));
    let others = [
        ("X", "'<f4'", "(1, 2)", &[0u8; 8][..]),
        ("y", "'|u1'", "(1,)", &[1u8][..]),
    ];
    assert_eq!(error_of(&others), format!("{missing} `X`, `y`: {advice}"));
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
        error_of(&[("embeddings", "'|b1'", "(1, 2)", &[0; 2]), labels]),
        "array `embeddings`: has type |b1, expected f2, f4 or f8"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "'<f4'", "(1,)", &0.5f32.to_le_bytes())]),
        "array `labels`: [0] is 0.5, labels are whole numbers or text"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "'|O'", "(1,)", &[0; 12])]),
        "array `labels`: has type |O, Python objects: save .astype(str) or .astype(int)"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "'<M8[s]'", "(1,)", &[0; 8])]),
        "array `labels`: has type <M8[s], which is no plain number and no text"
    );
    assert_eq!(
        error_of(&[rows, ("labels", "'<U1'", "(1,)", &[0xff; 4])]),
        "array `labels`: [0] is no text that can be read"
    );
    assert_eq!(
        error_of(&[rows, labels, ("files", "'|S1'", "(2,)", b"ab")]),
        "array `files` has 2 names, expected 1"
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
        "array `embeddings`: row 0, column 0 is NaN: every value must be finite"
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

#[test]
fn half_precision_is_read_exactly() {
    // 1, −2, the largest, the smallest, 1/3 rounded, minus zero
    let bits = [0x3c00u16, 0xc000, 0x7bff, 0x0001, 0x3555, 0x8000];
    let little: Vec<u8> = bits.iter().flat_map(|b| b.to_le_bytes()).collect();
    let big: Vec<u8> = bits.iter().flat_map(|b| b.to_be_bytes()).collect();
    let labels = ("labels", "'|u1'", "(2,)", &[1u8, 2][..]);
    for (descr, bytes) in [("'<f2'", little), ("'>f2'", big)] {
        let (read, _) = read_arrays(&[("embeddings", descr, "(2, 3)", &bytes), labels]);
        let expected = [1.0, -2.0, 65504.0, 2f32.powi(-24), 0.333_251_95, 0.0];
        assert_eq!(read.unwrap().embeddings.values, expected);
    }
    let infinite = [0x3c00u16, 0x7c00].map(u16::to_le_bytes).concat();
    let said = error_of(&[("embeddings", "'<f2'", "(2, 1)", &infinite), labels]);
    assert!(said.contains("row 1, column 0 is inf"), "{said}");
}

#[test]
fn labels_are_read_as_text_or_any_whole_number_and_share_their_numbers_with_the_gallery() {
    let rows = ("embeddings", "'|i1'", "(3, 1)", &[1u8, 2, 255][..]);
    let gallery = ("gallery_embeddings", "'|i1'", "(2, 1)", &[1u8, 2][..]);
    let wide = |texts: &[&str]| -> Vec<u8> {
        let padded = texts.iter().flat_map(|text| {
            let characters = text.chars().map(u32::from);
            characters
                .chain(std::iter::repeat(0))
                .take(3)
                .collect::<Vec<_>>()
        });
        padded.flat_map(u32::to_le_bytes).collect()
    };
    let (names, others) = (wide(&["bo", "añá", "bo"]), wide(&["bo", "cy"]));
    let text = [
        rows,
        ("labels", "'<U3'", "(3, 1)", &names),
        gallery,
        ("gallery_labels", "'<U3'", "(2,)", &others),
    ];
    let file = read_arrays(&text).0.unwrap();
    assert_eq!(file.embeddings.values, [1.0, 2.0, -1.0]);
    assert_eq!(file.embeddings.labels, [1, 0, 1]);
    assert_eq!(file.gallery.unwrap().labels, [1, 2]);
    assert_eq!(file.names.classes, ["añá", "bo", "cy"]);

    let bytes = read_arrays(&[rows, ("labels", "'|S2'", "(3,)", b"b\0abb\0")])
        .0
        .unwrap();
    assert_eq!(bytes.embeddings.labels, [1, 0, 1]);
    assert_eq!(bytes.names.classes, ["ab", "b"]);
    let negative = read_arrays(&[rows, ("labels", "'|i1'", "(3,)", &[255, 7, 255])])
        .0
        .unwrap();
    assert_eq!(negative.embeddings.labels, [0, 1, 0]);
    assert_eq!(negative.names.classes, ["-1", "7"]);
    let floats = [2.0f32, 1.0, 2.0].map(f32::to_le_bytes).concat();
    let whole = read_arrays(&[rows, ("labels", "'<f4'", "(3,)", &floats)])
        .0
        .unwrap();
    assert_eq!(whole.embeddings.labels, [2, 1, 2]);
    let mixed = [
        rows,
        ("labels", "'|S1'", "(3,)", b"aba"),
        gallery,
        ("gallery_labels", "'|u1'", "(2,)", &[1, 2]),
    ];
    assert!(error_of(&mixed).contains("both be numbers or both be text"));
}
