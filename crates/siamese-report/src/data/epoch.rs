//! One line of a run's history.

use serde::{Deserialize, Serialize};

/// What was measured in one epoch. Whatever was not measured stays `None` and is not drawn.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EpochRow {
    /// The epoch as it is to be shown (the first is 1).
    pub epoch: usize,
    /// Mean of the training loss over the epoch.
    pub train_loss: f64,
    /// Mean loss of a validation pair, where the objective has one.
    #[serde(skip_serializing_if = "not_measured")]
    pub validation_loss: Option<f64>,
    /// Area under the validation ROC curve, 0 to 1.
    #[serde(skip_serializing_if = "not_measured")]
    pub roc_auc: Option<f64>,
    /// Equal error rate on validation, 0 to 1.
    #[serde(skip_serializing_if = "not_measured")]
    pub eer: Option<f64>,
    /// Accuracy of balanced validation pairs, 0 to 1.
    #[serde(skip_serializing_if = "not_measured")]
    pub accuracy: Option<f64>,
    /// Learning rate at the end of the epoch.
    #[serde(skip_serializing_if = "not_measured")]
    pub learning_rate: Option<f64>,
    /// Root mean square distance of the embeddings from their mean: near 0 means collapse.
    #[serde(skip_serializing_if = "not_measured")]
    pub embedding_spread: Option<f64>,
    /// Share of the unlike training pairs inside the margin, 0 to 1.
    #[serde(skip_serializing_if = "not_measured")]
    pub active_share: Option<f64>,
    /// Wall time of the epoch.
    #[serde(skip_serializing_if = "not_measured")]
    pub seconds: Option<f64>,
    /// Training images through the tower per second.
    #[serde(skip_serializing_if = "not_measured")]
    pub images_per_second: Option<f64>,
    /// Steps whose loss or gradient was no number, and which were skipped.
    #[serde(skip_serializing_if = "none")]
    pub skipped_steps: usize,
    /// Share of the epoch that the tower waited for data, 0 to 1.
    #[serde(skip_serializing_if = "not_measured")]
    pub data_wait_share: Option<f64>,
}

fn none(count: &usize) -> bool {
    *count == 0
}

/// JSON has no number for NaN, and needs none for what was not measured.
fn not_measured(value: &Option<f64>) -> bool {
    !value.is_some_and(f64::is_finite)
}
