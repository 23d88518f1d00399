//! What is said of labelled images that were judged: notes, and a page.

use std::collections::HashSet;

use anyhow::Result;
use siamese_data::ImageSet;
use siamese_evaluate::Evaluation;
use siamese_report::{Banner, RunReport, SetFigures};
use siamese_words::counted;

use super::Arguments;
use super::material::Material;

/// What each set is, and what to know of its figures.
pub(super) fn set_notes(material: &Material, judged: &[Evaluation]) -> Vec<String> {
    let mut notes = Vec::new();
    for (set, evaluation) in material.sets.iter().zip(judged) {
        let (name, images) = (set.name, &set.images);
        let of = if name.is_empty() { "" } else { " of " };
        notes.push(format!(
            "{} of {}{of}{name}, {}; 95 % intervals by bootstrap over classes",
            evaluation.judged.counted(),
            counted(images.len(), "image"),
            counted(class_count(images), "class")
        ));
        let named = |note: &String| match name {
            "" => note.clone(),
            name => format!("{name}: {note}"),
        };
        notes.extend(evaluation.notes.iter().map(named));
    }
    if material.sets.len() > 1 {
        notes.push("retrieval and kNN among more classes are harder: compare verification".into());
    }
    notes
}

/// Classes that have images.
fn class_count(images: &ImageSet) -> usize {
    images.labels.iter().collect::<HashSet<_>>().len()
}

/// The page on what was judged.
pub(super) fn report(
    arguments: &Arguments,
    material: &Material,
    judged: &[Evaluation],
) -> Result<RunReport> {
    let (set, images) = (material.sets[0].name, &material.sets[0].images);
    let classes = match set {
        "" => counted(class_count(images), "class"),
        set => format!("{} {set}", class_count(images)),
    };
    let mut notes = set_notes(material, judged);
    notes.extend(material.notes.iter().cloned());
    let mut report = RunReport {
        name: arguments.model_name()?,
        judged_on: material.title.clone(),
        data: format!("{} of {classes}", counted(images.len(), "image")),
        banners: if material.sample {
            vec![Banner::bundled_sample()]
        } else {
            Vec::new()
        },
        figures_note: notes.join("; "),
        ..Default::default()
    };
    judged[0].fill(&mut report, images)?;
    let sets = material.sets.iter().zip(judged);
    report.figures = sets
        .map(|(set, evaluation)| SetFigures::on(set.name, evaluation.figures.clone()))
        .collect();
    Ok(report)
}
