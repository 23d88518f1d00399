//! What `evaluate` judges of a folder, of a run, and of few pictures.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::entry::{Entry, Kind, entry};
use crate::made::{cats_and_dogs, classes, jpeg, model, write};
use crate::support::{siamese, text};

pub(crate) fn entries() -> Vec<Entry> {
    use Kind::{FewPairs, LoneClasses, OwnSet};
    let evaluate = "evaluate model.safetensors --folder set";
    vec![
        entry(
            FewPairs,
            "two classes of three",
            |at| {
                classes(at, &["set/cat", "set/dog"], 3)?;
                model(at)
            },
            evaluate,
        )
        .says(&["15 pairs (6 like, 9 unlike)"])
        .never(&["\ntar_at_far"]),
        entry(
            FewPairs,
            "a rate that the pairs cannot resolve",
            |at| {
                classes(at, &["set/a", "set/b", "set/c", "set/d"], 3)?;
                model(at)
            },
            "evaluate model.safetensors --folder set --threshold-at far=0.0001",
        )
        .fails(&["unlike pairs", "are needed"]),
        entry(
            LoneClasses,
            "classes of one picture beside others",
            |at| {
                classes(at, &["set/cat", "set/dog"], 4)?;
                write(at, "set/owl/1.jpg", jpeg(901)?)?;
                write(at, "set/hen/1.jpg", jpeg(902)?)?;
                model(at)
            },
            evaluate,
        )
        .says(&["2 are alone in their class and are left out"]),
        entry(
            FewPairs,
            "one picture each",
            |at| {
                classes(at, &["set/cat", "set/dog"], 1)?;
                model(at)
            },
            evaluate,
        )
        .fails(&["like"]),
        entry(OwnSet, "a run's own pictures", run, "evaluate runs/own")
            .never(&["CIFAR"])
            .says(&["set"]),
        entry(
            OwnSet,
            "a run whose pictures are gone",
            |at| {
                run(at)?;
                Ok(fs::rename(at.join("set"), at.join("moved"))?)
            },
            "evaluate runs/own",
        )
        .never(&["CIFAR"])
        .fails(&["set"]),
        entry(
            OwnSet,
            "a model without its run",
            model,
            "evaluate model.safetensors",
        )
        .fails(&["--folder"]),
        entry(
            Kind::Unwritable,
            "a report that cannot be written",
            |at| {
                cats_and_dogs(at)?;
                model(at)
            },
            "evaluate model.safetensors --folder set --report no/such/folder/page.html",
        )
        .fails(&["no/such/folder"]),
    ]
}

/// A run on pictures of one's own, `runs/own`.
fn run(at: &Path) -> Result<()> {
    classes(at, &["set/cat", "set/dog", "set/owl"], 12)?;
    let output = siamese(at)
        .args([
            "train", "set", "--name", "own", "--tower", "conv4", "--size", "16", "--epochs", "1",
        ])
        .output()?;
    ensure!(output.status.success(), "{}", text(&output));
    Ok(())
}
