//! Folders as tools leave them and people arrange them.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::entry::{Entry, Kind, entry};
use crate::made::{cats_and_dogs, classes, jpeg, write};

const CHECK: &str = "data check set";
const TRAIN: &str = "train set --dry-run --tower conv4 --size 16 --epochs 1";

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = leavings();
    entries.extend(arrangements());
    entries
}

/// Eight pictures of two classes, and nothing that tools left beside them.
fn leavings() -> Vec<Entry> {
    let left =
        |name, make| entry(Kind::Leavings, name, make, CHECK).says(&["8 pictures in", "2 classes"]);
    vec![
        left("a notebook's checkpoints", |at| {
            with(at, ".ipynb_checkpoints/0-checkpoint.jpg")
        }),
        left("checkpoints within a class", |at| {
            with(at, "cat/.ipynb_checkpoints/0-checkpoint.jpg")
        }),
        left("a Mac's shadow files", |at| {
            write(
                at,
                "set/__MACOSX/cat/._0.jpg",
                b"\0\x05\x16\x07\0\x02\0\0Mac OS X",
            )?;
            write(at, "set/cat/._0.jpg", b"\0\x05\x16\x07\0\x02\0\0Mac OS X")?;
            write(at, "set/.DS_Store", b"\0\0\0\x01Bud1")?;
            cats_and_dogs(at)
        }),
        left("a NAS's previews", |at| {
            with(at, "cat/@eaDir/0.jpg/SYNOPHOTO_THUMB_M.jpg")
        }),
        left("a recycle bin", |at| with(at, "$RECYCLE.BIN/0.jpg")),
        left("a desktop's previews", |at| {
            with(at, ".thumbnails/normal/0.png")
        }),
        left("lost and found", |at| with(at, "lost+found/0.jpg")),
        left("Windows's previews", |at| {
            write(at, "set/cat/Thumbs.db", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")?;
            write(at, "set/cat/desktop.ini", "[ViewState]\r\n")?;
            cats_and_dogs(at)
        }),
        left("an editor's copies", |at| with(at, "cat/0.jpg~")),
        left("a download begun", |at| with(at, "dog/7.jpg.crdownload")),
        left("a repository's own folder", |at| {
            with(at, ".git/objects/0.jpg")
        }),
        left("notes beside the pictures", |at| {
            write(at, "set/README.md", "# Pets\n")?;
            write(at, "set/cat/notes.txt", "all of them mine\n")?;
            cats_and_dogs(at)
        }),
        left("a picture beside the classes", |at| with(at, "cover.jpg")).never(&["3 classes"]),
        entry(
            Kind::Leavings,
            "no class but checkpoints",
            |at| write(at, "set/.ipynb_checkpoints/0.jpg", jpeg(1)?),
            CHECK,
        )
        .fails(&["set", ".ipynb_checkpoints"]),
    ]
}

fn arrangements() -> Vec<Entry> {
    use Kind::{Leaks, StandIns};
    vec![
        entry(
            Leaks,
            "a picture in two classes",
            |at| {
                cats_and_dogs(at)?;
                write(at, "set/dog/9.jpg", jpeg(0)?)?;
                write(at, "set/dog/8.jpg", jpeg(101)?)
            },
            CHECK,
        )
        .says(&[
            "there twice: cat/0.jpg and dog/9.jpg, in two classes",
            "there twice: dog/1.jpg and dog/8.jpg",
        ]),
        entry(
            StandIns,
            "loose pictures",
            |at| classes(at, &["set"], 3),
            TRAIN,
        )
        .fails(&["3 loose pictures", "subfolder of its own"]),
        entry(
            StandIns,
            "loose pictures in parts",
            |at| classes(at, &["set/train", "set/test"], 3),
            TRAIN,
        )
        .fails(&["6 loose pictures", "train/CLASS/"]),
        entry(
            StandIns,
            "parts within the classes",
            |at| {
                classes(
                    at,
                    &[
                        "set/cat/train",
                        "set/cat/test",
                        "set/dog/train",
                        "set/dog/test",
                    ],
                    3,
                )
            },
            TRAIN,
        )
        .fails(&["turn the folders around"]),
        entry(
            StandIns,
            "a test part alone",
            |at| classes(at, &["set/test/cat", "set/test/dog"], 3),
            TRAIN,
        )
        .fails(&["nothing to train on", "set/test"]),
        entry(
            StandIns,
            "one class",
            |at| classes(at, &["set/cat"], 3),
            TRAIN,
        )
        .fails(&["cat"]),
        entry(
            StandIns,
            "classes of one picture",
            |at| classes(at, &["set/cat", "set/dog", "set/owl"], 1),
            TRAIN,
        )
        .fails(&["set"]),
        entry(
            StandIns,
            "an empty folder",
            |at| Ok(fs::create_dir(at.join("set"))?),
            TRAIN,
        )
        .fails(&["set"]),
        entry(
            StandIns,
            "empty class folders",
            |at| {
                fs::create_dir_all(at.join("set/cat"))?;
                Ok(fs::create_dir_all(at.join("set/dog"))?)
            },
            TRAIN,
        )
        .fails(&["set"]),
        entry(
            StandIns,
            "nothing but programs",
            |at| write(at, "set/train.py", "import torch\n"),
            TRAIN,
        )
        .fails(&["set"]),
        entry(StandIns, "no such folder", |_| Ok(()), "data check photos")
            .fails(&["photos", "no file or folder"]),
        entry(
            StandIns,
            "a single picture",
            |at| write(at, "a.jpg", jpeg(1)?),
            "data check a.jpg",
        )
        .fails(&["a.jpg", "a single picture", "name the folder"]),
        entry(
            StandIns,
            "empty files among pictures",
            |at| {
                write(at, "set/cat/9.jpg", [])?;
                cats_and_dogs(at)
            },
            CHECK,
        )
        .says(&["8 pictures in", "an empty file"]),
        entry(
            StandIns,
            "zeros among pictures",
            |at| {
                write(at, "set/cat/9.jpg", [0; 5000])?;
                cats_and_dogs(at)
            },
            CHECK,
        )
        .says(&["8 pictures in", "zeros"]),
        entry(
            StandIns,
            "a class that is empty",
            |at| {
                fs::create_dir_all(at.join("set/owl"))?;
                cats_and_dogs(at)
            },
            CHECK,
        )
        .says(&["owl", "empty folder"]),
    ]
}

/// Cats, dogs, and one more file.
fn with(at: &Path, name: &str) -> Result<()> {
    cats_and_dogs(at)?;
    write(at, format!("set/{name}"), jpeg(99)?)
}
