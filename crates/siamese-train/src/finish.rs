//! The end of a run: the best weights judged once on the test images, and all that is written about it.

use std::collections::HashSet;

use anyhow::{Context, Result};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use siamese_core::metrics::verification::{RocCurve, RocPoint};
use siamese_core::{Domain, Model};
use siamese_data::{ImageSet, Part, stream};
use siamese_embed::fingerprint;
use siamese_evaluate::{EvaluateConfig, Evaluation, JudgedPairs};

use crate::data::TestSet;
use crate::folder::RunFolder;
use crate::request::Request;
use crate::run::Run;
use crate::summary::{Summary, leak_note};
use crate::write_up;

/// Training images that tell how images look, validation images that they are compared with, and the share of those that
/// is called strange.
const TRAINED_ON: usize = 4000;
const HELD_OUT: usize = 2000;
const STRANGE: f64 = 0.01;
/// Points of the ROC curve that `result.json` keeps.
const OPERATING_POINTS: usize = 100;

/// Judges the best weights and writes `result.json`, `report.html` and the model card.
pub(crate) fn finish(run: &Run, request: &Request) -> Result<Summary> {
    let mut model =
        Model::load(run.folder.best(), request.device).context("loading the best weights")?;
    if model.domain.is_none() {
        model.domain = Some(domain(run)?);
        model.save(run.folder.best())?;
    }
    let threshold = model
        .threshold
        .as_ref()
        .context("the model carries no threshold")?;
    let best_epoch = model.provenance.epoch;
    if let Some(name) = &run.folder.record()?.refit_of {
        let judged = RunFolder::open(&run.folder.beside(name))?.summary()?;
        let summary = Summary {
            threshold: threshold.value,
            figures_of: Some(name.clone()),
            ..told(run, request, best_epoch, judged)
        };
        run.folder.write_json("result.json", &summary)?;
        write_up::write(run, request, (&[], &[]), &summary)?;
        return Ok(summary);
    }
    let config = EvaluateConfig {
        pairs: run.config.judge.test_pairs,
        seed: run.config.seed,
    };
    let tests = run.divided.tests(request.data, &run.config)?;
    let judge = |set: &TestSet| {
        set.judge(&model, &config)
            .with_context(|| format!("judging the model on {}", set.in_words()))
    };
    let mut judged = tests.iter().map(judge).collect::<Result<Vec<_>>>()?;
    let leaked = leaked(run, &tests)?;
    judged[0].notes.extend(leak_note(leaked));
    let by_length = by_length(run, &judged[0])?;
    judged[0].notes.extend(by_length);
    let figures = Summary {
        leaked,
        ..figures(&judged)
    };
    let summary = told(run, request, best_epoch, figures);
    run.folder.write_json("result.json", &summary)?;
    write_up::write(run, request, (&tests, &judged), &summary)?;
    Ok(summary)
}

/// How the images that the model was trained on look; the validation images say what is strange.
fn domain(run: &Run) -> Result<Domain> {
    let mut rng = stream(run.config.seed, "domain", &[]);
    let mut some = |part, most| -> Result<(Vec<Vec<u8>>, Vec<u32>)> {
        let mut images = run.divided.part(part);
        images.shuffle(&mut rng);
        images.truncate(most);
        let image = |i: &u32| Ok(run.images.image(*i as usize)?.into_owned());
        let labels = images.iter().map(|i| run.images.labels[*i as usize]);
        let labels = labels.collect();
        Ok((images.iter().map(image).collect::<Result<_>>()?, labels))
    };
    let (training, classes) = some(Part::Train, TRAINED_ON)?;
    let (held_out, _) = some(Part::Validation, HELD_OUT)?;
    let shape = (run.images.height, run.images.width, run.images.channels);
    Ok(Domain::fit(
        (&training, &classes),
        &held_out,
        shape,
        STRANGE,
    )?)
}

/// How good the first numbers of the embeddings are alone, where they were trained to be.
fn by_length(run: &Run, judged: &Evaluation) -> Result<Option<String>> {
    let lengths = run.config.objective.prefixes();
    let metric = run.config.distance.into();
    let of_length = |&length: &usize| -> Result<String> {
        let first = judged.embeddings.first(length)?;
        let pairs = JudgedPairs::new(&first, judged.judged.pairs.clone(), &metric)?;
        Ok(format!(
            "{:.4} of the first {length}",
            pairs.curve.roc_auc()
        ))
    };
    let alone = lengths.iter().map(of_length).collect::<Result<Vec<_>>>()?;
    let (whole, all) = (judged.judged.curve.roc_auc(), run.config.tower.embedding);
    Ok((!alone.is_empty()).then(|| {
        let alone = alone.join(", ");
        format!(
            "ROC AUC by the numbers of an embedding that are kept: {alone}, {whole:.4} of all {all}"
        )
    }))
}

/// How many of the test images are among the training images, pixel for pixel as the model sees them.
fn leaked(run: &Run, tests: &[TestSet]) -> Result<usize> {
    let print = |images: &ImageSet, i: usize| Ok(fingerprint(&images.image(i)?));
    let training = run.divided.part(Part::Train);
    let trained_on: HashSet<u64> = training
        .into_par_iter()
        .map(|i| print(&run.images, i as usize))
        .collect::<Result<_>>()?;
    let mut leaked = 0;
    for TestSet { images, .. } in tests {
        let prints = (0..images.len()).map(|i| print(images, i));
        for print in prints {
            leaked += usize::from(trained_on.contains(&print?));
        }
    }
    Ok(leaked)
}

/// The figures of the test images.
fn figures(tests: &[Evaluation]) -> Summary {
    let tested = &tests[0];
    Summary {
        figures: tested.figures.clone(),
        seen_classes: tests
            .get(1)
            .map_or_else(Vec::new, |seen| seen.figures.clone()),
        roc: operating_points(&tested.judged.curve),
        threshold: f64::from(tested.threshold),
        test_pairs: tested.judged.pairs.len(),
        test_like_pairs: tested.judged.curve.like_pairs(),
        test_images: tested.embeddings.len(),
        ..Summary::default()
    }
}

/// Some points of a curve; its ends may lie at no finite distance.
fn operating_points(curve: &RocCurve) -> Vec<RocPoint> {
    let mut points = curve.thinned(OPERATING_POINTS);
    points.retain(|point| point.threshold.is_finite());
    points
}

/// These figures, with what is to tell of the run.
fn told(run: &Run, request: &Request, best_epoch: usize, figures: Summary) -> Summary {
    let alarm = run.position.alarm.as_ref();
    let alarm = alarm.map(|(epoch, reason)| format!("epoch {epoch}: {reason}"));
    Summary {
        trained_on: run.trained_on.clone(),
        sample: request.data.about.sample,
        best_epoch,
        epochs: run.position.epoch,
        seconds: run.position.seconds,
        seed: run.config.seed,
        skipped_steps: run.position.skipped.in_all,
        alarm: run.diverged.clone().or(alarm),
        ..figures
    }
}
