//! N-way K-shot episodes.

use rand::seq::index;

use super::config::Episodes;
use super::draw::Draw;
use super::error::SamplerError;
use super::groups::Groups;
use crate::rng::stream;

/// Draws episodes: N classes, of each K support images and some queries, all distinct.
pub struct EpisodeSampler {
    groups: Groups,
    /// The classes that have enough images.
    classes: Vec<usize>,
    config: Episodes,
    seed: u64,
}

impl EpisodeSampler {
    pub(super) fn new(
        config: Episodes,
        seed: u64,
        labels: &[u32],
        indices: &[u32],
    ) -> Result<Self, SamplerError> {
        let groups = Groups::new(labels, indices, None)?;
        let wanted = config.shots + config.queries;
        let classes: Vec<usize> = (0..groups.classes().len())
            .filter(|&class| groups.classes()[class].places.len() >= wanted)
            .collect();
        if classes.len() < config.ways {
            return Err(SamplerError::TooFewClasses {
                name: "sampler.ways",
                value: config.ways,
                classes: classes.len(),
                images: wanted,
            });
        }
        Ok(Self {
            groups,
            classes,
            config,
            seed,
        })
    }

    pub(super) fn batches_per_epoch(&self) -> usize {
        self.config.per_epoch
    }

    pub(super) fn epoch(&self, epoch: usize) -> Vec<Draw> {
        let episode = |number| self.episode(epoch, number);
        (0..self.config.per_epoch).map(episode).collect()
    }

    /// First the supports of all classes, class by class, then the queries.
    fn episode(&self, epoch: usize, number: usize) -> Draw {
        let mut rng = stream(self.seed, "episodes", &[epoch as u64, number as u64]);
        let Episodes {
            ways,
            shots,
            queries,
            ..
        } = self.config;
        let mut draw = Draw::default();
        let mut asked = Draw::default();
        for at in index::sample(&mut rng, self.classes.len(), ways) {
            let class = &self.groups.classes()[self.classes[at]];
            let places = index::sample(&mut rng, class.places.len(), shots + queries);
            for (i, place) in places.into_iter().enumerate() {
                let side = if i < shots { &mut draw } else { &mut asked };
                side.indices
                    .push(self.groups.image(class.places.start + place));
                side.labels.push(class.label);
            }
        }
        draw.indices.extend(asked.indices);
        draw.labels.extend(asked.labels);
        draw
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_episode_has_supports_first_and_no_image_twice() {
        let labels: Vec<u32> = (0..60).map(|i| i % 6).collect();
        let indices: Vec<u32> = (0..60).collect();
        let config = Episodes {
            ways: 4,
            shots: 2,
            queries: 3,
            per_epoch: 5,
        };
        let sampler = EpisodeSampler::new(config, 1, &labels, &indices).unwrap();
        let episodes = sampler.epoch(0);
        assert_eq!(episodes.len(), 5);
        for episode in &episodes {
            assert_eq!(episode.indices.iter().collect::<BTreeSet<_>>().len(), 20);
            let (support, query) = episode.labels.split_at(8);
            assert_eq!(support.iter().collect::<BTreeSet<_>>().len(), 4);
            assert!(query.iter().all(|label| support.contains(label)));
            for (index, label) in episode.indices.iter().zip(&episode.labels) {
                assert_eq!(labels[*index as usize], *label);
            }
        }
        assert_eq!(episodes, sampler.epoch(0));
        assert_ne!(episodes, sampler.epoch(1));
    }

    #[test]
    fn too_many_ways_are_an_error_that_names_the_setting() {
        let config = Episodes {
            ways: 3,
            shots: 2,
            queries: 2,
            per_epoch: 1,
        };
        let error = EpisodeSampler::new(
            config,
            0,
            &[0, 0, 0, 0, 1, 1, 1, 1, 2],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8],
        );
        assert!(error.err().unwrap().to_string().contains("sampler.ways"));
    }
}
