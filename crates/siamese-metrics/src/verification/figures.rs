//! All verification figures at a threshold, bare or with bootstrap intervals.

use serde::{Deserialize, Serialize};

use super::REPORTED_FARS;
use super::mix::Mix;
use super::ranked::RankedPairs;
use super::roc::{Accepted, RocCurve, rank};
use super::threshold::{check_threshold, is_same};
use crate::bootstrap::{BootstrapConfig, intervals};
use crate::error::{Result, check_same_length};
use crate::figure::Figure;

/// Pairs that are resampled: of more, every so manieth by distance, which keeps the curve and bounds the time.
const RESAMPLED: usize = 100_000;

/// Names of the statistics, in the order in which [`statistics`] computes them.
const NAMES: [&str; 14] = [
    "accuracy",
    "roc_auc",
    "eer",
    "average_precision",
    "f1",
    "precision",
    "recall",
    "precision_called_same",
    "far",
    "frr",
    REPORTED_FARS[0].1,
    REPORTED_FARS[1].1,
    REPORTED_FARS[2].1,
    REPORTED_FARS[3].1,
];

/// What is measured of verification, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerificationConfig {
    /// Pairs closer than this are called the same; without it come only the figures that need none.
    pub threshold: Option<f32>,
    /// How the kinds of pairs weigh in `accuracy`, `precision` and `f1`.
    pub mix: Mix,
    /// Intervals.
    pub bootstrap: BootstrapConfig,
}

/// Whether the figure of this standard name is one at a threshold.
pub fn needs_threshold(name: &str) -> bool {
    matches!(
        name,
        "accuracy" | "f1" | "precision" | "recall" | "precision_called_same" | "far" | "frr"
    )
}

/// The verification figures of one set at one threshold, every pair weighing the same.
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
            far: called.far(),
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
/// same, and the TAR at a FAR that the unlike pairs are too few for.
///
/// ```
/// use siamese_metrics::verification::{VerificationConfig, verification_figures};
///
/// let pairs = [(0, 0), (1, 1), (0, 1), (1, 0)];
/// let config = VerificationConfig { threshold: Some(0.5), ..Default::default() };
/// let figures = verification_figures(&[0.1, 0.4, 0.35, 0.8], &pairs, &config)?;
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
    config: &VerificationConfig,
) -> Result<Vec<Figure>> {
    check_same_length(("distances", distances.len()), ("pairs", pairs.len()))?;
    let like: Vec<bool> = pairs.iter().map(|(a, b)| a == b).collect();
    figures(distances, &like, pairs, config)
}

/// The same figures where only the pairs are known, not the classes: resampled by image.
///
/// `images[i]` numbers the two images of pair `i`. Images of one class succeed and fail together,
/// and here nothing says which those are: where the classes are known, take
/// [`verification_figures`], whose intervals are wider and right.
///
/// # Errors
/// Those of [`verification_figures`], or lengths that differ.
pub fn verification_figures_by_image(
    distances: &[f32],
    like: &[bool],
    images: &[(u32, u32)],
    config: &VerificationConfig,
) -> Result<Vec<Figure>> {
    check_same_length(("distances", distances.len()), ("images", images.len()))?;
    figures(distances, like, images, config)
}

/// Figures of pairs of nodes, the nodes (classes or images) being resampled.
fn figures(
    distances: &[f32],
    like: &[bool],
    nodes: &[(u32, u32)],
    config: &VerificationConfig,
) -> Result<Vec<Figure>> {
    config.threshold.map_or(Ok(()), check_threshold)?;
    config.bootstrap.check()?;
    let ranked = RankedPairs::new(distances, like, nodes)?;
    let point = |ranked: &RankedPairs| config.threshold.map(|at| ranked.operating_point(at));
    let observed = ranked.accepted(&vec![1; ranked.nodes()]);
    let values = statistics(&observed, point(&ranked), config.mix);
    let resampled = ranked.thinned(RESAMPLED);
    let called_same = point(&resampled);
    let intervals = intervals(ranked.nodes(), &config.bootstrap, |drawn| {
        match resampled.accepted(drawn).scaled_to(observed.totals()) {
            Some(accepted) => statistics(&accepted, called_same, config.mix),
            None => [None; NAMES.len()],
        }
    });
    let defined = NAMES.iter().zip(values).zip(intervals);
    let figure = |((name, value), interval): ((&&str, Option<f64>), _)| {
        let name = (*name).to_owned();
        value.map(|value| Figure {
            name,
            value,
            interval,
        })
    };
    Ok(defined.filter_map(figure).collect())
}

/// The statistics named by [`NAMES`], given that operating point `called_same` is in use.
fn statistics(
    accepted: &Accepted,
    called_same: Option<usize>,
    mix: Mix,
) -> [Option<f64>; NAMES.len()] {
    let called = called_same.map(|point| Called::at(accepted, point, mix));
    let of_called = |figure: fn(&Called) -> f64| called.as_ref().map(figure);
    let precision = called.as_ref().and_then(Called::precision);
    let [tar1, tar2, tar3, tar4] = REPORTED_FARS.map(|(far, _)| accepted.tar_at_far(far));
    [
        of_called(Called::accuracy),
        Some(accepted.roc_auc()),
        Some(accepted.eer()),
        Some(accepted.average_precision()),
        of_called(Called::f1),
        precision,
        of_called(Called::recall),
        precision,
        of_called(Called::far),
        of_called(|called| 1.0 - called.recall()),
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
    /// Of an operating point, each kind weighing as the mix has it.
    fn at(accepted: &Accepted, point: usize, mix: Mix) -> Self {
        let (like, unlike) = accepted.totals();
        let (each_like, each_unlike) = mix.weights(like, unlike);
        Self {
            true_accepts: accepted.like[point] * each_like,
            false_accepts: accepted.unlike[point] * each_unlike,
            like: like * each_like,
            unlike: unlike * each_unlike,
        }
    }

    fn count(distances: &[f32], like: &[bool], threshold: f32) -> Self {
        let mut called = Self {
            true_accepts: 0.0,
            false_accepts: 0.0,
            like: 0.0,
            unlike: 0.0,
        };
        for (&distance, &like) in distances.iter().zip(like) {
            let same = f64::from(u8::from(is_same(distance, threshold)));
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

    fn far(&self) -> f64 {
        self.false_accepts / self.unlike
    }

    fn f1(&self) -> f64 {
        2.0 * self.true_accepts / (self.true_accepts + self.false_accepts + self.like)
    }
}
