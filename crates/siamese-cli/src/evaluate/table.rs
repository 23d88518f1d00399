//! Embeddings from an `.npz`.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Error, Result, anyhow, ensure};
use siamese_core::Distance;
use siamese_core::metrics::npz::{EmbeddingFile, EmbeddingTable, read_npz};
use siamese_core::metrics::verification::Target;
use siamese_data::{Looks, looks_of_file};
use siamese_evaluate::{
    AtThreshold, EvaluateConfig, TableEvaluation, evaluate_table, few_shot_figures, target_in_words,
};
use siamese_report::RunReport;
use siamese_words::counted;

use super::Arguments;
use super::options::ClassList;
use super::output::{Column, Results, ShownThreshold};

/// What to do with embeddings that are in something else.
const SAVE: &str = "save embeddings and labels by np.savez(FILE, embeddings=…, labels=…)";

/// Judges the embeddings in `file`.
pub(super) fn judge(arguments: &Arguments, file: &Path) -> Result<Results> {
    let few_shot = &arguments.few_shot;
    ensure!(
        few_shot.classes().is_none_or(|list| list == ClassList::All),
        "an .npz has no class names to choose by: use --few-shot all"
    );
    let table = read_npz(file).map_err(|error| other_file(file).unwrap_or_else(|| error.into()))?;
    let distance = arguments.what.distance.unwrap_or_default();
    judge_rows(
        arguments,
        &table,
        (&file.display().to_string(), distance),
        Vec::new(),
    )
}

/// Judges the embeddings of a table, which is called `name`, with what is to be noted of it beside.
pub(super) fn judge_rows(
    arguments: &Arguments,
    table: &EmbeddingFile,
    (name, distance): (&str, Distance),
    mut notes: Vec<String>,
) -> Result<Results> {
    let few_shot = &arguments.few_shot;
    let target = arguments
        .threshold
        .threshold_at
        .map_or(Target::BestAccuracy, |target| target.0);
    let config = EvaluateConfig {
        pairs: arguments.pairs,
        seed: arguments.seed,
    };
    let judged = evaluate_table(table, distance, target, &config)?;
    notes.insert(0, what(&judged, &table.embeddings));
    if let Some(page) = &arguments.report {
        let notes = notes.iter().chain(&judged.notes).cloned();
        let mut report = RunReport {
            name: name.to_string(),
            data: format!("{} embeddings", table.embeddings.labels.len()),
            figures_note: notes.collect::<Vec<_>>().join("; "),
            ..Default::default()
        };
        judged.fill(&mut report, table, (distance, arguments.seed))?;
        report.write(page)?;
    }
    let at_threshold = match judged.at_threshold {
        Ok(at) => Some(at),
        Err(error) if arguments.threshold.threshold_at.is_some() => return Err(error),
        Err(error) => {
            notes.push(format!("no figures at a threshold: {error:#}"));
            None
        }
    };
    notes.extend(at_threshold.as_ref().map(half_note));
    notes.extend(judged.notes);
    let mut figures = judged.figures;
    if let Some(episodes) = few_shot.episodes(arguments.seed) {
        let set = table.embeddings.view()?;
        figures.extend(few_shot_figures(&set, &distance.into(), &episodes)?);
        notes.push(super::set::episode_note(&episodes));
    }
    let threshold = at_threshold.as_ref().map(|at| ShownThreshold {
        value: at.threshold.value.into(),
        target: target_in_words(target),
        fitted_on: format!(
            "{} of half of the embeddings of each label",
            counted(at.threshold.pairs, "pair")
        ),
    });
    Ok(Results {
        columns: vec![Column {
            name: "all embeddings".into(),
            figures,
        }],
        below: at_threshold.map(|at| Column {
            name: "half not fitted on".into(),
            figures: at.figures,
        }),
        pairs: (&judged.judged).into(),
        threshold,
        notes,
    })
}

/// What lies in the place of an `.npz`; `None` where it begins as one.
fn other_file(file: &Path) -> Option<Error> {
    let (found, advice) = match looks_of_file(file) {
        Ok(Looks::Other("a zip archive")) => return None,
        Ok(looks) if looks.is_stand_in() => (looks.in_words(), "fetch the file itself"),
        Ok(looks) => (looks.in_words(), SAVE),
        Err(_) if file.is_dir() => ("a folder", SAVE),
        Err(_) => return None,
    };
    let file = file.display();
    Some(anyhow!(
        "{file} is no .npz: it looks like {found}; {advice}"
    ))
}

/// What the figures that need no threshold are of.
fn what(judged: &TableEvaluation, table: &EmbeddingTable) -> String {
    let labels: HashSet<&u32> = table.labels.iter().collect();
    format!(
        "all embeddings: {} of {} embeddings, {} labels; 95 % intervals by bootstrap over labels",
        judged.judged.counted(),
        table.labels.len(),
        labels.len()
    )
}

fn half_note(at: &AtThreshold) -> String {
    format!(
        "half not fitted on: {}, at the threshold fitted on the other half of each label",
        at.judged.counted()
    )
}
