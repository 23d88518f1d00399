//! Each image of a set asked about among all the others.

use anyhow::Result;
use siamese_core::Distance;
use siamese_core::metrics::classify::{
    Confusion, accuracy_figure, centroid_classify, knn_classify,
};
use siamese_core::metrics::retrieval::{Neighbour, RetrievalConfig, retrieval};
use siamese_core::metrics::{BootstrapConfig, Figure};
use siamese_data::ImageSet;
use siamese_embed::Embeddings;
use siamese_report::{ConfusionMap, Neighbours, RunReport};

use crate::pictures::{class_name, thumbnail};

/// Neighbours kept of each image, and shown on a contact sheet.
const NEIGHBOURS: usize = 10;
/// Probes shown, half of them with a wrong nearest neighbour.
const SHEETS: usize = 12;
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

    /// Fills the report's contact sheets and confusion map.
    pub(crate) fn fill(&self, report: &mut RunReport, images: &ImageSet) -> Result<()> {
        report.neighbours = self.sheets(images)?;
        report.confusion = Some(self.confusion_map(images));
        Ok(())
    }

    /// Probes at even steps through the set, as many with a right as with a wrong nearest neighbour.
    fn sheets(&self, images: &ImageSet) -> Result<Vec<Neighbours>> {
        let class = |index: u32| images.labels[index as usize];
        let mut shown = Vec::new();
        for right in [true, false] {
            let wanted = |probe: &u32| {
                let nearest = self.neighbours[*probe as usize].first();
                nearest.is_some_and(|n| (class(n.index) == class(*probe)) == right)
            };
            let probes: Vec<u32> = (0..images.len() as u32).filter(wanted).collect();
            let step = (probes.len() / (SHEETS / 2)).max(1);
            for &probe in probes.iter().step_by(step).take(SHEETS / 2) {
                shown.push(self.sheet(images, probe)?);
            }
        }
        Ok(shown)
    }

    fn sheet(&self, images: &ImageSet, probe: u32) -> Result<Neighbours> {
        let class = |index: u32| images.labels[index as usize];
        let neighbour = |n: &Neighbour| {
            Ok(siamese_report::Neighbour {
                image: thumbnail(images, n.index)?,
                label: class_name(images, n.index),
                distance: f64::from(n.distance),
                right: class(n.index) == class(probe),
            })
        };
        Ok(Neighbours {
            probe: thumbnail(images, probe)?,
            label: class_name(images, probe),
            nearest: self.neighbours[probe as usize]
                .iter()
                .map(neighbour)
                .collect::<Result<_>>()?,
        })
    }

    fn confusion_map(&self, images: &ImageSet) -> ConfusionMap {
        let name = |names: &[String], i: u32| {
            names
                .get(i as usize)
                .cloned()
                .unwrap_or_else(|| i.to_string())
        };
        let superclass = images.superclass_of_class();
        let classes = &self.confusion.classes;
        let groups = superclass.map(|of| {
            classes
                .iter()
                .map(|&c| name(&images.superclasses, of[c as usize]))
                .collect()
        });
        ConfusionMap {
            classes: classes.iter().map(|&c| name(&images.classes, c)).collect(),
            groups: groups.unwrap_or_default(),
            counts: self
                .confusion
                .counts
                .iter()
                .map(|row| row.iter().map(|&n| u64::from(n)).collect())
                .collect(),
            method: format!("vote of the {VOTERS} nearest neighbours"),
        }
    }
}
