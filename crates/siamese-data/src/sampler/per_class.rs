//! P classes × K images in each batch.

use rand::Rng;
use rand::seq::SliceRandom;

use super::config::PerClass;
use super::draw::Draw;
use super::error::SamplerError;
use super::groups::Groups;
use crate::rng::stream;

/// Draws batches of P classes × K images.
///
/// In an epoch each class is shuffled and dealt out K images at a time, the last deal of a class being filled up with
/// others of its images (or the same ones again, where it has fewer than K). The deals are shuffled and laid into
/// batches so that no class is twice in one; what does not fill a batch of two classes or more is left for the next
/// epoch. So every image is seen about once in an epoch.
pub struct PerClassSampler {
    groups: Groups,
    config: PerClass,
    seed: u64,
}

impl PerClassSampler {
    pub(super) fn new(
        config: PerClass,
        seed: u64,
        labels: &[u32],
        indices: &[u32],
    ) -> Result<Self, SamplerError> {
        let groups = Groups::new(labels, indices, None)?;
        if groups.classes().len() < config.classes {
            return Err(SamplerError::TooFewClasses {
                name: "sampler.classes",
                value: config.classes,
                classes: groups.classes().len(),
                images: 1,
            });
        }
        Ok(Self {
            groups,
            config,
            seed,
        })
    }

    /// Every epoch has as many batches as the images make.
    pub(super) fn batches_per_epoch(&self) -> usize {
        let deals = |places: usize| places.div_ceil(self.config.images);
        let sizes = self
            .groups
            .classes()
            .iter()
            .map(|class| deals(class.places.len()));
        sizes.sum::<usize>().div_ceil(self.config.classes).max(1)
    }

    pub(super) fn epoch(&self, epoch: usize) -> Vec<Draw> {
        let mut rng = stream(self.seed, "per class", &[epoch as u64]);
        let mut deals: Vec<Vec<Vec<u32>>> = (0..self.groups.classes().len())
            .map(|class| self.deals(class, &mut rng))
            .collect();
        let batches = self.batches_per_epoch();
        (0..batches)
            .map(|at| self.batch(&mut deals, batches - at, &mut rng))
            .collect()
    }

    /// The images of a class, K at a time.
    fn deals(&self, class: usize, rng: &mut impl Rng) -> Vec<Vec<u32>> {
        let places = self.groups.classes()[class].places.clone();
        let mut images: Vec<u32> = places.map(|place| self.groups.image(place)).collect();
        images.shuffle(rng);
        let fill = images.clone();
        let deal = |dealt: &[u32]| {
            let rest = fill.iter().filter(|image| !dealt.contains(image));
            let again = dealt.iter().cycle();
            let all = dealt.iter().chain(rest).chain(again);
            all.take(self.config.images).copied().collect()
        };
        images.chunks(self.config.images).map(deal).collect()
    }

    /// P classes: those that have to be in every one of the `left` batches to be dealt out, then others by chance, one
    /// with more left to deal more probably. A class that has nothing left is dealt anew, and comes last.
    fn batch(&self, deals: &mut [Vec<Vec<u32>>], left: usize, rng: &mut impl Rng) -> Draw {
        // the smallest of exponential times at these rates: weighted, and without replacement
        let mut due: Vec<(f64, usize)> = (0..deals.len())
            .map(|class| match deals[class].len() {
                count if count >= left => (-1.0, class),
                0 => (f64::INFINITY, class),
                count => (-(1.0 - rng.random::<f64>()).ln() / count as f64, class),
            })
            .collect();
        due.shuffle(rng);
        due.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut order: Vec<usize> = due.into_iter().map(|(_, class)| class).collect();
        order.truncate(self.config.classes);
        order.shuffle(rng);
        let mut draw = Draw::default();
        for class in order {
            let images = match deals[class].pop() {
                Some(images) => images,
                None => self.deals(class, rng).swap_remove(0),
            };
            let label = self.groups.classes()[class].label;
            draw.labels.extend(std::iter::repeat_n(label, images.len()));
            draw.indices.extend(images);
        }
        draw
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sampler(sizes: &[usize], classes: usize, images: usize) -> PerClassSampler {
        let labels: Vec<u32> = (0u32..)
            .zip(sizes)
            .flat_map(|(class, &size)| std::iter::repeat_n(class, size))
            .collect();
        let indices: Vec<u32> = (0..labels.len() as u32).collect();
        PerClassSampler::new(PerClass { classes, images }, 3, &labels, &indices).unwrap()
    }

    #[test]
    fn every_batch_has_p_classes_of_k_images_and_an_epoch_shows_every_image() {
        let sampler = sampler(&[10, 7, 3, 12, 8, 9], 4, 3);
        for epoch in 0..3 {
            let mut seen = BTreeMap::new();
            let batches = sampler.epoch(epoch);
            assert_eq!(batches.len(), sampler.batches_per_epoch());
            for batch in batches {
                let mut sizes = BTreeMap::new();
                batch
                    .labels
                    .iter()
                    .for_each(|label| *sizes.entry(label).or_insert(0) += 1);
                assert_eq!(sizes.into_values().collect::<Vec<_>>(), [3; 4]);
                batch
                    .indices
                    .iter()
                    .for_each(|i| *seen.entry(*i).or_insert(0) += 1);
            }
            assert!(seen.len() >= 47, "{} of 49 images were shown", seen.len());
        }
        assert_ne!(sampler.epoch(0), sampler.epoch(1));
        assert_eq!(sampler.epoch(1), sampler.epoch(1));
    }

    #[test]
    fn large_and_small_classes_come_throughout_an_epoch() {
        // one class of forty images and twenty of four: 20 + 20·2 deals in 20 batches of three classes
        let sizes: Vec<usize> = std::iter::once(40).chain([4; 20]).collect();
        let sampler = sampler(&sizes, 3, 2);
        let batches = sampler.epoch(0);
        assert_eq!(batches.len(), 20);
        assert!(batches.iter().all(|batch| batch.labels.contains(&0)));
        let sizes: Vec<usize> = std::iter::repeat_n(12, 10).chain([4; 30]).collect();
        let batches = self::sampler(&sizes, 8, 2).epoch(0);
        let small = |batches: &[Draw]| {
            let labels = batches.iter().flat_map(|batch| &batch.labels);
            labels.filter(|&&label| label >= 10).count()
        };
        let (early, late) = batches.split_at(batches.len() / 2);
        let (early, late) = (small(early), small(late));
        assert!(early > late / 2 && late > early / 2, "{early} {late}");
    }

    #[test]
    fn a_class_with_too_few_images_repeats_them() {
        let sampler = sampler(&[1, 2], 2, 4);
        for batch in sampler.epoch(0) {
            assert_eq!(batch.indices.iter().filter(|&&i| i == 0).count(), 4);
        }
    }

    #[test]
    fn more_classes_than_there_are_is_an_error_that_names_the_setting() {
        let error = PerClassSampler::new(
            PerClass {
                classes: 3,
                images: 2,
            },
            0,
            &[0, 0, 1, 1],
            &[0, 1, 2, 3],
        );
        assert!(error.err().unwrap().to_string().contains("sampler.classes"));
    }
}
