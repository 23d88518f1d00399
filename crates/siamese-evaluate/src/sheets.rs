//! Contact sheets and confusions: what a report shows of retrieval.

use anyhow::Result;
use siamese_core::metrics::retrieval::Neighbour;
use siamese_data::ImageSet;
use siamese_report::{CalledAs, ConfusionMap, Neighbours};

use crate::pictures::{class_name, file_name, thumbnail};
use crate::retrieval::{Retrieval, VOTERS};
use crate::spread::spread_out;

/// Probes shown, half of them with a wrong nearest neighbour.
const SHEETS: usize = 12;
/// Probes of each kind that the shown ones are chosen from.
const CANDIDATES: usize = 60;

impl Retrieval {
    /// Probes that differ, as many with a right as with a wrong nearest neighbour. `apart` says how far two images are
    /// apart; probes no further than `least` are the same.
    pub(crate) fn sheets(
        &self,
        images: &ImageSet,
        least: f32,
        apart: impl Fn(u32, u32) -> f32,
    ) -> Result<Vec<Neighbours>> {
        let class = |index: u32| images.labels[index as usize];
        let mut shown = Vec::new();
        for right in [true, false] {
            let wanted = |probe: &u32| {
                let nearest = self.neighbours[*probe as usize].first();
                let counted = self.counted[*probe as usize];
                counted && nearest.is_some_and(|n| (class(n.index) == class(*probe)) == right)
            };
            let probes: Vec<u32> = (0..self.neighbours.len() as u32).filter(wanted).collect();
            let step = (probes.len() / CANDIDATES).max(1);
            let candidates: Vec<u32> = probes.into_iter().step_by(step).collect();
            for probe in spread_out(&candidates, SHEETS / 2, least, &apart) {
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
                file: file_name(images, n.index),
                distance: f64::from(n.distance),
                right: class(n.index) == class(probe),
            })
        };
        Ok(Neighbours {
            probe: thumbnail(images, probe)?,
            label: class_name(images, probe),
            file: file_name(images, probe),
            nearest: self.neighbours[probe as usize]
                .iter()
                .map(neighbour)
                .collect::<Result<_>>()?,
        })
    }

    /// Which classes are taken for which, under the names of a set's classes and superclasses.
    pub(crate) fn confusion_of(&self, images: &ImageSet) -> ConfusionMap {
        let name = |names: &[String], i: u32| {
            let name = names.get(i as usize);
            name.cloned().unwrap_or_else(|| i.to_string())
        };
        let groups = images.superclass_of_class().map(|of| {
            let group = |&class: &u32| name(&images.superclasses, of[class as usize]);
            self.confusion.classes.iter().map(group).collect()
        });
        self.confusion_map(|class| name(&images.classes, class), groups)
    }

    /// Which classes are taken for which, under these names; with the groups of the classes, where they have some.
    pub(crate) fn confusion_map(
        &self,
        name: impl Fn(u32) -> String,
        groups: Option<Vec<String>>,
    ) -> ConfusionMap {
        let classes = &self.confusion.classes;
        let called = |&(class, called, images): &(u32, u32, u32)| {
            Some(CalledAs {
                class: classes.binary_search(&class).ok()?,
                called: classes.binary_search(&called).ok()?,
                images: images.into(),
            })
        };
        ConfusionMap {
            classes: classes.iter().map(|&class| name(class)).collect(),
            groups: groups.unwrap_or_default(),
            counts: self.confusion.counts.iter().filter_map(called).collect(),
            method: format!("vote of the {VOTERS} nearest neighbours"),
        }
    }
}
