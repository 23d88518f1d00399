//! Archives: with tools' leavings, cut, packed by others, with names that lead elsewhere.

use std::path::Path;

use anyhow::Result;

use crate::entry::{Entry, Kind, entry};
use crate::made::{POINTER, jpeg, write};
use crate::packed::{cut, gzipped, patched, tarred, zipped};

const ZIP: &str = "data check set.zip";
const TAR: &str = "data check set.tar";

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = kinds();
    entries.extend(leavings());
    entries.extend(shards());
    entries
}

fn kinds() -> Vec<Entry> {
    use Kind::StandIns;
    let eight = &["8 pictures in", "2 classes"];
    vec![
        entry(
            StandIns,
            "zip",
            |at| write(at, "set.zip", zipped(&photos("")?)?),
            ZIP,
        )
        .says(eight),
        entry(
            StandIns,
            "zip with a folder around",
            |at| write(at, "set.zip", zipped(&photos("pets-main/")?)?),
            ZIP,
        )
        .says(eight),
        entry(
            StandIns,
            "tar",
            |at| write(at, "set.tar", tarred(&photos("./")?)?),
            TAR,
        )
        .says(eight),
        entry(
            StandIns,
            "tar.gz",
            |at| write(at, "set.tar.gz", gzipped(&tarred(&photos("")?)?)?),
            "data check set.tar.gz",
        )
        .says(eight),
        entry(
            StandIns,
            "tar.gz called zip",
            |at| write(at, "set.zip", gzipped(&tarred(&photos("")?)?)?),
            ZIP,
        )
        .says(eight),
        entry(
            StandIns,
            "zip called tar",
            |at| write(at, "set.tar", zipped(&photos("")?)?),
            TAR,
        )
        .says(eight),
        entry(
            StandIns,
            "zip to train on",
            |at| write(at, "set.zip", zipped(&photos_of(12, "")?)?),
            "train set.zip --dry-run --tower conv4 --size 16 --epochs 1",
        )
        .says(&["24 pictures in", "2 classes"]),
        entry(
            StandIns,
            "zip cut",
            |at| cut(at, "set.zip", &zipped(&photos("")?)?),
            ZIP,
        )
        .fails(&["set.zip"]),
        entry(
            StandIns,
            "tar cut",
            |at| cut(at, "set.tar", &tarred(&photos("")?)?),
            TAR,
        )
        .fails(&["set.tar"]),
        entry(
            StandIns,
            "tar.gz cut",
            |at| cut(at, "set.tar.gz", &gzipped(&tarred(&photos("")?)?)?),
            "data check set.tar.gz",
        )
        .fails(&["set.tar.gz"]),
        entry(
            StandIns,
            "zip of nothing",
            |at| write(at, "set.zip", zipped(&[])?),
            ZIP,
        )
        .fails(&["set.zip"]),
        entry(
            StandIns,
            "zip of loose pictures",
            |at| {
                write(
                    at,
                    "set.zip",
                    zipped(&[("1.jpg".into(), jpeg(1)?), ("2.jpg".into(), jpeg(2)?)])?,
                )
            },
            ZIP,
        )
        .fails(&["set.zip", "2 loose pictures"]),
        entry(
            StandIns,
            "zip of text",
            |at| {
                write(
                    at,
                    "set.zip",
                    zipped(&[("a/b.txt".into(), b"no".to_vec())])?,
                )
            },
            ZIP,
        )
        .fails(&["set.zip"]),
        entry(
            StandIns,
            "RAR called zip",
            |at| write(at, "set.zip", b"Rar!\x1A\x07\x01\0"),
            ZIP,
        )
        .fails(&["set.zip", "a RAR archive"]),
        entry(
            StandIns,
            "7z",
            |at| write(at, "set.7z", b"7z\xBC\xAF\x27\x1C\0\x04"),
            "data check set.7z",
        )
        .fails(&["set.7z", "7-Zip"]),
        entry(
            StandIns,
            "tar packed by xz",
            |at| write(at, "set.tar.xz", b"\xFD7zXZ\0\0\x04"),
            "data check set.tar.xz",
        )
        .fails(&["set.tar.xz", "xz"]),
        entry(
            StandIns,
            "pointers in zip",
            |at| {
                let names = ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg"];
                write(
                    at,
                    "set.zip",
                    zipped(&names.map(|name| (name.to_string(), POINTER.into())))?,
                )
            },
            ZIP,
        )
        .fails(&["git lfs pull"]),
        entry(
            StandIns,
            "zip with a password",
            |at| write(at, "set.zip", patched(&zipped(&photos("")?)?, (6, 8), 1)),
            ZIP,
        )
        .fails(&["set.zip", "8 encrypted"]),
        entry(
            StandIns,
            "zip of another packing",
            |at| write(at, "set.zip", patched(&zipped(&photos("")?)?, (8, 10), 9)),
            ZIP,
        )
        .fails(&["set.zip"]),
        entry(
            StandIns,
            "an archive within an archive",
            |at| {
                let inner = zipped(&photos("")?)?;
                write(at, "set.zip", zipped(&[("pets/photos.zip".into(), inner)])?)
            },
            ZIP,
        )
        .fails(&["set.zip", "a zip archive"]),
        entry(
            StandIns,
            "an archive alone in a folder",
            |at| write(at, "set/photos.zip", zipped(&photos("")?)?),
            "data check set",
        )
        .says(&["8 pictures in"]),
        entry(
            StandIns,
            "zip with a picture damaged",
            |at| {
                let mut zip = zipped(&photos("")?)?;
                zip[200..260].fill(0x55);
                write(at, "set.zip", zip)
            },
            ZIP,
        )
        .says(&["damaged: 1", "cat/0.jpg"]),
        entry(
            StandIns,
            "one part in zip",
            |at| write(at, "set.zip", zipped(&photos("test/")?)?),
            ZIP,
        )
        .fails(&["set.zip", "nothing to train on", "unpack it"]),
        entry(
            StandIns,
            "names that lead out of zip",
            |at| {
                let mut files = photos("")?;
                files.push(("../../cat/out.jpg".into(), jpeg(9)?));
                write(at, "set.zip", zipped(&files)?)
            },
            ZIP,
        )
        .says(&["2 classes"]),
    ]
}

fn leavings() -> Vec<Entry> {
    use Kind::{DeclaredSize, Leavings};
    vec![
        entry(
            Leavings,
            "a Mac's shadow files in zip",
            |at| {
                let mut files = photos("pets/")?;
                files.push((
                    "__MACOSX/pets/cat/._0.jpg".into(),
                    b"\0\x05\x16\x07".to_vec(),
                ));
                files.push(("pets/.DS_Store".into(), b"\0\0\0\x01Bud1".to_vec()));
                write(at, "set.zip", zipped(&files)?)
            },
            ZIP,
        )
        .says(&["8 pictures in", "2 classes"]),
        entry(
            Leavings,
            "checkpoints in tar",
            |at| {
                let mut files = photos("")?;
                files.push((".ipynb_checkpoints/0-checkpoint.jpg".into(), jpeg(9)?));
                write(at, "set.tar", tarred(&files)?)
            },
            TAR,
        )
        .says(&["8 pictures in", "2 classes", ".ipynb_checkpoints"]),
        entry(
            DeclaredSize,
            "a file in zip that says it is long",
            |at| {
                let mut zip = zipped(&photos("")?)?;
                let first = zip.windows(4).position(|four| four == b"PK\x01\x02");
                let length = first.unwrap_or_default() + 24;
                zip[length..length + 4].fill(0xFE);
                write(at, "set.zip", zip)
            },
            ZIP,
        )
        .says(&["damaged: 1", "cat/0.jpg", "4278124286 bytes"]),
        entry(
            DeclaredSize,
            "a file in tar that says it is long",
            |at| {
                let mut tar = tarred(&photos("")?)?;
                tar[124..136].copy_from_slice(b"\x80\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
                let sum: u32 = tar[..148]
                    .iter()
                    .chain(&tar[156..512])
                    .map(|&b| u32::from(b))
                    .sum();
                tar[148..156].copy_from_slice(format!("{:06o}\0 ", sum + 8 * 32).as_bytes());
                write(at, "set.tar", tar)
            },
            TAR,
        )
        .fails(&["set.tar", "cat/0.jpg"]),
        entry(
            DeclaredSize,
            "too much declared in zip",
            |at| {
                let mut files = photos("")?;
                files.push(("cat/9.ppm".into(), b"P6 60000 60000 255\n\0\0\0".to_vec()));
                write(at, "set.zip", zipped(&files)?)
            },
            ZIP,
        )
        .says(&["cat/9.ppm", "60000x60000 pixels"]),
    ]
}

/// WebDataset's shards.
fn shards() -> Vec<Entry> {
    use Kind::Shards;
    vec![
        entry(
            Shards,
            "all tars",
            |at| {
                write(at, "set/train-00000-of-00002.tar", samples(0)?)?;
                write(at, "set/train-00001-of-00002.tar", samples(4)?)
            },
            "data check set",
        )
        .says(&["8 pictures in"]),
        entry(
            Shards,
            "a lone tar",
            |at| write(at, "set/train-00000-of-00002.tar", samples(0)?),
            "data check set",
        )
        .fails(&["train-00001-of-00002", "is missing"]),
        entry(
            Shards,
            "a lone tar, named",
            |at| write(at, "train-00001-of-00002.tar", samples(0)?),
            "data check train-00001-of-00002.tar",
        )
        .fails(&["train-00000-of-00002", "is missing"]),
        entry(Shards, "a cut tar", cut_shard, "data check set").fails(&[
            "train-00001-of-00002.tar",
            "damaged",
            "--allow-missing-shards",
        ]),
        entry(
            Shards,
            "a cut tar, as allowed",
            cut_shard,
            "data check set --allow-missing-shards",
        )
        .says(&[
            "4 pictures in",
            "train-00001-of-00002.tar",
            "cannot be read",
        ]),
    ]
}

fn cut_shard(at: &Path) -> Result<()> {
    write(at, "set/train-00000-of-00002.tar", samples(0)?)?;
    cut(at, "set/train-00001-of-00002.tar", &samples(4)?)
}

/// Four cats and four dogs, below `around`.
fn photos(around: &str) -> Result<Vec<(String, Vec<u8>)>> {
    photos_of(4, around)
}

fn photos_of(each: u32, around: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let names = (0..2 * each).map(|i| (i, if i < each { "cat" } else { "dog" }));
    names
        .map(|(i, class)| Ok((format!("{around}{class}/{i}.jpg"), jpeg(i)?)))
        .collect()
}

/// Four samples of a WebDataset.
fn samples(first: u32) -> Result<Vec<u8>> {
    let mut files = Vec::new();
    for i in first..first + 4 {
        files.push((format!("{i:06}.jpg"), jpeg(i)?));
        files.push((format!("{i:06}.cls"), (i % 2).to_string().into_bytes()));
    }
    tarred(&files)
}
