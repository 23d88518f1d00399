//! Names of every sort, for folders, classes and pictures.

use crate::entry::{Entry, Kind, entry};
use crate::made::classes;

const CHECK: &str = "data check set";
const TRAIN: &str = "train set --dry-run --tower conv4 --size 16 --epochs 1";

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = of_text();
    #[cfg(unix)]
    entries.extend(of_bytes::entries());
    entries
}

fn of_text() -> Vec<Entry> {
    use Kind::Names;
    vec![
        entry(
            Names,
            "spaces",
            |at| classes(at, &["my photos/house cat", "my photos/dog"], 4),
            "data check 'my photos'",
        )
        .says(&["8 pictures in"]),
        entry(
            Names,
            "letters of many scripts",
            |at| classes(at, &["set/Kätzchen", "set/собака", "set/🦉"], 12),
            TRAIN,
        )
        .says(&["3 classes"]),
        entry(
            Names,
            "a class called as an option",
            |at| classes(at, &["set/-rf", "set/--help"], 4),
            CHECK,
        )
        .says(&["8 pictures in"]),
        entry(
            Names,
            "a class called as a part",
            |at| classes(at, &["set/train", "set/bus", "set/tram"], 4),
            CHECK,
        )
        .says(&["12 pictures in", "3 classes"]),
        entry(
            Names,
            "a class called as a page's element",
            |at| classes(at, &["set/<b>bold & more", "set/dog"], 4),
            "data check set --report page.html",
        )
        .says(&["8 pictures in"]),
        entry(
            Names,
            "composed and decomposed letters",
            |at| classes(at, &["set/caf\u{e9}", "set/cafe\u{301}"], 4),
            CHECK,
        )
        .says(&["8 pictures in"]),
        entry(
            Names,
            "numbers",
            |at| classes(at, &["set/1", "set/2", "set/10"], 4),
            CHECK,
        )
        .says(&["12 pictures in"]),
    ]
}

/// Names that only some systems allow.
#[cfg(unix)]
mod of_bytes {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::{CHECK, TRAIN};
    use crate::entry::{Entry, Kind, entry};
    use crate::made::{cats_and_dogs, classes, half, jpeg, model, model_bytes, write};

    pub(super) fn entries() -> Vec<Entry> {
        use Kind::Names;
        vec![
            entry(
                Names,
                "no UTF-8 in a file",
                |at| {
                    write(at, bytes(b"set/cat/caf\xE9.jpg"), jpeg(9)?)?;
                    cats_and_dogs(at)
                },
                "data check set --json",
            )
            .says(&["\"images\": 9"]),
            entry(
                Names,
                "no UTF-8 in a class",
                |at| {
                    write(at, bytes(b"set/caf\xE9/1.jpg"), jpeg(8)?)?;
                    write(at, bytes(b"set/caf\xE9/2.jpg"), jpeg(9)?)?;
                    cats_and_dogs(at)
                },
                "data check set --json",
            )
            .says(&["\"images\": 10"]),
            entry(
                Names,
                "no UTF-8 in a damaged file",
                |at| {
                    write(at, bytes(b"set/cat/caf\xE9.jpg"), half(&jpeg(9)?))?;
                    cats_and_dogs(at)
                },
                "data check set --json",
            )
            .says(&["caf", "ends before the picture does"]),
            entry(
                Names,
                "no UTF-8 to train on",
                |at| {
                    for i in 0..12 {
                        let name = [b"set/caf\xE9/", i.to_string().as_bytes(), b".jpg"].concat();
                        write(at, bytes(&name), jpeg(300 + i)?)?;
                    }
                    classes(at, &["set/cat", "set/dog"], 12)
                },
                TRAIN,
            )
            .says(&["3 classes"]),
            entry(
                Names,
                "quotes and line ends",
                |at| {
                    classes(
                        at,
                        &["set/it's \"a\" cat", "set/two\nlines", "set/tab\tbed"],
                        12,
                    )
                },
                TRAIN,
            )
            .says(&["3 classes"]),
            entry(
                Names,
                "backslashes and colons",
                |at| classes(at, &["set/a\\b", "set/c:d"], 4),
                CHECK,
            )
            .says(&["8 pictures in"]),
            entry(
                Names,
                "a damaged file with a line end in its name",
                |at| {
                    write(at, "set/cat/two\nlines.jpg", b"\xFF\xD8\xFF")?;
                    cats_and_dogs(at)
                },
                CHECK,
            )
            .never(&["two\nlines"])
            .says(&["cat/two\\nlines.jpg"]),
            entry(
                Names,
                "no UTF-8 in what is checked",
                |at| {
                    cats_and_dogs(at)?;
                    Ok(fs::rename(at.join("set"), at.join(bytes(b"caf\xE9")))?)
                },
                "data check caf\u{FFFD}",
            )
            .says(&["8 pictures in", "caf"]),
            entry(
                Names,
                "no UTF-8 in what is trained on",
                |at| {
                    classes(at, &["set/cat", "set/dog", "set/owl"], 12)?;
                    Ok(fs::rename(at.join("set"), at.join(bytes(b"caf\xE9")))?)
                },
                "train caf\u{FFFD} --dry-run",
            )
            .fails(&["caf\u{FFFD}", "rename it", "ln -s"]),
            entry(
                Names,
                "no UTF-8 where the data lies",
                |at| {
                    classes(at, &["set/cat", "set/dog", "set/owl"], 12)?;
                    Ok(fs::rename(at.join("set"), at.join(bytes(b"caf\xE9")))?)
                },
                "train --data caf\u{FFFD} --dry-run",
            )
            .fails(&["caf\u{FFFD}", "rename it"]),
            entry(
                Names,
                "no UTF-8 in a folder of data",
                |at| {
                    model(at)?;
                    cats_and_dogs(at)?;
                    Ok(fs::rename(at.join("set"), at.join(bytes(b"caf\xE9")))?)
                },
                "evaluate model.safetensors --data caf\u{FFFD}",
            )
            .says(&["28 pairs (12 like, 16 unlike)"]),
            entry(
                Names,
                "no UTF-8 in a setting",
                cats_and_dogs,
                "train set --name caf\u{FFFD}",
            )
            .fails(&["caf\u{FFFD}", "no UTF-8"]),
            entry(
                Names,
                "no UTF-8 in what is judged",
                |at| {
                    model(at)?;
                    cats_and_dogs(at)?;
                    Ok(fs::rename(at.join("set"), at.join(bytes(b"caf\xE9")))?)
                },
                "evaluate model.safetensors --folder caf\u{FFFD} --report e\u{FFFD}.html",
            )
            .says(&["28 pairs (12 like, 16 unlike)"]),
            entry(
                Names,
                "no UTF-8 where the runs lie",
                |at| classes(at, &["set/cat", "set/dog", "set/owl"], 12),
                "train set --runs caf\u{FFFD} --name one --tower conv4 --size 16 --epochs 1",
            )
            .says(&["ROC AUC", "siamese"]),
            entry(
                Names,
                "no UTF-8 in a model and pictures",
                |at| {
                    write(at, bytes(b"mod\xE9l"), model_bytes()?)?;
                    write(at, bytes(b"caf\xE9.jpg"), jpeg(1)?)
                },
                "verify mod\u{FFFD}l caf\u{FFFD}.jpg caf\u{FFFD}.jpg",
            )
            .says(&["same · distance 0.0000"]),
            entry(
                Kind::Leavings,
                "links that lead nowhere",
                |at| {
                    cats_and_dogs(at)?;
                    symlink("../../blobs/1234", at.join("set/cat/9.jpg"))?;
                    Ok(symlink("..", at.join("set/dog/up"))?)
                },
                CHECK,
            )
            .says(&["8 pictures in", "leads nowhere", "leads back"]),
        ]
    }

    fn bytes(name: &[u8]) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(name))
    }
}
