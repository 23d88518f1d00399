//! All verification figures at a threshold, bare or with bootstrap intervals.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::REPORTED_FARS;
use super::roc::{Accepted, RocCurve, rank};
use crate::bootstrap::{BootstrapConfig, intervals};
use crate::error::{Error, Result, check_same_length};
use crate::figure::Figure;

/// Names of the statistics, in the order in which [`statistics`] computes them.
const NAMES: [&str; 12] = [
    "accuracy",
    "roc_auc",
    "eer",
    "average_precision",
    "f1",
    "precision",
    "recall",
    "precision_called_same",
    REPORTED_FARS[0].1,
    REPORTED_FARS[1].1,
    REPORTED_FARS[2].1,
    REPORTED_FARS[3].1,
];

/// The verification figures of one set at one threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// "Same" is `distance < threshold`.
    pub threshold: f32,
    /// Number of like pairs.
    pub like_pairs: usize,
    /// Number of unlike pairs.
    pub unlike_pairs: usize,
    /// Share of pairs called right.
    pub accuracy: f64,
    /// Share of like pairs among those called the same; `None` when no pair is.
    pub precision: Option<f64>,
    /// Share of like pairs called the same: the true accept rate.
    pub recall: f64,
    /// Harmonic mean of precision and recall, `2·TP / (2·TP + FP + FN)`.
    pub f1: f64,
    /// Share of unlike pairs called the same.
    pub far: f64,
    /// Share of like pairs called different.
    pub frr: f64,
    /// Area under the ROC curve.
    pub roc_auc: f64,
    /// Equal error rate.
    pub eer: f64,
    /// Average precision.
    pub average_precision: f64,
}

impl Verification {
    /// The figures of `distances` when pairs closer than `threshold` are called the same.
    ///
    /// ```
    /// use siamese_metrics::verification::Verification;
    ///
    /// let v = Verification::at(&[0.1, 0.9, 0.3, 0.8], &[true, true, false, false], 0.5)?;
    /// assert_eq!((v.accuracy, v.precision, v.recall), (0.5, Some(0.5), 0.5));
    /// # Ok::<(), siamese_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`RocCurve::new`], or a threshold that is NaN.
    pub fn at(distances: &[f32], like: &[bool], threshold: f32) -> Result<Self> {
        check_threshold(threshold)?;
        let curve = RocCurve::new(distances, like)?;
        let called = Called::count(distances, like, threshold);
        Ok(Self {
            threshold,
            like_pairs: curve.like_pairs(),
            unlike_pairs: curve.unlike_pairs(),
            accuracy: called.accuracy(),
            precision: called.precision(),
            recall: called.recall(),
            f1: called.f1(),
            far: called.false_accepts / called.unlike,
            frr: 1.0 - called.recall(),
            roc_auc: curve.roc_auc(),
            eer: curve.eer(),
            average_precision: curve.average_precision(),
        })
    }
}

/// Share of like pairs among those closer than `threshold`; `None` when no pair is.
///
/// # Errors
/// Those of [`RocCurve::new`], or a threshold that is NaN.
pub fn precision_called_same(
    distances: &[f32],
    like: &[bool],
    threshold: f32,
) -> Result<Option<f64>> {
    check_threshold(threshold)?;
    rank(distances, like)?;
    Ok(Called::count(distances, like, threshold).precision())
}

/// Every verification figure under its standard name, with an interval resampled by class.
///
/// `pairs[i]` holds the classes (or identities) of pair `i`'s two images; equal classes make a
/// like pair. A figure that is undefined here is left out: precision when no pair is called the
/// same, and the TAR at a FAR below one unlike pair's share.
///
/// ```
/// use siamese_metrics::BootstrapConfig;
/// use siamese_metrics::verification::verification_figures;
///
/// let pairs = [(0, 0), (1, 1), (0, 1), (1, 0)];
/// let figures =
///     verification_figures(&[0.1, 0.4, 0.35, 0.8], &pairs, 0.5, &BootstrapConfig::default())?;
/// let auc = figures.iter().find(|f| f.name == "roc_auc").unwrap();
/// assert_eq!(auc.value, 0.75);
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
///
/// # Errors
/// Those of [`RocCurve::new`], a threshold that is NaN, or a level outside 0 to 1.
pub fn verification_figures(
    distances: &[f32],
    pairs: &[(u32, u32)],
    threshold: f32,
    bootstrap: &BootstrapConfig,
) -> Result<Vec<Figure>> {
    check_threshold(threshold)?;
    bootstrap.check()?;
    check_same_length(("distances", distances.len()), ("pairs", pairs.len()))?;
    let ranked = RankedPairs::new(distances, pairs, threshold)?;
    let observed = ranked.accepted(&vec![1; ranked.classes]);
    let values = statistics(&observed, ranked.called_same);
    let intervals = intervals(ranked.classes, bootstrap, |drawn| {
        let resampled = ranked.accepted(drawn);
        match resampled.scaled_to(observed.totals()) {
            Some(resampled) => statistics(&resampled, ranked.called_same),
            None => [None; NAMES.len()],
        }
    });
    let figures =
        NAMES
            .iter()
            .zip(values)
            .zip(intervals)
            .filter_map(|((name, value), interval)| {
                value.map(|value| Figure {
                    name: (*name).to_owned(),
                    value,
                    interval,
                })
            });
    Ok(figures.collect())
}

fn check_threshold(threshold: f32) -> Result<()> {
    if threshold.is_nan() {
        return Err(Error::Invalid {
            what: "threshold",
            why: "is NaN".to_owned(),
        });
    }
    Ok(())
}

/// The statistics named by [`NAMES`], given that operating point `called_same` is in use.
fn statistics(accepted: &Accepted, called_same: usize) -> [Option<f64>; NAMES.len()] {
    let (like, unlike) = accepted.totals();
    let called = Called {
        true_accepts: accepted.like[called_same],
        false_accepts: accepted.unlike[called_same],
        like,
        unlike,
    };
    let [tar1, tar2, tar3, tar4] = REPORTED_FARS.map(|(far, _)| accepted.tar_at_far(far));
    [
        Some(called.accuracy()),
        Some(accepted.roc_auc()),
        Some(accepted.eer()),
        Some(accepted.average_precision()),
        Some(called.f1()),
        called.precision(),
        Some(called.recall()),
        called.precision(),
        tar1,
        tar2,
        tar3,
        tar4,
    ]
}

/// How pairs are called at one threshold.
struct Called {
    true_accepts: f64,
    false_accepts: f64,
    like: f64,
    unlike: f64,
}

impl Called {
    fn count(distances: &[f32], like: &[bool], threshold: f32) -> Self {
        let mut called = Self {
            true_accepts: 0.0,
            false_accepts: 0.0,
            like: 0.0,
            unlike: 0.0,
        };
        for (&distance, &like) in distances.iter().zip(like) {
            let same = f64::from(u8::from(distance < threshold));
            if like {
                called.like += 1.0;
                called.true_accepts += same;
            } else {
                called.unlike += 1.0;
                called.false_accepts += same;
            }
        }
        called
    }

    fn accuracy(&self) -> f64 {
        (self.true_accepts + self.unlike - self.false_accepts) / (self.like + self.unlike)
    }

    fn precision(&self) -> Option<f64> {
        let accepts = self.true_accepts + self.false_accepts;
        (accepts > 0.0).then(|| self.true_accepts / accepts)
    }

    fn recall(&self) -> f64 {
        self.true_accepts / self.like
    }

    fn f1(&self) -> f64 {
        2.0 * self.true_accepts / (self.true_accepts + self.false_accepts + self.like)
    }
}

/// Pairs in the order of ascending distance, their classes numbered from 0: sorted once, weighed
/// anew for each resample.
struct RankedPairs {
    pairs: Vec<RankedPair>,
    classes: usize,
    /// The operating point that the threshold stands for.
    called_same: usize,
}

struct RankedPair {
    a: u32,
    b: u32,
    opens_group: bool,
}

impl RankedPairs {
    fn new(distances: &[f32], pairs: &[(u32, u32)], threshold: f32) -> Result<Self> {
        let like: Vec<bool> = pairs.iter().map(|(a, b)| a == b).collect();
        let order = rank(distances, &like)?;
        let mut numbers = HashMap::new();
        let mut number = |class: u32| {
            let next = numbers.len() as u32;
            *numbers.entry(class).or_insert(next)
        };
        let mut previous = None;
        let mut called_same = 0;
        let mut ranked = Vec::with_capacity(order.len());
        for i in order {
            let opens_group = previous != Some(distances[i]);
            previous = Some(distances[i]);
            called_same += usize::from(opens_group && distances[i] < threshold);
            let (a, b) = pairs[i];
            ranked.push(RankedPair {
                a: number(a),
                b: number(b),
                opens_group,
            });
        }
        Ok(Self {
            pairs: ranked,
            classes: numbers.len(),
            called_same,
        })
    }

    /// The accepted weights when class `c` is drawn `drawn[c]` times.
    fn accepted(&self, drawn: &[u32]) -> Accepted {
        let mut accepted = Accepted::starting();
        let (mut like, mut unlike) = (0.0, 0.0);
        for pair in &self.pairs {
            if pair.opens_group {
                accepted.set_last(like, unlike);
                accepted.open_group();
            }
            let a = f64::from(drawn[pair.a as usize]);
            if pair.a == pair.b {
                like += a;
            } else {
                unlike += a * f64::from(drawn[pair.b as usize]);
            }
        }
        accepted.set_last(like, unlike);
        accepted
    }
}

impl Accepted {
    fn set_last(&mut self, like: f64, unlike: f64) {
        let last = self.like.len() - 1;
        (self.like[last], self.unlike[last]) = (like, unlike);
    }

    /// The same curve with these totals; `None` when no like or no unlike pair was drawn.
    fn scaled_to(mut self, (like, unlike): (f64, f64)) -> Option<Self> {
        let (drawn_like, drawn_unlike) = self.totals();
        if drawn_like == 0.0 || drawn_unlike == 0.0 {
            return None;
        }
        self.like.iter_mut().for_each(|w| *w *= like / drawn_like);
        self.unlike
            .iter_mut()
            .for_each(|w| *w *= unlike / drawn_unlike);
        Some(self)
    }
}
