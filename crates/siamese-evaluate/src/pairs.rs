//! Pairs with their distances.

use anyhow::Result;
use siamese_core::Distance;
use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::verification::{
    FittedThreshold, Mix, RocCurve, Target, VerificationConfig, is_same, verification_figures,
};
use siamese_core::metrics::{BootstrapConfig, Figure};
use siamese_data::Pair;
use siamese_embed::Embeddings;
use siamese_report::{PairDistances, RunReport};
use siamese_words::counted;

use crate::drawn::AllPairs;

/// Pairs shown of each kind: like and unlike, right and wrong.
pub(crate) const EXAMPLES: usize = 6;
/// Points of the ROC curve that are drawn.
const DRAWN: usize = 400;
/// Pairs whose distances are measured at once; it bounds the memory that takes.
const MEASURED: usize = 1 << 16;

/// Pairs of embedded images, judged by their distance.
pub struct JudgedPairs {
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// The distance of each.
    pub distances: Vec<f32>,
    /// Every operating point there is.
    pub curve: RocCurve,
    /// How like and unlike pairs weigh against each other.
    pub mix: Mix,
    /// Low rates of more pairs than these, where there are more.
    pub(crate) all: Option<AllPairs>,
}

impl JudgedPairs {
    /// Measures the distances of `pairs`, which were drawn: like and unlike ones weigh alike.
    ///
    /// # Errors
    /// When an image of a pair was not embedded, a distance is not finite, or all pairs are of one kind.
    pub fn new(embeddings: &Embeddings, pairs: Vec<Pair>, distance: Distance) -> Result<Self> {
        let mut distances = Vec::with_capacity(pairs.len());
        for some in pairs.chunks(MEASURED) {
            distances.extend(embeddings.distances(some, distance)?);
        }
        Self::of(pairs, distances)
    }

    /// Drawn pairs whose distances are known.
    pub(crate) fn of(pairs: Vec<Pair>, distances: Vec<f32>) -> Result<Self> {
        let like: Vec<bool> = pairs.iter().map(|pair| pair.like).collect();
        let curve = RocCurve::new(&distances, &like)?;
        Ok(Self {
            pairs,
            distances,
            curve: curve.with_mix(Mix::Even),
            mix: Mix::Even,
            all: None,
        })
    }

    /// The same pairs, each weighing one: somebody chose them.
    #[must_use]
    pub(crate) fn each_weighing_one(self) -> Self {
        Self {
            curve: self.curve.with_mix(Mix::AsGiven),
            mix: Mix::AsGiven,
            ..self
        }
    }

    /// How many pairs there are, and how many of them are unlike.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.pairs.len(), self.curve.unlike_pairs())
    }

    /// How many there are: `15 pairs (6 like, 9 unlike)`.
    pub fn counted(&self) -> String {
        let (like, unlike) = (self.curve.like_pairs(), self.curve.unlike_pairs());
        format!(
            "{} ({like} like, {unlike} unlike)",
            counted(self.pairs.len(), "pair")
        )
    }

    /// Every verification figure of drawn pairs, low rates being of all pairs there are; `labels` are those of the set.
    pub(crate) fn figures(
        &self,
        labels: &[u32],
        threshold: Option<f32>,
        bootstrap: &BootstrapConfig,
    ) -> Result<Vec<Figure>> {
        let class = |index: u32| labels[index as usize];
        let classes = |pair: &Pair| (class(pair.a), class(pair.b));
        let classes: Vec<(u32, u32)> = self.pairs.iter().map(classes).collect();
        let config = VerificationConfig {
            threshold,
            mix: self.mix,
            bootstrap: *bootstrap,
        };
        let mut figures = verification_figures(&self.distances, &classes, &config)?;
        if let Some(all) = &self.all {
            all.replace(&mut figures, bootstrap)?;
        }
        Ok(figures)
    }

    /// Which pairs are like.
    pub fn like(&self) -> Vec<bool> {
        self.pairs.iter().map(|pair| pair.like).collect()
    }

    /// Fits the probability of "same" to these pairs (logistic, after Platt), in their mix.
    ///
    /// # Errors
    /// None beyond those of [`Self::new`].
    pub fn calibrate(&self) -> Result<Calibration> {
        Ok(Calibration::logistic(
            &self.distances,
            &self.like(),
            self.mix,
        )?)
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
    /// Without a threshold there is no operating point of these pairs.
    pub(crate) fn fill(&self, report: &mut RunReport, distance: Distance, threshold: Option<f32>) {
        report.distances = Some(PairDistances {
            distance: distance.to_string(),
            like: self.of_kind(true),
            unlike: self.of_kind(false),
        });
        report.roc = self.curve.thinned(DRAWN);
        report.operating_point = threshold.map(|threshold| self.curve.at(threshold));
        report.choices = self.choices();
    }

    /// Thresholds to choose from, each rate from the pairs that its figure is of.
    fn choices(&self) -> Vec<FittedThreshold> {
        let low = self.all.as_ref().map(|all| all.rates.choices());
        let low = low.unwrap_or_default();
        let known = |target: Target| low.iter().any(|choice| choice.target == target);
        let mut choices = self.curve.choices();
        choices.retain(|choice| !known(choice.target));
        choices.extend(low.iter().copied());
        choices
    }
}
