//! Fitting the threshold on one split, to be reported on another.

use serde::{Deserialize, Serialize};

use super::REPORTED_FARS;
use super::mix::unlike_pairs_for;
use super::roc::{RocCurve, RocPoint};
use crate::error::{Error, Result};

/// What a threshold is fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Most pairs right.
    BestAccuracy,
    /// FAR and FRR as near each other as the pairs allow.
    Eer,
    /// The most true accepts with a false accept rate of at most this.
    Far(f64),
    /// This distance, whatever the pairs say: some earlier systems called pairs the same below 0.5.
    Distance(f32),
}

/// A threshold as it was fitted, and how the pairs that it was fitted on came out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedThreshold {
    /// Two images are the same where [`is_same`] says so at this value.
    pub value: f32,
    /// What it was fitted to.
    pub target: Target,
    /// False accept rate on the pairs it was fitted on.
    pub far: f64,
    /// False reject rate on the pairs it was fitted on.
    pub frr: f64,
    /// Accuracy on the pairs it was fitted on, in their [mix](super::Mix).
    pub accuracy: f64,
    /// Number of those pairs.
    pub pairs: usize,
}

/// Whether two images are called the same: where their distance is below the threshold, not at it. The one place
/// that decides it.
///
/// ```
/// use siamese_metrics::verification::is_same;
/// assert!(is_same(0.2, 0.5) && !is_same(0.5, 0.5) && !is_same(f32::NAN, 0.5));
/// ```
pub fn is_same(distance: f32, threshold: f32) -> bool {
    distance < threshold
}

/// Fits a threshold; it lies midway between two neighbouring distances.
///
/// Among equally good thresholds the smallest, the one with fewest false accepts, is taken.
///
/// ```
/// use siamese_metrics::verification::{Target, fit_threshold};
///
/// let threshold = fit_threshold(&[0.2, 0.4, 0.8], &[true, true, false], Target::BestAccuracy)?;
/// assert!((threshold.value - 0.6).abs() < 1e-6);
/// assert_eq!(threshold.accuracy, 1.0);
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
///
/// # Errors
/// Those of [`RocCurve::new`]; a FAR outside 0 to 1, or one with fewer than [`unlike_pairs_for`] it.
pub fn fit_threshold(distances: &[f32], like: &[bool], target: Target) -> Result<FittedThreshold> {
    let curve = RocCurve::new(distances, like)?;
    curve.fit(target)
}

impl RocCurve {
    /// [`fit_threshold`] on a curve already at hand.
    ///
    /// # Errors
    /// A FAR outside 0 to 1, or one with fewer than [`unlike_pairs_for`] it; a distance that is NaN.
    pub fn fit(&self, target: Target) -> Result<FittedThreshold> {
        let index = match target {
            Target::BestAccuracy => self.least(|i| -self.accuracy_at(i)),
            Target::Eer => self.equal_errors(),
            Target::Far(far) => self.last_within(far)?,
            Target::Distance(at) => {
                check_threshold(at)?;
                let value = at;
                let fitted = self.fitted(target, self.accepting(at));
                return Ok(FittedThreshold { value, ..fitted });
            }
        };
        Ok(self.fitted(target, index))
    }

    fn fitted(&self, target: Target, index: usize) -> FittedThreshold {
        let point = self.point(index);
        FittedThreshold {
            value: point.threshold,
            target,
            far: point.far,
            frr: 1.0 - point.tar,
            accuracy: self.accuracy_at(index),
            pairs: self.like_pairs() + self.unlike_pairs(),
        }
    }

    /// Thresholds to choose from: where errors are equal, and at each of [`REPORTED_FARS`] that the unlike pairs can
    /// measure. Their true accept rates are the figures `tar_at_far_…`.
    ///
    /// ```
    /// use siamese_metrics::verification::RocCurve;
    ///
    /// let distances: Vec<f32> = (0..110).map(|i| i as f32).collect();
    /// let like: Vec<bool> = (0..110).map(|i| i < 9 || i == 105).collect();
    /// let choices = RocCurve::new(&distances, &like)?.choices();
    /// // a hundred unlike pairs measure a rate of 0.1, not one of 0.01
    /// assert_eq!(choices.len(), 2);
    /// assert_eq!((choices[1].value, choices[1].frr), (8.5, 1.0 - 0.9));
    /// # Ok::<(), siamese_metrics::Error>(())
    /// ```
    pub fn choices(&self) -> Vec<FittedThreshold> {
        let equal = Some(self.fitted(Target::Eer, self.equal_errors()));
        let within = REPORTED_FARS.iter().map(|&(far, _)| {
            let tar = self.tar_at_far(far)?;
            Some(self.fitted(Target::Far(far), self.first_reaching(tar)))
        });
        [equal].into_iter().chain(within).flatten().collect()
    }

    /// How the pairs come out at any threshold: the shares called the same there.
    ///
    /// ```
    /// use siamese_metrics::verification::RocCurve;
    ///
    /// let curve = RocCurve::new(&[0.1, 0.4, 0.35, 0.8], &[true, true, false, false])?;
    /// let point = curve.at(0.36);
    /// assert_eq!((point.threshold, point.far, point.tar), (0.36, 0.5, 0.5));
    /// # Ok::<(), siamese_metrics::Error>(())
    /// ```
    pub fn at(&self, threshold: f32) -> RocPoint {
        RocPoint {
            threshold,
            ..self.point(self.accepting(threshold))
        }
    }

    /// The operating point at which just the distances below `threshold` are called the same.
    fn accepting(&self, threshold: f32) -> usize {
        let closer = |&distance: &f32| is_same(distance, threshold);
        self.distances().partition_point(closer)
    }

    fn accuracy_at(&self, i: usize) -> f64 {
        let (like, unlike) = (self.like_pairs() as f64, self.unlike_pairs() as f64);
        let (each_like, each_unlike) = self.mix().weights(like, unlike);
        let point = self.point(i);
        let accepted = (point.tar * like).round() * each_like;
        let rejected = ((1.0 - point.far) * unlike).round() * each_unlike;
        (accepted + rejected) / (like + unlike)
    }

    /// The operating point where FAR and FRR are nearest.
    fn equal_errors(&self) -> usize {
        self.least(|i| {
            let point = self.point(i);
            (point.far - (1.0 - point.tar)).abs()
        })
    }

    /// The first operating point whose TAR is at least `tar`.
    fn first_reaching(&self, tar: f64) -> usize {
        self.least(|i| f64::from(u8::from(self.point(i).tar < tar)))
    }

    /// The first operating point at which `cost` is least.
    fn least(&self, cost: impl Fn(usize) -> f64) -> usize {
        let costs = (0..self.thresholds().len()).map(cost);
        let best = costs
            .enumerate()
            .reduce(|best, next| if next.1 < best.1 { next } else { best });
        best.map_or(0, |(i, _)| i)
    }

    /// The first operating point with the greatest TAR among those whose FAR is at most `far`.
    fn last_within(&self, far: f64) -> Result<usize> {
        let refused = |why| Error::Invalid {
            what: "false accept rate",
            why,
        };
        if !(far > 0.0 && far <= 1.0) {
            return Err(refused(format!("{far} is not above 0 and at most 1")));
        }
        let Some(tar) = self.tar_at_far(far) else {
            return Err(refused(format!(
                "{far} cannot be measured with {} unlike pairs; at least {} are needed, ten errors' worth",
                self.unlike_pairs(),
                unlike_pairs_for(far)
            )));
        };
        Ok(self.first_reaching(tar))
    }
}

pub(super) fn check_threshold(threshold: f32) -> Result<()> {
    if threshold.is_nan() {
        return Err(Error::Invalid {
            what: "threshold",
            why: "is NaN".to_owned(),
        });
    }
    Ok(())
}
