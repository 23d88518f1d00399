//! Runs that start from weights trained before, with a part of the tower frozen.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, which clippy cannot know

mod support;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use candle_core::{Device, Tensor};
use siamese_train::{Event, Outcome, Request, RunFolder, RunRecord, TrainConfig, check, train};

use support::{assert_same_bits, config, data, run, tensors};

/// The tensors of the frozen first stage in a model file.
fn first_stage(of: &HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    let is_frozen = |name: &&String| {
        ["tower.backbone.0.", "tower.backbone.1."]
            .iter()
            .any(|stage| name.starts_with(stage))
    };
    let tensors = of.iter().filter(|(name, _)| is_frozen(name));
    tensors.map(|(n, t)| (n.clone(), t.clone())).collect()
}

#[test]
fn a_run_with_a_frozen_part_is_interrupted_without_a_trace() -> Result<()> {
    let (parent, data) = (tempfile::tempdir()?, data()?);
    // with and without an augmentation, which what is kept of the frozen part cannot have
    for padding in ["0", "1"] {
        let settings = [
            ("tower.frozen", "stage1"),
            ("augment.crop_padding", padding),
            ("optimizer.rates", "{ backbone = 0.5, head = 2.0 }"),
            ("weight_average", "0.9"),
        ];
        let config = config(&settings)?;
        let name = |what: &str| format!("{what}-{padding}");
        let whole = run(parent.path(), &name("whole"), &config, &data, 0)?;
        let pieces = run(parent.path(), &name("pieces"), &config, &data, 25)?;
        for file in [RunFolder::last, RunFolder::best] {
            assert_same_bits(
                &tensors(&file(&whole.folder))?,
                &tensors(&file(&pieces.folder))?,
            )?;
        }
        let state = tensors(&whole.folder.last())?;
        let moments = state.keys().filter(|name| name.starts_with("optimizer"));
        assert!(
            moments
                .into_iter()
                .all(|name| !name.contains("backbone.0.")),
            "what is frozen is in the optimizer"
        );
    }
    Ok(())
}

#[test]
fn weights_trained_before_are_started_from_and_the_frozen_ones_stay() -> Result<()> {
    let (parent, data) = (tempfile::tempdir()?, data()?);
    let before = run(parent.path(), "before", &config(&[])?, &data, 0)?;
    let weights = before.folder.best().to_string_lossy().into_owned();
    let settings = [
        ("tower.pretrained", weights.as_str()),
        ("tower.frozen", "stage1"),
        ("tower.embedding", "6"),
        ("seed", "9"),
    ];
    let (told, folder) = told(parent.path(), &config(&settings)?)?;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("taken 12, fresh 0, misshapen [\"head.bias\", \"head.weight\"]"),
        "{told:?}"
    );
    assert!(told[1].contains("40 images"), "{told:?}");
    let (then, now) = (tensors(&before.folder.best())?, tensors(&folder.best())?);
    let (then, now) = (first_stage(&then), first_stage(&now));
    assert_eq!(then.len(), 6);
    assert_same_bits(&then, &now)
}

const WHITENED: [(&str, &str); 5] = [
    ("whiten", "1.0"),
    ("tower.frozen", "body"),
    ("tower.embedding", "16"),
    ("augment.crop_padding", "0"),
    ("weight_average", "0.9"),
];

#[test]
fn a_run_starts_from_a_whitening_of_what_is_frozen_and_is_interrupted_without_a_trace() -> Result<()>
{
    let (parent, data) = (tempfile::tempdir()?, data()?);
    let still = [&WHITENED[..], &[("optimizer.rates", "{ head = 0.0 }")]].concat();
    for (name, settings, moves) in [("still", &still[..], false), ("moving", &WHITENED, true)] {
        let config = config(settings)?;
        let whole = run(parent.path(), name, &config, &data, 0)?;
        let pieces = run(parent.path(), &format!("{name}-pieces"), &config, &data, 25)?;
        let (best, other) = (
            tensors(&whole.folder.best())?,
            tensors(&pieces.folder.best())?,
        );
        assert_same_bits(&best, &other)?;
        // the whitening's map is a lower triangle; nothing else draws one, and a step fills it
        let weight = best["tower.head.weight"].to_vec2::<f32>()?;
        let above = (0..16).flat_map(|i| (i + 1..16).map(move |j| (i, j)));
        let is_triangle = above.into_iter().all(|(i, j)| weight[i][j] == 0.0);
        assert_eq!(is_triangle, !moves, "{name}");
        assert!((0..16).all(|i| weight[i][i] > 0.0), "{name}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_whitened_is_refused_by_name() -> Result<()> {
    for (key, value, word) in [
        ("tower.frozen", "stage1", "tower.frozen"),
        ("tower.embedding", "8", "tower.embedding to 16"),
        ("augment.flip", "true", "augment"),
        ("data.turned", "mirrored", "data.turned"),
    ] {
        let settings = [&WHITENED[..], &[(key, value)]].concat();
        let error = check(&config(&settings)?, &data()?, &Device::Cpu).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    Ok(())
}

/// Trains, and what was told of weights and of what is frozen.
fn told(parent: &std::path::Path, config: &TrainConfig) -> Result<(Vec<String>, RunFolder)> {
    let (data, told) = (data()?, Mutex::new(Vec::new()));
    let record = RunRecord::new(config, &data.about, "CPU".into(), "test".into());
    let folder = RunFolder::begin(parent, Some("after"), &record)?;
    let tell = |line: String| told.lock().unwrap().push(line);
    let outcome = train(&Request {
        config,
        data: &data,
        device: &Device::Cpu,
        folder: &folder,
        workers: 1,
        checkpoint_every: Duration::from_secs(60),
        interrupt: &AtomicBool::new(false),
        observe: &|event: &Event| match event {
            Event::Pretrained { loaded, .. } => tell(format!(
                "taken {}, fresh {}, misshapen {:?}",
                loaded.taken.len(),
                loaded.fresh.len(),
                loaded.misshapen
            )),
            Event::Freezing { images } => tell(format!("{images} images")),
            _ => {}
        },
    })?;
    assert!(matches!(outcome, Outcome::Finished(_)));
    Ok((told.into_inner().unwrap(), folder))
}
