//! What the report of one run is made of.

use serde::{Deserialize, Serialize};
use siamese_metrics::verification::{FittedThreshold, RocPoint};

use super::banner::Banner;
use super::classes::{ConfusionMap, EmbeddingMap, Neighbours};
use super::epoch::EpochRow;
use super::figure::SetFigures;
use super::pairs::{CalibrationBin, ExamplePair, PairDistances};

/// Everything that `report.html` can show. A section appears when its data is given, so a report
/// can be written after the first epoch and again, fuller, at the end.
///
/// ```
/// use siamese_metrics::Figure;
/// use siamese_report::{EpochRow, RunReport, SetFigures};
///
/// let report = RunReport {
///     name: "quick".into(),
///     data: "CIFAR-100".into(),
///     figures: vec![SetFigures::new(vec![
///         Figure::new("roc_auc", 0.81).with_interval(0.80, 0.82),
///     ])],
///     epochs: vec![EpochRow { epoch: 1, train_loss: 0.4, ..Default::default() }],
///     ..Default::default()
/// };
/// assert!(report.to_html().contains("ROC AUC"));
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunReport {
    /// Name of the run or model: the first half of the page's title.
    pub name: String,
    /// Name of the data that it was judged on: the other half.
    pub judged_on: String,
    /// More of that data, in a few words: how much, from where.
    pub data: String,
    /// One line that says how good it is; made from `figures` when empty.
    pub verdict: String,
    /// Warnings, shown before everything else.
    pub banners: Vec<Banner>,
    /// The final table; several sets stand side by side. What is drawn of pairs is of the first.
    pub figures: Vec<SetFigures>,
    /// How the figures were measured: number of pairs, how the intervals were drawn.
    pub figures_note: String,
    /// One row per epoch.
    pub epochs: Vec<EpochRow>,
    /// Whether the training loss and the validation loss are the same mean over the same kind of pairs, so that they
    /// may share an axis; two charts otherwise.
    pub losses_comparable: bool,
    /// The epoch whose weights were kept.
    pub best_epoch: Option<usize>,
    /// Distances of like and unlike pairs.
    pub distances: Option<PairDistances>,
    /// The ROC curve as it is drawn, ordered by threshold; it may be thinned, and no number is read from it.
    pub roc: Vec<RocPoint>,
    /// The threshold in use, and how these pairs come out at it.
    pub operating_point: Option<RocPoint>,
    /// Whose threshold that is: "the mean of ten folds"; the model's own when empty.
    pub threshold_of: String,
    /// Thresholds to choose from, each fitted to these pairs: a row of the table each.
    pub choices: Vec<FittedThreshold>,
    /// The reliability plot.
    pub calibration: Vec<CalibrationBin>,
    /// Pairs to look at, the most telling first; they are grouped by right and wrong.
    pub examples: Vec<ExamplePair>,
    /// Probes with their nearest images.
    pub neighbours: Vec<Neighbours>,
    /// The confusion map.
    pub confusion: Option<ConfusionMap>,
    /// Maps of the embedding, one below the other.
    pub embedding_maps: Vec<EmbeddingMap>,
    /// The run's configuration, as serialised; an object's objects become groups.
    pub config: serde_json::Value,
    /// Machine and versions, as name and value.
    pub environment: Vec<(String, String)>,
    /// Where the time went, as name and value.
    pub timing: Vec<(String, String)>,
    /// Commands that repeat the run.
    pub reproduce: Vec<String>,
}
