//! What stands in the place of a file: git-lfs's pointers and servers' pages, for every kind of file.

use std::path::Path;

use anyhow::Result;

use crate::entry::{Entry, Kind, entry};
use crate::made::{PAGE, POINTER, cats_and_dogs, jpeg, model, write};

pub(crate) fn entries() -> Vec<Entry> {
    let pointer = &["a pointer that git-lfs left", "git lfs pull"];
    let page = &["a web page"];
    let fails =
        |name, make, command, words| entry(Kind::StandIns, name, make, command).fails(words);
    vec![
        fails(
            "a pointer as a model",
            |at| as_model(at, POINTER),
            "verify model.safetensors a b",
            pointer,
        ),
        fails(
            "a page as a model",
            |at| as_model(at, PAGE),
            "verify model.safetensors a b",
            page,
        ),
        fails(
            "a pointer as a model to judge",
            |at| as_model(at, POINTER),
            "evaluate model.safetensors --folder set",
            pointer,
        ),
        fails(
            "a pointer as a picture",
            |at| as_picture(at, POINTER),
            "verify model.safetensors a b",
            &["b is not a readable picture", "git lfs pull"],
        ),
        fails(
            "a page as a picture",
            |at| as_picture(at, PAGE),
            "verify model.safetensors a b",
            &["b is not a readable picture", "a web page"],
        ),
        fails(
            "a pointer as a table",
            |at| write(at, "set.csv", POINTER),
            "data check set.csv",
            pointer,
        ),
        fails(
            "a page as a table",
            |at| write(at, "set.csv", PAGE),
            "data check set.csv",
            page,
        ),
        fails(
            "a pointer as an archive",
            |at| write(at, "set.tar.gz", POINTER),
            "data check set.tar.gz",
            pointer,
        ),
        fails(
            "a page as an archive",
            |at| write(at, "set.zip", PAGE),
            "data check set.zip",
            page,
        ),
        fails(
            "a pointer as parquet",
            |at| write(at, "set.parquet", POINTER),
            "data check set.parquet",
            pointer,
        ),
        fails(
            "a page as parquet",
            |at| write(at, "set.parquet", PAGE),
            "data check set.parquet",
            page,
        ),
        fails(
            "pointers as shards",
            |at| {
                write(at, "set/train-00000-of-00002.parquet", POINTER)?;
                write(at, "set/train-00001-of-00002.parquet", POINTER)
            },
            "data check set",
            &["git lfs pull"],
        ),
        fails(
            "a pointer as records",
            |at| {
                write(at, "set/train.bin", POINTER)?;
                write(at, "set/test.bin", POINTER)
            },
            "data check set",
            &["git lfs pull"],
        ),
        fails(
            "a pointer as IDX",
            |at| {
                write(at, "set/train-images-idx3-ubyte.gz", POINTER)?;
                write(at, "set/train-labels-idx1-ubyte.gz", POINTER)
            },
            "data check set",
            &["git lfs pull"],
        ),
        fails(
            "pointers as all pictures",
            |at| {
                for name in ["cat/1", "cat/2", "dog/1", "dog/2"] {
                    write(at, format!("set/{name}.jpg"), POINTER)?;
                }
                Ok(())
            },
            "data check set",
            &["git lfs pull"],
        ),
        entry(
            Kind::StandIns,
            "pointers among pictures",
            |at| {
                cats_and_dogs(at)?;
                write(at, "set/cat/8.jpg", PAGE)?;
                write(at, "set/cat/9.jpg", POINTER)
            },
            "data check set",
        )
        .says(&["8 pictures in", "git lfs pull", "web page"]),
        fails(
            "a pointer as embeddings",
            |at| write(at, "e.npz", POINTER),
            "evaluate --embeddings e.npz",
            pointer,
        ),
        fails(
            "a page as embeddings",
            |at| write(at, "e.npz", PAGE),
            "evaluate --embeddings e.npz",
            page,
        ),
        fails(
            "a pointer as pairs",
            |at| as_pairs(at, POINTER),
            PAIRS,
            pointer,
        ),
        fails("a page as pairs", |at| as_pairs(at, PAGE), PAIRS, page),
        fails(
            "a pointer as LFW's pairs",
            |at| as_pairs(at, POINTER),
            "evaluate model.safetensors --folder set --lfw pairs.csv",
            pointer,
        ),
        fails(
            "a pointer as a configuration",
            |at| write(at, "my.toml", POINTER),
            "train my.toml",
            &["my.toml", "git-lfs"],
        ),
        fails(
            "a pointer as trials",
            |at| write(at, "all_runs.zip", POINTER),
            "evaluate --omniglot-trials all_runs.zip",
            pointer,
        ),
        fails(
            "a pointer as a run's model",
            |at| {
                write(at, "runs/one/best.safetensors", POINTER)?;
                cats_and_dogs(at)
            },
            "evaluate runs/one --folder set",
            pointer,
        ),
        fails(
            "a pointer as a run to resume",
            |at| {
                write(at, "runs/one/last.safetensors", POINTER)?;
                write(at, "runs/one/config.json", POINTER)
            },
            "train --resume runs/one",
            &["config.json", "git-lfs"],
        ),
        fails(
            "a pointer as a run to compare",
            |at| {
                write(at, "runs/one/result.json", POINTER)?;
                write(at, "runs/two/result.json", PAGE)
            },
            "compare runs/one runs/two",
            &["runs/one"],
        ),
    ]
}

const PAIRS: &str = "evaluate model.safetensors --folder set --pairs-file pairs.csv";

fn as_model(at: &Path, what: &str) -> Result<()> {
    cats_and_dogs(at)?;
    write(at, "a", jpeg(1)?)?;
    write(at, "b", jpeg(2)?)?;
    write(at, "model.safetensors", what)
}

fn as_picture(at: &Path, what: &str) -> Result<()> {
    write(at, "a", jpeg(1)?)?;
    write(at, "b", what)?;
    model(at)
}

fn as_pairs(at: &Path, what: &str) -> Result<()> {
    cats_and_dogs(at)?;
    model(at)?;
    write(at, "pairs.csv", what)
}
