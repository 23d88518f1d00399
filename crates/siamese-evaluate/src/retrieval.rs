//! Each image of a set asked about among all the others.

use anyhow::Result;
use siamese_core::Distance;
use siamese_core::metrics::classify::{
    Confusion, accuracy_figure, centroid_classify, knn_classify,
};
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::metrics::retrieval::{Neighbour, RetrievalConfig, retrieval};
use siamese_core::metrics::{BootstrapConfig, Figure};
use siamese_data::ImageSet;
use siamese_report::{ConfusionMap, Neighbours, RunReport};

use crate::pictures::{class_name, thumbnail};

/// Neighbours kept of each image, and shown on a contact sheet.
const NEIGHBOURS: usize = 10;
/// Probes shown, half of them with a wrong nearest neighbour.
const SHEETS: usize = 12;
/// Neighbours that vote on a class.
const VOTERS: usize = 5;

/// What retrieval, nearest neighbours and centroids make of an embedding; all figures are of the same images.
pub struct Retrieval {
    /// `recall_at_k`, `precision_at_k`, `r_precision`, `map_at_r`, `knn_accuracy`, `nearest_centroid_accuracy`.
    pub figures: Vec<Figure>,
    /// The nearest images of each, nearest first.
    pub neighbours: Vec<Vec<Neighbour>>,
    /// Classes by the vote of the nearest, against the truth.
    pub confusion: Confusion,
    /// Whether each image has another of its class to be found; the figures are of those that do.
    counted: Vec<bool>,
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
        distance: Distance,
        bootstrap: &BootstrapConfig,
    ) -> Result<Self> {
        Self::in_gallery(table, None, distance, bootstrap)
    }

    /// Asks about each embedding in a gallery, or, without one, among all the others.
    pub(crate) fn in_gallery(
        table: &EmbeddingTable,
        gallery: Option<&EmbeddingTable>,
        distance: Distance,
        bootstrap: &BootstrapConfig,
    ) -> Result<Self> {
        let probes = table.view()?;
        let gallery = gallery.map(EmbeddingTable::view).transpose()?;
        let gallery = gallery.as_ref();
        let config = RetrievalConfig {
            metric: distance,
            ks: vec![1, 5, 10],
            neighbours: NEIGHBOURS,
            bootstrap: *bootstrap,
        };
        let found = retrieval(&probes, gallery, &config)?;
        let (rows, mut figures) = (&found.counted, found.figures);
        let of = |labels: &[u32]| -> Vec<u32> { rows.iter().map(|&row| labels[row]).collect() };
        let truth = of(probes.labels());
        let voted = of(&knn_classify(&probes, gallery, distance, VOTERS)?);
        let nearest = of(&centroid_classify(&probes, gallery, distance)?);
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

    /// Fills the report's contact sheets and confusion map.
    pub(crate) fn fill(&self, report: &mut RunReport, images: &ImageSet) -> Result<()> {
        report.neighbours = self.sheets(images)?;
        let name = |class: u32| match images.classes.get(class as usize) {
            Some(name) => name.clone(),
            None => class.to_string(),
        };
        report.confusion = Some(self.confusion_map(name, self.groups(images)));
        Ok(())
    }

    /// Probes at even steps through the set, as many with a right as with a wrong nearest neighbour.
    fn sheets(&self, images: &ImageSet) -> Result<Vec<Neighbours>> {
        let class = |index: u32| images.labels[index as usize];
        let mut shown = Vec::new();
        for right in [true, false] {
            let wanted = |probe: &u32| {
                let nearest = self.neighbours[*probe as usize].first();
                let counted = self.counted[*probe as usize];
                counted && nearest.is_some_and(|n| (class(n.index) == class(*probe)) == right)
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

    /// The confusion of classes under their names, and the names of their groups where they have some.
    pub(crate) fn confusion_map(
        &self,
        name: impl Fn(u32) -> String,
        groups: Option<Vec<String>>,
    ) -> ConfusionMap {
        let Confusion { classes, counts } = &self.confusion;
        let wide = |row: &Vec<u32>| row.iter().map(|&n| u64::from(n)).collect();
        ConfusionMap {
            classes: classes.iter().map(|&class| name(class)).collect(),
            groups: groups.unwrap_or_default(),
            counts: counts.iter().map(wide).collect(),
            method: format!("vote of the {VOTERS} nearest neighbours"),
        }
    }

    /// The superclass of each class of the confusion.
    fn groups(&self, images: &ImageSet) -> Option<Vec<String>> {
        let superclass = images.superclass_of_class()?;
        let group = |&class: &u32| {
            let group = superclass[class as usize];
            let name = images.superclasses.get(group as usize);
            name.cloned().unwrap_or_else(|| group.to_string())
        };
        Some(self.confusion.classes.iter().map(group).collect())
    }
}
