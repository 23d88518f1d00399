//! The images of a run: a data set decoded at the run's size and divided into parts.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use siamese_core::Model;
use siamese_data::{
    Division, Framing, ImageSet, Items, LeftOut, ListedPair, Listing, OpenOptions, Origin, Pair,
    Part, Turned, check_split, pairs_of_part, split, write_split,
};
use siamese_evaluate::{EvaluateConfig, Evaluation, evaluate, evaluate_listed};
use siamese_words::counted;

use crate::config::{DataConfig, TrainConfig};

/// What a data set is, for the records of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Its short name, such as `birds`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its name on the Hugging Face hub, where it has one.
    pub hub: Option<String>,
    /// Its licence, where the set is known to have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Whom to cite, where the set is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<String>,
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
    /// The same images at another size, where training cuts its own out of them (`augment.cached_size`).
    pub cached: Option<Arc<ImageSet>>,
    /// Whether these are the pictures that were published, where their pixels alone tell it.
    pub as_published: Option<bool>,
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
                licence: listing.licence.clone(),
                citation: listing.citation.clone(),
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
            cached: None,
            as_published: loaded.as_published,
        };
        Ok((data, loaded.problems))
    }

    /// Decodes the pictures once more for training, at the size that a configuration keeps them at
    /// (`augment.cached_size`), if it names one.
    ///
    /// # Errors
    /// When the pictures cannot be read, or others than before can.
    pub fn with_cached(
        mut self,
        listing: &Listing,
        framing: &Framing,
        size: Option<(usize, usize)>,
        options: &OpenOptions,
    ) -> Result<Self> {
        let Some((height, width)) = size.filter(|&size| size != (framing.height, framing.width))
        else {
            return Ok(self);
        };
        let framing = Framing {
            height,
            width,
            ..*framing
        };
        let loaded = listing.load(&framing, options)?;
        let names = loaded.items.iter().map(|&i| listing.name_of(i as usize));
        ensure!(
            names.eq(self.names.iter().map(String::as_str)),
            "other pictures can be read at {height}x{width} than at the tower's size: do the files of {} change just now?",
            listing.name
        );
        self.cached = Some(Arc::new(loaded.images));
        Ok(self)
    }

    /// The images that training makes its own of.
    pub(crate) fn training_images(&self) -> &Arc<ImageSet> {
        self.cached.as_ref().unwrap_or(&self.images)
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
    turned: Option<Turned>,
    /// Whether the classes are pictures.
    unlabelled: bool,
}

impl Divided {
    /// Divides items of which no picture needs to be read.
    ///
    /// # Errors
    /// As [`TrainingData::divide`].
    pub(crate) fn of(items: &Items, config: &DataConfig, seed: u64) -> Result<Self> {
        let mut division = split(items, &config.split, seed).context("dividing the images")?;
        if config.unlabelled {
            division.explained = in_views(&division.parts);
        }
        if config.refit {
            for part in &mut division.parts {
                if matches!(part, Part::Test | Part::SeenTest) {
                    *part = Part::Train;
                }
            }
            division.explained += "; of these the test images train too";
        }
        ensure!(
            config.turned.is_none() || items.pairs.is_none(),
            "data.turned makes classes of turned images, but the data is a list of pairs: leave it out"
        );
        if let Some(turned) = config.turned {
            division.explained +=
                &format!("; to train, {}, as classes of their own", turned.in_words());
        }
        Ok(Self {
            unlabelled: config.unlabelled,
            ..Self::new(division, items, config.turned)
        })
    }

    fn new(division: Division, items: &Items, turned: Option<Turned>) -> Self {
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
        let dense: Vec<u32> = trained.iter().map(number).collect();
        let dense = match turned {
            Some(turned) => turned.labels(&dense, count as usize),
            None => dense,
        };
        Self {
            division,
            dense: dense.into(),
            classes: count as usize * copies(turned),
            pairs: items.pairs.map(<[Pair]>::to_vec),
            turned,
            unlabelled: false,
        }
    }

    /// The images that the training draws from, turned copies among them: those at [`Self::training`].
    ///
    /// # Errors
    /// When the images cannot be turned as asked.
    pub(crate) fn training_images(&self, data: &TrainingData) -> Result<Arc<ImageSet>> {
        let images = data.training_images();
        Ok(match self.turned {
            Some(turned) => Arc::new(images.turned(turned)?),
            None => Arc::clone(images),
        })
    }

    /// The class of each image that the training could draw from, given those of the images as they are.
    pub(crate) fn training_labels(&self, labels: &[u32]) -> Vec<u32> {
        match self.turned {
            Some(turned) => turned.labels(labels, self.dense.len() / turned.count()),
            None => labels.to_vec(),
        }
    }

    /// The superclass of each class, a turned copy's being that of the class as it is.
    pub(crate) fn training_superclasses(&self, superclasses: &[u32]) -> Vec<u32> {
        superclasses.repeat(copies(self.turned))
    }

    /// The images to train on, turned copies among them.
    pub(crate) fn training(&self) -> Vec<u32> {
        let (all, training) = (self.division.parts.len(), self.part(Part::Train));
        let turn = |k: usize| training.iter().map(move |i| i + (k * all) as u32);
        (0..copies(self.turned)).flat_map(turn).collect()
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

    /// Whether the classes are pictures, of which nothing else is known.
    pub fn unlabelled(&self) -> bool {
        self.unlabelled
    }

    /// Classes that are trained on, those of turned copies among them.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of each training class among the training classes, by label; then those of the turned copies.
    pub(crate) fn dense_labels(&self) -> Arc<[u32]> {
        Arc::clone(&self.dense)
    }

    /// The sets that are judged once, at the end, the first being the one that the run is about; none after a refit.
    /// Without labels two views of the pictures.
    ///
    /// # Errors
    /// When a picture that is to be changed cannot be read.
    pub fn tests(&self, data: &TrainingData, config: &TrainConfig) -> Result<Vec<TestSet>> {
        let set = |name, part| {
            let set = TestSet::of(data, name, &self.part(part));
            match self.unlabelled {
                true => set.of_views(&config.augment, config.seed),
                false => Ok(set),
            }
        };
        let is_there = |part| self.division.parts.contains(&part);
        match (is_there(Part::Test), is_there(Part::SeenTest)) {
            (false, _) => Ok(Vec::new()),
            (true, false) => Ok(vec![set("", Part::Test)?]),
            (true, true) => Ok(vec![
                set("unseen classes", Part::Test)?,
                set("seen classes", Part::SeenTest)?,
            ]),
        }
    }

    /// What a model is trained on, in words.
    pub(crate) fn trained_on(&self, data: &TrainingData) -> String {
        let part = if data.about.sample {
            " (bundled sample only)"
        } else {
            ""
        };
        if self.unlabelled {
            return format!(
                "{}{part}, two views of {}, without labels",
                data.about.name,
                counted(self.classes, "training picture")
            );
        }
        let images = self.training().len();
        format!(
            "{}{part}, {} of {}",
            data.about.name,
            counted(images, "training image"),
            counted(self.classes, "class")
        )
    }
}

/// Images that become of each that is trained on.
fn copies(turned: Option<Turned>) -> usize {
    turned.map_or(1, Turned::count)
}

/// What went where, where every picture counts as two images.
fn in_views(parts: &[Part]) -> String {
    let pictures = |of: Part| parts.iter().filter(|&&part| part == of).count() / 2;
    format!(
        "{} pictures train, {} validate, {} test, by whether the two views of a picture are known to be of one",
        pictures(Part::Train),
        pictures(Part::Validation),
        pictures(Part::Test)
    )
}
