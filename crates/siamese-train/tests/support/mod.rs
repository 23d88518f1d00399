//! What the tests of whole runs share: a small synthetic data set, a small configuration, and running it.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use siamese_core::metrics::find;
use siamese_data::{ImageSet, Part};
use siamese_train::{
    DataRecord, Event, Layer, Outcome, Request, RunFolder, RunRecord, Summary, TrainConfig,
    TrainingData, train,
};

const CLASSES: usize = 4;
/// Images of a class to train on, and to test.
const PER_CLASS: [usize; 2] = [40, 20];

/// Images of 6×8 pixels; each class is a bright bar at its own place, in noise that a small generator makes.
pub(crate) fn images() -> Result<ImageSet> {
    let (mut pixels, mut labels, mut noise) = (Vec::new(), Vec::new(), 1u32);
    for i in 0..PER_CLASS.iter().sum::<usize>() * CLASSES {
        let class = i % CLASSES;
        for y in 0..6 {
            for x in 0..8 {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let bar = x / 2 == class && y > 0;
                pixels.push((noise >> 26) as u8 + if bar { 150 } else { 40 });
            }
        }
        labels.push(class as u32);
    }
    let names = ["a", "b", "c", "d"].map(String::from).to_vec();
    Ok(ImageSet::new(6, 8, 1, pixels, labels, names)?)
}

pub(crate) fn data_of(images: ImageSet) -> TrainingData {
    let count = |part: usize| PER_CLASS[part] * CLASSES;
    let parts = [
        vec![Some(Part::Train); count(0)],
        vec![Some(Part::Test); count(1)],
    ];
    TrainingData {
        cached: None,
        as_published: None,
        about: DataRecord {
            name: "bars".into(),
            title: "Bars".into(),
            hub: None,
            licence: None,
            citation: None,
            kind: "made images".into(),
            origin: "bars".into(),
            fingerprint: "bars".into(),
            sample: false,
        },
        names: (0..images.len()).map(|i| format!("bar {i}")).collect(),
        groups: None,
        published: Some(parts.concat()),
        pairs: None,
        images: Arc::new(images),
    }
}

pub(crate) fn data() -> Result<TrainingData> {
    Ok(data_of(images()?))
}

const CONFIG: &str = "
preset = 'auto'
epochs = 3
learning_rate = 1e-2
[data.split]
validation = 0.25
[tower]
dropout = 0.25
embedding = 8
normalize = true
[tower.input]
height = 6
width = 8
mean = [0.4]
std = [0.2]
[tower.body]
kind = 'stages'
leaky_slope = 0.01
stages = [{ channels = 8, convolutions = 1 }, { channels = 8, convolutions = 1 }]
[objective]
kind = 'contrastive'
pairs = 'in_batch'
averaging = 'active'
[sampler]
kind = 'pairs'
pairs_per_batch = 13
[augment]
crop_padding = 1
[judge]
validation_pairs = 300
test_pairs = 500
";

/// The small configuration with these settings over it.
pub(crate) fn config(settings: &[(&str, &str)]) -> Result<TrainConfig> {
    let mut layer = Layer::parse(CONFIG, "the test's configuration")?;
    for (key, value) in settings {
        let mut one = Layer::default();
        one.set(key, value)?;
        layer = layer.under(&one);
    }
    TrainConfig::from_layers([&layer])
}

pub(crate) struct Finished {
    pub(crate) folder: RunFolder,
    pub(crate) summary: Summary,
}

/// Trains in a folder, until the end or until the interrupt.
pub(crate) fn go_on(
    folder: &RunFolder,
    config: &TrainConfig,
    data: &TrainingData,
    stop: bool,
) -> Result<Outcome> {
    train(&Request {
        config,
        data,
        device: &Device::Cpu,
        folder,
        workers: 2,
        checkpoint_every: Duration::from_secs(60),
        interrupt: &AtomicBool::new(stop),
        observe: &|_: &Event| {},
    })
}

/// Trains in `parent/name`; interrupted after each of the first `interrupts` steps and resumed.
pub(crate) fn run(
    parent: &Path,
    name: &str,
    config: &TrainConfig,
    data: &TrainingData,
    interrupts: usize,
) -> Result<Finished> {
    let record = RunRecord::new(config, &data.about, "CPU".into(), "test".into());
    let folder = RunFolder::begin(parent, Some(name), &record)?;
    for attempt in 0.. {
        if let Outcome::Finished(summary) = go_on(&folder, config, data, attempt < interrupts)? {
            assert!(attempt >= interrupts.min(1), "the interrupt was ignored");
            return Ok(Finished {
                folder,
                summary: *summary,
            });
        }
    }
    unreachable!()
}

pub(crate) fn tensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    Ok(candle_core::safetensors::load(path, &Device::Cpu)?)
}

pub(crate) fn assert_same_bits(
    a: &HashMap<String, Tensor>,
    b: &HashMap<String, Tensor>,
) -> Result<()> {
    assert_eq!(a.len(), b.len());
    for (name, tensor) in a {
        let other = b.get(name).with_context(|| format!("{name} is missing"))?;
        let bits = |t: &Tensor| -> Result<Vec<u8>> {
            let values = t
                .flatten_all()?
                .to_dtype(candle_core::DType::F64)?
                .to_vec1::<f64>()?;
            Ok(values.iter().flat_map(|v| v.to_le_bytes()).collect())
        };
        assert!(bits(tensor)? == bits(other)?, "{name} differs");
    }
    Ok(())
}

/// A figure of a finished run.
pub(crate) fn value(summary: &Summary, name: &str) -> f64 {
    find(&summary.figures, name).map_or(f64::NAN, |figure| figure.value)
}
