//! Images as records: IDX files whose headers do not say what is there, Python's pickles.

use std::path::Path;

use anyhow::Result;

use crate::entry::{Entry, Kind, entry};
use crate::made::write;

const CHECK: &str = "data check set";

pub(crate) fn entries() -> Vec<Entry> {
    use Kind::{DeclaredSize, StandIns};
    let refused = |kind, name, make, words| entry(kind, name, make, CHECK).fails(words);
    vec![
        entry(StandIns, "IDX", |at| idx(at, [4, 2, 3], 4), CHECK).says(&["4 pictures in"]),
        refused(
            StandIns,
            "labels of another set",
            |at| idx(at, [4, 2, 3], 5),
            &["train-labels-idx1-ubyte", "5 labels for 4 images"],
        ),
        refused(
            StandIns,
            "images without labels",
            |at| {
                idx(at, [4, 2, 3], 4)?;
                Ok(std::fs::remove_file(
                    at.join("set/train-labels-idx1-ubyte"),
                )?)
            },
            &["its labels are not beside it", "train-labels-idx1-ubyte"],
        ),
        refused(
            DeclaredSize,
            "more images than can be",
            |at| idx(at, [u32::MAX, u32::MAX, 3], 4),
            &["train-images-idx3-ubyte", "4294967295 images"],
        ),
        refused(
            DeclaredSize,
            "images of no pixels",
            |at| idx(at, [4, 0, 3], 4),
            &["train-images-idx3-ubyte", "4 images of 0x3 pixels"],
        ),
        refused(
            StandIns,
            "pickled batches",
            |at| {
                write(at, "set/data_batch_1", b"\x80\x02}q\x01(")?;
                write(at, "set/test_batch", b"\x80\x02}q\x01(")
            },
            &["set", "Python pickle"],
        ),
    ]
}

/// Images that declare these sides, of 24 bytes in all, and so many labels of two classes.
fn idx(at: &Path, sides: [u32; 3], labels: u8) -> Result<()> {
    let mut images = b"\0\0\x08\x03".to_vec();
    images.extend(sides.into_iter().flat_map(u32::to_be_bytes));
    images.extend(0..24);
    write(at, "set/train-images-idx3-ubyte", images)?;
    let mut bytes = vec![0, 0, 8, 1, 0, 0, 0, labels];
    bytes.extend((0..labels).map(|i| i % 2));
    write(at, "set/train-labels-idx1-ubyte", bytes)
}
