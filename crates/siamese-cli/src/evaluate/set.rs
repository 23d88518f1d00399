//! Labelled images: what a run held out, a data set, or a folder of one's own.

use anyhow::{Context, Result, ensure};
use siamese_core::metrics::npz::{Names, write_npz};
use siamese_core::metrics::verification::Target;
use siamese_core::{Model, Threshold};
use siamese_data::{ImageSet, Part};
use siamese_evaluate::{
    EpisodeConfig, EvaluateConfig, Evaluation, drawn_pairs, few_shot_figures, fit_threshold,
    fitting_pairs, halve_classes, mirrored_figures,
};
use siamese_words::counted;

use super::Arguments;
use super::material::Material;
use super::output::{Column, Results};
use super::set_report::{report, set_notes};

/// Judges the model on a folder, on a data set, or on what its run held out.
pub(super) fn judge(arguments: &Arguments) -> Result<Results> {
    let mut model = arguments.load_model()?;
    let mut material = Material::of(arguments, &model)?;
    let told = arguments.threshold.threshold_at.map(|target| target.0);
    // a backbone that nobody trained further has none
    let missing = model.threshold.is_none().then_some(Target::BestAccuracy);
    if let Some(target) = told.or(missing) {
        model.threshold = Some(fit(arguments, &model, &mut material, target)?);
        arguments.save_model(&model)?;
    }
    let config = EvaluateConfig {
        pairs: arguments.pairs,
        seed: arguments.seed,
    };
    let mut judged = Vec::new();
    for set in &material.sets {
        let mut evaluation = set.judge(&model, &config)?;
        let first = judged.is_empty();
        let played = play_episodes(arguments, (set.name, &set.images), first, &mut evaluation)?;
        if arguments.mirrored {
            let figures = mirrored_figures(&model, &set.images, &evaluation, played.as_ref())?;
            evaluation.figures.extend(figures);
        }
        judged.push(evaluation);
    }
    write_files(arguments, &material, &judged)?;
    let mut notes = set_notes(&material, &judged);
    let pairs = (&judged[0].judged).into();
    let episodes = arguments.few_shot.episodes(arguments.seed);
    notes.extend(episodes.as_ref().map(episode_note));
    notes.append(&mut material.notes);
    let names = material.sets.iter().map(|set| set.name.to_string());
    Ok(Results {
        columns: names
            .zip(judged)
            .map(|(name, Evaluation { figures, .. })| Column { name, figures })
            .collect(),
        below: None,
        pairs,
        threshold: model.threshold.as_ref().map(Into::into),
        notes,
    })
}

/// Writes the report and the embeddings, where they were asked for.
fn write_files(arguments: &Arguments, material: &Material, judged: &[Evaluation]) -> Result<()> {
    if let Some(file) = &arguments.report {
        report(arguments, material, judged)?.write(file)?;
    }
    if let Some(file) = &arguments.export {
        let set = &material.sets[0];
        let table = judged[0].embeddings.table(&set.images.labels)?;
        let names = Names {
            classes: set.images.classes.clone(),
            files: set.names.clone(),
        };
        write_npz(file, &table.view()?, None, &names)?;
    }
    if let Some(folder) = &arguments.projector {
        let shown = judged[0].projector("embeddings", &material.sets[0].images)?;
        shown.write(folder)?;
    }
    Ok(())
}

/// Fits a threshold on images that are not reported, leaving those in `material`.
fn fit(
    arguments: &Arguments,
    model: &Model,
    material: &mut Material,
    target: Target,
) -> Result<Threshold> {
    if let Some(own) = &material.run {
        if let Some(listed) = own.divided.pairs(Part::Validation) {
            let on = counted(listed.len(), "listed validation pair");
            return fit_threshold(model, &own.data.images, listed, target, on);
        }
        let count = fitting_pairs(own.config.judge.validation_pairs, target);
        let images = &own.data.images;
        let held_out = own.divided.part(Part::Validation);
        let pairs = drawn_pairs(&images.labels, &held_out, count, own.config.seed)?;
        let on = counted(pairs.len(), "validation pair");
        return fit_threshold(model, images, pairs, target, on);
    }
    ensure!(
        material.sets[0].pairs.is_none(),
        "no listed pairs are left to fit a threshold on: judge by --pairs-file FILE with --fit-pairs OTHER"
    );
    let images = &material.sets[0].images;
    let (fitting, reported) = halve_classes(&images.labels);
    let count = fitting_pairs(arguments.pairs, target);
    let pairs = drawn_pairs(&images.labels, &fitting, count, arguments.seed)
        .context("drawing pairs of every second class to fit the threshold on")?;
    let on = format!("{} of every second class", counted(pairs.len(), "pair"));
    let fitted = fit_threshold(model, images, pairs, target, on)?;
    material.sets[0].keep(&reported);
    material
        .notes
        .push("the figures are of the classes that the threshold was not fitted on".into());
    Ok(fitted)
}

/// Adds few-shot figures, if asked for, and says which episodes were played. A second set whose classes are too small goes
/// without them.
fn play_episodes(
    arguments: &Arguments,
    (name, images): (&str, &ImageSet),
    first: bool,
    evaluation: &mut Evaluation,
) -> Result<Option<EpisodeConfig>> {
    let Some(episodes) = arguments.few_shot.episodes(arguments.seed) else {
        return Ok(None);
    };
    let mut sizes = vec![0; images.classes.len()];
    images
        .labels
        .iter()
        .for_each(|&label| sizes[label as usize] += 1);
    let smallest = sizes.into_iter().filter(|&size| size > 0).min();
    if !first && smallest < Some(episodes.images_of_a_class()) {
        eprintln!("no episodes of {name}: too few images of a class");
        return Ok(None);
    }
    let table = evaluation.embeddings.table(&images.labels)?;
    let figures = few_shot_figures(&table.view()?, &evaluation.metric, &episodes)?;
    evaluation.figures.extend(figures);
    Ok(Some(episodes))
}

/// What the episodes were.
pub(super) fn episode_note(episodes: &EpisodeConfig) -> String {
    format!(
        "few-shot: {} episodes each, {} queries per class, nearest class mean (…_logistic: a logistic regression), ± 1.96 standard errors",
        episodes.episodes, episodes.queries
    )
}

impl Arguments {
    /// Writes the model with its new threshold, if asked to.
    pub(super) fn save_model(&self, model: &Model) -> Result<()> {
        if let Some(file) = &self.threshold.save_model {
            model.save(file)?;
            eprintln!("wrote {}", file.display());
        }
        Ok(())
    }
}
