//! What a batch is made of.

use serde::{Deserialize, Serialize};

use siamese_files::limits::{self, Limit};

use super::chances::ClassSampling;
use super::error::SamplerError;
use super::pairs::PairSamplerConfig;

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
            Self::Pairs(pairs) => pairs.pairs_per_batch.saturating_mul(2),
            Self::PerClass(PerClass { classes, images }) => classes.saturating_mul(*images),
            Self::Episodes(e) => e.ways.saturating_mul(e.shots.saturating_add(e.queries)),
        }
    }

    /// How much is asked for: the setting, its limit, and how many.
    pub fn counts(&self) -> Vec<(&'static str, Limit, usize)> {
        let batch = match self {
            Self::Pairs(_) => "sampler.pairs_per_batch",
            Self::PerClass(_) => "sampler.classes and sampler.images",
            Self::Episodes(_) => "sampler.ways, sampler.shots and sampler.queries",
        };
        let mut counts = vec![(batch, limits::BATCH, self.batch_images())];
        if let Self::Episodes(episodes) = self {
            counts.push(("sampler.per_epoch", limits::EPISODES, episodes.per_epoch));
        }
        counts
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
