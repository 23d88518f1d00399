//! Pairs from a file: a list, or LFW's folds.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use siamese_core::Model;
use siamese_core::metrics::Figure;
use siamese_core::metrics::verification::Target;
use siamese_data::{PathPair, read_pairs};
use siamese_evaluate::{FilePairs, lfw_path_pairs, read_lfw_pairs};
use siamese_report::RunReport;
use siamese_words::{are, counted};

use super::Arguments;
use super::output::{Column, Results, ShownThreshold};

/// Judges the pairs of `--lfw` or `--pairs-file`.
pub(super) fn judge(arguments: &Arguments, folder: &Path) -> Result<Results> {
    let mut model = arguments.load_model()?;
    match (&arguments.what.lfw, &arguments.what.pairs_file) {
        (Some(file), _) => lfw(arguments, &model, folder, file),
        (None, Some(file)) => listed(arguments, &mut model, folder, file),
        (None, None) => bail!("no pairs were given"),
    }
}

fn lfw(arguments: &Arguments, model: &Model, folder: &Path, file: &Path) -> Result<Results> {
    let protocol = read_lfw_pairs(file)?;
    let pairs = lfw_path_pairs(folder, &protocol)?;
    let measured = FilePairs::new(model, folder, &pairs)?;
    let result = measured.lfw(&protocol, &arguments.bootstrap())?;
    let thresholds = result.folds.folds.iter().map(|fold| fold.threshold);
    let shown = thresholds.sum::<f32>() / protocol.folds as f32;
    let whose = format!("the mean of {} folds’ thresholds", protocol.folds);
    write_report(arguments, &measured, &result.figures, (shown, &whose))?;
    let folds: Vec<String> = result
        .folds
        .folds
        .iter()
        .map(|fold| format!("{:.3} at {:.3}", fold.accuracy, fold.threshold))
        .collect();
    let mut notes = vec![
        format!(
            "accuracy {:.4} ± {:.4}: mean and standard error of {} folds, the threshold of each fitted on the others",
            result.folds.accuracy,
            result.folds.standard_error,
            folds.len()
        ),
        format!(
            "accuracy of each fold at its threshold: {}",
            folds.join(", ")
        ),
        format!(
            "{}; the rest is of all folds together",
            how_drawn(&measured)
        ),
    ];
    notes.extend(notes_of(arguments, &measured, &result.figures));
    Ok(one_column(&measured, result.figures, None, notes))
}

fn listed(arguments: &Arguments, model: &mut Model, folder: &Path, file: &Path) -> Result<Results> {
    let fitting = fitting(arguments)?;
    let measured = FilePairs::new(model, folder, &read(arguments, file)?).with_context(|| {
        format!(
            "pairs of {}, relative to {}",
            file.display(),
            folder.display()
        )
    })?;
    if let Some((target, other)) = fitting {
        fit(arguments, model, folder, (target, other), (&measured, file))?;
    }
    let threshold = model.threshold.as_ref().context(
        "the model carries no threshold; fit one with --threshold-at accuracy --fit-pairs FILE",
    )?;
    let figures = measured.figures(Some(threshold.value as f32), &arguments.bootstrap())?;
    let shown = (threshold.value as f32, "");
    write_report(arguments, &measured, &figures, shown)?;
    let mut notes = vec![how_drawn(&measured)];
    notes.extend(notes_of(arguments, &measured, &figures));
    Ok(one_column(
        &measured,
        figures,
        Some(threshold.into()),
        notes,
    ))
}

/// The pairs of a file, the other way round where that was asked for.
fn read(arguments: &Arguments, file: &Path) -> Result<Vec<PathPair>> {
    let mut pairs = read_pairs(file)?;
    for pair in &mut pairs {
        pair.like ^= arguments.what.swapped;
    }
    Ok(pairs)
}

fn notes_of(arguments: &Arguments, measured: &FilePairs, figures: &[Figure]) -> Vec<String> {
    let remedy = match (&arguments.what.pairs_file, arguments.what.swapped) {
        (Some(_), false) => "if the file says 1 where two pictures are different, add --swapped",
        (Some(_), true) => "leave --swapped out",
        (None, _) => "is each person in a folder of their own?",
    };
    measured.notes(figures, remedy)
}

/// What is to be fitted, and the file of pairs to fit it on, where that was asked for.
fn fitting(arguments: &Arguments) -> Result<Option<(Target, &Path)>> {
    let chosen = &arguments.threshold;
    match (chosen.threshold_at, &chosen.fit_pairs) {
        (None, None) => Ok(None),
        (Some(target), Some(file)) => Ok(Some((target.0, file))),
        (Some(_), None) => bail!(
            "a threshold is never fitted on the pairs reported: give others to fit it on with --fit-pairs FILE"
        ),
        (None, Some(_)) => {
            bail!("say what to fit on --fit-pairs: --threshold-at accuracy, eer or far=RATE")
        }
    }
}

/// Fits the threshold on pairs of which none is reported.
fn fit(
    arguments: &Arguments,
    model: &mut Model,
    folder: &Path,
    (target, file): (Target, &Path),
    (reported, reported_in): (&FilePairs, &Path),
) -> Result<()> {
    let fitting = FilePairs::new(model, folder, &read(arguments, file)?).with_context(|| {
        format!(
            "pairs of {}, relative to {}",
            file.display(),
            folder.display()
        )
    })?;
    if let Some((count, [a, b])) = fitting.shared_with(reported) {
        bail!(
            "{count} of the {} of {} {} also in {}, the first of {} and {} (found by what they show, not by \
             their paths): a threshold is never fitted on the pairs reported",
            counted(fitting.judged.pairs.len(), "pair"),
            file.display(),
            are(count),
            reported_in.display(),
            a.display(),
            b.display()
        );
    }
    let on = format!(
        "{} of {}",
        counted(fitting.judged.pairs.len(), "pair"),
        file.display()
    );
    model.threshold = Some(fitting.judged.threshold(model, target, on)?);
    arguments.save_model(model)
}

fn how_drawn(measured: &FilePairs) -> String {
    let drawn = match &measured.identities {
        Some(identities) => {
            let distinct: HashSet<&u32> = identities.iter().collect();
            format!("{}, their folders", counted(distinct.len(), "identity"))
        }
        None => "images, for the folders do not tell who is who: intervals are too narrow".into(),
    };
    format!(
        "{} of {}; 95 % intervals by bootstrap over {drawn}",
        measured.judged.counted(),
        counted(measured.images(), "image")
    )
}

fn one_column(
    measured: &FilePairs,
    figures: Vec<Figure>,
    threshold: Option<ShownThreshold>,
    notes: Vec<String>,
) -> Results {
    Results {
        columns: vec![Column {
            name: String::new(),
            figures,
        }],
        below: None,
        pairs: (&measured.judged).into(),
        threshold,
        notes,
    }
}

/// What a page calls the pairs: their file, in its folder of pictures.
fn pairs_name(arguments: &Arguments) -> String {
    let what = &arguments.what;
    let named = [&what.folder, &what.lfw, &what.pairs_file];
    let names = named
        .into_iter()
        .flatten()
        .map(|path| super::last_name(path));
    names.collect::<Vec<_>>().join(" · ")
}

fn write_report(
    arguments: &Arguments,
    measured: &FilePairs,
    figures: &[Figure],
    (threshold, whose): (f32, &str),
) -> Result<()> {
    let Some(file) = &arguments.report else {
        return Ok(());
    };
    let mut report = RunReport {
        name: arguments.model_name()?,
        judged_on: pairs_name(arguments),
        data: how_drawn(measured),
        figures_note: notes_of(arguments, measured, figures).join("; "),
        threshold_of: whose.into(),
        ..Default::default()
    };
    measured.fill(&mut report, figures, threshold)?;
    Ok(report.write(file)?)
}
