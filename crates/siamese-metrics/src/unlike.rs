//! How near unlike pairs come: the lower tail of their distances, from which a gallery of any size knows what is chance.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::embeddings::EmbeddingView;
use crate::error::{Error, Result, check_finite};
use crate::metric::Metric;
use crate::verification::probit;

/// Rows of which all pairs are looked at, at most: a million pairs.
const MOST: usize = 1500;
/// Multiply-adds that these pairs may take.
const MOST_WORK: u64 = 1_000_000_000;
/// Pairs that a share is told from, at least: ten, as for any low rate.
const FEWEST: f64 = 10.0;
/// The largest share that is kept; the next ones are half, a fifth and a tenth of it, and so on.
const LARGEST: f64 = 0.5;

/// How near unlike pairs come: shares of them, and the distance below which each lies.
///
/// ```
/// use siamese_metrics::UnlikeTail;
///
/// let distances: Vec<f32> = (0..1000).map(|i| 0.5 + i as f32 / 1000.0).collect();
/// let tail = UnlikeTail::of_distances(&distances)?;
/// assert!((tail.distance(0.02) - 0.52).abs() < 1e-6);
/// assert!(tail.distance(1e-6) < tail.distance(1e-3)); // carried on beyond what was counted
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnlikeTail {
    /// How many pairs it was counted from.
    pub pairs: usize,
    /// Shares in falling order, and the distance below which so many of the pairs lie.
    pub nearest: Vec<(f64, f32)>,
}

impl UnlikeTail {
    /// Of all pairs of rows of different labels; of some rows, spread evenly, where there are many.
    ///
    /// # Errors
    /// Fewer than twenty unlike pairs; a distance that is not finite.
    pub fn of(embeddings: &EmbeddingView, metric: &Metric) -> Result<Self> {
        let cost = metric.cost(embeddings.dim()).max(1);
        let bearable = ((2 * MOST_WORK / cost) as f64).sqrt() as usize;
        let taken = embeddings.len().min(MOST).min(bearable.max(100));
        let rows: Vec<usize> = (0..taken).map(|i| i * embeddings.len() / taken).collect();
        let labels = embeddings.labels();
        let unlike = |(count, &row): (usize, &usize)| {
            let others = rows[..count].iter();
            let unlike = others.filter(|&&other| labels[other] != labels[row]);
            metric.of_each(
                embeddings.row(row),
                unlike.map(|&other| embeddings.row(other)),
            )
        };
        let distances: Vec<f32> = rows.par_iter().enumerate().flat_map_iter(unlike).collect();
        Self::of_distances(&distances)
    }

    /// Of the distances of unlike pairs.
    ///
    /// # Errors
    /// Fewer than twenty; one that is not finite.
    pub fn of_distances(distances: &[f32]) -> Result<Self> {
        check_finite("unlike pairs", distances)?;
        let pairs = distances.len();
        if (pairs as f64) * LARGEST < FEWEST {
            return Err(Error::Invalid {
                what: "unlike pairs",
                why: format!("{pairs} tell no share, 20 do"),
            });
        }
        let mut sorted = distances.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        let nearest = shares()
            .take_while(|share| share * pairs as f64 >= FEWEST)
            .map(|share| (share, sorted[(share * pairs as f64).round() as usize]))
            .collect();
        Ok(Self { pairs, nearest })
    }

    /// Whether so small a share was counted; smaller ones are carried on from those that were.
    pub fn counts(&self, share: f64) -> bool {
        share * self.pairs as f64 >= FEWEST
    }

    /// The distance below which a share of unlike pairs lies, at least 0: straight between two shares that were counted, on a
    /// scale on which a normal distribution is straight, and so on beyond the last two.
    pub fn distance(&self, share: f64) -> f64 {
        let at = |(share, distance): (f64, f32)| (probit(share), f64::from(distance));
        let x = probit(share.clamp(f64::MIN_POSITIVE, LARGEST));
        let straight = |a: (f64, f64), b: (f64, f64)| a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0);
        let found = match self.nearest.as_slice() {
            [] => 0.0,
            [only] => at(*only).1,
            [.., before, last] if share < last.0 => straight(at(*before), at(*last)),
            points => points
                .windows(2)
                .find(|two| share >= two[1].0)
                .map_or(0.0, |two| straight(at(two[0]), at(two[1]))),
        };
        found.max(0.0)
    }
}

/// 0.5, 0.2, 0.1, 0.05, …
fn shares() -> impl Iterator<Item = f64> {
    (0..9).flat_map(|power| [0.5, 0.2, 0.1].map(|first| first * 0.1f64.powi(power)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::Distance;

    #[test]
    fn all_unlike_pairs_of_a_table_are_counted_and_no_like_one() {
        // 40 points of a line, two of each class at one place: unlike pairs are 1 … 19 apart
        let values: Vec<f32> = (0..40).map(|i| (i / 2) as f32).collect();
        let labels: Vec<u32> = (0..40).map(|i| i / 2).collect();
        let view = EmbeddingView::new(&values, 1, &labels).unwrap();
        let tail = UnlikeTail::of(&view, &Distance::Euclidean.into()).unwrap();
        assert_eq!(tail.pairs, 40 * 39 / 2 - 20);
        let mut naive = Vec::new();
        for i in 0..40 {
            for j in 0..i {
                if labels[i] != labels[j] {
                    naive.push((values[i] - values[j]).abs());
                }
            }
        }
        naive.sort_by(f32::total_cmp);
        for (share, distance) in &tail.nearest {
            let below = naive.iter().filter(|d| *d < distance).count() as f64;
            let till = naive.iter().filter(|d| *d <= distance).count() as f64;
            let wanted = share * tail.pairs as f64;
            assert!(
                below <= wanted + 1.0 && wanted <= till,
                "{share} {distance}"
            );
        }
        assert!(tail.nearest.iter().all(|(share, _)| share * 760.0 >= 10.0));
    }

    #[test]
    fn between_and_beyond_counted_shares_a_normal_tail_is_met() {
        // quantiles of a normal distribution of mean 1 and deviation 0.1
        let normal = |share: f64| 1.0 + 0.1 * probit(share);
        let distances: Vec<f32> = (0..100_000)
            .map(|i| normal((f64::from(i) + 0.5) / 1e5) as f32)
            .collect();
        let tail = UnlikeTail::of_distances(&distances).unwrap();
        for share in [0.4, 0.03, 7e-4, 1e-4, 1e-5, 1e-6] {
            let found = tail.distance(share);
            assert!((found - normal(share)).abs() < 0.01, "{share}: {found}");
        }
        let falling = [0.5, 0.1, 1e-3, 1e-6, 1e-12].map(|share| tail.distance(share));
        assert!(falling.is_sorted_by(|a, b| a > b), "{falling:?}");
    }

    #[test]
    fn too_few_pairs_and_numbers_that_are_none_are_refused() {
        assert!(UnlikeTail::of_distances(&[0.5; 19]).is_err());
        assert!(UnlikeTail::of_distances(&[f32::NAN; 30]).is_err());
        let same = UnlikeTail::of_distances(&[0.0; 30]).unwrap();
        assert_eq!(same.distance(1e-9), 0.0);
    }
}
