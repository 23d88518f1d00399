//! Whole runs on a small synthetic data set: files, exact resume, collapse, early stopping.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use siamese_core::{ImageInput, Model, Stage, TowerConfig};
use siamese_data::{AugmentConfig, Dataset, ImageSet, Origin, Provenance};
use siamese_train::{Monitor, Outcome, Request, RunFolder, RunRecord, Summary, TrainConfig, train};

const CLASSES: usize = 4;

/// Images of 6×8 pixels; each class is a bright bar at its own place, in noise that a small generator makes.
fn images(per_class: usize, mut noise: u32) -> Result<ImageSet> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for i in 0..per_class * CLASSES {
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

fn dataset() -> Result<Dataset> {
    Ok(Dataset {
        train: images(40, 1)?,
        test: images(20, 2)?,
        provenance: Provenance {
            name: "bars".into(),
            origin: Origin::Path("bars".into()),
            verified: false,
            fallback: None,
        },
    })
}

fn config() -> Result<TrainConfig> {
    let stage = |channels| Stage {
        channels,
        convolutions: 1,
    };
    let base = TrainConfig::cifar100("default")?;
    Ok(TrainConfig {
        tower: TowerConfig {
            input: ImageInput {
                height: 6,
                width: 8,
                mean: vec![0.4],
                std: vec![0.2],
                fit: Default::default(),
            },
            stages: vec![stage(8), stage(8)],
            dropout: 0.25,
            embedding: 8,
            ..TowerConfig::cifar100()
        },
        learning_rate: 1e-2,
        epochs: 3,
        pairs_per_batch: 13,
        augment: AugmentConfig {
            flip: false,
            crop_padding: 1,
            ..Default::default()
        },
        validation_fraction: 0.25,
        validation_pairs: 300,
        test_pairs: 500,
        ..base
    })
}

struct Finished {
    folder: RunFolder,
    summary: Summary,
}

/// Trains in `parent/name`; interrupted after each of the first `interrupts` steps and resumed.
fn run(
    parent: &Path,
    name: &str,
    config: &TrainConfig,
    data: &Dataset,
    interrupts: usize,
) -> Result<Finished> {
    let folder = RunFolder::create(parent, Some(name), "")?;
    folder.write_json(
        "config.json",
        &RunRecord::new(config, &data.provenance, "CPU".into(), "test".into()),
    )?;
    for attempt in 0.. {
        let interrupt = AtomicBool::new(attempt < interrupts);
        let outcome = train(&Request {
            config,
            data,
            device: &Device::Cpu,
            folder: &folder,
            interrupt: &interrupt,
        })?;
        if let Outcome::Finished(summary) = outcome {
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

#[test]
fn a_run_learns_and_leaves_all_its_files() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let Finished { folder, summary } = run(parent.path(), "run", &config()?, &dataset()?, 0)?;
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
            summary.figures[name].interval.is_some(),
            "{name} has no interval"
        );
    }
    assert!(summary.figures["roc_auc"].value > 0.9, "{summary}");
    let model = Model::load(folder.best(), &Device::Cpu)?;
    assert_eq!(model.threshold.map(|t| t.value), Some(summary.threshold));
    Ok(())
}

#[test]
fn an_interrupted_run_ends_with_the_weights_of_one_never_interrupted() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let (config, data) = (config()?, dataset()?);
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
    let (config, data) = (config()?, dataset()?);
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
    let grey = |set: ImageSet| {
        let names = set.classes.clone();
        ImageSet::new(6, 8, 1, vec![90; set.len() * 48], set.labels, names)
    };
    let data = dataset()?;
    let data = Dataset {
        train: grey(data.train)?,
        test: grey(data.test)?,
        ..data
    };
    let config = TrainConfig {
        epochs: 1,
        tower: TowerConfig {
            dropout: 0.0,
            ..config()?.tower
        },
        augment: AugmentConfig::default(),
        ..config()?
    };
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
    let mut config = config()?;
    config.epochs = 20;
    config.stopping.patience = 2;
    config.stopping.min_delta = 10.0; // no progress is ever enough
    config.stopping.monitor = Monitor::Auc;
    let data = dataset()?;
    let finished = run(parent.path(), "stop", &config, &data, 0)?;
    assert_eq!(
        (finished.summary.epochs, finished.summary.best_epoch),
        (3, 1)
    );
    let interrupt = AtomicBool::new(false);
    let folder = RunFolder::open(finished.folder.path())?;
    let again = train(&Request {
        config: &config,
        data: &data,
        device: &Device::Cpu,
        folder: &folder,
        interrupt: &interrupt,
    })?;
    let Outcome::Finished(again) = again else {
        panic!("interrupted")
    };
    assert_eq!(again.epochs, 3);
    Ok(())
}

#[test]
fn images_of_another_size_are_an_error_that_names_both() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let config = TrainConfig::cifar100("default")?;
    let error = run(parent.path(), "size", &config, &dataset()?, 0)
        .err()
        .context("no error")?;
    let message = format!("{error:#}");
    assert!(
        message.contains("6x8x1") && message.contains("32x32x3"),
        "{message}"
    );
    Ok(())
}
