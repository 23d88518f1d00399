//! Embeddings from an `.npz`.

use std::path::Path;

use anyhow::{Result, ensure};
use siamese_core::metrics::npz::read_npz;
use siamese_core::metrics::verification::Target;
use siamese_evaluate::{EvaluateConfig, evaluate_table, few_shot_figures};

use super::Arguments;
use super::options::ClassList;
use super::output::{Column, Results, ShownThreshold};

/// Judges the embeddings in `file`.
pub(super) fn judge(arguments: &Arguments, file: &Path) -> Result<Results> {
    let few_shot = &arguments.few_shot;
    ensure!(
        few_shot.classes().is_none_or(|list| list == ClassList::All),
        "an .npz has no class names to choose by: use --few-shot all"
    );
    let table = read_npz(file)?;
    let distance = arguments.what.distance.unwrap_or_default();
    let target = arguments
        .threshold
        .threshold_at
        .map_or(Target::BestAccuracy, |target| target.0);
    let config = EvaluateConfig {
        pairs: arguments.pairs,
        seed: arguments.seed,
    };
    let judged = evaluate_table(&table, distance, target, &config)?;
    let mut figures = judged.figures;
    let mut notes = vec!["verification is reported on the other half of each label".to_string()];
    if let Some(episodes) = few_shot.episodes(arguments.seed) {
        let set = table.embeddings.view()?;
        figures.extend(few_shot_figures(&set, distance, &episodes)?);
        notes.push(super::set::episode_note(&episodes));
    }
    Ok(Results {
        columns: vec![Column {
            name: String::new(),
            figures,
        }],
        threshold: Some(ShownThreshold {
            value: judged.threshold.value.into(),
            target: siamese_evaluate::target_in_words(target),
            fitted_on: format!(
                "{} pairs of half of the embeddings of each label",
                judged.threshold.pairs
            ),
        }),
        notes,
    })
}
