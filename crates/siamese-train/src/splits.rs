//! Which images a run trains on, chooses by, and is judged on.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use siamese_core::metrics::fewshot::cifar_fs;
use siamese_data::{Dataset, ImageSet, Pair, evaluation_pairs, stratified_split};

use crate::TrainConfig;

/// What the model is to be good at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// New images of the classes that it was trained on: validation is cut from the training split, by class.
    #[default]
    Images,
    /// Classes that it has never seen: CIFAR-FS's 64 classes train, 16 validate, 20 test. The test images of the
    /// 64 are held out too, so that seen and unseen classes can be laid side by side.
    Classes,
}

/// The parts of a data set.
pub(crate) struct Splits {
    /// Holds the training images.
    pub(crate) train: Arc<ImageSet>,
    /// Which of `train` are trained on.
    pub(crate) training: Vec<u32>,
    /// Holds the validation images.
    pub(crate) validation: Arc<ImageSet>,
    /// Which of `validation` choose epoch and threshold; none of them is trained on.
    pub(crate) held_out: Vec<u32>,
    /// The sets that are judged once, at the end, the first being the one that the run is about.
    pub(crate) tests: Vec<TestSet>,
}

/// A set that is judged at the end.
pub struct TestSet {
    /// What it is called beside others; empty where it is alone.
    pub name: &'static str,
    /// Its images, none of them trained on.
    pub images: ImageSet,
}

/// The images of a data set that a run does not train on.
pub struct HeldOut {
    /// Holds the validation images.
    pub validation: Arc<ImageSet>,
    /// The balanced pairs of them that choose epoch and threshold.
    pub validation_pairs: Vec<Pair>,
    /// The sets judged at the end, the first being the one that the run is about.
    pub tests: Vec<TestSet>,
}

impl TrainConfig {
    /// What a run of this configuration holds out of a data set: the same images every time.
    ///
    /// # Errors
    /// When the data set lacks a class of the split, or validation makes no like or no unlike pair.
    pub fn held_out(&self, data: &Dataset) -> Result<HeldOut> {
        let splits = Splits::new(data, self.split, self.validation_fraction, self.seed)?;
        Ok(HeldOut {
            validation_pairs: splits.validation_pairs(self)?,
            validation: splits.validation,
            tests: splits.tests,
        })
    }
}

impl Splits {
    /// Divides a data set.
    pub(crate) fn new(data: &Dataset, by: SplitBy, fraction: f64, seed: u64) -> Result<Self> {
        match by {
            SplitBy::Images => by_images(data, fraction, seed),
            SplitBy::Classes => by_classes(data),
        }
    }

    /// The balanced pairs of validation images that choose epoch and threshold.
    pub(crate) fn validation_pairs(&self, config: &TrainConfig) -> Result<Vec<Pair>> {
        let (labels, count) = (&self.validation.labels, config.validation_pairs);
        evaluation_pairs(labels, &self.held_out, count, config.seed)
            .context("drawing the validation pairs")
    }
}

fn by_images(data: &Dataset, fraction: f64, seed: u64) -> Result<Splits> {
    let train = Arc::new(data.train.clone());
    let (training, held_out) = stratified_split(&train.labels, fraction, seed)?;
    Ok(Splits {
        validation: Arc::clone(&train),
        train,
        training,
        held_out,
        tests: vec![TestSet {
            name: "",
            images: data.test.clone(),
        }],
    })
}

fn by_classes(data: &Dataset) -> Result<Splits> {
    let lists = cifar_fs();
    let seen = labels_of(&data.train, lists.train())?;
    let validating = labels_of(&data.train, lists.validation())?;
    let unseen = labels_of(&data.train, lists.test())?;
    let validation = Arc::new(images_of(data, &validating)?);
    Ok(Splits {
        train: Arc::new(data.train.clone()),
        training: indices_of(&data.train, &seen),
        held_out: (0..validation.len() as u32).collect(),
        validation,
        tests: vec![
            TestSet {
                name: "unseen classes",
                images: images_of(data, &unseen)?,
            },
            TestSet {
                name: "seen classes",
                images: data.test.subset(&indices_of(&data.test, &seen)),
            },
        ],
    })
}

/// The labels of classes by name.
fn labels_of<'a>(set: &ImageSet, names: impl IntoIterator<Item = &'a str>) -> Result<HashSet<u32>> {
    let label = |name: &str| match set.classes.iter().position(|class| class == name) {
        Some(label) => Ok(label as u32),
        None => bail!(
            "the split by classes needs a class {name:?}, which the data set does not have; it is made for cifar100"
        ),
    };
    names.into_iter().map(label).collect()
}

fn indices_of(set: &ImageSet, labels: &HashSet<u32>) -> Vec<u32> {
    let wanted = |i: &u32| labels.contains(&set.labels[*i as usize]);
    (0..set.len() as u32).filter(wanted).collect()
}

/// All images of these classes, those of the training split first.
fn images_of(data: &Dataset, labels: &HashSet<u32>) -> Result<ImageSet> {
    let parts = [&data.train, &data.test].map(|set| set.subset(&indices_of(set, labels)));
    let mut pixels =
        Vec::with_capacity(parts.iter().map(|part| part.len() * part.image_len()).sum());
    for part in &parts {
        for i in 0..part.len() {
            pixels.extend_from_slice(&part.image(i)?);
        }
    }
    let [train, test] = parts;
    let joined = [train.labels, test.labels].concat();
    let set = ImageSet::new(
        train.height,
        train.width,
        train.channels,
        pixels,
        joined,
        train.classes,
    )?;
    Ok(match (train.coarse_labels, test.coarse_labels) {
        (Some(a), Some(b)) => set.with_superclasses([a, b].concat(), train.superclasses)?,
        _ => set,
    })
}
