//! What a search finds.

use serde::{Deserialize, Serialize};

/// A gallery item near a probe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its row in the gallery.
    pub index: u32,
    /// Its distance from the probe.
    pub distance: f32,
}

/// Two rows of different labels.
pub(crate) struct UnlikePair {
    pub(crate) distance: f32,
    pub(crate) a: u32,
    pub(crate) b: u32,
}
