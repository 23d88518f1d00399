//! Figures as a report shows them: what they were measured on, and what a person calls them.

use serde::{Deserialize, Serialize};
use siamese_metrics::Figure;

/// The figures of one set of images: a column where a report shows several sets.
///
/// ```
/// use siamese_metrics::Figure;
/// use siamese_report::SetFigures;
///
/// let seen = SetFigures::on("seen classes", vec![Figure::new("eer", 0.12)]);
/// assert_eq!(seen.set, "seen classes");
/// assert!(SetFigures::new(vec![]).set.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SetFigures {
    /// What they were measured on: "seen classes"; a lone set may go without a name.
    pub set: String,
    /// The figures, in the order in which they are shown; shares and rates are 0 to 1.
    pub figures: Vec<Figure>,
}

impl SetFigures {
    /// The figures of the only set.
    pub fn new(figures: Vec<Figure>) -> Self {
        Self::on("", figures)
    }

    /// The figures of one of several sets.
    pub fn on(set: &str, figures: Vec<Figure>) -> Self {
        Self {
            set: set.into(),
            figures,
        }
    }
}

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Accuracy, AUC, recall.
    Higher,
    /// Error rates, losses.
    Lower,
    /// A setting such as a threshold.
    Neither,
}

/// What a person reads for a standard name, and which way that figure gets better; an unknown name is shown with
/// spaces.
pub(crate) fn described(name: &str) -> (String, Direction) {
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
        "raw_pixel_roc_auc" => ("ROC AUC of raw pixels, for comparison", Neither),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_names_have_labels_and_directions() {
        let eer = ("Equal error rate".to_string(), Direction::Lower);
        assert_eq!(described("eer"), eer);
        for (name, label) in [
            ("recall_at_10", "Recall@10"),
            ("few_shot_5way_1shot", "5-way 1-shot accuracy"),
            ("some_other", "Some other"),
        ] {
            assert_eq!(described(name), (label.to_string(), Direction::Higher));
        }
    }
}
