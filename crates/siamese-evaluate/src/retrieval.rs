//! Each image of a set asked about among all the others.

use anyhow::Result;
use siamese_core::Metric;
use siamese_core::metrics::classify::{Confusion, accuracy_figure, centroid_classify, vote};
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::metrics::retrieval::{Neighbour, RetrievalConfig, retrieval};
use siamese_core::metrics::{BootstrapConfig, Figure};

/// Neighbours kept of each image, and shown on a contact sheet.
const NEIGHBOURS: usize = 10;
/// Neighbours that vote on a class.
pub(crate) const VOTERS: usize = 5;

/// Multiply-adds that asking about each image among all others may take: some minutes on two cores.
const MOST_WORK: f64 = 1e13;

/// Why retrieval of so many embeddings is left out: a learned comparison has to look at every pair.
pub(crate) fn too_long(metric: &Metric, (rows, dim): (usize, usize)) -> Option<String> {
    let pairs = (rows as f64).powi(2);
    (metric.is_learned() && pairs * metric.cost(dim) as f64 > MOST_WORK).then(|| {
        format!(
            "recall, precision, MAP@R, kNN and nearest centroid are left out: the head would have to compare {pairs:.0} pairs; \
             judge fewer images, or a smaller head"
        )
    })
}

/// What retrieval, nearest neighbours and centroids make of an embedding; all figures are of the same images.
pub struct Retrieval {
    /// `recall_at_k`, `precision_at_k`, `r_precision`, `map_at_r`, `knn_accuracy`, `nearest_centroid_accuracy`.
    pub figures: Vec<Figure>,
    /// The nearest images of each, nearest first.
    pub neighbours: Vec<Vec<Neighbour>>,
    /// Classes by the vote of the nearest, against the truth.
    pub confusion: Confusion,
    /// Whether each image has another of its class to be found; the figures are of those that do.
    pub(crate) counted: Vec<bool>,
    /// What the others lack.
    lack: &'static str,
}

impl Retrieval {
    /// Asks about each image among all the others.
    ///
    /// # Errors
    /// When an embedding is not finite, or no class has two images.
    pub fn new(
        table: &EmbeddingTable,
        metric: &Metric,
        bootstrap: &BootstrapConfig,
    ) -> Result<Self> {
        Self::in_gallery(table, None, metric, bootstrap)
    }

    /// Asks about each embedding in a gallery, or, without one, among all the others.
    pub(crate) fn in_gallery(
        table: &EmbeddingTable,
        gallery: Option<&EmbeddingTable>,
        metric: &Metric,
        bootstrap: &BootstrapConfig,
    ) -> Result<Self> {
        let probes = table.view()?;
        let gallery = gallery.map(EmbeddingTable::view).transpose()?;
        let gallery = gallery.as_ref();
        let config = RetrievalConfig {
            metric: metric.clone(),
            ks: vec![1, 5, 10],
            neighbours: NEIGHBOURS,
            bootstrap: *bootstrap,
        };
        let found = retrieval(&probes, gallery, &config)?;
        let (rows, mut figures) = (&found.counted, found.figures);
        let of = |labels: &[u32]| -> Vec<u32> { rows.iter().map(|&row| labels[row]).collect() };
        let truth = of(probes.labels());
        let shown = gallery.unwrap_or(&probes).labels();
        let voters = |nearest: &Vec<Neighbour>| vote(&nearest[..VOTERS.min(nearest.len())], shown);
        let voted = of(&found.neighbours.iter().map(voters).collect::<Vec<_>>());
        let nearest = of(&centroid_classify(&probes, gallery, metric)?);
        for (name, called) in [
            ("knn_accuracy", &voted),
            ("nearest_centroid_accuracy", &nearest),
        ] {
            figures.push(accuracy_figure(name, &truth, called, bootstrap)?);
        }
        let mut counted = vec![false; probes.len()];
        rows.iter().for_each(|&row| counted[row] = true);
        Ok(Self {
            figures,
            neighbours: found.neighbours,
            confusion: Confusion::new(&truth, &voted)?,
            counted,
            lack: match gallery {
                Some(_) => "have a label that the gallery lacks",
                None => "are alone in their class",
            },
        })
    }

    /// How many images the figures are of, where that is not all.
    pub(crate) fn note(&self) -> Option<String> {
        let counted = self.counted.iter().filter(|counted| **counted).count();
        let lone = self.counted.len() - counted;
        (lone > 0).then(|| {
            format!(
                "retrieval, kNN and nearest centroid: of the {counted} that have another of their class to be found; \
                 {lone} {} and are left out",
                self.lack
            )
        })
    }
}
