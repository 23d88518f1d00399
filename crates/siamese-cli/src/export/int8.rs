//! `siamese export --onnx FILE --int8`: weights of 8 bits, and what that costs, on pictures that the model held out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use siamese_core::Model;
use siamese_data::{ImageSet, OpenOptions, Part, open};
use siamese_embed::{Embeddings, embed, framing};
use siamese_evaluate::{JudgedPairs, drawn_pairs, halve_classes};
use siamese_onnx::{OnnxEmbedder, Told, export_int8};
use siamese_train::{RunFolder, TrainingData};
use siamese_words::counted;

use crate::data::DataArguments;
use crate::onnx::{embed as embed_by_onnx, pixels};
use crate::train;

/// Pictures whose values tell the ranges.
const TOLD_BY: usize = 256;
/// Pictures and pairs that it is judged on, at most.
const JUDGED_ON: usize = 5000;
const PAIRS: usize = 20_000;
/// What the ROC AUC may fall by without a warning.
const BEARABLE: f64 = 0.005;
/// Pictures that tell the ranges, others that judge, and what they are.
struct Material {
    ranges: ImageSet,
    judged: ImageSet,
    what: String,
}

/// Writes the model with weights of 8 bits, and says how its ROC AUC compares with that of f32.
pub(super) fn write(
    model: &Model,
    (place, data): (&Path, &DataArguments),
    calibrate: Option<&PathBuf>,
    path: &Path,
) -> Result<String> {
    let material = match calibrate {
        Some(folder) => of_folder(model, folder)?,
        None => of_run(place, data)?,
    };
    export_int8(
        model,
        &pixels(&material.ranges, &all(&material.ranges))?,
        path,
    )?;
    let told = Told {
        distance: Some(model.distance),
        ..Told::default()
    };
    let small = embed_by_onnx(&OnnxEmbedder::load(path, told)?, &material.judged)?;
    let whole = embed(&model.tower, &material.judged, &all(&material.judged))?;
    let pairs = drawn_pairs(&material.judged.labels, &all(&material.judged), PAIRS, 0).context(
        "drawing pairs to judge 8 bits by: there must be two images of a class, and two classes",
    )?;
    let metric = model.metric()?;
    let roc_auc = |embeddings: &Embeddings| -> Result<f64> {
        Ok(JudgedPairs::new(embeddings, pairs.clone(), &metric)?
            .curve
            .roc_auc())
    };
    let (before, after) = (roc_auc(&whole)?, roc_auc(&small)?);
    let warning = match before - after > BEARABLE {
        true => {
            "\nwarning: that is a loss to be felt; keep f32, or give more pictures like those it will see (--calibrate)"
        }
        false => "",
    };
    Ok(format!(
        "weights of 8 bits: ROC AUC {after:.4}, {before:.4} as f32, of pairs of {} {}; ranges by {}{warning}",
        counted(material.judged.len(), "image"),
        material.what,
        counted(material.ranges.len(), "image"),
    ))
}

/// What the model's run held out: validation images tell the ranges, test images judge.
fn of_run(place: &Path, data: &DataArguments) -> Result<Material> {
    let record = RunFolder::of_model(place).and_then(|folder| folder.record());
    let record = record.context(
        "8 bits need pictures like those that the model will see: name a run's folder, or --calibrate DIR with a subfolder \
         for each class",
    )?;
    let (data, _) = train::of_run(&record, data)
        .context("the run's pictures, for 8 bits; others are told by --calibrate DIR")?;
    let divided = data.divide(&record.config.data, record.config.seed)?;
    let tested = divided.tests(&data, &record.config)?.swap_remove(0).images;
    Ok(Material {
        ranges: data
            .images
            .subset(&spread(&divided.part(Part::Validation), TOLD_BY)),
        judged: tested.subset(&spread(&all(&tested), JUDGED_ON)),
        what: "that its run held out".into(),
    })
}

/// A folder of classes: every second class tells the ranges, the others judge.
fn of_folder(model: &Model, folder: &Path) -> Result<Material> {
    let options = OpenOptions::default();
    let listing = open(folder, &options)?;
    let framing = framing(&model.tower.config().input);
    let (data, _) = TrainingData::load(&listing, &framing, &options)?;
    let (ranges, judged) = halve_classes(&data.images.labels);
    Ok(Material {
        ranges: data.images.subset(&spread(&ranges, TOLD_BY)),
        judged: data.images.subset(&spread(&judged, JUDGED_ON)),
        what: format!("of every second class of {}", folder.display()),
    })
}

/// At most so many of them, evenly.
fn spread(indices: &[u32], most: usize) -> Vec<u32> {
    let taken = indices.len().min(most);
    (0..taken)
        .map(|i| indices[i * indices.len() / taken])
        .collect()
}

/// All images of a set.
fn all(images: &ImageSet) -> Vec<u32> {
    (0..images.len() as u32).collect()
}
