//! Pairs that somebody listed, in balanced batches.

use rand::Rng;
use rand::seq::{SliceRandom, index};

use super::config::PairSampling;
use super::error::SamplerError;
use super::evaluation::Pair;
use crate::rng::stream;

/// Draws batches of listed pairs, half of them like.
///
/// An epoch shows each pair of the more frequent kind once; those of the other kind come as often, each of them once
/// before any comes again. Either image is the anchor, at even odds.
pub struct ListedPairs {
    like: Vec<Pair>,
    unlike: Vec<Pair>,
    per_batch: usize,
    seed: u64,
}

impl ListedPairs {
    pub(super) fn new(
        config: &PairSampling,
        seed: u64,
        pairs: &[Pair],
    ) -> Result<Self, SamplerError> {
        if config.hard_fraction > 0.0 {
            return Err(SamplerError::Setting {
                name: "sampler.hard_fraction",
                value: config.hard_fraction.to_string(),
                expected: "0: the pairs are listed, none is drawn",
            });
        }
        let (like, unlike): (Vec<Pair>, Vec<Pair>) = pairs.iter().partition(|pair| pair.like);
        for (kind, some) in [("like", &like), ("unlike", &unlike)] {
            if some.is_empty() {
                return Err(SamplerError::NoneListed { kind });
            }
        }
        Ok(Self {
            like,
            unlike,
            per_batch: config.pairs_per_batch,
            seed,
        })
    }

    /// Pairs of each kind in an epoch.
    fn of_each_kind(&self) -> usize {
        self.like.len().max(self.unlike.len())
    }

    pub(super) fn batches_per_epoch(&self) -> usize {
        (2 * self.of_each_kind()).div_ceil(self.per_batch)
    }

    pub(super) fn epoch(&self, epoch: usize) -> Vec<Vec<Pair>> {
        let mut rng = stream(self.seed, "listed pairs", &[epoch as u64]);
        let count = self.of_each_kind();
        let [like, unlike] = [&self.like, &self.unlike].map(|kind| dealt(kind, count, &mut rng));
        let both = like.into_iter().zip(unlike);
        let mut pairs: Vec<Pair> = both.flat_map(|(like, unlike)| [like, unlike]).collect();
        for pair in pairs.iter_mut().filter(|_| rng.random()) {
            (pair.a, pair.b) = (pair.b, pair.a);
        }
        let batches = pairs.chunks_mut(self.per_batch);
        batches
            .map(|batch| {
                batch.shuffle(&mut rng);
                batch.to_vec()
            })
            .collect()
    }
}

/// `count` of `pairs` in random order, none twice before all came once, and so on.
fn dealt(pairs: &[Pair], count: usize, rng: &mut impl Rng) -> Vec<Pair> {
    let mut dealt = Vec::with_capacity(count);
    while dealt.len() < count {
        let mut again = pairs.to_vec();
        again.shuffle(rng);
        again.truncate(count - dealt.len());
        dealt.extend(again);
    }
    dealt
}

/// At most `count` of listed pairs to judge by, in their order: half of them like, as far as there are enough of each
/// kind; which ones depends on the seed. An odd `count` has one more unlike pair.
///
/// ```
/// use siamese_data::{Pair, chosen_pairs};
///
/// let pairs: Vec<Pair> = (0..10).map(|i| Pair { a: i, b: i + 1, like: i < 8 }).collect();
/// let chosen = chosen_pairs(&pairs, 6, 42);
/// // three like pairs, and both unlike ones
/// assert_eq!(chosen.iter().filter(|pair| pair.like).count(), 3);
/// assert_eq!(chosen.len(), 5);
/// ```
pub fn chosen_pairs(pairs: &[Pair], count: usize, seed: u64) -> Vec<Pair> {
    let mut rng = stream(seed, "chosen pairs", &[]);
    let mut chosen = Vec::new();
    for (like, most) in [(true, count / 2), (false, count.div_ceil(2))] {
        let places: Vec<usize> = (0..pairs.len())
            .filter(|&i| pairs[i].like == like)
            .collect();
        let drawn = index::sample(&mut rng, places.len(), most.min(places.len()));
        chosen.extend(drawn.into_iter().map(|i| places[i]));
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|i| pairs[i]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn listed(like: u32, unlike: u32) -> Vec<Pair> {
        let pair = |i, like| Pair {
            a: 2 * i,
            b: 2 * i + 1,
            like,
        };
        (0..like)
            .map(|i| pair(i, true))
            .chain((like..like + unlike).map(|i| pair(i, false)))
            .collect()
    }

    #[test]
    fn batches_are_balanced_and_no_listed_pair_is_left_out_or_made_up() {
        let pairs = listed(3, 11);
        for per_batch in [4, 5, 64] {
            let config = PairSampling {
                pairs_per_batch: per_batch,
                ..Default::default()
            };
            let sampler = ListedPairs::new(&config, 1, &pairs).unwrap();
            let batches = sampler.epoch(2);
            assert_eq!(batches.len(), sampler.batches_per_epoch());
            let mut seen = BTreeMap::new();
            for batch in &batches {
                let like = batch.iter().filter(|pair| pair.like).count();
                assert!((2 * like).abs_diff(batch.len()) <= 1, "{batch:?}");
                for pair in batch {
                    let (a, b) = (pair.a.min(pair.b), pair.a.max(pair.b));
                    let known = pairs.iter().find(|p| (p.a, p.b) == (a, b));
                    assert_eq!(known.map(|p| p.like), Some(pair.like));
                    *seen.entry((pair.like, a)).or_insert(0) += 1;
                }
            }
            let times = |like| seen.iter().filter(move |((kind, _), _)| *kind == like);
            assert!(times(false).all(|(_, &n)| n == 1) && times(false).count() == 11);
            assert!(times(true).all(|(_, &n)| n == 3 || n == 4) && times(true).count() == 3);
            assert_eq!(sampler.epoch(2), batches);
            assert_ne!(sampler.epoch(3), batches);
        }
    }

    #[test]
    fn pairs_of_one_kind_and_hard_pairs_are_refused_by_name() {
        let refused = |config: &PairSampling, pairs: &[Pair]| {
            ListedPairs::new(config, 0, pairs)
                .err()
                .unwrap()
                .to_string()
        };
        assert!(refused(&PairSampling::default(), &listed(0, 3)).contains("no like pair"));
        let hard = PairSampling {
            hard_fraction: 0.5,
            ..Default::default()
        };
        assert!(refused(&hard, &listed(2, 3)).contains("sampler.hard_fraction"));
    }
}
