//! Readers of what runs and galleries leave behind, with files that they read.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use siamese_core::candle::Device;
use siamese_data::{OpenOptions, Progress};
use siamese_gallery::{About, Entry, Filter, Gallery};
use siamese_report::EventWriter;
use siamese_train::{
    Draft, Layer, Request, RunFolder, RunRecord, TrainConfig, TrainingData, train,
};

use crate::parsers::{Parser, parser, read, record};
use crate::seeds;

pub(crate) fn runs() -> Vec<Parser> {
    vec![
        parser(
            "rows of a run",
            || Ok(vec![ROWS.to_vec()]),
            |at, bytes| {
                fs::write(at.join("config.json"), "{}")?;
                fs::write(at.join("metrics.jsonl"), bytes)?;
                read(RunFolder::open(at)?.epochs())
            },
        ),
        parser(
            "config.json of a run",
            || Ok(vec![record()?]),
            |at, bytes| {
                fs::write(at.join("config.json"), bytes)?;
                read(RunFolder::open(at)?.record())
            },
        ),
        parser(
            "result.json of a run",
            || Ok(vec![RESULT.to_vec()]),
            |at, bytes| {
                fs::write(at.join("config.json"), "{}")?;
                fs::write(at.join("result.json"), bytes)?;
                read(RunFolder::open(at)?.summary())
            },
        ),
        Parser {
            prepare: |at| interrupted(at).map(drop),
            ..parser("checkpoints", checkpoints, resumed)
        },
        parser("event files", events, |at, bytes| {
            let file = at.join("events.out.tfevents.1.a");
            fs::write(&file, bytes)?;
            EventWriter::resume(at, u64::from(EVENTS))?;
            let kept = fs::read(&file)?;
            ensure!(kept == bytes, "cut to {} bytes", kept.len());
            Ok(())
        }),
        parser("galleries", galleries, opened),
        Parser {
            prepare: |at| made(at).map(drop),
            ..parser("exported galleries", exports, imported)
        },
    ]
}

const ROWS: &[u8] = b"{\"epoch\": 1, \"train_loss\": 0.5}\n{\"epoch\": 2, \"train_loss\": 0.25}\n";

/// As a run of an epoch wrote it.
const RESULT: &[u8] = br#"{"figures": {"roc_auc": {"value": 0.9, "interval": {"low": 0.8, "high": 1.0}}}, "threshold": 0.5,
    "trained_on": "birds", "sample": false, "best_epoch": 1, "epochs": 1, "seconds": 1.5, "test_pairs": 10, "test_images": 4,
    "seed": 0, "alarm": null}"#;

/// What a run takes; its folder is of the test's.
fn run() -> Result<&'static (TrainConfig, TrainingData, Vec<u8>)> {
    static RUN: OnceLock<(TrainConfig, TrainingData, Vec<u8>)> = OnceLock::new();
    if let Some(run) = RUN.get() {
        return Ok(run);
    }
    let photos = tempfile::tempdir()?;
    for i in 0..32 {
        let class = photos.path().join(format!("photos/{}", i % 4));
        fs::create_dir_all(&class)?;
        seeds::photo(i).save(class.join(format!("{i}.png")))?;
    }
    let mut told = Layer::default();
    for (key, value) in [
        (
            "tower.body",
            "{ kind = 'stages', leaky_slope = 0.01, stages = [{ channels = 8, convolutions = 1 }] }",
        ),
        ("tower.embedding", "4"),
        ("epochs", "2"),
        ("judge.validation_pairs", "40"),
        ("judge.test_pairs", "40"),
    ] {
        told.set(key, value)?;
    }
    let options = OpenOptions {
        cache: Some(photos.path().join("cache")),
        progress: Progress::Silent,
        ..OpenOptions::default()
    };
    let listing = siamese_data::open(photos.path().join("photos"), &options)?;
    let (config, data, problems) = Draft::new(listing, "here", &told)?.complete(&options)?;
    ensure!(problems.is_empty(), "{problems:?}");
    let record = RunRecord::new(&config, &data.about, "CPU".into(), "fuzz".into());
    let record = serde_json::to_vec(&record)?;
    Ok(RUN.get_or_init(|| (config, data, record)))
}

/// The folder at `at` as that of a run which was interrupted after a step, or goes on for one.
fn interrupted(at: &Path) -> Result<RunFolder> {
    let (config, data, record) = run()?;
    fs::write(at.join("config.json"), record)?;
    let folder = RunFolder::open(at)?;
    train(&Request {
        config,
        data,
        device: &Device::Cpu,
        folder: &folder,
        workers: 1,
        checkpoint_every: Duration::from_secs(60),
        interrupt: &AtomicBool::new(true),
        observe: &|_| {},
    })?;
    Ok(folder)
}

fn checkpoints() -> Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    Ok(vec![fs::read(interrupted(folder.path())?.last())?])
}

fn resumed(at: &Path, bytes: &[u8]) -> Result<()> {
    let folder = RunFolder::open(at)?;
    fs::write(folder.last(), bytes)?;
    // one that is whole would be gone on from instead
    let _ = fs::remove_file(folder.previous());
    interrupted(at).map(drop)
}

/// Steps of the event file.
const EVENTS: u8 = 6;

fn events() -> Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    let mut writer = EventWriter::create(folder.path())?;
    for step in 1..=EVENTS {
        writer.scalar("loss/train", u64::from(step), f32::from(step))?;
        writer.histogram("distances", u64::from(step), &[0.5, f32::from(step)])?;
    }
    writer.flush()?;
    Ok(vec![fs::read(writer.path())?])
}

/// A gallery of a few entries in the folder `gallery`.
fn made(at: &Path) -> Result<Gallery> {
    // as a file has it: what later formats add has a default
    let about: About = serde_json::from_value(serde_json::json!({
        "format": 1,
        "version": "0.1.0",
        "model": {
            "place": "model",
            "fingerprint": "0123456789abcdef",
            "dim": 4,
            "distance": "euclidean",
            "threshold": 0.5,
            "calibration": null,
        },
    }))?;
    let place = at.join("gallery");
    let place = place.to_str().context("a folder that is no text")?;
    let mut gallery = Gallery::create_as(place, about)?;
    let entries: Vec<Entry> = (0..8u8).map(entry).collect();
    gallery.add_entries(&entries)?;
    Ok(gallery)
}

fn entry(i: u8) -> Entry {
    Entry {
        class: format!("class {}", i % 3),
        name: format!("{i}.png"),
        source: Some(format!("photos/{i}.png")),
        hash: Some(format!("{i:064}")),
        time: 1_700_000_000,
        data: serde_json::json!({ "page": i }),
        thumbnail: Some(vec![i; 40]),
        embedding: vec![f32::from(i), 0.5, 0.25, 0.125],
    }
}

/// The one file of a gallery.
fn file_of(gallery: &Path) -> Result<std::path::PathBuf> {
    let mut files = fs::read_dir(gallery)?.flatten().map(|entry| entry.path());
    let found = files.find(|path| fs::metadata(path).is_ok_and(|file| file.len() > 0));
    found.context("a gallery without a file")
}

fn galleries() -> Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    drop(made(folder.path())?);
    Ok(vec![fs::read(file_of(&folder.path().join("gallery"))?)?])
}

/// Opens a gallery whose file has these bytes, and looks at all that is in it.
fn opened(_: &Path, bytes: &[u8]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    drop(made(folder.path())?);
    let place = folder.path().join("gallery");
    fs::write(file_of(&place)?, bytes)?;
    let mut gallery = Gallery::open(place.to_str().context("a folder that is no text")?)?;
    gallery.entries(&Filter::default(), |_| Ok(()))?;
    gallery.search(&[1.0, 0.5, 0.25, 0.125], 3, &Filter::default())?;
    gallery.add_entries(&[entry(9)])?;
    let problems = gallery.check()?;
    ensure!(problems.is_empty(), "{problems:?}");
    Ok(())
}

fn exports() -> Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("gallery.jsonl");
    made(folder.path())?.export(&file)?;
    Ok(vec![fs::read(file)?])
}

fn imported(at: &Path, bytes: &[u8]) -> Result<()> {
    let file = at.join("gallery.jsonl");
    fs::write(&file, bytes)?;
    let place = at.join("gallery");
    let mut gallery = Gallery::open(place.to_str().context("a folder that is no text")?)?;
    gallery.remove(&Filter::default())?;
    read(gallery.import(&file, |_| {}))
}
