//! Percentile bootstrap intervals, resampled by class or identity.
//!
//! The images of one person, or of one class, succeed and fail together, and every unlike pair
//! ties two of them. Resampling pairs as if they were independent therefore gives intervals that
//! are too narrow. Here the *classes* are resampled with replacement:
//!
//! - **Pairs** (verification): the vertex bootstrap. Class `c` is drawn `W_c` times; a like pair
//!   of class `a` weighs `W_a`, an unlike pair of classes `a` and `b` weighs `W_a·W_b`. See
//!   Fogliato, Patil and Perona, *Confidence Intervals for Error Rates in 1:1 Matching Tasks*
//!   (IJCV 2024, arXiv 2306.01198), who compare it with Bolle et al.'s subsets bootstrap (2004)
//!   and find that resampling one side of the pairs only is too narrow for the false accept rate.
//!   How many like and unlike pairs there are is the experimenter's choice, so both totals are
//!   held at their observed values: only which pairs fill them is resampled.
//! - **Probes** (retrieval): class `c` is drawn `W_c` times and each of its probes weighs `W_c`.
//!   The gallery is held fixed.
//!
//! Replicate `r` draws from stream `r` of the seed, so that intervals are bit-equal for any
//! number of threads.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_same_length};
use crate::figure::Interval;

/// How intervals are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootstrapConfig {
    /// Number of resamples; 0 for no intervals.
    pub replicates: usize,
    /// Seed of the resampling.
    pub seed: u64,
    /// Coverage, in (0, 1).
    pub level: f64,
}

impl Default for BootstrapConfig {
    fn default() -> Self {
        Self {
            replicates: 1000,
            seed: 0,
            level: 0.95,
        }
    }
}

impl BootstrapConfig {
    /// No intervals at all: the figures alone.
    pub fn off() -> Self {
        Self {
            replicates: 0,
            ..Self::default()
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.level > 0.0 && self.level < 1.0 {
            return Ok(());
        }
        Err(Error::Invalid {
            what: "bootstrap level",
            why: format!("{} is not between 0 and 1", self.level),
        })
    }
}

/// The interval of a mean over probes, whose classes are resampled.
///
/// `values[i]` is what probe `i` scored and `classes[i]` its class. `None` with fewer than two
/// classes, or where `config` asks for none.
///
/// # Errors
/// Lengths that differ, or a level outside 0 to 1.
pub fn mean_interval(
    values: &[f64],
    classes: &[u32],
    config: &BootstrapConfig,
) -> Result<Option<Interval>> {
    config.check()?;
    check_same_length(("values", values.len()), ("classes", classes.len()))?;
    let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for (value, class) in values.iter().zip(classes) {
        let (sum, count) = sums.entry(*class).or_default();
        *sum += value;
        *count += 1.0;
    }
    let sums: Vec<(f64, f64)> = sums.into_values().collect();
    let [interval] = intervals(sums.len(), config, |drawn| {
        let (mut sum, mut count) = (0.0, 0.0);
        for (&weight, class) in drawn.iter().zip(&sums) {
            sum += f64::from(weight) * class.0;
            count += f64::from(weight) * class.1;
        }
        [Some(sum / count)]
    });
    Ok(interval)
}

/// Intervals of several statistics of one resampling.
///
/// `replicate` takes the multiplicity `W_c` of each of `classes` classes and gives the statistics
/// of that resample, `None` where one is undefined (no like pair was drawn, say). A statistic that
/// is undefined in more than a tenth of the resamples gets no interval, and neither does any when
/// there is one class only.
pub(crate) fn intervals<const N: usize>(
    classes: usize,
    config: &BootstrapConfig,
    replicate: impl Fn(&[u32]) -> [Option<f64>; N] + Sync,
) -> [Option<Interval>; N] {
    if classes < 2 || config.replicates == 0 {
        return [None; N];
    }
    let replicates: Vec<[Option<f64>; N]> = (0..config.replicates)
        .into_par_iter()
        .map(|r| replicate(&multiplicities(classes, config.seed, r as u64)))
        .collect();
    std::array::from_fn(|statistic| {
        let defined = replicates
            .iter()
            .filter_map(|values| values[statistic])
            .collect();
        percentile_interval(defined, config)
    })
}

/// The middle `level` of the defined replicates; `None` when fewer than nine in ten are defined.
pub(crate) fn percentile_interval(
    mut defined: Vec<f64>,
    config: &BootstrapConfig,
) -> Option<Interval> {
    if defined.is_empty() || defined.len() * 10 < config.replicates * 9 {
        return None;
    }
    defined.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - config.level) / 2.0;
    Some(Interval {
        low: quantile(&defined, tail),
        high: quantile(&defined, 1.0 - tail),
    })
}

/// How often each class is drawn in `classes` draws with replacement.
pub(crate) fn multiplicities(classes: usize, seed: u64, replicate: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(replicate);
    let mut drawn = vec![0; classes];
    for _ in 0..classes {
        drawn[rng.random_range(0..classes)] += 1;
    }
    drawn
}

/// Quantile of sorted values by linear interpolation between neighbours (NumPy's default).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 1.0), 8.0);
        assert!((quantile(&sorted, 0.5) - 3.0).abs() < 1e-12);
        assert!((quantile(&sorted, 0.9) - 6.8).abs() < 1e-12);
    }

    #[test]
    fn a_resample_draws_as_many_classes_as_there_are() {
        for replicate in 0..50 {
            assert_eq!(multiplicities(7, 3, replicate).iter().sum::<u32>(), 7);
        }
        assert_ne!(multiplicities(50, 3, 0), multiplicities(50, 3, 1));
        assert_ne!(multiplicities(50, 3, 0), multiplicities(50, 4, 0));
    }

    #[test]
    fn the_interval_of_a_mean_has_the_width_the_normal_law_gives() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let [interval] = intervals(values.len(), &BootstrapConfig::default(), |drawn| {
            let sum: f64 = drawn
                .iter()
                .zip(&values)
                .map(|(&w, v)| f64::from(w) * v)
                .sum();
            [Some(sum / values.len() as f64)]
        });
        let interval = interval.unwrap();
        // Standard deviation of 0..20 is 5.766; its standard error over 400 is 0.288.
        let expected = 2.0 * 1.96 * 5.766 / 20.0;
        let width = interval.high - interval.low;
        assert!(
            (width / expected - 1.0).abs() < 0.1,
            "width {width}, expected {expected}"
        );
        assert!(interval.low < 9.5 && 9.5 < interval.high);
    }

    #[test]
    fn one_class_has_no_interval() {
        assert_eq!(
            intervals(1, &BootstrapConfig::default(), |_| [Some(1.0)]),
            [None]
        );
    }
}
