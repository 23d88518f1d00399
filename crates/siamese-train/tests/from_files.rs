//! Runs from files on disk: lists of pairs, refits, test images that were trained on.

#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use candle_core::Device;
use siamese_core::metrics::find;
use siamese_data::{OpenOptions, Part, Progress, open};
use siamese_train::{
    Draft, Event, Layer, Outcome, Request, RunFolder, RunRecord, Summary, TrainConfig,
    TrainingData, train,
};
use tempfile::TempDir;

/// Writes picture `i` of a class: a bright bar at the class's own place, in noise, 12×16 pixels, as PGM.
fn picture(path: &Path, class: usize, i: usize) {
    let mut noise = (class * 1000 + i) as u32;
    let mut pixels = b"P5 16 12 255\n".to_vec();
    for at in 0..12 * 16 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let bar = at % 16 == class % 16;
        pixels.push((noise >> 26) as u8 + if bar { 150 } else { 40 });
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, pixels).unwrap();
}

/// A tower for pictures as small as these.
const BODY: &str = "{ kind = 'stages', leaky_slope = 0.01, stages = [{ channels = 8, convolutions = 1 }, \
                    { channels = 8, convolutions = 1 }] }";

fn settings(more: &[(&str, &str)]) -> Layer {
    let mut layer = Layer::default();
    let small = [
        ("tower.body", BODY),
        ("tower.embedding", "8"),
        ("epochs", "2"),
        ("learning_rate", "0.01"),
        ("judge.validation_pairs", "200"),
        ("judge.test_pairs", "200"),
    ];
    for (key, value) in small.iter().chain(more) {
        layer.set(key, value).unwrap();
    }
    layer
}

struct Started {
    config: TrainConfig,
    data: TrainingData,
    folder: RunFolder,
    summary: Summary,
}

/// Trains on what lies at `place`, to the end.
fn started(root: &TempDir, place: &Path, more: &[(&str, &str)]) -> Result<Started> {
    let (config, data, folder) = begun(root, place, more)?;
    let summary = trained(&config, &data, &folder)?;
    Ok(Started {
        config,
        data,
        folder,
        summary,
    })
}

/// What a training on what lies at `place` begins with.
fn begun(
    root: &TempDir,
    place: &Path,
    more: &[(&str, &str)],
) -> Result<(TrainConfig, TrainingData, RunFolder)> {
    let options = OpenOptions {
        cache: Some(root.path().join("cache")),
        progress: Progress::Silent,
        ..OpenOptions::default()
    };
    let listing = open(place, &options)?;
    let draft = Draft::new(listing, "here", &settings(more))?;
    let (config, data, problems) = draft.complete(&options)?;
    assert!(problems.is_empty(), "{problems:?}");
    let record = RunRecord::new(&config, &data.about, "CPU".into(), "test".into());
    let folder = RunFolder::begin(root.path(), Some("run"), &record)?;
    Ok((config, data, folder))
}

fn trained(config: &TrainConfig, data: &TrainingData, folder: &RunFolder) -> Result<Summary> {
    let outcome = outcome(config, data, folder)?;
    let Outcome::Finished(summary) = outcome else {
        panic!("{outcome:?}")
    };
    Ok(*summary)
}

fn outcome(config: &TrainConfig, data: &TrainingData, folder: &RunFolder) -> Result<Outcome> {
    train(&Request {
        config,
        data,
        device: &Device::Cpu,
        folder,
        workers: 1,
        checkpoint_every: Duration::from_secs(60),
        interrupt: &AtomicBool::new(false),
        observe: &|_: &Event| {},
    })
}

#[test]
fn a_list_of_pairs_is_trained_on_and_judged_as_pairs() -> Result<()> {
    let root = TempDir::new()?;
    let mut csv = String::from("left,right,same\n");
    for class in 0..30 {
        for i in 0..3 {
            picture(&root.path().join(format!("{class}_{i}.pgm")), class, i);
        }
        csv += &format!("{class}_0.pgm,{class}_1.pgm,1\n{class}_1.pgm,{class}_2.pgm,1\n");
        csv += &format!("{class}_0.pgm,{}_1.pgm,0\n", (class + 7) % 30);
        csv += &format!("{class}_2.pgm,{}_0.pgm,0\n", (class + 11) % 30);
    }
    fs::write(root.path().join("pairs.csv"), csv)?;
    let run = started(&root, &root.path().join("pairs.csv"), &[])?;
    assert!(run.config.objective.to_string().contains("sampled pairs"));
    let divided = run.data.divide(&run.config.data, run.config.seed)?;
    let test = divided.pairs(Part::Test).unwrap();
    assert_eq!(run.summary.test_pairs, test.len());
    assert!(find(&run.summary.figures, "roc_auc").is_some());
    // nothing is known of pairs that nobody listed
    assert!(find(&run.summary.figures, "recall_at_1").is_none());
    Ok(())
}

#[test]
fn pairs_are_not_learned_from_by_a_loss_of_classes() -> Result<()> {
    let root = TempDir::new()?;
    let mut csv = String::from("left,right,same\n");
    for class in 0..30 {
        (0..2).for_each(|i| picture(&root.path().join(format!("{class}_{i}.pgm")), class, i));
        csv += &format!(
            "{class}_0.pgm,{class}_1.pgm,1\n{class}_0.pgm,{}_1.pgm,0\n",
            (class + 7) % 30
        );
    }
    fs::write(root.path().join("pairs.csv"), csv)?;
    let error = started(
        &root,
        &root.path().join("pairs.csv"),
        &[("objective.kind", "triplet")],
    );
    let error = format!("{:#}", error.err().unwrap());
    assert!(
        error.contains("list of pairs") && error.contains("sampled"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_refit_trains_on_the_test_images_and_says_whose_the_figures_are() -> Result<()> {
    let root = TempDir::new()?;
    for class in 0..12 {
        (0..6).for_each(|i| {
            picture(
                &root.path().join(format!("data/c{class}/{i}.pgm")),
                class,
                i,
            )
        });
    }
    let run = started(&root, &root.path().join("data"), &[])?;
    let record = run.folder.record()?.refit("run".into(), "test".into());
    let folder = RunFolder::begin(root.path(), Some("run-refit"), &record)?;
    let parts = |config: &TrainConfig| -> Result<[Vec<u32>; 3]> {
        let divided = run.data.divide(&config.data, config.seed)?;
        Ok([Part::Train, Part::Validation, Part::Test].map(|part| divided.part(part)))
    };
    let [train, validation, test] = parts(&run.config)?;
    let [again, held_out, none] = parts(&record.config)?;
    assert!(again.len() >= train.len() + test.len() && none.is_empty());
    assert_eq!(held_out, validation);
    let summary = trained(&record.config, &run.data, &folder)?;
    assert_eq!(summary.figures_of.as_deref(), Some("run"));
    assert_eq!(summary.figures, run.folder.summary()?.figures);
    assert!(summary.to_string().contains("figures of run"));
    assert!(folder.file("report.html").is_file());
    Ok(())
}

#[test]
fn test_images_that_were_trained_on_are_counted() -> Result<()> {
    let root = TempDir::new()?;
    for class in 0..4 {
        for i in 0..20 {
            picture(
                &root.path().join(format!("data/train/c{class}/{i}.pgm")),
                class,
                i,
            );
        }
        // all of one class's test images are its training images
        let first = if class == 2 { 0 } else { 50 };
        for i in 0..8 {
            let path = root.path().join(format!("data/test/c{class}/{i}.pgm"));
            picture(&path, class, first + i);
        }
    }
    let run = started(&root, &root.path().join("data"), &[])?;
    // those of the eight that validate were not trained on
    assert!(
        (5..=8).contains(&run.summary.leaked),
        "{}",
        run.summary.leaked
    );
    assert!(
        run.summary
            .to_string()
            .contains("among the training images")
    );
    Ok(())
}

#[test]
fn pictures_may_be_kept_larger_than_the_tower_takes_them() -> Result<()> {
    let root = TempDir::new()?;
    for i in 0..60 {
        let file = format!("set/{}/{i}.pgm", i % 4);
        picture(&root.path().join(file), i % 4, i);
    }
    let size = [
        ("tower.input.height", "8"),
        ("tower.input.width", "10"),
        ("augment.crop_padding", "0"),
    ];
    let larger = [&size[..], &[("augment.cached_size", "[12, 16]")]].concat();
    let set = root.path().join("set");
    let run = started(&root, &set, &larger)?;
    let cached = run.data.cached.as_ref().map(|set| (set.height, set.width));
    assert_eq!(cached, Some((12, 16)));
    assert_eq!((run.data.images.height, run.data.images.width), (8, 10));
    assert!(run.summary.epochs > 0);
    let smaller = [&size[..], &[("augment.cached_size", "[6, 16]")]].concat();
    let error = started(&root, &set, &smaller)
        .err()
        .map(|e| format!("{e:#}"));
    assert!(error.is_some_and(|e| e.contains("augment.cached_size is 6x16")));
    Ok(())
}

#[test]
fn the_pictures_of_a_diverged_batch_are_as_large_as_the_tower_takes_them() -> Result<()> {
    let root = TempDir::new()?;
    for i in 0..60 {
        let file = format!("set/{}/{i}.pgm", i % 4);
        picture(&root.path().join(file), i % 4, i);
    }
    let growing = [
        ("tower.input.height", "8"),
        ("tower.input.width", "10"),
        ("augment.crop_padding", "0"),
        ("augment.cached_size", "[12, 16]"),
        ("optimizer.weight_decay", "1e4"),
        ("schedule", "{ kind = 'constant' }"),
        ("epochs", "20"),
    ];
    let (config, data, folder) = begun(&root, &root.path().join("set"), &growing)?;
    let outcome = outcome(&config, &data, &folder)?;
    assert!(matches!(outcome, Outcome::Diverged { .. }), "{outcome:?}");
    let sheet = image::open(root.path().join("run/diverged.png"))?;
    assert_eq!((sheet.width() % 10, sheet.height() % 8), (0, 0));
    let kept = std::fs::read_to_string(root.path().join("run/diverged.json"))?;
    let (columns, rows) = (sheet.width() / 10, sheet.height() / 8);
    let images = kept.matches("\"index\"").count() as u32;
    assert!(columns * rows >= images && columns * (rows - 1) < images);
    Ok(())
}
