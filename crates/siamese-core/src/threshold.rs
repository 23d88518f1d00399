//! A model's threshold: the distance below which two images are called the same, and what it was fitted for.

use serde::{Deserialize, Serialize};
use siamese_metrics::calibration::Calibration;
use siamese_metrics::verification::is_same;
use siamese_metrics::{Distance, UnlikeTail};

use crate::error::{Error, Result};

/// The distance below which two images are called the same, and what it was fitted for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The distance; [`Self::is_same`] reads it.
    pub value: f64,
    /// What it was fitted to, such as `best accuracy`.
    pub target: String,
    /// The pairs it was fitted on, such as `10000 validation pairs`.
    pub fitted_on: String,
    /// Turns a distance into the probability of "same", fitted on the same pairs.
    pub calibration: Option<Calibration>,
    /// How near the unlike pairs of these images come; a gallery knows strangers by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlike: Option<UnlikeTail>,
    /// The distance it was fitted for.
    pub distance: Distance,
    /// [`Model::fingerprint`](crate::Model::fingerprint) of the weights it was fitted for.
    pub weights: String,
}

impl Threshold {
    /// Whether two embeddings at this distance are called the same.
    pub fn is_same(&self, distance: f32) -> bool {
        is_same(distance, self.value as f32)
    }

    /// Refuses a threshold that was fitted for another distance or for other weights.
    pub(crate) fn check(&self, distance: Distance, weights: &str) -> Result<()> {
        if self.distance != distance {
            return Err(Error::Contradiction(format!(
                "its threshold was fitted for the {} distance, the model uses the {distance}: use the file as it was trained, or fit the threshold anew",
                self.distance
            )));
        }
        if self.weights != weights {
            return Err(Error::Contradiction(
                "its threshold was fitted for other weights: use the file as it was trained, or fit the threshold anew"
                    .into(),
            ));
        }
        Ok(())
    }
}
