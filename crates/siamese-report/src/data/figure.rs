//! Figures as a report shows them: what they were measured on, and what a person calls them.

use serde::{Deserialize, Serialize};
use siamese_metrics::{Figure, find};

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
    for (suffix, of) in [
        ("_mirrored", "mirror images averaged"),
        ("_softmax", "√softmax of the classes trained on"),
    ] {
        if let Some(plain) = name.strip_suffix(suffix) {
            let (label, direction) = described(plain);
            return (format!("{label}, {of}"), direction);
        }
    }
    let known = match name {
        "accuracy" => ("Accuracy at the threshold", Higher),
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
        "accuracy_standard_error" => ("Standard error of the accuracy", Lower),
        "precision" | "precision_called_same" => ("Precision of “same”", Higher),
        "recall" => ("Recall of like pairs", Higher),
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
    if let Some((ways, rest)) = name
        .strip_prefix("few_shot_")
        .and_then(|rest| rest.split_once("way_"))
    {
        let (shots, by) = rest.split_once("shot").unwrap_or((rest, ""));
        let by = match by {
            "_logistic" => ", by a logistic regression",
            "_nearest" => ", by the nearest item",
            _ => "",
        };
        return format!("{ways}-way {shots}-shot accuracy{by}");
    }
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => spaced,
    }
}

/// Two standard names of one figure; the first is shown where both are given.
const SAME: [(&str, &str); 2] = [
    ("precision", "precision_called_same"),
    ("recall_at_1", "precision_at_1"),
];

/// The figures, each under one name.
pub(crate) fn distinct(figures: &[Figure]) -> Vec<&Figure> {
    let again = |figure: &&Figure| {
        let mut same = SAME.iter();
        same.any(|(shown, other)| figure.name == *other && find(figures, shown).is_some())
    };
    figures.iter().filter(|figure| !again(figure)).collect()
}

/// Those that a page begins with, the most telling first.
const LEADING: [&str; 4] = ["roc_auc", "eer", "recall_at_1", "accuracy"];

/// The figures that a page begins with, at most `most`.
pub(crate) fn leading(figures: &[Figure], most: usize) -> Vec<&Figure> {
    let told = LEADING.iter().filter_map(|name| find(figures, name));
    let rest = distinct(figures).into_iter();
    let rest = rest.filter(|figure| !LEADING.contains(&figure.name.as_str()));
    told.chain(rest).take(most).collect()
}

/// What a leading figure says, for whoever meets it for the first time.
pub(crate) fn in_words(name: &str) -> &'static str {
    match name {
        "roc_auc" => "how often a like pair is closer than an unlike one; 0.5 is chance",
        "eer" => "wrong pairs where both kinds of error are equal; less is better",
        "recall_at_1" => "images whose nearest other image is of their class",
        "accuracy" => "pairs called right at the threshold",
        _ => "",
    }
}

/// The kinds of figures, in the order of a table.
pub(crate) const FAMILIES: [&str; 6] = [
    "Pairs, whatever the threshold",
    "Pairs at the threshold",
    "Each image asked about among the others",
    "Few-shot episodes",
    "Probability of “same”",
    "Other",
];

/// Which of [`FAMILIES`] a figure belongs to.
pub(crate) fn family(name: &str) -> usize {
    match name {
        "roc_auc" | "eer" | "average_precision" | "raw_pixel_roc_auc" => 0,
        "accuracy"
        | "accuracy_standard_error"
        | "f1"
        | "far"
        | "frr"
        | "precision"
        | "precision_called_same"
        | "recall"
        | "threshold" => 1,
        "knn_accuracy" | "nearest_centroid_accuracy" | "r_precision" | "map_at_r" => 2,
        "ece" | "brier" => 4,
        _ if name.starts_with("tar_at_far_") => 0,
        _ if name.starts_with("recall_at_") || name.starts_with("precision_at_") => 2,
        _ if name.starts_with("few_shot_") => 3,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_names_have_labels_and_directions() {
        let eer = ("Equal error rate".to_string(), Direction::Lower);
        assert_eq!(described("eer"), eer);
        let mirrored = "Equal error rate, mirror images averaged".to_string();
        assert_eq!(described("eer_mirrored"), (mirrored, Direction::Lower));
        for (name, label) in [
            ("recall_at_10", "Recall@10"),
            ("few_shot_5way_1shot", "5-way 1-shot accuracy"),
            (
                "few_shot_5way_5shot_logistic_mirrored",
                "5-way 5-shot accuracy, by a logistic regression, mirror images averaged",
            ),
            (
                "few_shot_5way_1shot_mirrored",
                "5-way 1-shot accuracy, mirror images averaged",
            ),
            ("some_other", "Some other"),
        ] {
            assert_eq!(described(name), (label.to_string(), Direction::Higher));
        }
    }

    #[test]
    fn two_names_of_one_figure_are_one_figure() {
        let figure = |name: &str| Figure::new(name, 0.5);
        let names = |figures: &[Figure]| -> Vec<String> {
            let kept = distinct(figures).into_iter();
            kept.map(|figure| figure.name.clone()).collect()
        };
        let both = [
            "precision_called_same",
            "precision",
            "recall_at_1",
            "precision_at_1",
            "eer",
        ];
        assert_eq!(
            names(&both.map(figure)),
            ["precision", "recall_at_1", "eer"]
        );
        let alone = ["precision_at_1", "precision_at_5"];
        assert_eq!(names(&alone.map(figure)), alone);
    }

    #[test]
    fn a_page_begins_with_what_tells_most() {
        let figures = ["f1", "accuracy", "eer", "roc_auc"].map(|name| Figure::new(name, 0.5));
        let names: Vec<_> = leading(&figures, 3)
            .iter()
            .map(|f| f.name.clone())
            .collect();
        assert_eq!(names, ["roc_auc", "eer", "accuracy"]);
        assert_eq!(leading(&figures[..1], 3)[0].name, "f1");
    }
}
