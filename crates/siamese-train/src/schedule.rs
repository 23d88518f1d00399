//! Learning-rate schedules: pure functions of the step.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate moves from the first step to the last, as a factor of the configured rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Schedule {
    /// The same all along.
    Constant,
    /// Multiplied by `factor` each time another share `every` of the run has passed.
    Step {
        /// Share of the run between two falls, such as 0.3.
        every: f64,
        /// What the rate is multiplied by, such as 0.1.
        factor: f64,
    },
    /// A linear rise over the share `warmup` of the run, then half a cosine down to `floor`.
    Cosine {
        /// Share of the run, such as 0.05.
        warmup: f64,
        /// Last value, as a factor, such as 0.
        floor: f64,
    },
    /// Smith's one-cycle with cosine arms: from 1/25 up to 1 over the share `rise` of the run, then down to 1e-4 / 25.
    OneCycle {
        /// Share of the run, such as 0.3.
        rise: f64,
    },
}

impl Schedule {
    /// The factor at `step` (from 0) of `total` steps.
    ///
    /// ```
    /// use siamese_train::Schedule;
    /// let cosine = Schedule::Cosine { warmup: 0.1, floor: 0.0 };
    /// assert_eq!(cosine.factor(9, 100), 1.0);
    /// assert!((cosine.factor(55, 101) - 0.5).abs() < 0.01);
    /// ```
    pub fn factor(self, step: usize, total: usize) -> f64 {
        let total = total.max(1) as f64;
        let step = step as f64;
        match self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => factor.powf((step / total / every).floor()),
            Self::Cosine { warmup, floor } => {
                let rise = (warmup * total).round();
                if step < rise {
                    return (step + 1.0) / rise;
                }
                cosine(1.0, floor, (step - rise) / (total - 1.0 - rise).max(1.0))
            }
            Self::OneCycle { rise } => {
                let peak = (rise * total).round();
                if step < peak {
                    return cosine(1.0 / 25.0, 1.0, step / peak);
                }
                cosine(
                    1.0,
                    1e-4 / 25.0,
                    (step - peak) / (total - 1.0 - peak).max(1.0),
                )
            }
        }
    }

    /// What is wrong with it, if anything.
    pub fn problem(self) -> Option<String> {
        let share = |name: &str, value: f64| {
            let good = (0.0..=1.0).contains(&value);
            (!good).then(|| format!("the schedule's {name} must be in 0..=1, got {value}"))
        };
        match self {
            Self::Constant => None,
            Self::Step { every, factor } => {
                let never = (every <= 0.0)
                    .then(|| format!("the schedule's every must be above 0, got {every}"));
                never
                    .or_else(|| share("every", every))
                    .or_else(|| share("factor", factor))
            }
            Self::Cosine { warmup, floor } => {
                share("warmup", warmup).or_else(|| share("floor", floor))
            }
            Self::OneCycle { rise } => share("rise", rise),
        }
    }
}

/// From `from` to `to` along half a cosine, as `t` goes from 0 to 1.
fn cosine(from: f64, to: f64, t: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * t.min(1.0)).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_cycle_starts_low_peaks_and_ends_lower() {
        let schedule = Schedule::OneCycle { rise: 0.3 };
        assert!((schedule.factor(0, 100) - 0.04).abs() < 1e-12);
        assert!((schedule.factor(30, 100) - 1.0).abs() < 1e-12);
        assert!((schedule.factor(99, 100) - 4e-6).abs() < 1e-12);
    }

    #[test]
    fn step_falls_once_per_share() {
        let schedule = Schedule::Step {
            every: 0.25,
            factor: 0.1,
        };
        let factors: Vec<f64> = [0, 24, 25, 50, 99]
            .map(|s| schedule.factor(s, 100))
            .to_vec();
        for (factor, expected) in factors.iter().zip([1.0, 1.0, 0.1, 0.01, 0.001]) {
            assert!((factor - expected).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn factors_stay_between_zero_and_one(total in 1usize..300, at in 0.0f64..1.0, share in 0.0f64..=1.0) {
            let step = (at * total as f64) as usize;
            for schedule in [
                Schedule::Constant,
                Schedule::Step { every: share.max(0.01), factor: 0.5 },
                Schedule::Cosine { warmup: share, floor: 0.0 },
                Schedule::OneCycle { rise: share },
            ] {
                let factor = schedule.factor(step, total);
                prop_assert!((0.0..=1.0).contains(&factor), "{schedule:?} {step}/{total}: {factor}");
            }
        }
    }
}
