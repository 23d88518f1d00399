//! Every objective trains: on images that are easily told apart each learns to tell them apart.

mod support;

use anyhow::{Context, Result};
use siamese_core::ObjectiveConfig;
use siamese_train::RunFolder;

use support::{Finished, assert_same_bits, config, data, run, tensors, value};

/// The setting of an objective; regularisers stand beside a loss, as they are meant to.
fn setting(kind: &str) -> String {
    let beside = |other: &str, weight: f64| {
        format!(
            "{{ kind = 'sum', terms = [{{ kind = '{other}' }}, {{ kind = '{kind}', weight = {weight} }}] }}"
        )
    };
    match kind {
        "center" => beside("normalized_softmax", 0.1),
        "uniformity" => beside("cosine_embedding", 0.2),
        "matryoshka" => "{ kind = 'matryoshka', lengths = [3], of = { kind = 'sup_con' } }".into(),
        "sum" => "{ kind = 'sum', terms = [{ kind = 'normalized_softmax' }, \
                  { kind = 'contrastive', pairs = 'in_batch', weight = 4.0 }] }"
            .into(),
        kind => format!("{{ kind = '{kind}' }}"),
    }
}

#[test]
fn every_objective_lowers_its_loss_and_tells_unlike_images_apart() -> Result<()> {
    let (parent, data) = (tempfile::tempdir()?, data()?);
    for kind in ObjectiveConfig::NAMES {
        let sampler = match kind {
            "contrastive" | "same_different" => "{ kind = 'pairs', pairs_per_batch = 10 }",
            _ => "{ kind = 'per_class', classes = 4, images = 5 }",
        };
        let setting = setting(kind);
        let head = match kind {
            "same_different" => "comparison",
            _ => "distance",
        };
        let config = config(&[
            ("epochs", "6"),
            ("head.kind", head),
            ("objective", &setting),
            ("sampler", sampler),
            // the N-pair loss has no temperature: its embeddings have lengths of their own
            (
                "tower.normalize",
                if kind == "n_pairs" { "false" } else { "true" },
            ),
        ])
        .context(kind)?;
        let Finished { folder, summary } = run(parent.path(), kind, &config, &data, 0)?;
        let rows = folder.epochs()?;
        let losses: Vec<f64> = rows.iter().map(|row| row.train_loss).collect();
        assert!(losses[losses.len() - 1] < losses[0], "{kind}: {losses:?}");
        let auc = value(&summary, "roc_auc");
        assert!(auc > 0.9, "{kind}: {auc}");
    }
    Ok(())
}

#[test]
fn an_interrupted_run_in_chunks_goes_on_with_the_memory_that_it_had() -> Result<()> {
    let (parent, data) = (tempfile::tempdir()?, data()?);
    let objective = "{ kind = 'sum', terms = [{ kind = 'sup_con', memory = 50 }, { kind = 'margin', weight = 0.5 }] }";
    let config = config(&[
        ("epochs", "2"),
        ("chunk", "8"),
        ("objective", objective),
        ("sampler", "{ kind = 'per_class', classes = 4, images = 5 }"),
    ])?;
    let whole = run(parent.path(), "whole", &config, &data, 0)?;
    let pieces = run(parent.path(), "pieces", &config, &data, 5)?;
    let last = tensors(&RunFolder::last(&whole.folder))?;
    assert!(last.contains_key("objective.0.memory.embeddings"));
    assert!(
        !last
            .keys()
            .any(|name| name.starts_with("optimizer.") && name.contains("memory"))
    );
    assert_same_bits(&last, &tensors(&RunFolder::last(&pieces.folder))?)
}
