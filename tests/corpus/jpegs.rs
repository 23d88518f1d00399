//! JPEGs with bytes too many, or too few.

use std::path::Path;

use anyhow::Result;

use crate::entry::{Entry, Kind, entry};
use crate::made::{cats_and_dogs, half, jpeg, marker, model, write};

const VERIFY: &str = "verify model.safetensors a b";
const ALIKE: &[&str] = &["same · distance 0.0000"];

pub(crate) fn entries() -> Vec<Entry> {
    use Kind::Jpegs;
    let refused = &[
        "b is not a readable picture",
        "ends before the picture does",
    ];
    vec![
        entry(
            Jpegs,
            "a phone's trailer",
            |at| changed(at, |whole| [whole, b"SEFH", &[0; 99]].concat()),
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Jpegs,
            "a film behind the picture",
            |at| changed(at, |whole| [whole, b"\0\0\0\x18ftypmp42"].concat()),
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Jpegs,
            "a second picture behind the first",
            |at| changed(at, |whole| whole.repeat(2)),
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Jpegs,
            "stray bytes between segments",
            |at| {
                changed(at, |whole| {
                    let table = marker(whole, 0xDB);
                    [&whole[..table], &[0, 1, 2, 0xFF, 0xFF], &whole[table..]].concat()
                })
            },
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Jpegs,
            "a preview within a note",
            |at| {
                changed(at, |whole| {
                    let length = (whole.len() as u16 + 2).to_be_bytes();
                    [&whole[..2], &[0xFF, 0xE1], &length, whole, &whole[2..]].concat()
                })
            },
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Jpegs,
            "a long note",
            |at| {
                changed(at, |whole| {
                    [
                        &whole[..2],
                        &[0xFF, 0xFE, 0xFF, 0xFF],
                        &[0xD9; 0xFFFD][..],
                        &whole[2..],
                    ]
                    .concat()
                })
            },
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Jpegs,
            "half",
            |at| changed(at, |whole| half(whole).into()),
            VERIFY,
        )
        .fails(refused),
        entry(
            Jpegs,
            "half and an end marker",
            |at| changed(at, |whole| [half(whole), &[0xFF, 0xD9]].concat()),
            VERIFY,
        )
        .fails(refused),
        entry(
            Jpegs,
            "half and zeros",
            |at| {
                changed(at, |whole| {
                    [half(whole), &vec![0; whole.len() / 2]].concat()
                })
            },
            VERIFY,
        )
        .fails(&["is not a readable picture"]),
        entry(
            Jpegs,
            "nothing but a beginning",
            |at| changed(at, |whole| whole[..3].into()),
            VERIFY,
        )
        .fails(&["b is not a readable picture"]),
        entry(
            Jpegs,
            "half ones among others",
            |at| {
                cats_and_dogs(at)?;
                write(at, "set/cat/9.jpg", half(&jpeg(9)?))?;
                write(
                    at,
                    "set/dog/9.jpg",
                    [half(&jpeg(8)?), &[0xFF, 0xD9]].concat(),
                )
            },
            "data check set",
        )
        .says(&["cat/9.jpg", "dog/9.jpg", "ends before the picture does"]),
    ]
}

/// A JPEG, and the same with something done to it.
fn changed(at: &Path, change: fn(&[u8]) -> Vec<u8>) -> Result<()> {
    let whole = jpeg(3)?;
    write(at, "a", &whole)?;
    write(at, "b", change(&whole))?;
    model(at)
}
