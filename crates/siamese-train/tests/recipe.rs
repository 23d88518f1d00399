//! Images that grow, Muon, averaged weights with statistics of their own: together, interrupted, and refused.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, which clippy cannot know

mod support;

use anyhow::{Context, Result};
use candle_core::Device;
use siamese_data::ImageSet;
use siamese_train::{RunFolder, TrainConfig, TrainingData};
use support::{assert_same_bits, config, data_of, images, run, tensors, value};

/// The bars at twice their height and width.
fn data() -> Result<TrainingData> {
    data_of_parts(1)
}

/// The same, each class being so many.
fn data_of_parts(parts: usize) -> Result<TrainingData> {
    let small = images()?;
    let mut pixels = Vec::new();
    for i in 0..small.len() {
        let image = small.image(i)?;
        for y in 0..12 {
            pixels.extend((0..16).map(|x| image[(y / 2) * 8 + x / 2]));
        }
    }
    let part = |(i, label): (usize, &u32)| label * parts as u32 + (i / 4 % parts) as u32;
    let labels = small.labels.iter().enumerate().map(part).collect();
    let classes = (0..4 * parts).map(|class| format!("bar {class}")).collect();
    Ok(data_of(ImageSet::new(12, 16, 1, pixels, labels, classes)?))
}

const SUM: &str = "{ kind = 'sum', terms = [{ kind = 'normalized_softmax', label_smoothing = 0.1 }, \
                   { kind = 'contrastive', pairs = 'in_batch', weight = 0.5 }] }";

fn recipe(more: &[(&str, &str)]) -> Result<TrainConfig> {
    let recipe = [
        ("tower.input.height", "12"),
        ("tower.input.width", "16"),
        ("tower.body", "{ kind = 'resnet9', width = 2 }"),
        ("objective", SUM),
        ("sampler", "{ kind = 'per_class', classes = 4, images = 5 }"),
        (
            "optimizer",
            "{ kind = 'muon', newton_schulz = 3, weight_decay = 0.05 }",
        ),
        ("progressive", "[{ until = 0.4, size = [8, 10] }]"),
        ("weight_average", "0.9"),
        ("norm_batches", "3"),
    ];
    config(&[&recipe[..], more].concat())
}

#[test]
fn a_recipe_of_all_of_them_learns_and_resumes_to_the_same_bits() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let (config, data) = (recipe(&[])?, data()?);
    let whole = run(parent.path(), "whole", &config, &data, 0)?;
    let pieces = run(parent.path(), "pieces", &config, &data, 7)?;
    for file in [RunFolder::last, RunFolder::best] {
        let (whole, pieces) = (file(&whole.folder), file(&pieces.folder));
        assert_same_bits(&tensors(&whole)?, &tensors(&pieces)?)?;
    }
    for figure in ["roc_auc", "roc_auc_softmax"] {
        let auc = value(&whole.summary, figure);
        assert!(auc > 0.8, "{figure}: {auc}");
    }
    Ok(())
}

#[test]
fn classes_that_were_not_trained_on_have_no_figures_of_theirs() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let by_classes = "{ by = 'classes', validation = 0.25, test = 0.25 }";
    let sampler = "{ kind = 'per_class', classes = 2, images = 5 }";
    let settings = [
        ("data.split", by_classes),
        ("sampler", sampler),
        ("epochs", "1"),
    ];
    let mut data = data_of_parts(2)?;
    data.published = None;
    let summary = run(parent.path(), "unseen", &recipe(&settings)?, &data, 0)?.summary;
    assert!(value(&summary, "roc_auc").is_finite());
    assert!(value(&summary, "roc_auc_softmax").is_nan());
    Ok(())
}

#[test]
fn statistics_of_their_own_change_the_model_and_not_its_training() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let data = data()?;
    let once = recipe(&[("epochs", "1"), ("norm_batches", "2")])?;
    let more = recipe(&[("epochs", "1"), ("norm_batches", "5")])?;
    let once = run(parent.path(), "once", &once, &data, 0)?;
    let more = run(parent.path(), "more", &more, &data, 0)?;
    assert_same_bits(
        &tensors(&once.folder.last())?,
        &tensors(&more.folder.last())?,
    )?;
    let (once, more) = (tensors(&once.folder.best())?, tensors(&more.folder.best())?);
    let differ = |part: &str| -> Result<bool> {
        let mut names = once.keys().filter(|name| name.contains(part)).peekable();
        names.peek().context("no such tensor")?;
        Ok(names.any(|name| {
            let values =
                |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            values(&once[name]) != values(&more[name])
        }))
    };
    assert!(differ("running_mean")? && !differ("conv.weight")?);
    Ok(())
}

#[test]
fn a_tower_of_one_size_does_not_grow_and_says_which_would() -> Result<()> {
    let stages = "{ kind = 'stages', stages = [{ channels = 4, convolutions = 1 }] }";
    let error = siamese_train::check(&recipe(&[("tower.body", stages)])?, &data()?, &Device::Cpu);
    let error = format!("{:#}", error.err().context("no error")?);
    assert!(
        error.contains("progressive") && error.contains("resnet9"),
        "{error}"
    );
    let frozen = recipe(&[("tower.frozen", "'stem'")]);
    let error = format!("{:#}", frozen.err().context("no error")?);
    assert!(error.contains("tower.frozen"), "{error}");
    Ok(())
}
