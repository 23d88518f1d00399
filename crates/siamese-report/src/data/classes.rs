//! Retrieval and classes: neighbours, confusions, a map of the embedding.

use serde::{Deserialize, Serialize};

use super::Thumbnail;

/// A probe and the gallery images nearest to it, the nearest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Neighbours {
    /// The image asked about.
    pub probe: Thumbnail,
    /// Its class.
    pub label: String,
    /// Its file; empty where there is none.
    pub file: String,
    /// The nearest images.
    pub nearest: Vec<Neighbour>,
}

/// One of a probe's nearest images.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Neighbour {
    /// The image.
    pub image: Thumbnail,
    /// Its class.
    pub label: String,
    /// Its file; empty where there is none.
    pub file: String,
    /// Its distance from the probe.
    pub distance: f64,
    /// Whether it is of the probe's class.
    pub right: bool,
}

/// How often images of one class were taken for another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfusionMap {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Superclass of each class, or empty; classes are drawn in the order of their superclass.
    pub groups: Vec<String>,
    /// How often each class was called which, right answers too; what never happened is left out, so that
    /// thousands of classes cost no more than their images.
    pub counts: Vec<CalledAs>,
    /// How images were given a class: "nearest neighbour", "nearest centroid".
    pub method: String,
}

/// Images of one class that were called one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CalledAs {
    /// Their class, an index into [`ConfusionMap::classes`].
    pub class: usize,
    /// What they were called, an index too.
    pub called: usize,
    /// How many.
    pub images: u64,
}

/// Embeddings projected to the plane.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbeddingMap {
    /// How: "PCA", "t-SNE".
    pub method: String,
    /// How many embeddings there are, of which `points` are some; 0 where they are all.
    pub of: usize,
    /// One point per image.
    pub points: Vec<[f64; 2]>,
    /// Class of each point, an index into `class_names`.
    pub classes: Vec<usize>,
    /// Names of the classes.
    pub class_names: Vec<String>,
    /// One thumbnail per point, or none at all; those that fit without overlap are drawn.
    pub thumbnails: Vec<Thumbnail>,
}
