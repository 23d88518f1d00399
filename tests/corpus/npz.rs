//! Embeddings in NumPy's `.npz`, from other programs.

use crate::entry::{Entry, Kind, entry};
use crate::npy::{array, bytes, columns_first, file, floats, half, labels, of_gallery, swapped};

const JUDGE: &str = "evaluate --embeddings e.npz";

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = read();
    entries.extend(leaks());
    entries
}

fn read() -> Vec<Entry> {
    use Kind::{AllPairs, FewPairs, LoneClasses, Npz};
    let all = &["28 pairs (12 like, 16 unlike)"];
    let read = |name, make| entry(Npz, name, make, JUDGE).says(all);
    vec![
        read("f4", |at| {
            file(at, &[floats("embeddings", 8, |v| v), labels(8)])
        }),
        read("f8", |at| {
            file(
                at,
                &[
                    array(
                        "embeddings",
                        "<f8",
                        &[8, 3],
                        bytes(8, |v| f64::from(v).to_le_bytes().to_vec()),
                    ),
                    labels(8),
                ],
            )
        }),
        read("f4 of the other order", |at| {
            file(
                at,
                &[
                    array(
                        "embeddings",
                        ">f4",
                        &[8, 3],
                        bytes(8, |v| v.to_be_bytes().to_vec()),
                    ),
                    labels(8),
                ],
            )
        }),
        read("f2", |at| {
            file(
                at,
                &[
                    array(
                        "embeddings",
                        "<f2",
                        &[8, 3],
                        bytes(8, |v| half(v).to_le_bytes().to_vec()),
                    ),
                    labels(8),
                ],
            )
        }),
        read("bytes", |at| {
            file(
                at,
                &[
                    array(
                        "embeddings",
                        "|u1",
                        &[8, 3],
                        bytes(8, |v| vec![(v * 50.0) as u8]),
                    ),
                    labels(8),
                ],
            )
        }),
        read("labels of text", |at| {
            let text = |i: usize| {
                ["cat", "dog"][i % 2]
                    .chars()
                    .flat_map(|c| (c as u32).to_le_bytes())
            };
            file(
                at,
                &[
                    floats("embeddings", 8, |v| v),
                    array("labels", "<U3", &[8], (0..8).flat_map(text).collect()),
                ],
            )
        }),
        read("labels of bytes", |at| {
            let text = (0..8).flat_map(|i| *[b"cat\0", b"dogs"][i % 2]);
            file(
                at,
                &[
                    floats("embeddings", 8, |v| v),
                    array("labels", "|S4", &[8], text.collect()),
                ],
            )
        }),
        read("labels with a point", |at| {
            let label = (0..8).flat_map(|i| f64::from(i % 2).to_le_bytes());
            file(
                at,
                &[
                    floats("embeddings", 8, |v| v),
                    array("labels", "<f8", &[8], label.collect()),
                ],
            )
        }),
        read("labels below zero", |at| {
            let label = (0..8).flat_map(|i: i64| (i % 2 - 1).to_le_bytes());
            file(
                at,
                &[
                    floats("embeddings", 8, |v| v),
                    array("labels", "<i8", &[8], label.collect()),
                ],
            )
        }),
        read("labels of yes and no", |at| {
            let label = (0..8).map(|i| u8::from(i % 2 == 0)).collect();
            file(
                at,
                &[
                    floats("embeddings", 8, |v| v),
                    array("labels", "|b1", &[8], label),
                ],
            )
        }),
        read("labels of many digits", |at| {
            let label = (0..8u64).flat_map(|i| (u64::MAX - i % 2).to_le_bytes());
            file(
                at,
                &[
                    floats("embeddings", 8, |v| v),
                    array("labels", "<u8", &[8], label.collect()),
                ],
            )
        }),
        read("columns first", |at| {
            let embeddings = columns_first(floats("embeddings", 8, |v| v));
            file(at, &[embeddings, labels(8)])
        }),
        read("arrays of other names beside", |at| {
            file(
                at,
                &[
                    floats("embeddings", 8, |v| v),
                    labels(8),
                    array("when", "<M8[s]", &[1], vec![0; 8]),
                ],
            )
        }),
        entry(
            Npz,
            "a report",
            |at| file(at, &[floats("embeddings", 8, |v| v), labels(8)]),
            "evaluate --embeddings e.npz --report e.html",
        )
        .says(all),
        entry(
            AllPairs,
            "all pairs",
            |at| file(at, &[floats("embeddings", 8, |v| v), labels(8)]),
            "evaluate --embeddings e.npz --pairs all",
        )
        .says(all),
        entry(
            AllPairs,
            "two classes of two",
            |at| file(at, &[floats("embeddings", 4, |v| v), labels(4)]),
            JUDGE,
        )
        .says(&["6 pairs (2 like, 4 unlike)"]),
        entry(
            FewPairs,
            "two classes of three",
            |at| file(at, &[floats("embeddings", 6, |v| v), labels(6)]),
            JUDGE,
        )
        .says(&["15 pairs (6 like, 9 unlike)"])
        .never(&["\ntar_at_far"]),
        entry(
            FewPairs,
            "a rate that the pairs cannot resolve",
            |at| file(at, &[floats("embeddings", 8, |v| v), labels(8)]),
            "evaluate --embeddings e.npz --threshold-at far=0.001",
        )
        .fails(&["unlike pairs", "are needed"]),
        entry(
            LoneClasses,
            "lone labels",
            |at| {
                let label = [0i64, 0, 0, 0, 1, 1, 1, 2]
                    .into_iter()
                    .flat_map(i64::to_le_bytes);
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| v),
                        array("labels", "<i8", &[8], label.collect()),
                    ],
                )
            },
            JUDGE,
        )
        .says(&["1 are alone in their class and are left out"]),
        entry(
            Npz,
            "rows of zeros by cosine",
            |at| file(at, &[floats("embeddings", 8, |v| v * 0.0), labels(8)]),
            "evaluate --embeddings e.npz --distance cosine",
        )
        .says(&["7 of the 8 embeddings are the same as an earlier one"]),
    ]
}

fn leaks() -> Vec<Entry> {
    use Kind::{Leaks, LoneClasses, Swapped};
    vec![
        entry(
            Leaks,
            "a gallery of the probes",
            |at| {
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| v),
                        labels(8),
                        floats("gallery_embeddings", 8, |v| v),
                        of_gallery(8),
                    ],
                )
            },
            JUDGE,
        )
        .says(&["8 of the 8 probes are in the gallery too"]),
        entry(
            Leaks,
            "rows twice",
            |at| {
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| if v == 4.0 { v } else { 0.0 }),
                        labels(8),
                    ],
                )
            },
            JUDGE,
        )
        .says(&["6 of the 8 embeddings are the same as an earlier one"]),
        entry(
            LoneClasses,
            "a gallery of half of the labels",
            |at| {
                let gallery = array("gallery_labels", "<i8", &[4], vec![0; 32]);
                file(
                    at,
                    &[
                        floats("embeddings", 8, |v| v),
                        labels(8),
                        floats("gallery_embeddings", 4, |v| v + 9.0),
                        gallery,
                    ],
                )
            },
            JUDGE,
        )
        .says(&["4 have a label that the gallery lacks"]),
        entry(
            Swapped,
            "like rows farther than unlike ones",
            |at| file(at, &swapped()),
            JUDGE,
        )
        .says(&["swapped"]),
    ]
}
