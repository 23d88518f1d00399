//! What is given as a model, or as a run, and is none.

use std::fs;
use std::path::Path;

use anyhow::Result;
use image::ImageFormat;

use crate::entry::{Entry, Kind, entry};
use crate::made::{cats_and_dogs, classes, encoded, jpeg, model, model_bytes, photo, write};

const VERIFY: &str = "verify model.safetensors a b";

pub(crate) fn entries() -> Vec<Entry> {
    let as_model = |name, make, words| entry(Kind::StandIns, name, make, VERIFY).fails(words);
    let mut entries = vec![
        as_model(
            "a picture",
            |at| given(at, jpeg(1)?),
            &[
                "model.safetensors",
                "a picture",
                "name the model before the pictures",
            ],
        ),
        as_model(
            "a PNG",
            |at| given(at, encoded(photo(1), ImageFormat::Png)?),
            &["model.safetensors", "a picture"],
        ),
        as_model(
            "nothing",
            |at| given(at, []),
            &["model.safetensors", "an empty file"],
        ),
        as_model(
            "zeros",
            |at| given(at, [0; 4096]),
            &["model.safetensors", "zeros"],
        ),
        as_model(
            "text",
            |at| given(at, "resnet50\n"),
            &["model.safetensors", "text"],
        ),
        as_model(
            "PyTorch's zip",
            |at| given(at, b"PK\x03\x04\0\0\0\0archive/data.pkl"),
            &["model.safetensors", "zip"],
        ),
        as_model(
            "PyTorch's pickle",
            |at| given(at, b"\x80\x02\x8a\x0al\xfc"),
            &["model.safetensors", "pickle"],
        ),
        as_model(
            "HDF5",
            |at| given(at, b"\x89HDF\r\n\x1a\n"),
            &["model.safetensors", "HDF5"],
        ),
        as_model(
            "parquet",
            |at| given(at, b"PAR1\0\0\0\0PAR1"),
            &["model.safetensors", "parquet"],
        ),
        as_model(
            "another program's safetensors",
            |at| {
                let header = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
                given(
                    at,
                    [
                        &(header.len() as u64).to_le_bytes()[..],
                        header.as_bytes(),
                        &[0; 4],
                    ]
                    .concat(),
                )
            },
            &["model.safetensors"],
        ),
        as_model(
            "a model cut",
            |at| given(at, &model_bytes()?[..model_bytes()?.len() / 2]),
            &["model.safetensors"],
        ),
        as_model(
            "a model's beginning",
            |at| given(at, &model_bytes()?[..9]),
            &["model.safetensors"],
        ),
        as_model(
            "a header that is too long",
            |at| {
                given(
                    at,
                    [&u64::MAX.to_le_bytes()[..], &model_bytes()?[8..]].concat(),
                )
            },
            &["model.safetensors"],
        ),
        as_model(
            "no file",
            |at| {
                write(at, "a", jpeg(1)?)?;
                write(at, "b", jpeg(2)?)
            },
            &["model.safetensors"],
        ),
        as_model(
            "a folder that is no run",
            |at| {
                given(at, "")?;
                fs::remove_file(at.join("model.safetensors"))?;
                Ok(fs::create_dir(at.join("model.safetensors"))?)
            },
            &["model.safetensors"],
        ),
    ];
    entries.extend(places());
    entries
}

fn places() -> Vec<Entry> {
    use Kind::StandIns;
    let fails = |name, make, command, words| entry(StandIns, name, make, command).fails(words);
    vec![
        fails(
            "a class folder as a model",
            judged,
            "evaluate set --folder set",
            &["set"],
        ),
        fails(
            "a table as a model",
            |at| {
                write(at, "t.csv", "path,label\n")?;
                cats_and_dogs(at)
            },
            "evaluate t.csv --folder set",
            &["t.csv", "text"],
        ),
        fails(
            "a model as a picture",
            |at| given(at, model_bytes()?),
            "verify model.safetensors a model.safetensors",
            &[
                "model.safetensors is not a readable picture",
                "a safetensors file",
            ],
        ),
        fails(
            "a folder as a picture",
            judged,
            "verify model.safetensors set set/cat/0.jpg",
            &["set"],
        ),
        fails(
            "no such picture",
            judged,
            "verify model.safetensors gone.jpg set/cat/0.jpg",
            &["gone.jpg"],
        ),
        fails(
            "a model as a data set",
            judged,
            "data check model.safetensors",
            &["model.safetensors", "a safetensors file"],
        ),
        fails(
            "a model to train on",
            judged,
            "train model.safetensors --dry-run",
            &["model.safetensors", "a safetensors file"],
        ),
        fails(
            "loose pictures to judge",
            |at| {
                classes(at, &["set"], 3)?;
                model(at)
            },
            "evaluate model.safetensors --folder set",
            &["3 loose pictures"],
        ),
        fails(
            "loose pictures as a data set to judge",
            |at| {
                classes(at, &["set"], 3)?;
                model(at)
            },
            "evaluate model.safetensors --data set",
            &["3 loose pictures"],
        ),
        fails(
            "a run to resume that is none",
            judged,
            "train --resume set",
            &["set"],
        ),
        fails(
            "runs to compare that are none",
            judged,
            "compare set set",
            &["set"],
        ),
        fails(
            "a picture as a configuration",
            |at| write(at, "my.toml", jpeg(1)?),
            "train --config my.toml",
            &["my.toml"],
        ),
        fails(
            "a configuration with a typo",
            |at| {
                classes(at, &["set/cat", "set/dog"], 12)?;
                write(at, "my.toml", "epoch = 3\n")
            },
            "train set --config my.toml",
            &["epoch: unknown field", "did you mean \"epochs\""],
        ),
        fails(
            "a picture as embeddings",
            |at| write(at, "e.npz", jpeg(1)?),
            "evaluate --embeddings e.npz",
            &["e.npz", "a picture"],
        ),
        fails(
            "a folder as embeddings",
            judged,
            "evaluate --embeddings set",
            &["set"],
        ),
        entry(
            Kind::Names,
            "a model and pictures with spaces",
            |at| {
                write(at, "my models.safetensors", model_bytes()?)?;
                write(at, "my cat.jpg", jpeg(1)?)?;
                write(at, "-1.jpg", jpeg(1)?)
            },
            "verify 'my models.safetensors' 'my cat.jpg' ./-1.jpg",
        )
        .says(&["same · distance 0.0000"]),
    ]
}

/// What is given as a model, and two pictures.
fn given(at: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    write(at, "a", jpeg(1)?)?;
    write(at, "b", jpeg(2)?)?;
    write(at, "model.safetensors", bytes)
}

/// Pictures and a model.
fn judged(at: &Path) -> Result<()> {
    cats_and_dogs(at)?;
    model(at)
}
