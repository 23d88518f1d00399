//! One number of a result, under its standard name.

use serde::{Deserialize, Serialize};

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Accuracy, AUC, recall.
    #[default]
    Higher,
    /// Error rates, losses.
    Lower,
    /// A setting such as a threshold.
    Neither,
}

/// A figure of merit, with its 95 % interval where it has one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Figure {
    /// Standard name, as in `result.json`: `roc_auc`, `eer`, `recall_at_1`, …
    pub name: String,
    /// What a person reads: "ROC AUC".
    pub label: String,
    /// The value; shares and rates are 0 to 1.
    pub value: f64,
    /// The 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// What it was measured on, where a report shows several: "seen classes", "unseen classes".
    pub split: String,
    /// Which way it gets better.
    pub direction: Direction,
}

impl Figure {
    /// A figure under a standard name, with the label and direction that go with the name.
    ///
    /// ```
    /// use siamese_report::{Direction, Figure};
    ///
    /// let eer = Figure::new("eer", 0.12).with_interval(0.11, 0.13);
    /// assert_eq!(eer.label, "Equal error rate");
    /// assert_eq!(eer.direction, Direction::Lower);
    /// assert_eq!(Figure::new("recall_at_10", 0.8).label, "Recall@10");
    /// assert_eq!(Figure::new("few_shot_5way_1shot", 0.5).label, "5-way 1-shot accuracy");
    /// ```
    pub fn new(name: &str, value: f64) -> Self {
        let (label, direction) = described(name);
        Self {
            name: name.into(),
            label,
            value,
            direction,
            ..Self::default()
        }
    }

    /// Adds the 95 % interval.
    pub fn with_interval(self, low: f64, high: f64) -> Self {
        Self {
            interval: Some((low, high)),
            ..self
        }
    }

    /// Says what it was measured on, where a report shows several.
    pub fn on(self, split: &str) -> Self {
        Self {
            split: split.into(),
            ..self
        }
    }
}

/// The label and direction of a standard name; an unknown name is shown with spaces.
fn described(name: &str) -> (String, Direction) {
    use Direction::{Higher, Lower, Neither};
    let known = match name {
        "accuracy" => ("Accuracy of balanced pairs", Higher),
        "brier" => ("Brier score", Lower),
        "average_precision" => ("Average precision", Higher),
        "eer" => ("Equal error rate", Lower),
        "ece" => ("Calibration error", Lower),
        "f1" => ("F1", Higher),
        "far" => ("FAR at the threshold", Lower),
        "frr" => ("FRR at the threshold", Lower),
        "loss" => ("Loss", Lower),
        "knn_accuracy" => ("kNN accuracy", Higher),
        "map_at_r" => ("MAP@R", Higher),
        "nearest_centroid_accuracy" => ("Nearest-centroid accuracy", Higher),
        "precision" => ("Precision", Higher),
        "precision_called_same" => ("Precision of “same”", Higher),
        "r_precision" => ("R-precision", Higher),
        "roc_auc" => ("ROC AUC", Higher),
        "threshold" => ("Threshold", Neither),
        _ => return (described_family(name), Higher),
    };
    (known.0.into(), known.1)
}

/// Names that carry a number: `recall_at_10`, `tar_at_far_1e-3`, `few_shot_5way_1shot`.
fn described_family(name: &str) -> String {
    for (stem, label) in [
        ("recall_at_", "Recall@"),
        ("precision_at_", "Precision@"),
        ("tar_at_far_", "TAR at FAR "),
    ] {
        if let Some(number) = name.strip_prefix(stem) {
            return format!("{label}{number}");
        }
    }
    if let Some((ways, shots)) = name
        .strip_prefix("few_shot_")
        .and_then(|rest| rest.strip_suffix("shot")?.split_once("way_"))
    {
        return format!("{ways}-way {shots}-shot accuracy");
    }
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => spaced,
    }
}
