//! The end of a run: the best weights judged once on the test split, and all that is written about it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use siamese_core::Model;
use siamese_core::metrics::{Figure, Interval};
use siamese_evaluate::{EvaluateConfig, Evaluation, FigureTable, evaluate};

use crate::splits::TestSet;
use crate::state::Run;
use crate::{Request, paper};

/// The final figures of a run, as `result.json` holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Figures of the test split under their standard names; of unseen classes, if the run was split by classes.
    pub figures: BTreeMap<String, SummaryFigure>,
    /// The same figures for held-out images of the classes trained on, if the run was split by classes.
    pub seen_classes: Option<BTreeMap<String, SummaryFigure>>,
    /// The threshold, fitted on validation pairs, that the figures were measured with.
    pub threshold: f64,
    /// What the model was trained on.
    pub trained_on: String,
    /// Whether that was only the bundled sample.
    pub sample: bool,
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: usize,
    /// Epochs trained.
    pub epochs: usize,
    /// Seconds of training and validation.
    pub seconds: f64,
    /// Balanced pairs of test images.
    pub test_pairs: usize,
    /// Test images.
    pub test_images: usize,
    /// The seed of the run.
    pub seed: u64,
    /// The collapse alarm, if it was raised.
    pub alarm: Option<String>,
}

/// A figure with its 95 % interval, where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SummaryFigure {
    /// The figure.
    pub value: f64,
    /// Its 95 % interval by bootstrap over classes.
    pub interval: Option<Interval>,
}

/// The figures that the short table at the end shows.
const TABLE: [(&str, &str); 5] = [
    ("accuracy", "accuracy of balanced pairs"),
    ("roc_auc", "ROC AUC"),
    ("eer", "equal error rate"),
    ("precision_called_same", "precision of “same”"),
    ("recall_at_1", "recall@1"),
];

/// Judges the best weights and writes `result.json`, `report.html` and the model card.
pub(crate) fn finish(run: &Run, request: &Request) -> Result<Summary> {
    let model =
        Model::load(run.folder.best(), request.device).context("loading the best weights")?;
    let config = EvaluateConfig {
        pairs: run.config.test_pairs,
        seed: run.config.seed,
    };
    let judge = |set: &TestSet| {
        evaluate(&model, &set.images, &config).context("judging the model on the test split")
    };
    let tested = run
        .splits
        .tests
        .iter()
        .map(judge)
        .collect::<Result<Vec<_>>>()?;
    let summary = summary(run, request, &tested, model.provenance.epoch);
    run.folder.write_json("result.json", &summary)?;
    paper::write(run, request, &tested, &summary)?;
    Ok(summary)
}

fn by_name(tested: &Evaluation) -> BTreeMap<String, SummaryFigure> {
    let figure = |figure: &Figure| {
        let Figure {
            name,
            value,
            interval,
        } = figure.clone();
        (name, SummaryFigure { value, interval })
    };
    tested.figures.iter().map(figure).collect()
}

fn summary(run: &Run, request: &Request, tests: &[Evaluation], best_epoch: usize) -> Summary {
    let tested = &tests[0];
    Summary {
        figures: by_name(tested),
        seen_classes: tests.get(1).map(by_name),
        threshold: f64::from(tested.threshold),
        trained_on: run.trained_on.clone(),
        sample: request.data.provenance.is_sample(),
        best_epoch,
        epochs: run.position.epoch,
        seconds: run.position.seconds,
        test_pairs: tested.judged.pairs.len(),
        test_images: run.splits.tests[0].images.len(),
        seed: run.config.seed,
        alarm: run
            .position
            .alarm
            .as_ref()
            .map(|(epoch, reason)| format!("epoch {epoch}: {reason}")),
    }
}

impl std::fmt::Display for Summary {
    /// The short table, seen and unseen classes side by side where the run was split by classes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tested = plain(&self.figures);
        let (table, of) = match &self.seen_classes {
            None => (FigureTable::new(&[("test split", &tested)]), ""),
            Some(seen) => {
                let columns = [
                    ("unseen classes", &tested[..]),
                    ("seen classes", &plain(seen)),
                ];
                (FigureTable::new(&columns), " of unseen classes")
            }
        };
        writeln!(f, "{}", table.only(&TABLE))?;
        write!(
            f,
            "{} balanced pairs of {} images{of} · threshold {:.4} fitted on validation · best epoch {} of {} · {:.1} min",
            self.test_pairs,
            self.test_images,
            self.threshold,
            self.best_epoch,
            self.epochs,
            self.seconds / 60.0
        )
    }
}

fn plain(figures: &BTreeMap<String, SummaryFigure>) -> Vec<Figure> {
    let figure = |(name, figure): (&String, &SummaryFigure)| Figure {
        name: name.clone(),
        value: figure.value,
        interval: figure.interval,
    };
    figures.iter().map(figure).collect()
}
