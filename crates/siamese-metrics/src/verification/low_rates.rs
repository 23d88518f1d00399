//! True accept rates at low false accept rates, of all pairs of a set.
//!
//! A rate of 1e-4 takes 100,000 unlike pairs to measure at all. A set of 10,000 embeddings has fifty million: only the
//! nearest of them, those that are accepted first, need to be known one by one; the others are counted.

use std::collections::BTreeMap;

use super::REPORTED_FARS;
use super::mix::unlike_pairs_for;
use super::threshold::{FittedThreshold, Target};
use crate::bootstrap::{BootstrapConfig, intervals};
use crate::embeddings::EmbeddingView;
use crate::error::Result;
use crate::figure::Figure;
use crate::metric::Metric;
use crate::retrieval::{like_distances, nearest_unlike};

/// How many times as many unlike pairs are known as a rate accepts: a resample weighs the nearest ones up or down,
/// and where those are of few classes, it may draw none of them.
const KNOWN: f64 = 10.0;
/// The same where that would be more than so many pairs.
const KNOWN_OF_MANY: (f64, f64) = (1.5, 2e6);

/// The low end of the ROC curve of all pairs of a set.
pub struct LowRates {
    classes: Vec<Class>,
    /// By ascending distance; the classes as positions in `classes`.
    nearest: Vec<(f32, [u32; 2])>,
    rates: Vec<(f64, &'static str)>,
}

struct Class {
    rows: f64,
    /// Distances of its like pairs, ascending.
    like: Vec<f32>,
}

/// What is accepted at one rate.
struct AtRate {
    threshold: f32,
    far: f64,
    tar: f64,
}

impl LowRates {
    /// Of all pairs of `set`, those of [`REPORTED_FARS`] that are at most `largest`; `None` where the set has too few
    /// pairs for any of them, no like pair, or has collapsed.
    pub fn new(set: &EmbeddingView, metric: impl Into<Metric>, largest: f64) -> Option<Self> {
        let metric = &metric.into();
        let mut rows: BTreeMap<u32, f64> = BTreeMap::new();
        for label in set.labels() {
            *rows.entry(*label).or_default() += 1.0;
        }
        let unlike = couples(rows.values().copied());
        let measured =
            |(far, _): &(f64, _)| *far <= largest && unlike >= unlike_pairs_for(*far) as f64;
        let rates: Vec<_> = REPORTED_FARS.into_iter().filter(measured).collect();
        let &(most, _) = rates.first()?;
        if rows.values().all(|count| *count < 2.0) {
            return None;
        }
        let accepted = most * unlike;
        let many = (KNOWN_OF_MANY.0 * accepted).max(KNOWN_OF_MANY.1);
        let wanted = (KNOWN * accepted).min(many) as usize + 1;
        let pairs = nearest_unlike(set, metric, wanted)?;
        let place: BTreeMap<u32, u32> = rows.keys().copied().zip(0..).collect();
        let class = |row: u32| place[&set.labels()[row as usize]];
        let like = like_distances(set, metric);
        Some(Self {
            classes: rows
                .into_values()
                .zip(like)
                .map(|(rows, (_, like))| Class { rows, like })
                .collect(),
            nearest: pairs
                .iter()
                .map(|pair| (pair.distance, [class(pair.a), class(pair.b)]))
                .collect(),
            rates,
        })
    }

    /// Number of like pairs.
    pub fn like_pairs(&self) -> usize {
        self.classes.iter().map(|class| class.like.len()).sum()
    }

    /// Number of unlike pairs.
    pub fn unlike_pairs(&self) -> usize {
        couples(self.classes.iter().map(|class| class.rows)) as usize
    }

    /// `tar_at_far_…` of each rate, with intervals resampled by class.
    ///
    /// # Errors
    /// A level outside 0 to 1.
    pub fn figures(&self, bootstrap: &BootstrapConfig) -> Result<Vec<Figure>> {
        bootstrap.check()?;
        let once = vec![1; self.classes.len()];
        let values = self.at_rates(&once);
        let intervals = intervals(self.classes.len(), bootstrap, |drawn| {
            self.at_rates(drawn).map(|at| at.map(|at| at.tar))
        });
        let named = self.rates.iter().zip(values).zip(intervals);
        let figure = |(((_, name), at), interval): ((&(f64, &str), Option<AtRate>), _)| {
            let value = at?.tar;
            Some(Figure {
                interval,
                ..Figure::new(*name, value)
            })
        };
        Ok(named.filter_map(figure).collect())
    }

    /// A threshold to choose for each rate; accuracy is of like and unlike pairs weighing alike.
    pub fn choices(&self) -> Vec<FittedThreshold> {
        let values = self.at_rates(&vec![1; self.classes.len()]);
        let fitted = |(rate, at): (&(f64, _), Option<AtRate>)| {
            let AtRate {
                threshold,
                far,
                tar,
            } = at?;
            Some(FittedThreshold {
                value: threshold,
                target: Target::Far(rate.0),
                far,
                frr: 1.0 - tar,
                accuracy: (tar + 1.0 - far) / 2.0,
                pairs: self.like_pairs() + self.unlike_pairs(),
            })
        };
        self.rates.iter().zip(values).filter_map(fitted).collect()
    }

    /// The most that can be accepted at each rate when class `c` is drawn `drawn[c]` times.
    fn at_rates(&self, drawn: &[u32]) -> [Option<AtRate>; REPORTED_FARS.len()] {
        let sizes = self.classes.iter().zip(drawn);
        let unlike = couples(sizes.map(|(class, times)| class.rows * f64::from(*times)));
        let (mut walked, mut accepted) = (0, 0.0);
        let mut found: [Option<AtRate>; REPORTED_FARS.len()] = Default::default();
        // The smallest rate first: what it admits, the others do too.
        for (at, (far, _)) in self.rates.iter().enumerate().rev() {
            // One part in 1e12 of slack: 0.1·300 must admit 30 false accepts.
            let allowed = far * unlike * (1.0 + 1e-12);
            found[at] = loop {
                let Some((threshold, ties, weight)) = self.ties(walked, drawn) else {
                    break None;
                };
                if accepted + weight > allowed {
                    let far = accepted / unlike;
                    let tar = self.tar(drawn, threshold);
                    break tar.map(|tar| AtRate {
                        threshold,
                        far,
                        tar,
                    });
                }
                (walked, accepted) = (walked + ties, accepted + weight);
            };
        }
        found
    }

    /// The nearest pairs from `start` on that are equally near: their distance, how many, what they weigh.
    fn ties(&self, start: usize, drawn: &[u32]) -> Option<(f32, usize, f64)> {
        let times = |class: u32| f64::from(drawn[class as usize]);
        let (distance, _) = *self.nearest.get(start)?;
        let ties = self.nearest[start..]
            .iter()
            .take_while(|pair| pair.0 == distance);
        let add =
            |(count, sum), (_, [a, b]): &(f32, [u32; 2])| (count + 1, sum + times(*a) * times(*b));
        let (count, weight) = ties.fold((0, 0.0), add);
        Some((distance, count, weight))
    }

    /// The share of like pairs nearer than `threshold`; `None` where none was drawn.
    fn tar(&self, drawn: &[u32], threshold: f32) -> Option<f64> {
        let (mut accepted, mut all) = (0.0, 0.0);
        for (class, times) in self.classes.iter().zip(drawn) {
            let near = class.like.partition_point(|distance| *distance < threshold);
            accepted += f64::from(*times) * near as f64;
            all += f64::from(*times) * class.like.len() as f64;
        }
        (all > 0.0).then(|| accepted / all)
    }
}

/// Couples of two different groups of these sizes: `((Σ n)² − Σ n²) / 2`.
fn couples(sizes: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut squares) = (0.0, 0.0);
    for size in sizes {
        sum += size;
        squares += size * size;
    }
    (sum * sum - squares) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::Distance;
    use crate::figure::find;
    use crate::verification::RocCurve;

    /// Rows of ten labels around ten centres, in the plane.
    fn clusters(n: usize) -> (Vec<f32>, Vec<u32>) {
        let labels: Vec<u32> = (0..n as u32).map(|i| i % 10).collect();
        let row = |&label: &u32| [label as f32, (label * label % 7) as f32];
        let noise = |i: usize| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 1.7;
        let values = labels
            .iter()
            .flat_map(row)
            .enumerate()
            .map(|(i, x)| x + noise(i));
        (values.collect(), labels)
    }

    #[test]
    fn low_rates_are_those_of_the_curve_of_all_pairs() {
        let (values, labels) = clusters(700);
        let set = EmbeddingView::new(&values, 2, &labels).unwrap();
        for metric in Distance::ALL {
            let (mut distances, mut like) = (Vec::new(), Vec::new());
            for a in 0..700 {
                for b in a + 1..700 {
                    distances.push(metric.of(set.row(a), set.row(b)));
                    like.push(labels[a] == labels[b]);
                }
            }
            let curve = RocCurve::new(&distances, &like).unwrap();
            let low = LowRates::new(&set, metric, 1e-2).unwrap();
            assert_eq!(low.like_pairs(), curve.like_pairs());
            assert_eq!(low.unlike_pairs(), curve.unlike_pairs());
            let config = BootstrapConfig {
                replicates: 100,
                ..Default::default()
            };
            let figures = low.figures(&config).unwrap();
            assert_eq!(figures.len(), 3);
            for (far, name) in &REPORTED_FARS[1..] {
                let figure = find(&figures, name).unwrap();
                assert_eq!(
                    Some(figure.value),
                    curve.tar_at_far(*far),
                    "{metric} {name}"
                );
                let interval = figure.interval.unwrap();
                assert!(interval.low <= figure.value && figure.value <= interval.high);
            }
            for choice in low.choices() {
                let point = curve.at(choice.value);
                assert_eq!(
                    (point.far, 1.0 - point.tar),
                    (choice.far, choice.frr),
                    "{metric}"
                );
            }
        }
    }

    #[test]
    fn a_set_too_small_for_a_rate_has_none() {
        let (values, labels) = clusters(50);
        let set = EmbeddingView::new(&values, 2, &labels).unwrap();
        assert!(LowRates::new(&set, Distance::Euclidean, 1e-3).is_none());
        let low = LowRates::new(&set, Distance::Euclidean, 1e-1).unwrap();
        assert_eq!(low.choices().len(), 2, "of 1,125 unlike pairs");
    }
}
