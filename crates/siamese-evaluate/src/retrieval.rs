//! Each image of a set asked about among all the others.

use anyhow::Result;
use siamese_core::Distance;
use siamese_core::metrics::classify::{
    Confusion, accuracy_figure, centroid_classify, knn_classify,
};
use siamese_core::metrics::retrieval::{Neighbour, RetrievalConfig, retrieval};
use siamese_core::metrics::{BootstrapConfig, Figure};
use siamese_embed::Embeddings;

/// Neighbours kept of each image, and shown on a contact sheet.
const NEIGHBOURS: usize = 10;
/// Neighbours that vote on a class.
pub(crate) const VOTERS: usize = 5;

/// What retrieval, nearest neighbours and centroids make of an embedding.
pub struct Retrieval {
    /// `recall_at_k`, `precision_at_k`, `r_precision`, `map_at_r`, `knn_accuracy`, `nearest_centroid_accuracy`.
    pub figures: Vec<Figure>,
    /// The nearest images of each, nearest first.
    pub neighbours: Vec<Vec<Neighbour>>,
    /// Classes by the vote of the nearest, against the truth.
    pub confusion: Confusion,
}

impl Retrieval {
    /// Asks about each image among all the others.
    ///
    /// # Errors
    /// When an embedding is not finite, or no class has two images.
    pub fn new(
        embeddings: &Embeddings,
        labels: &[u32],
        distance: Distance,
        bootstrap: &BootstrapConfig,
    ) -> Result<Self> {
        let metric = distance;
        let table = embeddings.table(labels)?;
        let rows = table.view()?;
        let config = RetrievalConfig {
            metric,
            ks: vec![1, 5, 10],
            neighbours: NEIGHBOURS,
            bootstrap: *bootstrap,
        };
        let found = retrieval(&rows, None, &config)?;
        let mut figures = found.figures;
        let voted = knn_classify(&rows, None, metric, VOTERS)?;
        figures.push(accuracy_figure("knn_accuracy", labels, &voted, bootstrap)?);
        let centroids = centroid_classify(&rows, None, metric)?;
        figures.push(accuracy_figure(
            "nearest_centroid_accuracy",
            labels,
            &centroids,
            bootstrap,
        )?);
        Ok(Self {
            figures,
            neighbours: found.neighbours,
            confusion: Confusion::new(labels, &voted)?,
        })
    }
}
