//! Pairs from a file: a list, or LFW's folds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use siamese_core::Model;
use siamese_core::metrics::Figure;
use siamese_core::metrics::protocols::{ListedPair, read_lfw_pairs, read_pairs};
use siamese_evaluate::FilePairs;
use siamese_report::RunReport;

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
    let pairs: Vec<ListedPair> = protocol
        .pairs
        .iter()
        .map(|pair| ListedPair {
            a: pair.a.path(),
            b: pair.b.path(),
            like: pair.like(),
        })
        .collect();
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
    let notes = vec![
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
    Ok(one_column(result.figures, None, notes))
}

fn listed(arguments: &Arguments, model: &mut Model, folder: &Path, file: &Path) -> Result<Results> {
    let pairs = read_pairs(file)?;
    fit(arguments, model, folder, (file, &pairs))?;
    let threshold = model.threshold.as_ref().context(
        "the model carries no threshold; fit one with --threshold-at accuracy --fit-pairs FILE",
    )?;
    let measured = FilePairs::new(model, folder, &pairs)?;
    let figures = measured.figures(threshold.value as f32, &arguments.bootstrap())?;
    let shown = (threshold.value as f32, "");
    write_report(arguments, &measured, &figures, shown)?;
    Ok(one_column(
        figures,
        Some(threshold.into()),
        vec![how_drawn(&measured)],
    ))
}

/// Fits the threshold on the pairs of `--fit-pairs`, if one was asked for.
fn fit(
    arguments: &Arguments,
    model: &mut Model,
    folder: &Path,
    (reported_in, reported): (&Path, &[ListedPair]),
) -> Result<()> {
    let chosen = &arguments.threshold;
    let (target, file) = match (chosen.threshold_at, &chosen.fit_pairs) {
        (None, None) => return Ok(()),
        (Some(target), Some(file)) => (target.0, file),
        (Some(_), None) => bail!(
            "a threshold is never fitted on the pairs reported: give others to fit it on with --fit-pairs FILE"
        ),
        (None, Some(_)) => {
            bail!("say what to fit on --fit-pairs: --threshold-at accuracy, eer or far=RATE")
        }
    };
    let fitting = read_pairs(file)?;
    let key = |pair: &ListedPair| -> (PathBuf, PathBuf) {
        let (a, b) = (pair.a.clone(), pair.b.clone());
        if a <= b { (a, b) } else { (b, a) }
    };
    let known: HashSet<_> = reported.iter().map(key).collect();
    if let Some(shared) = fitting.iter().find(|pair| known.contains(&key(pair))) {
        bail!(
            "the pair {} and {} is both in {} and in {}: a threshold is never fitted on the pairs reported",
            shared.a.display(),
            shared.b.display(),
            file.display(),
            reported_in.display()
        );
    }
    let measured = FilePairs::new(model, folder, &fitting)?;
    let on = format!("{} pairs of {}", fitting.len(), file.display());
    model.threshold = Some(measured.judged.threshold(model, target, on)?);
    arguments.save_model(model)
}

fn how_drawn(measured: &FilePairs) -> String {
    let drawn = match &measured.identities {
        Some(identities) => {
            let distinct: HashSet<&u32> = identities.iter().collect();
            format!("{} identities, their folders", distinct.len())
        }
        None => "images, for the folders do not tell who is who: intervals are too narrow".into(),
    };
    format!(
        "{} pairs of {} images; 95 % intervals by bootstrap over {drawn}",
        measured.judged.pairs.len(),
        measured.files.len()
    )
}

fn one_column(
    figures: Vec<Figure>,
    threshold: Option<ShownThreshold>,
    notes: Vec<String>,
) -> Results {
    Results {
        columns: vec![Column {
            name: String::new(),
            figures,
        }],
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
        threshold_of: whose.into(),
        ..Default::default()
    };
    measured.fill(&mut report, figures, threshold)?;
    Ok(report.write(file)?)
}
