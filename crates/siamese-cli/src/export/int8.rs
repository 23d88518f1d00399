//! `siamese export --onnx FILE --int8`: weights of 8 bits, and what that costs, on pictures that the model held out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use siamese_core::Model;
use siamese_core::metrics::verification::RocCurve;
use siamese_data::{ImageSet, OpenOptions, Part, open};
use siamese_embed::framing;
use siamese_evaluate::{drawn_pairs, halve_classes};
use siamese_onnx::{OnnxEmbedder, Told, export, export_int8};
use siamese_train::{RunFolder, TrainingData};
use siamese_words::counted;

use crate::data::DataArguments;
use crate::train;

/// Pictures whose values tell the ranges.
const TOLD_BY: usize = 256;
/// Pictures and pairs that it is judged on, at most.
const JUDGED_ON: usize = 5000;
const PAIRS: usize = 20_000;
/// What the ROC AUC may fall by without a warning.
const BEARABLE: f64 = 0.005;
/// Bytes of pictures that pass at once.
const AT_ONCE: usize = 64;

/// Pictures that tell the ranges, others that judge, and what they are.
struct Material {
    ranges: (ImageSet, Vec<u32>),
    judged: (ImageSet, Vec<u32>),
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
    let (images, indices) = &material.ranges;
    export_int8(model, &pixels(images, &spread(indices, TOLD_BY))?, path)?;
    let plain = tempfile::Builder::new().suffix(".onnx").tempfile()?;
    export(model, plain.path())?;
    let (images, indices) = &material.judged;
    let judged = spread(indices, JUDGED_ON);
    let before = roc_auc(model, plain.path(), images, &judged)?;
    let after = roc_auc(model, path, images, &judged)?;
    let warning = match before - after > BEARABLE {
        true => {
            "\nwarning: that is a loss to be felt; keep f32, or give more pictures like those it will see (--calibrate)"
        }
        false => "",
    };
    Ok(format!(
        "weights of 8 bits: ROC AUC {after:.4}, {before:.4} as f32, of pairs of {} {}; ranges by {}{warning}",
        counted(judged.len(), "image"),
        material.what,
        counted(indices_of(&material.ranges.1), "image"),
    ))
}

fn indices_of(indices: &[u32]) -> usize {
    indices.len().min(TOLD_BY)
}

/// What the model's run held out: validation images tell the ranges, test images judge.
fn of_run(place: &Path, data: &DataArguments) -> Result<Material> {
    let folder = match place.is_dir() {
        true => place.to_path_buf(),
        false => place.parent().map(PathBuf::from).unwrap_or_default(),
    };
    let record = RunFolder::open(&folder).and_then(|folder| folder.record());
    let record = record.context(
        "8 bits need pictures like those that the model will see: name a run's folder, or --calibrate DIR with a subfolder \
         for each class",
    )?;
    let (data, _) = train::of_run(&record, data)
        .context("the run's pictures, for 8 bits; others are told by --calibrate DIR")?;
    let divided = data.divide(&record.config.data, record.config.seed)?;
    let ranges = divided.part(Part::Validation);
    let mut tests = divided.tests(&data, &record.config)?;
    let tested = tests.swap_remove(0);
    let all = (0..tested.images.len() as u32).collect();
    Ok(Material {
        ranges: (
            data.images.subset(&ranges),
            (0..ranges.len() as u32).collect(),
        ),
        what: "that its run held out".into(),
        judged: (tested.images, all),
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
        ranges: (
            data.images.subset(&ranges),
            (0..ranges.len() as u32).collect(),
        ),
        judged: (
            data.images.subset(&judged),
            (0..judged.len() as u32).collect(),
        ),
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

fn pixels(images: &ImageSet, indices: &[u32]) -> Result<Vec<u8>> {
    let mut pixels = Vec::new();
    for &index in indices {
        pixels.extend_from_slice(&images.image(index as usize)?);
    }
    Ok(pixels)
}

/// The ROC AUC of pairs of these images, embedded by a file of ours.
fn roc_auc(model: &Model, file: &Path, images: &ImageSet, indices: &[u32]) -> Result<f64> {
    let told = Told {
        distance: Some(model.distance),
        ..Told::default()
    };
    let embedder = OnnxEmbedder::load(file, told)?;
    let mut rows = Vec::new();
    for some in indices.chunks(AT_ONCE) {
        rows.extend(embedder.embed(&pixels(images, some)?)?);
    }
    let dim = rows.len() / indices.len().max(1);
    let labels: Vec<u32> = indices.iter().map(|&i| images.labels[i as usize]).collect();
    let own: Vec<u32> = (0..indices.len() as u32).collect();
    let pairs = drawn_pairs(&labels, &own, PAIRS, 0).context(
        "drawing pairs to judge 8 bits by: there must be two images of a class, and two classes",
    )?;
    let row = |i: u32| &rows[i as usize * dim..(i as usize + 1) * dim];
    let metric = model.metric()?;
    let distances: Vec<f32> = pairs
        .iter()
        .map(|pair| metric.of(row(pair.a), row(pair.b)))
        .collect();
    let like: Vec<bool> = pairs.iter().map(|pair| pair.like).collect();
    Ok(RocCurve::new(&distances, &like)?.roc_auc())
}
