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
    /// `counts[t][p]`: images of class `t` called class `p`.
    pub counts: Vec<Vec<u64>>,
    /// How images were given a class: "nearest neighbour", "nearest centroid".
    pub method: String,
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
