//! Runs without labels: two changed views of each picture are learned from, and judged by.

mod support;

use anyhow::{Context, Result};
use siamese_data::Part;
use siamese_train::{RunFolder, TrainConfig, TrainingData};

use support::{assert_same_bits, data, run, tensors, value};

/// The small configuration without labels, with an objective.
fn config(objective: &str, epochs: &str) -> Result<TrainConfig> {
    support::config(&[
        ("epochs", epochs),
        ("data.unlabelled", "true"),
        (
            "data.split",
            "{ by = 'classes', validation = 0.2, test = 0.2 }",
        ),
        ("objective", objective),
        (
            "sampler",
            "{ kind = 'per_class', classes = 24, images = 2 }",
        ),
        ("augment", "{ jitter = 0.3, crop_padding = 1 }"),
    ])
}

fn pictures() -> Result<TrainingData> {
    Ok(data()?.in_two_views())
}

#[test]
fn every_picture_is_two_images_of_a_class_of_its_own() -> Result<()> {
    let (before, data) = (data()?, pictures()?);
    assert_eq!(data.images.len(), 2 * before.images.len());
    assert_eq!(data.images.classes.len(), before.images.len());
    assert_eq!(data.images.labels[..4], [0, 0, 1, 1]);
    for i in 0..data.images.len() {
        assert_eq!(data.images.image(i)?, before.images.image(i / 2)?);
    }
    let config = config("{ kind = 'nt_xent' }", "1")?;
    let divided = data.divide(&config.data, config.seed)?;
    for part in [Part::Train, Part::Validation, Part::Test] {
        let indices = divided.part(part);
        assert!(!indices.is_empty());
        assert!(
            indices
                .chunks(2)
                .all(|views| views[0] + 1 == views[1] && views[0] % 2 == 0)
        );
    }
    assert!(divided.part(Part::SeenTest).is_empty());
    Ok(())
}

#[test]
fn what_is_judged_are_other_views_and_the_same_ones_every_time() -> Result<()> {
    let (data, config) = (pictures()?, config("{ kind = 'nt_xent' }", "1")?);
    let divided = data.divide(&config.data, config.seed)?;
    let set = || Ok::<_, anyhow::Error>(divided.tests(&data, &config)?.swap_remove(0));
    let (one, again) = (set()?, set()?);
    assert_eq!(one.images.len(), divided.part(Part::Test).len());
    for i in (0..one.images.len()).step_by(2) {
        assert_ne!(one.images.image(i)?, one.images.image(i + 1)?, "{i}");
        assert_eq!(one.images.image(i)?, again.images.image(i)?, "{i}");
        assert_eq!(one.images.labels[i], one.images.labels[i + 1]);
        assert_eq!(one.names[i], one.names[i + 1]);
    }
    Ok(())
}

#[test]
fn a_picture_is_known_again_by_its_other_view_and_an_interrupt_changes_nothing() -> Result<()> {
    let (parent, data) = (tempfile::tempdir()?, pictures()?);
    for (kind, least) in [("nt_xent", 0.75), ("sim_siam", 0.7)] {
        let config = config(&format!("{{ kind = '{kind}' }}"), "8")?;
        let whole = run(parent.path(), &format!("{kind}-whole"), &config, &data, 0)?;
        let pieces = run(parent.path(), &format!("{kind}-pieces"), &config, &data, 5)?;
        assert_same_bits(
            &tensors(&RunFolder::last(&whole.folder))?,
            &tensors(&RunFolder::last(&pieces.folder))?,
        )
        .context(kind)?;
        let auc = value(&whole.summary, "roc_auc");
        assert!(auc > least, "{kind}: {auc}");
        assert!(whole.summary.trained_on.contains("without labels"));
    }
    Ok(())
}

#[test]
fn what_needs_labels_is_refused_by_name() {
    for (objective, word) in [
        ("{ kind = 'proxy_anchor' }", "proxy-anchor"),
        (
            "{ kind = 'sum', terms = [{ kind = 'nt_xent' }, { kind = 'center' }] }",
            "centre loss",
        ),
    ] {
        let error = config(objective, "1").unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("nt_xent"), "{error}");
    }
}
