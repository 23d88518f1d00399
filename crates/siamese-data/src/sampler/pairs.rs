//! The pair sampler: which images meet in which batch, balanced and reproducible.

use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::chances::{Chances, ClassSampling};
use super::error::SamplerError;
use super::evaluation::Pair;
use super::groups::Groups;
use crate::rng::stream;

/// What decides the pairs of a [`PairSampler`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PairSamplerConfig {
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// Pairs in a batch; the last batch of an epoch may be shorter.
    pub pairs_per_batch: usize,
    /// How the class of an unlike partner is drawn.
    pub class_sampling: ClassSampling,
    /// The share, 0 to 1, of the unlike pairs that are *hard*: drawn from the anchor's superclass.
    ///
    /// Each unlike pair is hard with this probability, unless the anchor's class has no sibling
    /// that can be drawn. The rest is drawn from all other classes, siblings included.
    pub hard_fraction: f64,
}

impl Default for PairSamplerConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            pairs_per_batch: 128,
            class_sampling: ClassSampling::default(),
            hard_fraction: 0.0,
        }
    }
}

/// Draws the pairs of each epoch.
///
/// What holds for every epoch and every batch:
///
/// - Every image in play is the anchor of exactly one pair of the epoch, and never its own partner.
/// - A batch of an even number of pairs has exactly as many like as unlike pairs. A batch of an
///   odd number has one more of either kind, and these batches take turns, across epochs too: from
///   the start of training to the end of any batch, like and unlike pairs differ by at most one.
/// - The partner of a like pair is any other image of the anchor's class, equally probable; that
///   of an unlike pair follows [`ClassSampling`] and [`PairSamplerConfig::hard_fraction`].
/// - An image that is alone in its class is always an unlike anchor (and any anchor's unlike
///   partner). Such images must be at most half of all, else there are not enough like pairs and
///   [`PairSampler::new`] says so.
///
/// An epoch is a pure function of the images, the config and the epoch's number: there is no state
/// to save, and nothing depends on the number of threads or on the order of the indices.
///
/// ```
/// use siamese_data::{PairSampler, PairSamplerConfig};
///
/// let labels = [0, 0, 0, 1, 1, 1, 1, 2];
/// let indices: Vec<u32> = (0..8).collect();
/// let config = PairSamplerConfig { pairs_per_batch: 4, ..Default::default() };
/// let sampler = PairSampler::new(&labels, &indices, None, config)?;
/// for batch in sampler.epoch(0) {
///     assert_eq!(batch.iter().filter(|pair| pair.like).count(), 2);
/// }
/// # Ok::<(), siamese_data::SamplerError>(())
/// ```
pub struct PairSampler {
    groups: Groups,
    chances: Chances,
    /// The places of images with and without another image of their class.
    paired: Vec<u32>,
    lone: Vec<u32>,
    config: PairSamplerConfig,
}

impl PairSampler {
    /// A sampler over the images `indices` (those of the training part, say), whose classes are
    /// `labels[index]` and whose superclasses, if any, are `superclass_of_class[label]`.
    ///
    /// Class weights number one per class: as many as `superclass_of_class` has entries, or
    /// without it one more than the greatest of all `labels`.
    ///
    /// # Errors
    ///
    /// No image, an index beyond `labels` or given twice, a single class, too many classes of one
    /// image, a superclass missing, or a setting out of its range: see [`SamplerError`].
    pub fn new(
        labels: &[u32],
        indices: &[u32],
        superclass_of_class: Option<&[u32]>,
        config: PairSamplerConfig,
    ) -> Result<Self, SamplerError> {
        check_settings(&config, superclass_of_class)?;
        let groups = Groups::new(labels, indices, superclass_of_class)?;
        let classes = match superclass_of_class {
            Some(table) => table.len(),
            None => labels.iter().max().map_or(0, |&label| label as usize + 1),
        };
        let chances = Chances::new(&groups, &config.class_sampling, classes)?;
        let is_lone = |&place: &u32| {
            let class = groups.class_of(place as usize);
            groups.classes()[class].places.len() == 1
        };
        let (lone, paired): (Vec<u32>, Vec<u32>) = (0..groups.len() as u32).partition(is_lone);
        if lone.len() > groups.len() / 2 {
            let label = |&place: &u32| groups.classes()[groups.class_of(place as usize)].label;
            return Err(SamplerError::LoneImages {
                lone: lone.len(),
                images: groups.len(),
                classes: lone.iter().map(label).collect(),
            });
        }
        Ok(Self {
            groups,
            chances,
            paired,
            lone,
            config,
        })
    }

    /// The settings that the sampler was made with.
    pub fn config(&self) -> &PairSamplerConfig {
        &self.config
    }

    /// How many batches an epoch has.
    pub fn batches_per_epoch(&self) -> usize {
        self.groups.len().div_ceil(self.config.pairs_per_batch)
    }

    /// The batches of an epoch, counted from 0.
    pub fn epoch(&self, epoch: usize) -> Vec<Vec<Pair>> {
        let mut rng = stream(self.config.seed, "sampler", &[epoch as u64]);
        let plan = self.plan(epoch);
        let like_total: usize = plan.iter().map(|&(like, _)| like).sum();

        let mut places = self.paired.clone();
        places.shuffle(&mut rng);
        let mut unlike = places.split_off(like_total);
        unlike.extend_from_slice(&self.lone);
        unlike.shuffle(&mut rng);
        let (mut like, mut unlike) = (places.into_iter(), unlike.into_iter());

        let mut batches = Vec::with_capacity(plan.len());
        for (like_count, size) in plan {
            let mut batch = Vec::with_capacity(size);
            for place in like.by_ref().take(like_count) {
                batch.push(self.like_pair(place as usize, &mut rng));
            }
            for place in unlike.by_ref().take(size - like_count) {
                batch.push(self.unlike_pair(place as usize, &mut rng));
            }
            batch.shuffle(&mut rng);
            batches.push(batch);
        }
        batches
    }

    /// How many like pairs, and how many pairs, each batch of an epoch has.
    fn plan(&self, epoch: usize) -> Vec<(usize, usize)> {
        let size = self.config.pairs_per_batch;
        let mut sizes = vec![size; self.groups.len() / size];
        match self.groups.len() % size {
            0 => {}
            rest => sizes.push(rest),
        }
        // Odd batches count on through the epochs; only whether their number is even matters.
        let odd_per_epoch = sizes.iter().filter(|&&size| size % 2 == 1).count();
        let mut odd_so_far = (epoch % 2) * (odd_per_epoch % 2);
        let mut plan = Vec::with_capacity(sizes.len());
        for size in sizes {
            let extra = size % 2 * (odd_so_far % 2);
            odd_so_far += size % 2;
            plan.push((size / 2 + extra, size));
        }
        plan
    }

    /// The anchor at `place` with any other image of its class.
    fn like_pair(&self, place: usize, rng: &mut impl Rng) -> Pair {
        let places = &self.groups.classes()[self.groups.class_of(place)].places;
        let mut partner = rng.random_range(places.start..places.end - 1);
        if partner >= place {
            partner += 1;
        }
        self.pair(place, partner, true)
    }

    /// The anchor at `place` with an image of another class.
    fn unlike_pair(&self, place: usize, rng: &mut impl Rng) -> Pair {
        let classes = self.groups.classes();
        let own = self.groups.class_of(place);
        let family = &classes[own].family;
        let (first, last) = if self.chances.total(family.start, family.end, own) > 0
            && rng.random_bool(self.config.hard_fraction)
        {
            (family.start, family.end)
        } else {
            (0, classes.len())
        };
        let class = self.chances.draw(first, last, own, rng);
        let partner = rng.random_range(classes[class].places.clone());
        self.pair(place, partner, false)
    }

    fn pair(&self, anchor: usize, partner: usize, like: bool) -> Pair {
        Pair {
            a: self.groups.image(anchor),
            b: self.groups.image(partner),
            like,
        }
    }
}

fn check_settings(
    config: &PairSamplerConfig,
    superclass_of_class: Option<&[u32]>,
) -> Result<(), SamplerError> {
    let hard = config.hard_fraction;
    let wrong = |name, value: String, expected| {
        Err(SamplerError::Setting {
            name,
            value,
            expected,
        })
    };
    if config.pairs_per_batch == 0 {
        return wrong("pairs_per_batch", "0".into(), "at least 1");
    }
    if !(0.0..=1.0).contains(&hard) {
        return wrong("hard_fraction", hard.to_string(), "a share from 0 to 1");
    }
    if hard > 0.0 && superclass_of_class.is_none() {
        return wrong(
            "hard_fraction",
            hard.to_string(),
            "0, as the images have no superclasses",
        );
    }
    Ok(())
}
