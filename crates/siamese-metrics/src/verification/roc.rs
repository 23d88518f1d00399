//! The ROC curve of like and unlike distances, and the figures read off it.

use serde::{Deserialize, Serialize};

use super::mix::{Mix, unlike_pairs_for};
use crate::error::{Error, Result, check_finite, check_same_length};

/// One operating point: pairs closer than `threshold` are called the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// "Same" is `distance < threshold`.
    pub threshold: f32,
    /// False accept rate: share of unlike pairs called the same.
    pub far: f64,
    /// True accept rate: share of like pairs called the same (`1 − FRR`).
    pub tar: f64,
}

/// The receiver operating characteristic of a verification set.
///
/// There is one operating point below the smallest distance and one after each *distinct*
/// distance: tied pairs are accepted together, so the order in which they came does not matter.
///
/// ```
/// use siamese_metrics::verification::RocCurve;
///
/// let curve = RocCurve::new(&[0.1, 0.4, 0.35, 0.8], &[true, true, false, false])?;
/// assert_eq!(curve.roc_auc(), 0.75);
/// assert_eq!(curve.points().len(), 5);
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RocCurve {
    distances: Vec<f32>,
    thresholds: Vec<f32>,
    accepted: Accepted,
    mix: Mix,
}

impl RocCurve {
    /// The curve of `distances`, of which those with `like` set belong to like pairs.
    ///
    /// # Errors
    /// Lengths that differ, a NaN or infinite distance, no like pair or no unlike pair.
    pub fn new(distances: &[f32], like: &[bool]) -> Result<Self> {
        let order = rank(distances, like)?;
        let mut distinct = Vec::new();
        let mut accepted = Accepted::starting();
        for &i in &order {
            if distinct.last() != Some(&distances[i]) {
                distinct.push(distances[i]);
                accepted.open_group();
            }
            accepted.add(like[i], 1.0);
        }
        Ok(Self {
            thresholds: thresholds_between(&distinct),
            distances: distinct,
            accepted,
            mix: Mix::AsGiven,
        })
    }

    /// The same curve, its accuracies being of this mix.
    #[must_use]
    pub fn with_mix(self, mix: Mix) -> Self {
        Self { mix, ..self }
    }

    /// The operating points, from "nothing is the same" to "everything is the same".
    pub fn points(&self) -> Vec<RocPoint> {
        (0..self.thresholds.len()).map(|i| self.point(i)).collect()
    }

    /// About `count` operating points for drawing; both ends are kept.
    ///
    /// Points are chosen at even steps along the curve's length, so that neither a steep nor a
    /// flat part is lost.
    pub fn thinned(&self, count: usize) -> Vec<RocPoint> {
        let step = 2.0 / count.max(2) as f64;
        let last = self.thresholds.len() - 1;
        let mut kept = vec![self.point(0)];
        let mut next = step;
        for i in 1..last {
            let point = self.point(i);
            if point.far + point.tar >= next {
                kept.push(point);
                next = point.far + point.tar + step;
            }
        }
        kept.push(self.point(last));
        kept
    }

    /// Number of like pairs.
    pub fn like_pairs(&self) -> usize {
        self.accepted.totals().0 as usize
    }

    /// Number of unlike pairs.
    pub fn unlike_pairs(&self) -> usize {
        self.accepted.totals().1 as usize
    }

    /// Area under the curve: the chance that a random like pair is closer than a random unlike
    /// pair, ties counting one half (Mann–Whitney), exact.
    pub fn roc_auc(&self) -> f64 {
        self.accepted.roc_auc()
    }

    /// Equal error rate: where FAR and FRR cross, by linear interpolation along the curve.
    ///
    /// The same number as the usual scikit-learn recipe,
    /// `brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1)`.
    pub fn eer(&self) -> f64 {
        self.accepted.eer()
    }

    /// Average precision `Σ (R_i − R_{i−1})·P_i` over the operating points, without interpolation
    /// (scikit-learn's `average_precision_score`).
    pub fn average_precision(&self) -> f64 {
        self.accepted.average_precision()
    }

    /// The greatest true accept rate among the operating points whose FAR is at most `far`.
    ///
    /// No interpolation: it is reached at a threshold that exists. `None` with fewer than
    /// [`unlike_pairs_for`] this rate, which such a set cannot measure.
    pub fn tar_at_far(&self, far: f64) -> Option<f64> {
        self.accepted.tar_at_far(far)
    }

    pub(crate) fn mix(&self) -> Mix {
        self.mix
    }

    /// The distinct distances, ascending.
    pub(crate) fn distances(&self) -> &[f32] {
        &self.distances
    }

    pub(crate) fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    pub(crate) fn point(&self, i: usize) -> RocPoint {
        let (like, unlike) = self.accepted.totals();
        RocPoint {
            threshold: self.thresholds[i],
            far: self.accepted.unlike[i] / unlike,
            tar: self.accepted.like[i] / like,
        }
    }
}

/// Indices in the order of ascending distance, after checking the input.
pub(crate) fn rank(distances: &[f32], like: &[bool]) -> Result<Vec<usize>> {
    check_same_length(("distances", distances.len()), ("like", like.len()))?;
    if distances.is_empty() {
        return Err(Error::Empty { what: "distances" });
    }
    check_finite("distances", distances)?;
    let likes = like.iter().filter(|&&l| l).count();
    if likes == 0 || likes == like.len() {
        return Err(Error::OneKind {
            like: likes,
            unlike: like.len() - likes,
        });
    }
    let mut order: Vec<usize> = (0..distances.len()).collect();
    order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
    Ok(order)
}

/// A threshold for each operating point: below the first distance, midway between neighbours,
/// above the last.
pub(crate) fn thresholds_between(distinct: &[f32]) -> Vec<f32> {
    let first = distinct.first().copied();
    let between = distinct.windows(2).map(|pair| midpoint(pair[0], pair[1]));
    let last = distinct.last().map(|d| d.next_up());
    first.into_iter().chain(between).chain(last).collect()
}

/// Midway between `low` and `high`; never `low` itself, which must stay below it.
fn midpoint(low: f32, high: f32) -> f32 {
    let middle = f32::midpoint(low, high);
    if middle > low { middle } else { high }
}

/// Weight of the like and unlike pairs accepted at each operating point, cumulated; the first
/// point accepts none and the last all.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) like: Vec<f64>,
    pub(crate) unlike: Vec<f64>,
}

impl Accepted {
    pub(crate) fn starting() -> Self {
        Self {
            like: vec![0.0],
            unlike: vec![0.0],
        }
    }

    pub(crate) fn open_group(&mut self) {
        self.like.push(self.like[self.like.len() - 1]);
        self.unlike.push(self.unlike[self.unlike.len() - 1]);
    }

    pub(crate) fn add(&mut self, like: bool, weight: f64) {
        let side = if like {
            &mut self.like
        } else {
            &mut self.unlike
        };
        let last = side.len() - 1;
        side[last] += weight;
    }

    /// Weight of all like and of all unlike pairs.
    pub(crate) fn totals(&self) -> (f64, f64) {
        (
            self.like[self.like.len() - 1],
            self.unlike[self.unlike.len() - 1],
        )
    }

    pub(crate) fn roc_auc(&self) -> f64 {
        let (like, unlike) = self.totals();
        let twice: f64 = self
            .like
            .windows(2)
            .zip(self.unlike.windows(2))
            .map(|(l, u)| (u[1] - u[0]) * (l[0] + l[1]))
            .sum();
        twice / (2.0 * like * unlike)
    }

    pub(crate) fn eer(&self) -> f64 {
        let (like, unlike) = self.totals();
        // FAR − FRR rises strictly from −1 to 1, so there is exactly one crossing.
        let (mut far, mut gap) = (0.0, -1.0);
        for (l, u) in self.like.iter().zip(&self.unlike) {
            let next_far = u / unlike;
            let next_gap = next_far - (1.0 - l / like);
            if next_gap >= 0.0 {
                return far + (next_far - far) * (-gap / (next_gap - gap));
            }
            (far, gap) = (next_far, next_gap);
        }
        far
    }

    pub(crate) fn average_precision(&self) -> f64 {
        let sum: f64 = self
            .like
            .windows(2)
            .zip(&self.unlike[1..])
            .filter(|(l, _)| l[1] > l[0])
            .map(|(l, u)| (l[1] - l[0]) * (l[1] / (l[1] + u)))
            .sum();
        sum / self.totals().0
    }

    pub(crate) fn tar_at_far(&self, far: f64) -> Option<f64> {
        let (like, unlike) = self.totals();
        if unlike < unlike_pairs_for(far) as f64 {
            return None;
        }
        // One part in 1e12 of slack: 0.1·300 must admit 30 false accepts.
        let allowed = far * unlike * (1.0 + 1e-12);
        let point = self.unlike.partition_point(|&u| u <= allowed) - 1;
        Some(self.like[point] / like)
    }
}
