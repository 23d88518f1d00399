//! Whole runs on a small synthetic data set: files, exact resume, collapse, early stopping.

mod support;

use anyhow::{Context, Result};
use candle_core::Device;
use siamese_core::Model;
use siamese_core::metrics::find;
use siamese_data::ImageSet;
use siamese_train::{Outcome, RunFolder, TrainConfig};

use support::{
    Finished, assert_same_bits, config, data, data_of, go_on, images, run, tensors, value,
};

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
    let recipes: [&[(&str, &str)]; 9] = [
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
        &[
            (
                "head",
                "{ kind = 'comparison', combine = ['squared_difference', 'product'], hidden = [12] }",
            ),
            (
                "objective",
                "{ kind = 'same_different', pairs = 'in_batch' }",
            ),
            ("sampler", "{ kind = 'per_class', classes = 4, images = 5 }"),
            ("weight_average", "0.9"),
        ],
        &[
            ("head", "{ kind = 'comparison' }"),
            (
                "objective",
                "{ kind = 'same_different', pairs = 'sampled', label_smoothing = 0.05 }",
            ),
            ("tower.normalize", "false"),
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

#[test]
fn turned_images_are_classes_of_their_own_and_a_run_of_them_resumes_to_the_same_bits() -> Result<()>
{
    let parent = tempfile::tempdir()?;
    let softmax = ("objective.kind", "normalized_softmax");
    let config = config(&[softmax, ("data.turned", "mirrored")])?;
    let whole = run(parent.path(), "whole", &config, &data()?, 0)?;
    let pieces = run(parent.path(), "pieces", &config, &data()?, 5)?;
    let weights = tensors(&whole.folder.last())?;
    assert_same_bits(&weights, &tensors(&pieces.folder.last())?)?;
    let proxies = weights.get("objective.proxies").context("no proxies")?;
    assert_eq!(proxies.dims(), [8, 8]);
    // 120 images of 4 classes as they are
    assert!(
        whole
            .summary
            .trained_on
            .contains("240 training images of 8 classes")
    );
    Ok(())
}

#[test]
fn turns_that_the_images_cannot_make_are_refused_by_name() -> Result<()> {
    let config = config(&[("data.turned", "rotations")])?;
    let error = siamese_train::check(&config, &data()?, &Device::Cpu)
        .err()
        .context("no error")?;
    assert!(format!("{error:#}").contains("data.turned"), "{error:#}");
    Ok(())
}
