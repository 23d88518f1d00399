//! Who or what is it: the nearest classes, or nobody that is known.

use siamese_core::metrics::retrieval::Neighbour;

use crate::error::Result;
use crate::gallery::{Gallery, Match};
use crate::together::Together;
use crate::unknown::Limit;

/// How to identify.
#[derive(Clone, Debug, PartialEq)]
pub struct Identify {
    /// Classes to tell, at most.
    pub classes: usize,
    /// How several examples of a class count together.
    pub together: Together,
    /// The distance from which on a probe is unknown, in place of the gallery's own.
    pub threshold: Option<f64>,
}

impl Default for Identify {
    fn default() -> Self {
        Self {
            classes: 5,
            together: Together::default(),
            threshold: None,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Identified {
    /// Whether the nearest class is within the threshold; `None` where there is no threshold.
    pub known: Option<bool>,
    /// The probability that the probe and the nearest class are the same, for even odds beforehand; of a model that is
    /// calibrated.
    pub probability: Option<f64>,
    /// The nearest classes, nearest first, each with the nearest of its examples.
    pub matches: Vec<Match>,
}

impl Gallery {
    /// Identifies a probe (D).
    ///
    /// # Errors
    /// An embedding that cannot be the model's; what the store says.
    pub fn identify(&mut self, probe: &[f32], how: &Identify) -> Result<Identified> {
        let probe = &self.about().model.kept(probe).into_owned()[..];
        self.about().model.check_embedding("the probe", probe)?;
        self.refresh()?;
        let threshold = match how.threshold {
            Some(threshold) => Some(threshold),
            None => self.limit(how.together)?.threshold,
        };
        let matches = match how.together {
            Together::Nearest => self.nearest_classes(probe, how.classes)?,
            Together::Mean => self.mean_classes(probe, how.classes),
        };
        let nearest = matches.first().map(|nearest| nearest.distance);
        let calibration = self.about().model.calibration.as_ref();
        let is_known = |threshold: f64| nearest.is_some_and(|d| f64::from(d) < threshold);
        Ok(Identified {
            known: threshold.map(is_known),
            probability: nearest.and_then(|d| Some(calibration?.probability(d))),
            matches,
        })
    }

    /// The distance from which on a probe is unknown, and what it rests on; it may be of the gallery as it was before the
    /// last hundredth of its entries changed.
    ///
    /// # Errors
    /// What the store says.
    pub fn limit(&mut self, together: Together) -> Result<Limit> {
        self.refresh()?;
        let fitted = self.limit.take().filter(|limit| limit.together == together);
        let limit = match fitted {
            Some(limit) => limit,
            None => Limit::fit(&self.packed, together, &self.about().model)?,
        };
        self.limit = Some(limit.clone());
        Ok(limit)
    }

    /// More and more neighbours, until enough classes are among them.
    fn nearest_classes(&self, probe: &[f32], classes: usize) -> Result<Vec<Match>> {
        let mut wanted = 4 * classes;
        loop {
            let found = self
                .packed
                .nearest(probe, wanted)?
                .pop()
                .unwrap_or_default();
            let firsts = first_of_each(&found, |row| self.packed.label_of(row), classes);
            if firsts.len() == classes || found.len() < wanted {
                return Ok(firsts.iter().map(|one| self.matched(one)).collect());
            }
            wanted *= 4;
        }
    }

    fn mean_classes(&self, probe: &[f32], classes: usize) -> Vec<Match> {
        let mut means = self.packed.means(probe);
        means.truncate(classes);
        let matched = |mean: &Mean| Match {
            distance: mean.distance,
            ..self.matched(&mean.nearest)
        };
        means.iter().map(matched).collect()
    }
}

/// The nearest of each class among neighbours, nearest first.
fn first_of_each(
    found: &[Neighbour],
    label: impl Fn(usize) -> u32,
    classes: usize,
) -> Vec<Neighbour> {
    let mut seen = std::collections::HashSet::new();
    let is_first = |neighbour: &&Neighbour| seen.insert(label(neighbour.index as usize));
    found
        .iter()
        .filter(is_first)
        .take(classes)
        .copied()
        .collect()
}

/// A class by the mean distance of its examples.
pub(crate) struct Mean {
    pub(crate) label: u32,
    pub(crate) distance: f32,
    /// Its nearest example.
    pub(crate) nearest: Neighbour,
}

impl crate::packed::Packed {
    /// All classes by the mean distance of their examples from a probe, nearest first.
    pub(crate) fn means(&self, probe: &[f32]) -> Vec<Mean> {
        let mut sums: std::collections::BTreeMap<u32, (f64, u32, Neighbour)> = Default::default();
        for (row, distance) in self.distances(probe, 0..self.len()).into_iter().enumerate() {
            let own = Neighbour {
                index: row as u32,
                distance,
            };
            let (sum, count, nearest) = sums.entry(self.label_of(row)).or_insert((0.0, 0, own));
            *sum += f64::from(distance);
            *count += 1;
            if distance < nearest.distance {
                *nearest = own;
            }
        }
        let mean = |(label, (sum, count, nearest)): (u32, (f64, u32, Neighbour))| Mean {
            label,
            distance: (sum / f64::from(count)) as f32,
            nearest,
        };
        let mut means: Vec<Mean> = sums.into_iter().map(mean).collect();
        means.sort_by(|a, b| {
            let rows = a.nearest.index.cmp(&b.nearest.index);
            a.distance.total_cmp(&b.distance).then(rows)
        });
        means
    }
}
