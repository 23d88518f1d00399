//! The chances of the classes: which one the partner of an unlike pair is of.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::error::SamplerError;
use super::groups::Groups;

/// How the class of the partner is drawn in an unlike pair.
///
/// The anchor's own class is always left out, and so are classes without an image in play; the
/// chances of the others are scaled to sum to one. Within its class the partner is any image,
/// equally probable. Anchors are not drawn: every image is one, once per epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassSampling {
    /// In proportion to the number of images: the partner is any image of another class.
    Proportional,
    /// Every other class equally probable, whatever its number of images.
    ///
    /// The default: a small class is an anchor seldom, and would under `Proportional` be a partner
    /// seldom too. Where all classes have as many images the two are the same.
    #[default]
    Uniform,
    /// In proportion to the given weights, one per class label; a class of weight 0 is never the
    /// partner of an unlike pair. Weights below 2⁻³¹ of the greatest count as that.
    Weights(Vec<f64>),
}

/// The chances of the classes as whole numbers, summed up: drawing is then exact.
pub(crate) struct Chances {
    /// The sum of the chances of all classes before each class, and last the total.
    before: Vec<u64>,
}

impl Chances {
    pub(crate) fn new(
        groups: &Groups,
        sampling: &ClassSampling,
        class_count: usize,
    ) -> Result<Self, SamplerError> {
        let classes = groups.classes();
        let chances: Vec<u64> = match sampling {
            ClassSampling::Proportional => classes.iter().map(|c| c.places.len() as u64).collect(),
            ClassSampling::Uniform => vec![1; classes.len()],
            ClassSampling::Weights(weights) => {
                let whole = whole_weights(weights, class_count)?;
                classes.iter().map(|c| whole[c.label as usize]).collect()
            }
        };
        let positive = chances.iter().filter(|&&chance| chance > 0).count();
        if positive < 2 {
            return Err(SamplerError::TooFewWeights { positive });
        }
        let mut before = vec![0];
        let mut sum = 0;
        for chance in chances {
            sum += chance;
            before.push(sum);
        }
        Ok(Self { before })
    }

    /// The chances of the classes `first..last`, `own` (one of them) left out.
    pub(crate) fn total(&self, first: usize, last: usize, own: usize) -> u64 {
        let own = self.before[own + 1] - self.before[own];
        self.before[last] - self.before[first] - own
    }

    /// One of the classes `first..last`, never `own` (one of them); their total must not be 0.
    pub(crate) fn draw(&self, first: usize, last: usize, own: usize, rng: &mut impl Rng) -> usize {
        let mut target = self.before[first] + rng.random_range(0..self.total(first, last, own));
        if target >= self.before[own] {
            target += self.before[own + 1] - self.before[own];
        }
        self.before.partition_point(|&before| before <= target) - 1
    }
}

/// The weights in units of 2⁻³¹ of the greatest, so that even 2³² of them sum to a `u64`.
fn whole_weights(weights: &[f64], classes: usize) -> Result<Vec<u64>, SamplerError> {
    if weights.len() != classes {
        let given = weights.len();
        return Err(SamplerError::WeightCount { given, classes });
    }
    let is_bad = |weight: &f64| !(weight.is_finite() && *weight >= 0.0);
    if let Some(label) = weights.iter().position(is_bad) {
        let weight = weights[label];
        return Err(SamplerError::Weight { label, weight });
    }
    let greatest = weights.iter().copied().fold(0.0, f64::max);
    let whole = |&weight: &f64| match weight {
        0.0 => 0,
        _ => ((weight / greatest * (1u64 << 31) as f64).round() as u64).max(1),
    };
    Ok(weights.iter().map(whole).collect())
}
