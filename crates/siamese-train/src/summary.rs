//! The final figures of a run.

use serde::{Deserialize, Serialize};
use siamese_core::metrics::Figure;
use siamese_core::metrics::verification::RocPoint;
use siamese_evaluate::FigureTable;
use siamese_words::{are, counted};

/// The final figures of a run, as `result.json` holds them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Figures of the test images under their standard names; of unseen classes, if the run was split by classes.
    #[serde(with = "by_name")]
    pub figures: Vec<Figure>,
    /// The same figures for held-out images of the classes trained on; empty unless the run was split by classes.
    #[serde(with = "by_name", default, skip_serializing_if = "Vec::is_empty")]
    pub seen_classes: Vec<Figure>,
    /// Operating points of the test pairs, by rising threshold: what other thresholds would have cost. They are some of the
    /// curve's, each exact; none in the files of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roc: Vec<RocPoint>,
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
    /// Distinct pairs of test images that were judged.
    pub test_pairs: usize,
    /// How many of them are like; 0 in the files of earlier versions.
    #[serde(default)]
    pub test_like_pairs: usize,
    /// Test images.
    pub test_images: usize,
    /// Test images that are among the training images, pixel for pixel.
    #[serde(default)]
    pub leaked: usize,
    /// Steps that were skipped, since their loss or gradient was no number.
    #[serde(default, skip_serializing_if = "none")]
    pub skipped_steps: usize,
    /// The seed of the run.
    pub seed: u64,
    /// The collapse alarm, if it was raised.
    pub alarm: Option<String>,
    /// The run that the figures are of, whose settings this one has: this one was trained on its test images too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures_of: Option<String>,
}

/// The figures that the short table at the end shows.
const TABLE: [(&str, &str); 6] = [
    ("accuracy", "accuracy at the threshold"),
    ("roc_auc", "ROC AUC"),
    ("raw_pixel_roc_auc", "ROC AUC of raw pixels"),
    ("eer", "equal error rate"),
    ("precision_called_same", "precision of “same”"),
    ("recall_at_1", "recall@1"),
];

impl std::fmt::Display for Summary {
    /// The short table, seen and unseen classes side by side where the run was split by classes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (table, of) = match &self.seen_classes[..] {
            [] => (FigureTable::new(&[("test images", &self.figures)]), ""),
            seen => {
                let columns = [
                    ("unseen classes", &self.figures[..]),
                    ("seen classes", seen),
                ];
                (FigureTable::new(&columns), " of unseen classes")
            }
        };
        writeln!(f, "{}", table.only(&TABLE))?;
        let kinds = match self.test_like_pairs {
            0 => String::new(),
            like => format!(
                " ({like} like, {} unlike)",
                self.test_pairs.saturating_sub(like)
            ),
        };
        match &self.figures_of {
            Some(run) => writeln!(
                f,
                "figures of {run}, which held these images out: this model was trained on them too"
            )?,
            None => write!(
                f,
                "{}{kinds} of {}{of} · ",
                counted(self.test_pairs, "pair"),
                counted(self.test_images, "image")
            )?,
        }
        write!(
            f,
            "threshold {:.4} fitted on validation · best epoch {} of {} · {:.1} min",
            self.threshold,
            self.best_epoch,
            self.epochs,
            self.seconds / 60.0
        )?;
        let notes = [leak_note(self.leaked), skipped_note(self.skipped_steps)];
        notes
            .iter()
            .flatten()
            .try_for_each(|note| write!(f, "\n{note}"))
    }
}

/// Says that test images were trained on.
pub(crate) fn leak_note(leaked: usize) -> Option<String> {
    (leaked > 0).then(|| {
        format!(
            "{} {} among the training images, pixel for pixel, which flatters the figures \
             (`data check` names them)",
            counted(leaked, "test image"),
            are(leaked)
        )
    })
}

/// Says that steps were skipped.
pub(crate) fn skipped_note(skipped: usize) -> Option<String> {
    (skipped > 0).then(|| {
        format!("{skipped} steps were skipped: their loss or gradient was no number (diverged.json has the first)")
    })
}

fn none(count: &usize) -> bool {
    *count == 0
}

/// Figures in a file: an object whose keys are their names.
mod by_name {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use siamese_core::metrics::{Figure, Interval};

    #[derive(Serialize, Deserialize)]
    struct Numbers {
        value: f64,
        interval: Option<Interval>,
    }

    pub(super) fn serialize<S: Serializer>(figures: &[Figure], to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(figures.iter().map(|figure| {
            let (value, interval) = (figure.value, figure.interval);
            (&figure.name, Numbers { value, interval })
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Figure>, D::Error> {
        // none in the files of earlier versions, where there are no seen classes
        let named = Option::<BTreeMap<String, Numbers>>::deserialize(from)?.unwrap_or_default();
        let figure = |(name, Numbers { value, interval })| Figure {
            name,
            value,
            interval,
        };
        Ok(named.into_iter().map(figure).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_keyed_by_their_names_in_a_file_and_come_back() {
        let text = r#"{ "figures": { "roc_auc": { "value": 0.9, "interval": { "low": 0.8, "high": 1.0 } } },
            "seen_classes": null, "threshold": 0.5, "trained_on": "birds", "sample": false, "best_epoch": 1,
            "epochs": 1, "seconds": 1.0, "test_pairs": 10, "test_images": 4, "seed": 0, "alarm": null }"#;
        let mut summary: Summary = serde_json::from_str(text).unwrap();
        let auc = Figure::new("roc_auc", 0.9).with_interval(0.8, 1.0);
        assert_eq!(summary.figures, [auc]);
        assert!(summary.seen_classes.is_empty());
        summary.seen_classes = vec![Figure::new("eer", 0.25)];
        let written = serde_json::to_value(&summary).unwrap();
        assert_eq!(written["seen_classes"]["eer"]["value"], 0.25);
        let read: Summary = serde_json::from_value(written).unwrap();
        assert_eq!(read, summary);
    }
}
