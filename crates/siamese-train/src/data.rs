//! The images of a run: a data set decoded at the run's size and divided into parts.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use siamese_core::Model;
use siamese_data::{
    Division, Framing, ImageSet, Items, LeftOut, ListedPair, Listing, OpenOptions, Origin, Pair,
    Part, check_split, pairs_of_part, split, write_split,
};
use siamese_evaluate::{EvaluateConfig, Evaluation, evaluate, evaluate_listed};

use crate::config::DataConfig;

/// What a data set is, for the records of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Its short name, such as `birds`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its name on the Hugging Face hub, where it has one.
    pub hub: Option<String>,
    /// What was recognised: "a folder with one subfolder per class".
    pub kind: String,
    /// Where it was read.
    pub origin: String,
    /// Changes when a file of it changes.
    pub fingerprint: String,
    /// Whether it is only the sample bundled with the toolkit.
    pub sample: bool,
}

/// The images of a run.
pub struct TrainingData {
    /// What the data set is.
    pub about: DataRecord,
    /// Every image that could be read, at the run's size.
    pub images: Arc<ImageSet>,
    /// The name of each image: its file, or its row.
    pub names: Vec<String>,
    /// What must not be torn apart by a split: the person, the patient, the video of each image.
    pub groups: Option<Vec<u32>>,
    /// The part that each image was published in.
    pub published: Option<Vec<Option<Part>>>,
    /// The pairs, where the set is a list of pairs: these are trained on and judged, and no others.
    pub pairs: Option<Vec<Pair>>,
}

/// Images that are judged at the end.
pub struct TestSet {
    /// What it is called beside others; empty where it is alone.
    pub name: &'static str,
    /// Its images, none of them trained on.
    pub images: ImageSet,
    /// The file, or the row, of each; empty where that is not known.
    pub names: Vec<String>,
    /// The pairs of them to judge, where pairs are listed.
    pub pairs: Option<Vec<Pair>>,
}

impl TestSet {
    /// Some of a data set's images, with the listed pairs that lie within them.
    pub fn of(data: &TrainingData, name: &'static str, indices: &[u32]) -> Self {
        let place: HashMap<u32, u32> = indices.iter().copied().zip(0..).collect();
        Self {
            name,
            images: data.images.subset(indices),
            names: indices
                .iter()
                .map(|&i| data.names[i as usize].clone())
                .collect(),
            pairs: data.pairs.as_deref().map(|pairs| among(pairs, &place)),
        }
    }

    /// The images that were published to test by; all where none were.
    pub fn published(data: &TrainingData) -> Self {
        let is_test = |&i: &u32| match &data.published {
            Some(parts) if parts.contains(&Some(Part::Test)) => {
                parts[i as usize] == Some(Part::Test)
            }
            _ => true,
        };
        let indices: Vec<u32> = (0..data.images.len() as u32).filter(is_test).collect();
        Self::of(data, "", &indices)
    }

    /// Keeps the images at `indices` only; listed pairs are not kept.
    pub fn keep(&mut self, indices: &[u32]) {
        self.images = self.images.subset(indices);
        let names = std::mem::take(&mut self.names);
        if !names.is_empty() {
            self.names = indices.iter().map(|&i| names[i as usize].clone()).collect();
        }
        self.pairs = None;
    }

    /// Judges a model on these images; on the listed pairs of them, where there are such.
    ///
    /// # Errors
    /// When the images do not fit the model, or the model carries no threshold.
    pub fn judge(&self, model: &Model, config: &EvaluateConfig) -> Result<Evaluation> {
        match &self.pairs {
            Some(pairs) => evaluate_listed(model, &self.images, pairs, config),
            None => evaluate(model, &self.images, config),
        }
    }

    /// What it is, in words.
    pub fn in_words(&self) -> &'static str {
        match self.name {
            "" => "the test images",
            name => name,
        }
    }
}

/// Images whose pixels tell one data set from another: all of a small set, some of a large one.
const FINGERPRINTED: usize = 4096;

impl TrainingData {
    /// Decodes a data set; pictures that could not be read come beside it.
    ///
    /// # Errors
    /// When no picture can be read.
    pub fn load(
        listing: &Listing,
        framing: &Framing,
        options: &OpenOptions,
    ) -> Result<(Self, Vec<LeftOut>)> {
        let loaded = listing.load(framing, options)?;
        let items = &loaded.items;
        let item = |&i: &u32| listing.items[i as usize];
        let data = Self {
            about: DataRecord {
                name: listing.name.clone(),
                title: listing.honest_title(),
                hub: listing.hub_name().map(String::from),
                kind: listing.kind.clone(),
                origin: listing.origin.to_string(),
                fingerprint: fingerprint(&loaded.images)?,
                sample: matches!(listing.origin, Origin::Sample(_)),
            },
            names: items
                .iter()
                .map(|&i| listing.name_of(i as usize).to_string())
                .collect(),
            groups: items.iter().map(|i| item(i).group).collect(),
            published: published(items.iter().map(|i| item(i).part).collect()),
            pairs: listing.pairs.as_deref().map(|pairs| {
                let place: HashMap<u32, u32> = items.iter().copied().zip(0..).collect();
                among(&pairs_of(pairs), &place)
            }),
            images: Arc::new(loaded.images),
        };
        Ok((data, loaded.problems))
    }

    /// Divides the images: the same parts every time.
    ///
    /// # Errors
    /// When the images do not allow the split that is asked for, or a part would make no like or no unlike pair.
    pub fn divide(&self, config: &DataConfig, seed: u64) -> Result<Divided> {
        Divided::of(&self.items(), config, seed)
    }

    /// Writes the parts to `split.csv`, or checks that an earlier start wrote the same.
    pub(crate) fn keep_split(&self, parts: &[Part], path: &Path) -> Result<()> {
        let keep = if path.exists() {
            check_split
        } else {
            write_split
        };
        Ok(keep(path, &self.items(), &self.names, parts)?)
    }

    fn items(&self) -> Items<'_> {
        Items {
            labels: &self.images.labels,
            classes: &self.images.classes,
            groups: self.groups.as_deref(),
            published: self.published.as_deref(),
            pairs: self.pairs.as_deref(),
        }
    }
}

/// The pairs of a listing, by its items.
pub(crate) fn pairs_of(listed: &[ListedPair]) -> Vec<Pair> {
    let pair = |&ListedPair { a, b, same, .. }: &ListedPair| Pair { a, b, like: same };
    listed.iter().map(pair).collect()
}

/// The pairs whose two images have a place, by these places.
fn among(pairs: &[Pair], place: &HashMap<u32, u32>) -> Vec<Pair> {
    let pair = |pair: &Pair| {
        Some(Pair {
            a: *place.get(&pair.a)?,
            b: *place.get(&pair.b)?,
            like: pair.like,
        })
    };
    pairs.iter().filter_map(pair).collect()
}

/// The published parts, where any item has one.
pub(crate) fn published(parts: Vec<Option<Part>>) -> Option<Vec<Option<Part>>> {
    parts.iter().any(Option::is_some).then_some(parts)
}

/// A checksum of labels and pixels.
fn fingerprint(images: &ImageSet) -> Result<String> {
    let mut sum = crc32c::crc32c(&(images.len() as u64).to_le_bytes());
    for label in &images.labels {
        sum = crc32c::crc32c_append(sum, &label.to_le_bytes());
    }
    for i in (0..images.len()).step_by(images.len().div_ceil(FINGERPRINTED).max(1)) {
        sum = crc32c::crc32c_append(sum, &images.image(i)?);
    }
    Ok(format!("{sum:08x}"))
}

/// The parts of a run's images.
pub struct Divided {
    /// The part of each image.
    pub division: Division,
    /// The number of each training class among them, by label; what is not trained on has number 0.
    dense: Arc<[u32]>,
    classes: usize,
    pairs: Option<Vec<Pair>>,
}

impl Divided {
    /// Divides items of which no picture needs to be read.
    ///
    /// # Errors
    /// As [`TrainingData::divide`].
    pub(crate) fn of(items: &Items, config: &DataConfig, seed: u64) -> Result<Self> {
        let mut division = split(items, &config.split, seed).context("dividing the images")?;
        if config.refit {
            for part in &mut division.parts {
                if matches!(part, Part::Test | Part::SeenTest) {
                    *part = Part::Train;
                }
            }
            division.explained += "; of these the test images train too";
        }
        let pairs = items.pairs.map(<[Pair]>::to_vec);
        Ok(Self::new(division, items, pairs))
    }

    fn new(division: Division, items: &Items, pairs: Option<Vec<Pair>>) -> Self {
        let mut trained = vec![false; items.classes.len()];
        let parts = items.labels.iter().zip(&division.parts);
        for (&label, _) in parts.filter(|(_, part)| **part == Part::Train) {
            trained[label as usize] = true;
        }
        let mut count = 0;
        let number = |trained: &bool| {
            count += u32::from(*trained);
            count.saturating_sub(1) * u32::from(*trained)
        };
        let dense = trained.iter().map(number).collect();
        Self {
            division,
            dense,
            classes: count as usize,
            pairs,
        }
    }

    /// The images of a part, in their order.
    pub fn part(&self, part: Part) -> Vec<u32> {
        let parts = (0u32..).zip(&self.division.parts);
        parts.filter(|(_, p)| **p == part).map(|(i, _)| i).collect()
    }

    /// The pairs that lie within a part, where pairs are listed.
    pub fn pairs(&self, part: Part) -> Option<Vec<Pair>> {
        let pairs = self.pairs.as_ref()?;
        Some(pairs_of_part(pairs, &self.division.parts, part))
    }

    /// Classes that are trained on.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of each training class among the training classes, by label.
    pub(crate) fn dense_labels(&self) -> Arc<[u32]> {
        Arc::clone(&self.dense)
    }

    /// The sets that are judged once, at the end, the first being the one that the run is about; none after a refit.
    pub fn tests(&self, data: &TrainingData) -> Vec<TestSet> {
        let set = |name, part| TestSet::of(data, name, &self.part(part));
        let is_there = |part| self.division.parts.contains(&part);
        match (is_there(Part::Test), is_there(Part::SeenTest)) {
            (false, _) => Vec::new(),
            (true, false) => vec![set("", Part::Test)],
            (true, true) => vec![
                set("unseen classes", Part::Test),
                set("seen classes", Part::SeenTest),
            ],
        }
    }

    /// What a model is trained on, in words.
    pub(crate) fn trained_on(&self, data: &TrainingData) -> String {
        let part = if data.about.sample {
            " (bundled sample only)"
        } else {
            ""
        };
        let images = self.part(Part::Train).len();
        format!(
            "{}{part}, {images} training images of {} classes",
            data.about.name, self.classes
        )
    }
}
