//! Inputs that ask for too much, never end, or try to command a terminal.

use std::path::Path;

use anyhow::{Context, Result};

use crate::entry::{Entry, Kind, entry};
#[cfg(unix)]
use crate::made::{cats_and_dogs, model};
use crate::made::{classes, jpeg, model_bytes, write};

const DRY: &str = "train set --dry-run --tower conv4 --size 16 --epochs 1";

pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = too_much();
    #[cfg(unix)]
    entries.extend(endless::entries());
    #[cfg(unix)]
    entries.extend(commanding());
    entries
}

fn too_much() -> Vec<Entry> {
    let refused =
        |name, make, command, words| entry(Kind::TooMuch, name, make, command).fails(words);
    let channels = &[
        "1000000000 channels of a layer",
        "SIAMESE_MAX_CHANNELS=1000000000",
    ];
    vec![
        refused(
            "channels in a configuration",
            enough,
            "train set --dry-run --size 32 --epochs 1 --set 'tower.body={kind=\"stages\",stages=[{channels=1000000000,convolutions=1}]}'",
            channels,
        ),
        refused(
            "channels in a model",
            |at| in_model(at, "\"channels\":8", "\"channels\":1000000000"),
            "verify model.safetensors a b",
            &["model.safetensors", "1000000000 channels of a layer"],
        ),
        refused(
            "an embedding in a model",
            |at| in_model(at, "\"embedding\":16", "\"embedding\":9999999999"),
            "verify model.safetensors a b",
            &["model.safetensors", "9999999999 channels of a layer"],
        ),
        refused(
            "a side in a model",
            |at| in_model(at, "\"height\":32", "\"height\":3000000000"),
            "verify model.safetensors a b",
            &["3000000000 pixels along a side"],
        ),
        refused(
            "a depth in a configuration",
            enough,
            "train set --dry-run --size 32 --epochs 1 --set 'tower.body={kind=\"stages\",stages=[{channels=1,convolutions=1000000000}]}'",
            &["layers of a tower", "SIAMESE_MAX_LAYERS"],
        ),
        refused(
            "epochs",
            enough,
            "train set --dry-run --epochs 9000000000",
            &["epochs", "SIAMESE_MAX_EPOCHS=9000000000"],
        ),
        refused(
            "pairs to judge by",
            enough,
            "train set --dry-run --epochs 1 --set judge.test_pairs=9000000000",
            &["judge.test_pairs", "SIAMESE_MAX_PAIRS=9000000000"],
        ),
        refused(
            "a batch",
            enough,
            "train set --dry-run --epochs 1 --set sampler.kind=per_class --set sampler.images=4000000000 --set sampler.classes=8000000000000",
            &["sampler.classes and sampler.images", "SIAMESE_MAX_BATCH"],
        ),
        entry(Kind::TooMuch, "nothing too much", enough, DRY),
    ]
}

/// Two classes of photos, enough to train on.
fn enough(at: &Path) -> Result<()> {
    classes(at, &["set/cat", "set/dog"], 12)
}

/// A model whose description says something else.
fn in_model(at: &Path, from: &str, to: &str) -> Result<()> {
    let model = model_bytes()?;
    let length = u64::from_le_bytes(model[..8].try_into()?) as usize;
    let header = std::str::from_utf8(&model[8..8 + length])?;
    // the description is JSON within JSON
    let escaped = |text: &str| text.replace('"', "\\\"");
    let (from, to) = (escaped(from), escaped(to));
    header
        .find(&from)
        .with_context(|| format!("no {from} in {header}"))?;
    let header = header.replacen(&from, &to, 1);
    let file = [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &model[8 + length..],
    ];
    write(at, "model.safetensors", file.concat())?;
    write(at, "a", jpeg(1)?)?;
    write(at, "b", jpeg(2)?)
}

/// Control characters in the names of classes and files, in a label, in a path that is not there.
#[cfg(unix)]
fn commanding() -> Vec<Entry> {
    const CLEAR: &str = "\\u001b[2J";
    vec![
        entry(
            Kind::Commands,
            "a class that clears the screen",
            |at| {
                classes(at, &["set/\u{1b}[2Jcat", "set/dog\u{202e}"], 4)?;
                write(at, "set/dog\u{202e}/\u{9b}\u{1b}[2J.jpg", "no picture")
            },
            "data check set",
        )
        .says(&["\\u{1b}[2J.jpg"]),
        entry(
            Kind::Commands,
            "a label that clears the screen",
            |at| {
                (0..4).try_for_each(|i| write(at, format!("{i}.jpg"), jpeg(i)?))?;
                let table = "path,label\n0.jpg,\u{1b}[2Ja\n1.jpg,b\n2.jpg,\u{1b}[2Ja\n3.jpg,b\n";
                write(at, "set.csv", table)
            },
            "data check set.csv",
        ),
        entry(
            Kind::Commands,
            "a path that clears the screen",
            |_| Ok(()),
            "data check '\u{1b}[2Jnowhere'",
        )
        .fails(&[CLEAR]),
        entry(
            Kind::Commands,
            "an option that clears the screen",
            |_| Ok(()),
            "data check '--\u{1b}[2J'",
        )
        .fails(&["unexpected argument"]),
    ]
}

/// Files that never end.
#[cfg(unix)]
mod endless {
    use std::os::unix::fs::symlink;

    use super::*;

    pub(super) fn entries() -> Vec<Entry> {
        let refused =
            |name, make, command, words| entry(Kind::Endless, name, make, command).fails(words);
        let no_file = &["no regular file"];
        vec![
            refused(
                "a model",
                |at| {
                    zeros(at, "model.safetensors")?;
                    write(at, "a", jpeg(1)?)
                },
                "verify model.safetensors a a",
                no_file,
            ),
            refused(
                "a picture",
                |at| {
                    model(at)?;
                    write(at, "a", jpeg(1)?)?;
                    zeros(at, "b")
                },
                "verify model.safetensors a b",
                no_file,
            ),
            refused(
                "embeddings",
                |at| zeros(at, "e.npz"),
                "evaluate --embeddings e.npz",
                no_file,
            ),
            refused(
                "a list of pairs",
                |at| {
                    model(at)?;
                    zeros(at, "pairs.csv")
                },
                "evaluate model.safetensors --folder . --pairs-file pairs.csv",
                no_file,
            ),
            refused(
                "a set",
                |at| zeros(at, "set.tar"),
                "data check set.tar",
                &["neither a file nor a folder"],
            ),
            refused(
                "a configuration",
                |at| zeros(at, "run.toml"),
                "train run.toml --dry-run",
                &["run.toml"],
            ),
            entry(
                Kind::Endless,
                "among pictures",
                |at| {
                    cats_and_dogs(at)?;
                    zeros(at, "set/cat/zero.jpg")
                },
                "data check set",
            )
            .says(&["8 pictures in", "neither a file nor a folder"]),
        ]
    }

    fn zeros(at: &Path, name: &str) -> Result<()> {
        Ok(symlink("/dev/zero", at.join(name))?)
    }
}
