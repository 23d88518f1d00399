//! What becomes of a run whose process, files or numbers failed.

mod support;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};
use candle_core::Device;
use siamese_data::{ImageSet, Part};
use siamese_train::{
    Event, OnNan, Outcome, Request, RunFolder, RunRecord, TrainConfig, TrainingData, check, train,
};
use tempfile::TempDir;

use support::{assert_same_bits, config, data, data_of, go_on, images, run, tensors};

/// Steps of an epoch of the small configuration.
const EPOCH: usize = 10;

/// A run that was interrupted after this many steps, in a folder of its own.
fn interrupted(steps: usize) -> Result<(TempDir, RunFolder)> {
    let parent = tempfile::tempdir()?;
    let folder = started(parent.path(), &config(&[])?)?;
    for _ in 0..steps {
        go_on(&folder, &config(&[])?, &data()?, true)?;
    }
    Ok((parent, folder))
}

fn started(parent: &Path, config: &TrainConfig) -> Result<RunFolder> {
    let record = RunRecord::new(config, &data()?.about, "CPU".into(), "test".into());
    let folder = RunFolder::begin(parent, Some("run"), &record)?;
    Ok(folder)
}

/// Goes on to the end; the warnings on the way.
fn warned(folder: &RunFolder) -> Result<Vec<String>> {
    let warnings = RefCell::new(Vec::new());
    let warn = |event: &Event| {
        if let Event::Warning(text) = event {
            warnings.borrow_mut().push(text.to_string());
        }
    };
    let outcome = train(&Request {
        config: &config(&[])?,
        data: &data()?,
        device: &Device::Cpu,
        folder,
        workers: 1,
        checkpoint_every: Duration::from_secs(60),
        interrupt: &AtomicBool::new(false),
        observe: &warn,
    })?;
    assert!(matches!(outcome, Outcome::Finished(_)));
    Ok(warnings.into_inner())
}

/// Why a run does not go on.
fn refusal(folder: &RunFolder, config: &TrainConfig) -> Result<String> {
    let error = go_on(folder, config, &data()?, false).err();
    Ok(format!("{:#}", error.context("it went on")?))
}

fn flip_a_bit(path: &Path) -> Result<()> {
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() * 2 / 3;
    bytes[middle] ^= 4;
    Ok(fs::write(path, bytes)?)
}

/// How often a curve has a point in all the event files of a folder.
fn points(folder: &RunFolder, tag: &str) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder.path())? {
        let path = entry?.path();
        if path.to_string_lossy().contains("tfevents") {
            let bytes = fs::read(path)?;
            let found = bytes.windows(tag.len()).filter(|w| *w == tag.as_bytes());
            count += found.count();
        }
    }
    Ok(count)
}

fn assert_whole(folder: &RunFolder) -> Result<()> {
    let parent = tempfile::tempdir()?;
    let whole = run(parent.path(), "whole", &config(&[])?, &data()?, 0)?;
    for file in [RunFolder::last, RunFolder::best] {
        assert_same_bits(&tensors(&file(&whole.folder))?, &tensors(&file(folder))?)?;
    }
    let epochs: Vec<usize> = folder.epochs()?.iter().map(|row| row.epoch).collect();
    assert_eq!(epochs, [1, 2, 3]);
    for tag in ["validation/roc_auc", "loss/train", "learning_rate"] {
        assert_eq!(points(folder, tag)?, 3, "{tag}");
    }
    Ok(())
}

#[test]
fn a_damaged_or_missing_checkpoint_is_said_and_the_one_before_used() -> Result<()> {
    for damage in [flip_a_bit, |path: &Path| Ok(fs::remove_file(path)?)] {
        let (_parent, folder) = interrupted(EPOCH + 2)?;
        damage(&folder.last())?;
        let warnings = warned(&folder)?;
        assert!(
            warnings.len() == 1 && warnings[0].contains("last.safetensors is"),
            "{warnings:?}"
        );
        assert!(
            warnings[0].contains("in epoch 2 after batch 2"),
            "{warnings:?}"
        );
        assert_whole(&folder)?;
    }
    Ok(())
}

#[test]
fn without_a_whole_checkpoint_a_run_that_was_trained_does_not_start_again() -> Result<()> {
    let (_parent, folder) = interrupted(EPOCH + 2)?;
    flip_a_bit(&folder.last())?;
    flip_a_bit(&folder.previous())?;
    let refused = refusal(&folder, &config(&[])?)?;
    assert!(
        refused.contains("damaged") && refused.contains("previous"),
        "{refused}"
    );
    fs::remove_file(folder.last())?;
    fs::remove_file(folder.previous())?;
    let refused = refusal(&folder, &config(&[])?)?;
    assert!(
        refused.contains("metrics.jsonl says that it was trained"),
        "{refused}"
    );
    Ok(())
}

#[test]
fn what_was_written_beyond_the_checkpoint_is_written_once() -> Result<()> {
    let (_parent, folder) = interrupted(EPOCH + 3)?;
    let checkpoint = fs::read(folder.last())?;
    assert!(warned(&folder)?.is_empty());
    // as if all that came after the checkpoint had been written, but no checkpoint
    for torn in ["", "{\"epoch\":4,\"train_lo"] {
        fs::write(folder.last(), &checkpoint)?;
        let rows = fs::read_to_string(folder.file("metrics.jsonl"))?;
        fs::write(folder.file("metrics.jsonl"), rows + torn)?;
        folder.write(".report.html.99.partial", b"half")?;
        assert!(warned(&folder)?.is_empty());
        assert_whole(&folder)?;
        assert!(!folder.file(".report.html.99.partial").exists());
    }
    Ok(())
}

#[test]
fn a_run_killed_between_its_first_row_and_the_checkpoint_goes_on() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let folder = started(parent.path(), &config(&[])?)?;
    go_on(&folder, &config(&[])?, &data()?, true)?;
    let first = fs::read(folder.previous())?;
    assert!(warned(&folder)?.is_empty());
    fs::write(folder.last(), first)?;
    fs::remove_file(folder.previous())?;
    assert!(warned(&folder)?.is_empty());
    assert_whole(&folder)
}

#[test]
fn one_process_trains_in_a_folder() -> Result<()> {
    let (_parent, folder) = interrupted(1)?;
    let claim = RunFolder::open(folder.path())?.claim()?;
    let refused = refusal(&folder, &config(&[])?)?;
    assert!(refused.contains("another process is training"), "{refused}");
    drop(claim);
    go_on(&folder, &config(&[])?, &data()?, true)?;
    Ok(())
}

#[test]
fn another_run_than_the_checkpoints_is_refused_by_name_at_the_start() -> Result<()> {
    let (_parent, folder) = interrupted(EPOCH + 1)?;
    for (key, value) in [
        ("seed", "1"),
        ("objective.margin", "0.5"),
        ("tower.embedding", "4"),
        ("clip_norm", "1.0"),
    ] {
        let refused = refusal(&folder, &config(&[(key, value)])?)?;
        assert!(refused.contains(&format!("{key} is {value}")), "{refused}");
    }
    go_on(&folder, &config(&[("epochs", "9")])?, &data()?, true)?;

    let best = fs::read(folder.best())?;
    flip_a_bit(&folder.best())?;
    let refused = refusal(&folder, &config(&[])?)?;
    assert!(
        refused.contains("best.safetensors was the model of epoch 1"),
        "{refused}"
    );
    fs::remove_file(folder.best())?;
    let refused = refusal(&folder, &config(&[])?)?;
    assert!(refused.contains("best.safetensors"), "{refused}");
    fs::write(folder.best(), best)?;

    fs::write(folder.file("metrics.jsonl"), "")?;
    let refused = refusal(&folder, &config(&[])?)?;
    assert!(refused.contains("metrics.jsonl:1"), "{refused}");
    Ok(())
}

#[test]
fn a_run_that_had_ended_goes_on_with_more_patience() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let with = |patience| {
        let never = ("stopping.min_delta", "10.0");
        config(&[("epochs", "5"), never, ("stopping.patience", patience)])
    };
    let ended = run(parent.path(), "run", &with("1")?, &data()?, 0)?;
    assert_eq!(ended.summary.epochs, 2);
    let Outcome::Finished(summary) = go_on(&ended.folder, &with("2")?, &data()?, false)? else {
        panic!("it did not finish")
    };
    assert_eq!(summary.epochs, 3);
    Ok(())
}

#[test]
fn settings_that_make_no_run_are_refused_before_there_is_a_folder() -> Result<()> {
    let data = data()?;
    for (settings, named) in [
        (
            vec![
                ("objective.kind", "normalized_softmax"),
                ("stopping.monitor", "loss"),
            ],
            "monitor",
        ),
        (vec![("tower.input.height", "7")], "7x8x1"),
        (vec![("data.refit", "true")], "--refit"),
        (vec![("tower.input.std", "[0.0]")], "deviations"),
        (vec![("augment.crop_padding", "6")], "crop_padding"),
        (vec![("optimizer.weight_decay", "-1.0")], "weight decay"),
    ] {
        let checked = config(&settings).and_then(|config| check(&config, &data, &Device::Cpu));
        let error = checked.map(drop).unwrap_err();
        assert!(format!("{error:#}").contains(named), "{error:#}");
    }
    assert!(check(&config(&[])?, &data, &Device::Cpu).is_ok());
    Ok(())
}

/// Settings whose weights grow by a factor of `growth` in each step, until their squares are no numbers.
fn growing(growth: f64) -> Result<TrainConfig> {
    let decay = format!("{:?}", (growth + 1.0) / 1e-2);
    config(&[
        ("optimizer.weight_decay", &decay),
        ("schedule", "{ kind = 'constant' }"),
        ("epochs", "20"),
    ])
}

#[test]
fn a_training_that_diverges_stops_at_its_step_and_its_best_model_is_judged() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let config = growing(10.0)?;
    let folder = started(parent.path(), &config)?;
    let Outcome::Diverged { reason, summary } = go_on(&folder, &config, &data()?, false)? else {
        panic!("it did not diverge")
    };
    for words in [
        "step ",
        "epoch ",
        "batch ",
        "bar ",
        "clip_norm",
        "learning_rate",
        "config.json",
    ] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    assert!(summary.best_epoch >= 1 && !summary.figures.is_empty());
    assert!(fs::read_to_string(folder.file("report.html"))?.contains("Diverged"));
    let rows = fs::read_to_string(folder.file("metrics.jsonl"))?;
    assert!(!rows.is_empty() && !rows.contains("null"), "{rows}");
    let kept = fs::read_to_string(folder.file("diverged.json"))?;
    assert!(kept.matches("\"index\"").count() >= 6, "{kept}");
    for (name, tensor) in tensors(&folder.last())? {
        let sum = tensor.to_dtype(candle_core::DType::F64)?.sum_all()?;
        assert!(sum.to_scalar::<f64>()?.is_finite(), "{name}");
    }
    Ok(())
}

/// Images of which one of those trained on is too bright to be squared, once it is normalised by [`DIM`].
fn one_too_bright(config: &TrainConfig) -> Result<TrainingData> {
    let mut pixels = Vec::new();
    let images = images()?;
    let bright = data()?.divide(&config.data, config.seed)?.part(Part::Train)[0];
    for i in 0..images.len() {
        let dim = images.image(i)?.iter().map(|p| p / 64).collect();
        pixels.extend(match i == bright as usize {
            true => vec![255; images.image_len()],
            false => dim,
        });
    }
    let labels = images.labels.to_vec();
    let names = images.classes.to_vec();
    Ok(data_of(ImageSet::new(6, 8, 1, pixels, labels, names)?))
}

const DIM: [(&str, &str); 2] = [
    ("tower.input.mean", "[0.0]"),
    ("tower.input.std", "[1e-19]"),
];

#[test]
fn steps_that_are_no_numbers_are_skipped_counted_and_shown_where_that_is_asked_for() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let [mean, std] = DIM;
    let skipping = config(&[mean, std, ("on_nan", "skip")])?;
    let data = one_too_bright(&skipping)?;
    let whole = run(parent.path(), "whole", &skipping, &data, 0)?;
    let count = whole.summary.skipped_steps;
    assert!((1..30).contains(&count), "{count}");
    assert!(whole.summary.to_string().contains("steps were skipped"));
    let rows = whole.folder.epochs()?;
    assert_eq!(
        rows.iter().map(|row| row.skipped_steps).sum::<usize>(),
        count
    );
    let kept = fs::read_to_string(whole.folder.file("diverged.json"))?;
    assert!(kept.contains("diverged.png"), "{kept}");
    let sheet = image::open(whole.folder.file("diverged.png"))?.to_luma8();
    assert_eq!((sheet.width() % 8, sheet.height() % 6), (0, 0));
    let bright = sheet.pixels().filter(|pixel| pixel.0[0] == 255).count();
    assert!(
        bright >= 5 * 7,
        "{bright} pixels of the image that is too bright"
    );

    let parts = run(parent.path(), "parts", &skipping, &data, 30)?;
    assert_eq!(parts.summary.skipped_steps, count);
    for file in [RunFolder::last, RunFolder::best] {
        assert_same_bits(
            &tensors(&file(&whole.folder))?,
            &tensors(&file(&parts.folder))?,
        )?;
    }
    let stopping = config(&[mean, std])?;
    let record = RunRecord::new(&stopping, &data.about, "CPU".into(), "test".into());
    let folder = RunFolder::begin(parent.path(), Some("stops"), &record)?;
    let error = go_on(&folder, &stopping, &data, false)
        .err()
        .context("it went on")?;
    assert!(format!("{error:#}").contains("--on-nan skip"), "{error:#}");
    assert!(folder.file("diverged.png").exists());
    Ok(())
}

#[test]
fn too_many_skipped_steps_in_a_row_end_a_training() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let mut config = growing(10.0)?;
    config.on_nan = OnNan::Skip;
    let folder = started(parent.path(), &config)?;
    let Outcome::Diverged { reason, summary } = go_on(&folder, &config, &data()?, false)? else {
        panic!("it did not diverge")
    };
    assert!(reason.contains("steps in a row"), "{reason}");
    assert!(summary.skipped_steps >= 10, "{}", summary.skipped_steps);
    Ok(())
}

#[test]
fn a_training_that_diverges_at_once_leaves_its_name_to_the_corrected_one() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let config = growing(5e3)?;
    let folder = started(parent.path(), &config)?;
    let refused = refusal(&folder, &config)?;
    assert!(refused.contains("diverged"), "{refused}");
    let again = started(parent.path(), &config)?;
    assert!(!again.file("split.csv").exists());
    Ok(())
}
