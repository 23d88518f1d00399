//! Which images meet in a batch.

pub(crate) mod chances;
pub(crate) mod config;
pub(crate) mod draw;
pub(crate) mod episodes;
pub(crate) mod error;
pub(crate) mod evaluation;
pub(crate) mod groups;
pub(crate) mod listed;
pub(crate) mod pairs;
pub(crate) mod per_class;

use config::SamplerConfig;
use draw::Draw;
use episodes::EpisodeSampler;
use error::SamplerError;
use evaluation::Pair;
use listed::ListedPairs;
use pairs::{PairSampler, PairSamplerConfig};
use per_class::PerClassSampler;

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
