//! The final figures of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use siamese_core::metrics::{Figure, Interval};
use siamese_evaluate::FigureTable;

/// The final figures of a run, as `result.json` holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Figures of the test images under their standard names; of unseen classes, if the run was split by classes.
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
    /// Pairs of test images that were judged.
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

/// Figures by their names.
pub(crate) fn by_name(figures: &[Figure]) -> BTreeMap<String, SummaryFigure> {
    let named = |figure: &Figure| {
        let Figure {
            name,
            value,
            interval,
        } = figure.clone();
        (name, SummaryFigure { value, interval })
    };
    figures.iter().map(named).collect()
}

impl std::fmt::Display for Summary {
    /// The short table, seen and unseen classes side by side where the run was split by classes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tested = plain(&self.figures);
        let (table, of) = match &self.seen_classes {
            None => (FigureTable::new(&[("test images", &tested)]), ""),
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
            "{} pairs of {} images{of} · threshold {:.4} fitted on validation · best epoch {} of {} · {:.1} min",
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
