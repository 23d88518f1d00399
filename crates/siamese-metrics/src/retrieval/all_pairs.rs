//! The nearest unlike pairs of a whole set, exactly, in blocks, and the distances of all like pairs.

use std::collections::BTreeMap;

use ndarray::{ArrayViewMut2, s};
use rayon::prelude::*;

use super::found::UnlikePair;
use super::learned;
use super::scores::Scores;
use crate::distance::Distance;
use crate::embeddings::EmbeddingView;
use crate::metric::Metric;

/// Rows and columns of a block of pairs.
const BLOCK: usize = 256;
/// Pairs that are looked at exactly at most. More only come of an embedding that has collapsed.
const LOOKED_AT: u64 = 16_000_000;
/// Bits of a score that do not choose its bin.
const DROPPED: u32 = 12;

/// About the `wanted` nearest unlike pairs by ascending distance; `None` where too many are as near as each other.
///
/// By a distance, the first pass counts the scores of all pairs by bins, the second looks exactly at those pairs that
/// may be among the nearest. By a learned comparison all pairs are looked at.
pub(crate) fn nearest_unlike(
    set: &EmbeddingView,
    metric: &Metric,
    wanted: usize,
) -> Option<Vec<UnlikePair>> {
    let (mut pairs, all) = match metric {
        Metric::Distance(distance) => sieved(set, *distance, wanted)?,
        Metric::Learned(_) => {
            let pairs = learned::unlike_pairs(set, metric);
            let all = pairs.len() as u64;
            (pairs, all)
        }
    };
    pairs.sort_unstable_by(|x, y| {
        let rows = (x.a, x.b).cmp(&(y.a, y.b));
        x.distance.total_cmp(&y.distance).then(rows)
    });
    if (pairs.len() as u64) < all {
        // Only what is nearer than the last wanted one is sure to be complete: ties may lie outside.
        let reach = pairs.get(wanted.min(pairs.len()).checked_sub(1)?)?.distance;
        pairs.truncate(pairs.partition_point(|pair| pair.distance < reach));
    }
    Some(pairs)
}

/// Those unlike pairs that may be among the nearest, and how many there are in all.
fn sieved(
    set: &EmbeddingView,
    distance: Distance,
    wanted: usize,
) -> Option<(Vec<UnlikePair>, u64)> {
    let scan = Scan {
        scores: Scores::new(set, None, distance),
        set,
    };
    let counts = scan.count();
    let (within, listed) = within(&counts, wanted as u64, scan.slack());
    let all = counts.iter().sum();
    (listed <= LOOKED_AT).then(|| (scan.collect(distance, within), all))
}

/// The distances of the like pairs of each label, ascending.
pub(crate) fn like_distances(set: &EmbeddingView, metric: &Metric) -> Vec<(u32, Vec<f32>)> {
    let mut rows: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, &label) in set.labels().iter().enumerate() {
        rows.entry(label).or_default().push(row);
    }
    let rows: Vec<(u32, Vec<usize>)> = rows.into_iter().collect();
    let of_label = |(label, rows): &(u32, Vec<usize>)| {
        let of_row = |i: usize| {
            let others = rows[i + 1..].iter();
            let keys = metric.keys(others.map(|&b| (set.row(rows[i]), set.row(b))));
            keys.into_iter().map(|key| metric.distance_of(key))
        };
        let mut distances: Vec<f32> = (0..rows.len())
            .into_par_iter()
            .flat_map_iter(of_row)
            .collect();
        distances.sort_unstable_by(f32::total_cmp);
        (*label, distances)
    };
    rows.par_iter().map(of_label).collect()
}

/// The score up to which pairs must be looked at to have the `wanted` nearest, and how many those are.
fn within(counts: &[u64], wanted: u64, slack: f32) -> (f32, u64) {
    let upper = |bin: usize| f32::from_bits(((bin as u32) + 1) << DROPPED);
    let mut sum = 0;
    let enough = |count: &u64| {
        sum += count;
        sum >= wanted
    };
    let Some(bin) = counts.iter().position(enough) else {
        return (f32::INFINITY, counts.iter().sum());
    };
    let within = upper(bin) + slack;
    let last = (within.to_bits() >> DROPPED) as usize;
    let listed = counts[..=last.min(counts.len() - 1)].iter().sum();
    (within, listed)
}

struct Scan<'a> {
    scores: Scores<'static>,
    set: &'a EmbeddingView<'a>,
}

impl Scan<'_> {
    /// Twice what the scores of two pairs can be wrong by together.
    fn slack(&self) -> f32 {
        let errors = (0..self.set.len()).map(|probe| self.scores.error(probe));
        4.0 * errors.fold(0.0, f32::max)
    }

    fn starts(&self) -> Vec<usize> {
        (0..self.set.len()).step_by(BLOCK).collect()
    }

    /// How many unlike pairs there are of each bin of scores.
    fn count(&self) -> Vec<u64> {
        let bins = (f32::INFINITY.to_bits() >> DROPPED) as usize + 1;
        let count = |mut counts: Vec<u64>, start: usize| {
            self.see(start, |_, _, score| {
                counts[(score.to_bits() >> DROPPED) as usize] += 1;
            });
            counts
        };
        let add = |mut sums: Vec<u64>, counts: Vec<u64>| {
            sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
            sums
        };
        let none = || vec![0; bins];
        let starts = self.starts().into_par_iter();
        starts.fold(none, count).reduce(none, add)
    }

    /// The unlike pairs of scores up to `within`, with their distances.
    fn collect(&self, metric: Distance, within: f32) -> Vec<UnlikePair> {
        let of_block = |start: usize| {
            let mut pairs = Vec::new();
            self.see(start, |a, b, score| {
                if score <= within {
                    let distance = metric.of(self.set.row(a), self.set.row(b));
                    let (a, b) = (a as u32, b as u32);
                    pairs.push(UnlikePair { distance, a, b });
                }
            });
            pairs
        };
        let starts = self.starts().into_par_iter();
        starts.flat_map_iter(of_block).collect()
    }

    /// Shows each unlike pair of a block of rows and the rows after them, with its score.
    fn see(&self, start: usize, mut see: impl FnMut(usize, usize, f32)) {
        let (n, labels) = (self.set.len(), self.set.labels());
        let rows = BLOCK.min(n - start);
        let mut buffer = vec![0.0; rows * BLOCK];
        for first in (start..n).step_by(BLOCK) {
            let columns = BLOCK.min(n - first);
            let Ok(mut block) = ArrayViewMut2::from_shape((rows, BLOCK), &mut buffer[..]) else {
                return;
            };
            self.scores
                .fill(start, first, block.slice_mut(s![.., ..columns]));
            for (a, row) in (start..start + rows).zip(buffer.chunks_exact(BLOCK)) {
                let size = self.scores.own_part(a);
                for (b, score) in (first..first + columns).zip(row) {
                    if b > a && labels[a] != labels[b] {
                        see(a, b, (score + size).max(0.0));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a small grid, so that ties abound, of three labels.
    fn grid(n: usize) -> (Vec<f32>, Vec<u32>) {
        let coordinate = |i: usize| ((i * 7919 + i / 3 * 31) % 41) as f32 / 8.0;
        let values = (0..3 * n).map(coordinate).collect();
        (values, (0..n).map(|i| (i * i % 3) as u32).collect())
    }

    #[test]
    fn the_nearest_unlike_pairs_are_those_of_a_double_loop() {
        let (values, labels) = grid(600);
        let set = EmbeddingView::new(&values, 3, &labels).unwrap();
        for metric in Distance::ALL {
            let found = nearest_unlike(&set, &metric.into(), 20_000).unwrap();
            let mut all = Vec::new();
            for a in 0..600 {
                for b in a + 1..600 {
                    if labels[a] != labels[b] {
                        all.push((metric.of(set.row(a), set.row(b)), a as u32, b as u32));
                    }
                }
            }
            all.sort_by(|x, y| x.0.total_cmp(&y.0).then((x.1, x.2).cmp(&(y.1, y.2))));
            let pairs = found.iter().map(|pair| (pair.distance, pair.a, pair.b));
            let pairs: Vec<_> = pairs.collect();
            let (last, ..) = pairs[pairs.len() - 1];
            all.retain(|pair| pair.0 <= last);
            assert_eq!(pairs, all, "{metric}");
            assert!(
                (50..20_000).contains(&pairs.len()),
                "{metric} {}",
                pairs.len()
            );
        }
    }

    #[test]
    fn all_pairs_are_there_where_more_are_wanted() {
        let (values, labels) = grid(10);
        let set = EmbeddingView::new(&values, 3, &labels).unwrap();
        let found = nearest_unlike(&set, &Distance::Euclidean.into(), 1000).unwrap();
        let like: usize = like_distances(&set, &Distance::Euclidean.into())
            .iter()
            .map(|(_, distances)| distances.len())
            .sum();
        assert_eq!(found.len() + like, 45);
    }

    #[test]
    fn nothing_is_near_where_all_is_as_near() {
        let (values, labels) = (vec![0.5; 400], (0..400).map(|i| i % 2).collect::<Vec<_>>());
        let set = EmbeddingView::new(&values, 1, &labels).unwrap();
        let found = nearest_unlike(&set, &Distance::Euclidean.into(), 10).unwrap();
        assert!(found.iter().all(|pair| pair.distance == 0.0));
        assert_eq!(found.len(), 40_000);
    }
}
