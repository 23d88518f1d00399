//! Which images meet in a batch.

pub(crate) mod chances;
pub(crate) mod episodes;
pub(crate) mod error;
pub(crate) mod evaluation;
pub(crate) mod groups;
pub(crate) mod listed;
pub(crate) mod pairs;
pub(crate) mod per_class;

use serde::{Deserialize, Serialize};

use chances::ClassSampling;
use episodes::EpisodeSampler;
use error::SamplerError;
use evaluation::Pair;
use listed::ListedPairs;
use pairs::{PairSampler, PairSamplerConfig};
use per_class::PerClassSampler;

/// What a batch is made of; `kind` tells them apart in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SamplerConfig {
    /// As many like as unlike pairs.
    Pairs(PairSampling),
    /// Some classes, some images of each.
    PerClass(PerClass),
    /// Few-shot episodes.
    Episodes(Episodes),
}

/// Balanced pairs: every image is the anchor of one pair in an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PairSampling {
    /// Pairs in a batch; the tower sees twice as many images at once.
    pub pairs_per_batch: usize,
    /// Which classes the partners of unlike pairs come from.
    pub class_sampling: ClassSampling,
    /// Share of the unlike pairs drawn within one superclass.
    pub hard_fraction: f64,
}

impl PairSampling {
    /// Whether every setting is in range, whatever the images.
    fn validate(&self) -> Result<(), SamplerError> {
        let (name, value, expected) = match self.hard_fraction {
            _ if self.pairs_per_batch == 0 => ("sampler.pairs_per_batch", 0.0, "at least 1"),
            share if !(0.0..=1.0).contains(&share) => {
                ("sampler.hard_fraction", share, "a share from 0 to 1")
            }
            _ => return Ok(()),
        };
        Err(SamplerError::Setting {
            name,
            value: value.to_string(),
            expected,
        })
    }
}

impl Default for PairSampling {
    fn default() -> Self {
        let PairSamplerConfig {
            pairs_per_batch,
            class_sampling,
            hard_fraction,
            ..
        } = PairSamplerConfig::default();
        Self {
            pairs_per_batch,
            class_sampling,
            hard_fraction,
        }
    }
}

/// P classes × K images in each batch (Hermans, Beyer and Leibe 2017).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerClass {
    /// P, the classes in a batch.
    pub classes: usize,
    /// K, the images of each.
    pub images: usize,
}

impl Default for PerClass {
    fn default() -> Self {
        Self {
            classes: 32,
            images: 4,
        }
    }
}

/// N-way K-shot episodes: a batch is one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Episodes {
    /// N, the classes of an episode.
    pub ways: usize,
    /// K, the support images of a class.
    pub shots: usize,
    /// Query images of a class.
    pub queries: usize,
    /// Episodes in an epoch.
    pub per_epoch: usize,
}

impl Default for Episodes {
    fn default() -> Self {
        Self {
            ways: 20,
            shots: 1,
            queries: 5,
            per_epoch: 100,
        }
    }
}

impl SamplerConfig {
    /// Its kind, as files have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pairs(_) => "pairs",
            Self::PerClass(_) => "per_class",
            Self::Episodes(_) => "episodes",
        }
    }

    /// Images in a whole batch.
    pub fn batch_images(&self) -> usize {
        match self {
            Self::Pairs(pairs) => 2 * pairs.pairs_per_batch,
            Self::PerClass(PerClass { classes, images }) => classes * images,
            Self::Episodes(e) => e.ways * (e.shots + e.queries),
        }
    }

    /// Whether every setting is in range, whatever the images.
    ///
    /// # Errors
    /// When one is not; the message names it.
    pub fn validate(&self) -> Result<(), SamplerError> {
        let at_least = |name, value: usize, least: usize, expected| match value < least {
            true => Err(SamplerError::Setting {
                name,
                value: value.to_string(),
                expected,
            }),
            false => Ok(()),
        };
        match self {
            Self::Pairs(pairs) => pairs.validate(),
            Self::PerClass(per) => {
                at_least("sampler.classes", per.classes, 2, "at least 2")?;
                at_least(
                    "sampler.images",
                    per.images,
                    2,
                    "at least 2: one image of a class makes no like pair",
                )
            }
            Self::Episodes(e) => {
                at_least("sampler.ways", e.ways, 2, "at least 2")?;
                at_least("sampler.shots", e.shots, 1, "at least 1")?;
                at_least("sampler.queries", e.queries, 1, "at least 1")?;
                at_least("sampler.per_epoch", e.per_epoch, 1, "at least 1")
            }
        }
    }
}

/// The images of one batch; two of them are like where their labels are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draw {
    /// Indices into the image set. Of pairs: the B anchors, then their B partners.
    pub indices: Vec<u32>,
    /// The class of each.
    pub labels: Vec<u32>,
    /// Whether these are pairs: image `i` and image `B + i` belong together.
    pub paired: bool,
}

/// Draws the batches of each epoch: a pure function of images, settings, seed and the epoch's number.
///
/// ```
/// use siamese_data::{PerClass, Sampler, SamplerConfig};
///
/// let labels = [0, 0, 0, 1, 1, 1, 2, 2, 2];
/// let indices: Vec<u32> = (0..9).collect();
/// let config = SamplerConfig::PerClass(PerClass { classes: 3, images: 2 });
/// let sampler = Sampler::new(&config, 42, &labels, &indices, None)?;
/// for batch in sampler.epoch(0) {
///     assert_eq!(batch.labels.iter().filter(|label| **label == batch.labels[0]).count(), 2);
/// }
/// # Ok::<(), siamese_data::SamplerError>(())
/// ```
pub enum Sampler {
    /// Balanced pairs.
    Pairs(Box<PairSampler>, Vec<u32>),
    /// Pairs that are listed.
    Listed(ListedPairs, Vec<u32>),
    /// Classes × images.
    PerClass(PerClassSampler),
    /// Episodes.
    Episodes(EpisodeSampler),
}

impl Sampler {
    /// A sampler over the images `indices` (those of the training part, say), whose classes are `labels[index]` and
    /// whose superclasses, if any, are `superclass_of_class[label]`.
    ///
    /// # Errors
    /// When a setting is out of range, or the images do not suffice for it: see [`SamplerError`].
    pub fn new(
        config: &SamplerConfig,
        seed: u64,
        labels: &[u32],
        indices: &[u32],
        superclass_of_class: Option<&[u32]>,
    ) -> Result<Self, SamplerError> {
        config.validate()?;
        Ok(match config {
            SamplerConfig::Pairs(pairs) => {
                let config = PairSamplerConfig {
                    seed,
                    pairs_per_batch: pairs.pairs_per_batch,
                    class_sampling: pairs.class_sampling.clone(),
                    hard_fraction: pairs.hard_fraction,
                };
                let sampler = PairSampler::new(labels, indices, superclass_of_class, config)?;
                Self::Pairs(Box::new(sampler), labels.to_vec())
            }
            SamplerConfig::PerClass(per_class) => {
                Self::PerClass(PerClassSampler::new(*per_class, seed, labels, indices)?)
            }
            SamplerConfig::Episodes(episodes) => {
                Self::Episodes(EpisodeSampler::new(*episodes, seed, labels, indices)?)
            }
        })
    }

    /// A sampler over pairs that are listed, of images whose classes are `labels[index]`: it shows these and no others.
    ///
    /// # Errors
    /// When the settings are of another sampler or out of range, a pair names no image, or no pair of a kind is listed.
    pub fn of_pairs(
        config: &SamplerConfig,
        seed: u64,
        labels: &[u32],
        pairs: &[Pair],
    ) -> Result<Self, SamplerError> {
        config.validate()?;
        let SamplerConfig::Pairs(settings) = config else {
            return Err(SamplerError::Setting {
                name: "sampler.kind",
                value: config.name().into(),
                expected: "pairs, as the pairs are listed",
            });
        };
        let images = labels.len();
        let beyond = |index: &u32| *index as usize >= images;
        if let Some(index) = pairs.iter().flat_map(|p| [p.a, p.b]).find(beyond) {
            return Err(SamplerError::Index { index, images });
        }
        let listed = ListedPairs::new(settings, seed, pairs)?;
        Ok(Self::Listed(listed, labels.to_vec()))
    }

    /// How many batches an epoch has.
    pub fn batches_per_epoch(&self) -> usize {
        match self {
            Self::Pairs(sampler, _) => sampler.batches_per_epoch(),
            Self::Listed(sampler, _) => sampler.batches_per_epoch(),
            Self::PerClass(sampler) => sampler.batches_per_epoch(),
            Self::Episodes(sampler) => sampler.batches_per_epoch(),
        }
    }

    /// The batches of an epoch, counted from 0.
    pub fn epoch(&self, epoch: usize) -> Vec<Draw> {
        match self {
            Self::Pairs(sampler, labels) => of_pairs(&sampler.epoch(epoch), labels),
            Self::Listed(sampler, labels) => of_pairs(&sampler.epoch(epoch), labels),
            Self::PerClass(sampler) => sampler.epoch(epoch),
            Self::Episodes(sampler) => sampler.epoch(epoch),
        }
    }
}

fn of_pairs(batches: &[Vec<Pair>], labels: &[u32]) -> Vec<Draw> {
    let draw = |pairs: &Vec<Pair>| {
        let anchors = pairs.iter().map(|pair| pair.a);
        let indices: Vec<u32> = anchors.chain(pairs.iter().map(|pair| pair.b)).collect();
        Draw {
            labels: indices.iter().map(|&i| labels[i as usize]).collect(),
            indices,
            paired: true,
        }
    };
    batches.iter().map(draw).collect()
}
