//! From a distance to the probability that a pair is like.
//!
//! A calibration is fitted on one split and used on another. Its probabilities hold for the mix of
//! like and unlike pairs that it was fitted on: with [`Mix::Even`], for even odds beforehand.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_same_length};
use crate::verification::{Mix, rank};

/// A fitted map from distance to the probability of "same".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Calibration {
    /// `1 / (1 + exp(slope·d + intercept))`
    Logistic {
        /// Positive where closer pairs are likelier to be like.
        slope: f64,
        /// Log-odds of "different" at distance 0.
        intercept: f64,
    },
    /// Linear between these points, constant beyond them, never rising.
    Isotonic {
        /// Distances, ascending.
        distances: Vec<f32>,
        /// The probability at each.
        probabilities: Vec<f64>,
    },
}

impl Calibration {
    /// Fits a logistic curve (Platt scaling).
    ///
    /// Targets are Platt's `(N₊ + 1)/(N₊ + 2)` and `1/(N₋ + 2)`, which keep the fit finite where
    /// one threshold separates all pairs; Newton's method after Lin, Lin and Weng, *A note on
    /// Platt's probabilistic outputs* (2007).
    ///
    /// ```
    /// use siamese_metrics::calibration::Calibration;
    /// use siamese_metrics::verification::Mix;
    ///
    /// let like = [true, true, false, false];
    /// let fitted = Calibration::logistic(&[0.2, 0.4, 0.7, 0.9], &like, Mix::Even)?;
    /// assert!(fitted.probability(0.1) > 0.5 && fitted.probability(1.0) < 0.5);
    /// # Ok::<(), siamese_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`RocCurve::new`](crate::verification::RocCurve::new).
    pub fn logistic(distances: &[f32], like: &[bool], mix: Mix) -> Result<Self> {
        rank(distances, like)?;
        // Fitted in standard units, so that Newton's method sees the same problem at any scale.
        let wide = || distances.iter().map(|d| f64::from(*d));
        let n = distances.len() as f64;
        let mean = wide().sum::<f64>() / n;
        let deviation = (wide().map(|d| (d - mean).powi(2)).sum::<f64>() / n).sqrt();
        let unit = if deviation > 0.0 { deviation } else { 1.0 };
        let standard: Vec<f64> = wide().map(|d| (d - mean) / unit).collect();
        let (slope, intercept) = fit_platt(&standard, like, mix);
        Ok(Self::Logistic {
            slope: slope / unit,
            intercept: intercept - slope * mean / unit,
        })
    }

    /// Fits the best curve that never rises with the distance (pool adjacent violators).
    ///
    /// The same curve as scikit-learn's `IsotonicRegression(increasing=False,
    /// out_of_bounds="clip")`. It wants many pairs; with few, take the logistic one.
    ///
    /// # Errors
    /// Those of [`RocCurve::new`](crate::verification::RocCurve::new).
    pub fn isotonic(distances: &[f32], like: &[bool]) -> Result<Self> {
        let mut blocks: Vec<Block> = Vec::new();
        for point in tied_pairs(distances, like)? {
            blocks.push(point);
            merge_violators(&mut blocks);
        }
        let (mut at, mut probabilities) = (Vec::new(), Vec::new());
        for block in &blocks {
            let ends = if block.first == block.last { 1 } else { 2 };
            at.extend([block.first, block.last].iter().take(ends));
            probabilities.extend(std::iter::repeat_n(block.share(), ends));
        }
        Ok(Self::Isotonic {
            distances: at,
            probabilities,
        })
    }

    /// The probability that a pair at this distance is like; NaN for NaN.
    pub fn probability(&self, distance: f32) -> f64 {
        match self {
            Self::Logistic { slope, intercept } => {
                sigmoid(-(slope * f64::from(distance) + intercept))
            }
            Self::Isotonic {
                distances,
                probabilities,
            } => interpolate(distances, probabilities, distance),
        }
    }

    /// The greatest distance at which a pair is like with at least this probability; `None` where no distance has that.
    ///
    /// ```
    /// use siamese_metrics::calibration::Calibration;
    ///
    /// let calibration = Calibration::Logistic { slope: 2.0, intercept: -3.0 };
    /// assert_eq!(calibration.reach(0.5), Some(1.5));
    /// assert_eq!(calibration.reach(0.99), None, "at distance 0 it is 0.953");
    /// ```
    pub fn reach(&self, probability: f64) -> Option<f64> {
        match self {
            Self::Logistic { slope, intercept } => {
                let odds = (probability / (1.0 - probability)).ln();
                let reach = (-odds - intercept) / slope;
                (*slope > 0.0 && reach >= 0.0).then_some(reach)
            }
            Self::Isotonic {
                distances,
                probabilities,
            } => {
                let last = probabilities.partition_point(|p| *p >= probability);
                let at = |i: usize| (f64::from(distances[i]), probabilities[i]);
                let ((x, y), next) = (at(last.checked_sub(1)?), last < distances.len());
                Some(match next.then(|| at(last)) {
                    Some((far, low)) => x + (far - x) * (y - probability) / (y - low),
                    None => f64::INFINITY,
                })
            }
        }
    }

    /// The probability at each distance.
    pub fn probabilities(&self, distances: &[f32]) -> Vec<f64> {
        distances.iter().map(|d| self.probability(*d)).collect()
    }
}

/// Neighbouring distances that share one probability.
struct Block {
    first: f32,
    last: f32,
    count: f64,
    likes: f64,
}

impl Block {
    fn share(&self) -> f64 {
        self.likes / self.count
    }
}

/// One block for each distinct distance, ascending: the order of tied pairs must not matter.
fn tied_pairs(distances: &[f32], like: &[bool]) -> Result<Vec<Block>> {
    let mut points: Vec<Block> = Vec::new();
    for i in rank(distances, like)? {
        let (distance, likes) = (distances[i], f64::from(u8::from(like[i])));
        match points.last_mut().filter(|point| point.last == distance) {
            Some(point) => {
                point.count += 1.0;
                point.likes += likes;
            }
            None => points.push(Block {
                first: distance,
                last: distance,
                count: 1.0,
                likes,
            }),
        }
    }
    Ok(points)
}

/// Merges the last blocks until the shares fall from block to block.
fn merge_violators(blocks: &mut Vec<Block>) {
    while let [.., before, last] = &mut blocks[..] {
        if before.share() > last.share() {
            return;
        }
        before.last = last.last;
        before.count += last.count;
        before.likes += last.likes;
        blocks.pop();
    }
}

fn interpolate(xs: &[f32], ys: &[f64], x: f32) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    let above = xs.partition_point(|&other| other < x);
    match (above.checked_sub(1), above < xs.len()) {
        (None, _) => ys[0],
        (Some(below), false) => ys[below],
        (Some(below), true) => {
            let part = f64::from(x - xs[below]) / f64::from(xs[above] - xs[below]);
            ys[below] + (ys[above] - ys[below]) * part
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Slope and intercept of least cross-entropy, by Newton's method with step halving.
fn fit_platt(standard: &[f64], like: &[bool], mix: Mix) -> (f64, f64) {
    let likes = like.iter().filter(|l| **l).count() as f64;
    let unlikes = like.len() as f64 - likes;
    let high = (likes + 1.0) / (likes + 2.0);
    let low = 1.0 / (unlikes + 2.0);
    let target = |l: &bool| if *l { high } else { low };
    let (each_like, each_unlike) = mix.weights(likes, unlikes);
    let weight = |l: &bool| if *l { each_like } else { each_unlike };
    let loss = |slope: f64, intercept: f64| -> f64 {
        let terms = standard.iter().zip(like).map(|(x, l)| {
            let odds = slope * x + intercept;
            // −t·ln p − (1 − t)·ln(1 − p), p = 1/(1 + e^odds), without overflow.
            weight(l) * (target(l) * odds + (-odds).max(0.0) + (-odds.abs()).exp().ln_1p())
        });
        terms.sum()
    };
    let prior = (unlikes * each_unlike + 1.0) / (likes * each_like + 1.0);
    let (mut slope, mut intercept) = (0.0, prior.ln());
    let mut best = loss(slope, intercept);
    for _ in 0..100 {
        // Gradient and Hessian; the small ridge keeps the latter invertible.
        let (mut g1, mut g2, mut h11, mut h22, mut h12) = (0.0, 0.0, 1e-12, 1e-12, 0.0);
        for (x, l) in standard.iter().zip(like) {
            let p = sigmoid(-(slope * x + intercept));
            let (d1, d2) = (weight(l) * (target(l) - p), weight(l) * (p * (1.0 - p)));
            g1 += x * d1;
            g2 += d1;
            h11 += x * x * d2;
            h22 += d2;
            h12 += x * d2;
        }
        if g1.abs().max(g2.abs()) < 1e-9 {
            break;
        }
        let det = h11 * h22 - h12 * h12;
        let step = (-(h22 * g1 - h12 * g2) / det, -(h11 * g2 - h12 * g1) / det);
        let halvings = (0..40).map(|i| 0.5f64.powi(i));
        let Some((size, next)) = halvings
            .map(|size| (size, loss(slope + size * step.0, intercept + size * step.1)))
            .find(|(_, next)| *next < best)
        else {
            break;
        };
        slope += size * step.0;
        intercept += size * step.1;
        best = next;
    }
    (slope, intercept)
}

/// A range of probabilities, and what became of the pairs that were given one of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower end, included.
    pub low: f64,
    /// Upper end, included in the last bin only.
    pub high: f64,
    /// Number of pairs.
    pub pairs: usize,
    /// Mean of their probabilities, in the mix asked for; 0 without pairs.
    pub mean_probability: f64,
    /// Share of like pairs among them, in the mix asked for; 0 without pairs.
    pub like_share: f64,
    /// What they weigh in that mix.
    pub weight: f64,
}

/// The reliability diagram: `bins` equal ranges of probability.
///
/// # Errors
/// No pair, no bin, lengths that differ, or a probability outside 0 to 1.
pub fn reliability(
    probabilities: &[f64],
    like: &[bool],
    mix: Mix,
    bins: usize,
) -> Result<Vec<ReliabilityBin>> {
    check_probabilities(probabilities, like)?;
    if bins == 0 {
        return Err(Error::Invalid {
            what: "bins",
            why: "0, at least 1 is needed".to_owned(),
        });
    }
    let weight = weight_of(like, mix);
    let mut sums = vec![(0usize, 0.0, 0.0, 0.0); bins];
    for (p, l) in probabilities.iter().zip(like) {
        let (count, all, sum, likes) = &mut sums[((p * bins as f64) as usize).min(bins - 1)];
        *count += 1;
        *all += weight(l);
        *sum += weight(l) * p;
        *likes += if *l { weight(l) } else { 0.0 };
    }
    let bin = |(i, (pairs, weight, sum, likes)): (usize, (usize, f64, f64, f64))| {
        let share = |part: f64| if pairs > 0 { part / weight } else { 0.0 };
        ReliabilityBin {
            low: i as f64 / bins as f64,
            high: (i + 1) as f64 / bins as f64,
            pairs,
            mean_probability: share(sum),
            like_share: share(likes),
            weight,
        }
    };
    Ok(sums.into_iter().enumerate().map(bin).collect())
}

/// Expected calibration error: `Σ (weight of bin / all weights)·|like share − mean probability|`.
pub fn expected_calibration_error(bins: &[ReliabilityBin]) -> f64 {
    let all: f64 = bins.iter().map(|bin| bin.weight).sum();
    let gap = |bin: &ReliabilityBin| bin.weight * (bin.like_share - bin.mean_probability).abs();
    let sum = bins.iter().map(gap).sum::<f64>();
    if all > 0.0 { sum / all } else { 0.0 }
}

/// Brier score: the mean squared distance of probability and outcome.
///
/// # Errors
/// No pair, lengths that differ, or a probability outside 0 to 1.
pub fn brier(probabilities: &[f64], like: &[bool], mix: Mix) -> Result<f64> {
    check_probabilities(probabilities, like)?;
    let weight = weight_of(like, mix);
    let squares = probabilities
        .iter()
        .zip(like)
        .map(|(p, l)| weight(l) * (p - f64::from(u8::from(*l))).powi(2));
    Ok(squares.sum::<f64>() / probabilities.len() as f64)
}

/// What a like or an unlike pair weighs; one each where all are of one kind.
fn weight_of(like: &[bool], mix: Mix) -> impl Fn(&bool) -> f64 {
    let likes = like.iter().filter(|l| **l).count();
    let (each_like, each_unlike) = match likes {
        0 => (1.0, 1.0),
        all if all == like.len() => (1.0, 1.0),
        _ => mix.weights(likes as f64, (like.len() - likes) as f64),
    };
    move |l| if *l { each_like } else { each_unlike }
}

fn check_probabilities(probabilities: &[f64], like: &[bool]) -> Result<()> {
    check_same_length(("probabilities", probabilities.len()), ("like", like.len()))?;
    if probabilities.is_empty() {
        return Err(Error::Empty {
            what: "probabilities",
        });
    }
    match probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
        None => Ok(()),
        Some(i) => Err(Error::Invalid {
            what: "probabilities",
            why: format!("[{i}] is {}, not between 0 and 1", probabilities[i]),
        }),
    }
}
