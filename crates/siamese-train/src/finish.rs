//! The end of a run: the best weights judged once on the test images, and all that is written about it.

use anyhow::{Context, Result};
use siamese_core::Model;
use siamese_evaluate::{EvaluateConfig, Evaluation};

use crate::data::TestSet;
use crate::folder::RunFolder;
use crate::request::Request;
use crate::run::Run;
use crate::summary::Summary;
use crate::write_up;

/// Judges the best weights and writes `result.json`, `report.html` and the model card.
pub(crate) fn finish(run: &Run, request: &Request) -> Result<Summary> {
    let model =
        Model::load(run.folder.best(), request.device).context("loading the best weights")?;
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
    let tests = run.divided.tests(request.data);
    let judge = |set: &TestSet| {
        set.judge(&model, &config)
            .with_context(|| format!("judging the model on {}", set.in_words()))
    };
    let judged = tests.iter().map(judge).collect::<Result<Vec<_>>>()?;
    let summary = told(run, request, best_epoch, figures(&judged));
    run.folder.write_json("result.json", &summary)?;
    write_up::write(run, request, (&tests, &judged), &summary)?;
    Ok(summary)
}

/// The figures of the test images.
fn figures(tests: &[Evaluation]) -> Summary {
    let tested = &tests[0];
    Summary {
        figures: tested.figures.clone(),
        seen_classes: tests
            .get(1)
            .map_or_else(Vec::new, |seen| seen.figures.clone()),
        threshold: f64::from(tested.threshold),
        test_pairs: tested.judged.pairs.len(),
        test_like_pairs: tested.judged.curve.like_pairs(),
        test_images: tested.embeddings.len(),
        ..Summary::default()
    }
}

/// These figures, with what is to tell of the run.
fn told(run: &Run, request: &Request, best_epoch: usize, figures: Summary) -> Summary {
    let alarm = run.position.alarm.as_ref();
    Summary {
        trained_on: run.trained_on.clone(),
        sample: request.data.about.sample,
        best_epoch,
        epochs: run.position.epoch,
        seconds: run.position.seconds,
        seed: run.config.seed,
        alarm: alarm.map(|(epoch, reason)| format!("epoch {epoch}: {reason}")),
        ..figures
    }
}
