//! `.npz` files that are refused, with what is wrong in them.

use crate::entry::{Entry, Kind, entry};
use crate::made::write;
use crate::npy::{array, file, floats, labels, npy, npz, of_gallery};

const JUDGE: &str = "evaluate --embeddings e.npz";

pub(crate) fn entries() -> Vec<Entry> {
    let refused = |name, make, words| entry(Kind::Npz, name, make, JUDGE).fails(words);
    vec![
        refused(
            "NaN",
            |at| {
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| if v == 1.0 { f32::NAN } else { v }),
                        labels(8),
                    ],
                )
            },
            &["e.npz", "embeddings", "row", "column"],
        ),
        refused(
            "an infinity",
            |at| {
                file(
                    at,
                    &[
                        floats(
                            "embeddings",
                            8,
                            |v| if v == 1.0 { f32::INFINITY } else { v },
                        ),
                        labels(8),
                    ],
                )
            },
            &["e.npz", "embeddings", "row", "column"],
        ),
        refused(
            "labels too few",
            |at| file(at, &[floats("embeddings", 8, |v| v), labels(6)]),
            &["e.npz", "labels", "6", "8"],
        ),
        refused(
            "no labels",
            |at| file(at, &[floats("embeddings", 8, |v| v)]),
            &["e.npz", "labels"],
        ),
        refused(
            "other names",
            |at| {
                file(
                    at,
                    &[floats("X", 8, |v| v), array("y", "<i8", &[8], vec![0; 64])],
                )
            },
            &["e.npz", "`embeddings` and `labels`", "but `X`, `y`"],
        ),
        refused(
            "Python objects",
            |at| {
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| v),
                        array("labels", "|O", &[8], vec![0x80, 4, 0x95]),
                    ],
                )
            },
            &["e.npz", "labels"],
        ),
        refused(
            "complex numbers",
            |at| {
                file(
                    at,
                    &[array("embeddings", "<c8", &[8, 3], vec![0; 192]), labels(8)],
                )
            },
            &["e.npz", "embeddings", "c8"],
        ),
        refused(
            "one class",
            |at| {
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| v),
                        array("labels", "<i8", &[8], vec![0; 64]),
                    ],
                )
            },
            &["class"],
        ),
        refused(
            "no rows",
            |at| file(at, &[floats("embeddings", 0, |v| v), labels(0)]),
            &["e.npz"],
        ),
        refused(
            "three dimensions",
            |at| {
                file(
                    at,
                    &[
                        array("embeddings", "<f4", &[2, 4, 3], vec![0; 96]),
                        labels(2),
                    ],
                )
            },
            &["e.npz", "embeddings"],
        ),
        refused(
            "a column of labels",
            |at| {
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| v),
                        array("labels", "<i8", &[8, 2], vec![0; 128]),
                    ],
                )
            },
            &["e.npz", "labels"],
        ),
        refused(
            "rows that are not there",
            |at| {
                file(
                    at,
                    &[array("embeddings", "<f4", &[8, 3], vec![0; 50]), labels(8)],
                )
            },
            &["e.npz", "embeddings"],
        ),
        refused(
            "more rows than can be",
            |at| {
                file(
                    at,
                    &[
                        array("embeddings", "<f4", &[1 << 40, 1 << 30], vec![0; 50]),
                        labels(8),
                    ],
                )
            },
            &["e.npz", "embeddings"],
        ),
        refused(
            "an .npy",
            |at| write(at, "e.npz", npy("<f4", &[8, 3], &[0; 96])),
            &["e.npz", "NumPy array"],
        ),
        refused(
            "cut",
            |at| {
                let whole = npz(&[floats("embeddings", 8, |v| v), labels(8)])?;
                write(at, "e.npz", &whole[..whole.len() / 2])
            },
            &["e.npz"],
        ),
        refused("no file", |_| Ok(()), &["e.npz"]),
        refused(
            "a gallery without labels",
            |at| {
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| v),
                        labels(8),
                        floats("gallery_embeddings", 4, |v| v + 9.0),
                    ],
                )
            },
            &["e.npz", "gallery_labels"],
        ),
        refused(
            "a gallery of another width",
            |at| {
                let gallery = array("gallery_embeddings", "<f4", &[6, 2], vec![1; 48]);
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| v),
                        labels(8),
                        gallery,
                        of_gallery(6),
                    ],
                )
            },
            &["e.npz", "gallery_embeddings", "rows of 2"],
        ),
    ]
}
