//! The end of a run: the best weights judged once on the test images, and all that is written about it.

use anyhow::{Context, Result};
use siamese_core::Model;
use siamese_evaluate::{EvaluateConfig, Evaluation, evaluate};

use crate::data::TestSet;
use crate::request::Request;
use crate::run::Run;
use crate::summary::Summary;
use crate::write_up;

/// Judges the best weights and writes `result.json`, `report.html` and the model card.
pub(crate) fn finish(run: &Run, request: &Request) -> Result<Summary> {
    let model =
        Model::load(run.folder.best(), request.device).context("loading the best weights")?;
    let config = EvaluateConfig {
        pairs: run.config.judge.test_pairs,
        seed: run.config.seed,
    };
    let tests = run.divided.tests(request.data);
    let judge = |set: &TestSet| {
        let what = if set.name.is_empty() {
            "the test images"
        } else {
            set.name
        };
        evaluate(&model, &set.images, &config)
            .with_context(|| format!("judging the model on {what}"))
    };
    let judged = tests.iter().map(judge).collect::<Result<Vec<_>>>()?;
    let summary = summary(run, request, &judged, model.provenance.epoch);
    run.folder.write_json("result.json", &summary)?;
    write_up::write(run, request, (&tests, &judged), &summary)?;
    Ok(summary)
}

fn summary(run: &Run, request: &Request, tests: &[Evaluation], best_epoch: usize) -> Summary {
    let tested = &tests[0];
    let alarm = run.position.alarm.as_ref();
    Summary {
        figures: tested.figures.clone(),
        seen_classes: tests
            .get(1)
            .map_or_else(Vec::new, |seen| seen.figures.clone()),
        threshold: f64::from(tested.threshold),
        trained_on: run.trained_on.clone(),
        sample: request.data.about.sample,
        best_epoch,
        epochs: run.position.epoch,
        seconds: run.position.seconds,
        test_pairs: tested.judged.pairs.len(),
        test_like_pairs: tested.judged.curve.like_pairs(),
        test_images: tested.embeddings.len(),
        seed: run.config.seed,
        alarm: alarm.map(|(epoch, reason)| format!("epoch {epoch}: {reason}")),
    }
}
