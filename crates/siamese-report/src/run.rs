//! The report of one run: its data in, one HTML file out.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{
    Banner, CalibrationBin, ConfusionMap, EmbeddingMap, EpochRow, ExamplePair, Figure, Neighbours,
    PairDistances, RocPoint,
};
use crate::error::{Result, write_whole};

/// Everything that `report.html` can show. A section appears when its data is given, so a report
/// can be written after the first epoch and again, fuller, at the end.
///
/// ```
/// use siamese_report::{EpochRow, Figure, RunReport};
///
/// let report = RunReport {
///     name: "quick".into(),
///     data: "CIFAR-100".into(),
///     figures: vec![Figure::new("roc_auc", 0.81).with_interval(0.80, 0.82)],
///     epochs: vec![EpochRow { epoch: 1, train_loss: 0.4, ..Default::default() }],
///     ..Default::default()
/// };
/// assert!(report.to_html().contains("ROC AUC"));
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunReport {
    /// Name of the run or model; the page's title.
    pub name: String,
    /// What it was trained and tested on, in a few words.
    pub data: String,
    /// One line that says how good it is; made from `figures` when empty.
    pub verdict: String,
    /// Warnings, shown before everything else.
    pub banners: Vec<Banner>,
    /// The final table, in this order; figures of several splits stand side by side.
    pub figures: Vec<Figure>,
    /// How the figures were measured: number of pairs, how the intervals were drawn.
    pub figures_note: String,
    /// One row per epoch.
    pub epochs: Vec<EpochRow>,
    /// The epoch whose weights were kept.
    pub best_epoch: Option<usize>,
    /// Distances of like and unlike pairs.
    pub distances: Option<PairDistances>,
    /// The ROC curve, ordered by threshold.
    pub roc: Vec<RocPoint>,
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

impl RunReport {
    /// The report as one HTML page that needs no other file, no network and no script.
    pub fn to_html(&self) -> String {
        crate::page::run_page(self)
    }

    /// Writes the page; an older one is replaced only when the new one is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), self.to_html().as_bytes())
    }
}
