//! Pairs with their distances.

use anyhow::Result;
use siamese_core::Distance;
use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::verification::{RocCurve, is_same};
use siamese_data::Pair;
use siamese_embed::Embeddings;
use siamese_report::{PairDistances, RunReport};

/// Pairs shown of each kind: like and unlike, right and wrong.
pub(crate) const EXAMPLES: usize = 6;
/// Points of the ROC curve that are drawn.
const DRAWN: usize = 400;

/// Pairs of embedded images, judged by their distance.
pub struct JudgedPairs {
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// The distance of each.
    pub distances: Vec<f32>,
    /// Every operating point there is.
    pub curve: RocCurve,
}

impl JudgedPairs {
    /// Measures the distances of `pairs`.
    ///
    /// # Errors
    /// When an image of a pair was not embedded, a distance is not finite, or all pairs are of one kind.
    pub fn new(embeddings: &Embeddings, pairs: Vec<Pair>, distance: Distance) -> Result<Self> {
        let distances = embeddings.distances(&pairs, distance)?;
        let like: Vec<bool> = pairs.iter().map(|pair| pair.like).collect();
        let curve = RocCurve::new(&distances, &like)?;
        Ok(Self {
            pairs,
            distances,
            curve,
        })
    }

    /// Which pairs are like.
    pub fn like(&self) -> Vec<bool> {
        self.pairs.iter().map(|pair| pair.like).collect()
    }

    /// Fits the probability of "same" to these pairs (logistic, after Platt).
    ///
    /// # Errors
    /// None beyond those of [`Self::new`].
    pub fn calibrate(&self) -> Result<Calibration> {
        Ok(Calibration::logistic(&self.distances, &self.like())?)
    }

    /// The pairs that say most, at most `each` of a kind: the errors furthest from the threshold (like pairs first),
    /// then right answers of every distance.
    pub(crate) fn telling(&self, threshold: f32, each: usize) -> Vec<usize> {
        let distances = &self.distances;
        let mut order: Vec<usize> = (0..distances.len()).collect();
        let off = |i: usize| (distances[i] - threshold).abs();
        order.sort_by(|&i, &j| off(j).total_cmp(&off(i)));
        let mut chosen = Vec::new();
        for (like, right) in [(true, false), (false, false), (true, true), (false, true)] {
            let wanted = |i: &usize| {
                let called_same = is_same(distances[*i], threshold);
                self.pairs[*i].like == like && (called_same == like) == right
            };
            let group: Vec<usize> = order.iter().copied().filter(wanted).collect();
            let step = if right {
                (group.len() / each).max(1)
            } else {
                1
            };
            chosen.extend(group.into_iter().step_by(step).take(each));
        }
        chosen
    }

    /// Distances of the like, or of the unlike pairs.
    pub fn of_kind(&self, like: bool) -> Vec<f32> {
        let pairs = self.pairs.iter().zip(&self.distances);
        pairs
            .filter(|(pair, _)| pair.like == like)
            .map(|(_, distance)| *distance)
            .collect()
    }

    /// Fills the report's histogram, ROC curve and thresholds to choose from.
    pub(crate) fn fill(&self, report: &mut RunReport, distance: Distance, threshold: f32) {
        report.distances = Some(PairDistances {
            distance: distance.to_string(),
            like: self.of_kind(true),
            unlike: self.of_kind(false),
        });
        report.roc = self.curve.thinned(DRAWN);
        report.operating_point = Some(self.curve.at(threshold));
        report.choices = self.curve.choices();
    }
}
