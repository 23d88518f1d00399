//! Whole runs on a small synthetic data set: files, exact resume, collapse, early stopping.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use siamese_core::Model;
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
fn images() -> Result<ImageSet> {
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

fn data_of(images: ImageSet) -> TrainingData {
    let count = |part: usize| PER_CLASS[part] * CLASSES;
    let parts = [
        vec![Some(Part::Train); count(0)],
        vec![Some(Part::Test); count(1)],
    ];
    TrainingData {
        about: DataRecord {
            name: "bars".into(),
            title: "Bars".into(),
            hub: None,
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

fn data() -> Result<TrainingData> {
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
fn config(settings: &[(&str, &str)]) -> Result<TrainConfig> {
    let mut layer = Layer::parse(CONFIG, "the test's configuration")?;
    for (key, value) in settings {
        let mut one = Layer::default();
        one.set(key, value)?;
        layer = layer.under(&one);
    }
    TrainConfig::from_layers([&layer])
}

struct Finished {
    folder: RunFolder,
    summary: Summary,
}

/// Trains in a folder, until the end or until the interrupt.
fn go_on(
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
fn run(
    parent: &Path,
    name: &str,
    config: &TrainConfig,
    data: &TrainingData,
    interrupts: usize,
) -> Result<Finished> {
    let folder = RunFolder::create(parent, Some(name), "")?;
    folder.write_json(
        "config.json",
        &RunRecord::new(config, &data.about, "CPU".into(), "test".into()),
    )?;
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

fn tensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    Ok(candle_core::safetensors::load(path, &Device::Cpu)?)
}

fn assert_same_bits(a: &HashMap<String, Tensor>, b: &HashMap<String, Tensor>) -> Result<()> {
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
fn value(summary: &Summary, name: &str) -> f64 {
    find(&summary.figures, name).map_or(f64::NAN, |figure| figure.value)
}

#[test]
fn a_run_learns_and_leaves_all_its_files() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let Finished { folder, summary } = run(parent.path(), "run", &config(&[])?, &data()?, 0)?;
    for name in [
        "config.json",
        "metrics.jsonl",
        "best.safetensors",
        "last.safetensors",
        "result.json",
        "report.html",
        "README.md",
    ] {
        assert!(folder.file(name).is_file(), "{name} is missing");
    }
    let files: Vec<String> = std::fs::read_dir(folder.path())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    assert!(
        files
            .iter()
            .any(|name| name.starts_with("events.out.tfevents"))
    );
    assert!(
        !files.iter().any(|name| name.contains("partial")),
        "{files:?}"
    );
    assert_eq!(folder.epochs()?.len(), 3);

    let stored = std::fs::read_to_string(folder.file("result.json"))?;
    assert_eq!(stored.trim_end(), serde_json::to_string_pretty(&summary)?);
    for name in ["accuracy", "roc_auc", "eer", "recall_at_1"] {
        assert!(
            find(&summary.figures, name).is_some_and(|figure| figure.interval.is_some()),
            "{name} has no interval"
        );
    }
    assert!(value(&summary, "roc_auc") > 0.9, "{summary}");
    let model = Model::load(folder.best(), &Device::Cpu)?;
    assert_eq!(model.threshold.map(|t| t.value), Some(summary.threshold));
    Ok(())
}

#[test]
fn an_interrupted_run_ends_with_the_weights_of_one_never_interrupted() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let (config, data) = (config(&[])?, data()?);
    let whole = run(parent.path(), "whole", &config, &data, 0)?;
    // 120 anchors in batches of 13: ten steps an epoch, so that these fall inside epochs and on their ends
    let pieces = run(parent.path(), "pieces", &config, &data, 25)?;
    assert_same_bits(
        &tensors(&whole.folder.last())?,
        &tensors(&pieces.folder.last())?,
    )?;
    assert_same_bits(
        &tensors(&whole.folder.best())?,
        &tensors(&pieces.folder.best())?,
    )?;
    assert_eq!(whole.summary.figures, pieces.summary.figures);
    Ok(())
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let (config, data) = (config(&[])?, data()?);
    let with_threads = |threads: usize| -> Result<Finished> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()?;
        pool.install(|| {
            run(
                parent.path(),
                &format!("threads-{threads}"),
                &config,
                &data,
                0,
            )
        })
    };
    let (one, three) = (with_threads(1)?, with_threads(3)?);
    assert_same_bits(
        &tensors(&one.folder.last())?,
        &tensors(&three.folder.last())?,
    )
}

#[test]
fn identical_images_raise_the_collapse_alarm_in_the_first_epoch() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let images = images()?;
    let names = images.classes.clone();
    let grey = ImageSet::new(6, 8, 1, vec![90; images.len() * 48], images.labels, names)?;
    let data = data_of(grey);
    let config = config(&[
        ("epochs", "1"),
        ("tower.dropout", "0.0"),
        ("augment.crop_padding", "0"),
    ])?;
    let finished = run(parent.path(), "grey", &config, &data, 0)?;
    assert!(
        finished
            .summary
            .alarm
            .is_some_and(|alarm| alarm.starts_with("epoch 1:"))
    );
    assert!(std::fs::read_to_string(finished.folder.file("report.html"))?.contains("Collapse"));
    Ok(())
}

#[test]
fn early_stopping_ends_a_run_that_cannot_improve_and_resume_keeps_it_ended() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let config = config(&[
        ("epochs", "20"),
        ("stopping.patience", "2"),
        ("stopping.min_delta", "10.0"), // no progress is ever enough
    ])?;
    let data = data()?;
    let finished = run(parent.path(), "stop", &config, &data, 0)?;
    assert_eq!(
        (finished.summary.epochs, finished.summary.best_epoch),
        (3, 1)
    );
    let folder = RunFolder::open(finished.folder.path())?;
    let again = go_on(&folder, &config, &data, false)?;
    let Outcome::Finished(again) = again else {
        panic!("interrupted")
    };
    assert_eq!(again.epochs, 3);
    Ok(())
}

#[test]
fn images_of_another_size_are_an_error_that_names_both() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let config = TrainConfig::preset("default")?;
    let error = run(parent.path(), "size", &config, &data()?, 0)
        .err()
        .context("no error")?;
    let message = format!("{error:#}");
    assert!(
        message.contains("6x8x1") && message.contains("32x32x3"),
        "{message}"
    );
    Ok(())
}

/// Every objective with a sampler that gives it what it needs, every optimizer and schedule: trains, is interrupted, and
/// ends with the weights of a run that was not.
#[test]
fn every_recipe_learns_and_resumes_to_the_same_bits() -> Result<()> {
    let recipes: [&[(&str, &str)]; 7] = [
        &[
            ("objective.pairs", "sampled"),
            ("objective.averaging", "all"),
        ],
        &[
            (
                "optimizer",
                "{ kind = 'sgd', momentum = 0.9, nesterov = true, weight_decay = 5e-4 }",
            ),
            ("schedule", "{ kind = 'cosine', warmup = 0.1, floor = 0.0 }"),
        ],
        &[
            ("clip_norm", "0.5"),
            ("schedule", "{ kind = 'step', every = 0.4, factor = 0.3 }"),
        ],
        &[
            ("objective.kind", "triplet"),
            ("sampler", "{ kind = 'per_class', classes = 4, images = 5 }"),
            ("schedule", "{ kind = 'constant' }"),
        ],
        &[
            ("objective.kind", "sup_con"),
            ("sampler", "{ kind = 'per_class', classes = 4, images = 5 }"),
        ],
        &[
            ("objective.kind", "nt_xent"),
            (
                "sampler",
                "{ kind = 'episodes', ways = 3, shots = 2, queries = 3, per_epoch = 8 }",
            ),
        ],
        &[
            ("objective.kind", "normalized_softmax"),
            ("sampler", "{ kind = 'per_class', classes = 4, images = 5 }"),
            ("weight_average", "0.9"),
        ],
    ];
    let parent = tempfile::tempdir()?;
    let data = data()?;
    for (i, recipe) in recipes.into_iter().enumerate() {
        let config = config(recipe)?;
        let whole = run(parent.path(), &format!("whole-{i}"), &config, &data, 0)?;
        let pieces = run(parent.path(), &format!("pieces-{i}"), &config, &data, 5)?;
        for file in [RunFolder::last, RunFolder::best] {
            assert_same_bits(
                &tensors(&file(&whole.folder))?,
                &tensors(&file(&pieces.folder))?,
            )
            .with_context(|| format!("{recipe:?}"))?;
        }
        let auc = value(&whole.summary, "roc_auc");
        assert!(auc > 0.8, "{recipe:?}: {auc}");
    }
    Ok(())
}

#[test]
fn a_monitor_that_the_objective_has_not_is_an_error_that_names_both() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let config = config(&[
        ("objective.kind", "normalized_softmax"),
        ("stopping.monitor", "loss"),
    ])?;
    let error = run(parent.path(), "monitor", &config, &data()?, 0)
        .err()
        .context("no error")?;
    let message = format!("{error:#}");
    assert!(
        message.contains("stopping.monitor") && message.contains("auc"),
        "{message}"
    );
    Ok(())
}
