//! Verification: distances of pairs, calibration, pairs to look at.

use serde::{Deserialize, Serialize};

use super::Thumbnail;

/// Distances of like and of unlike pairs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PairDistances {
    /// Name of the distance: "Euclidean".
    pub distance: String,
    /// Distances of pairs of the same class.
    pub like: Vec<f32>,
    /// Distances of pairs of different classes.
    pub unlike: Vec<f32>,
}

/// Pairs whose calibrated probability of "same" fell into one bin.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Mean predicted probability of "same".
    pub predicted: f64,
    /// Share of these pairs that are alike.
    pub observed: f64,
    /// Number of pairs.
    pub count: usize,
}

/// Two images, what they are and what the model said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExamplePair {
    /// First image.
    pub left: Thumbnail,
    /// Second image.
    pub right: Thumbnail,
    /// Class of the first image; empty where it is not known.
    pub left_label: String,
    /// Class of the second image.
    pub right_label: String,
    /// File of the first image; empty where there is none.
    pub left_file: String,
    /// File of the second image.
    pub right_file: String,
    /// Whether they are of the same class.
    pub like: bool,
    /// Whether the model called them the same.
    pub called_same: bool,
    /// Distance of their embeddings.
    pub distance: f64,
    /// Calibrated probability of "same", where there is a calibration.
    pub probability: Option<f64>,
}

impl ExamplePair {
    /// Whether the model was right.
    pub fn is_right(&self) -> bool {
        self.like == self.called_same
    }
}
