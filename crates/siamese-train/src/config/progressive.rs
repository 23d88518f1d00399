//! Smaller images at the beginning of a training: what is learned early needs few pixels.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use siamese_core::Tower;

/// Height and width.
type Size = (usize, usize);

/// Smaller images up to a share of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smaller {
    /// Share of the training's steps at which it ends, such as 0.25.
    pub until: f64,
    /// Height and width of its images.
    pub size: Size,
}

/// The sizes of a training's images, the smaller ones first; after these come those of the tower's own size.
///
/// ```
/// use siamese_train::Progressive;
/// let sizes: Progressive = serde_json::from_str(r#"[{ "until": 0.25, "size": [16, 16] }]"#)?;
/// let at = |step| sizes.at(step, 100, (32, 32));
/// assert_eq!((at(24), at(25)), ((16, 16), (32, 32)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Progressive(pub Vec<Smaller>);

impl Progressive {
    /// Whether all images have the tower's size.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size at `step` (from 0) of `total` steps; `own` is the tower's.
    pub fn at(&self, step: usize, total: usize, own: Size) -> Size {
        let stage = self.0.iter().find(|stage| step < stage.ends(total));
        stage.map_or(own, |stage| stage.size)
    }

    /// Each size and the share of the training that has it, the tower's own last.
    pub fn shares(&self, own: Size) -> Vec<(Size, f64)> {
        let mut from = 0.0;
        let last = Smaller {
            until: 1.0,
            size: own,
        };
        let share = |stage: &Smaller| {
            let share = stage.until - from;
            from = stage.until;
            (stage.size, share)
        };
        self.0.iter().chain([&last]).map(share).collect()
    }

    /// The first steps of `total` that have images of a smaller size, by the step that ends each.
    pub(crate) fn ends(&self, total: usize) -> impl Iterator<Item = (usize, Size)> {
        self.0
            .iter()
            .map(move |stage| (stage.ends(total), stage.size))
    }

    /// The tower for each of the smaller sizes, all of the same weights.
    pub(crate) fn towers(&self, tower: &Tower) -> Result<Vec<Tower>> {
        let sizes = self.0.iter().map(|smaller| smaller.size);
        sizes
            .map(|size| {
                tower
                    .at_size(size)
                    .context("progressive (--set progressive=[] trains at one size)")
            })
            .collect()
    }

    /// Refuses what is no growth up to `own`.
    pub(crate) fn check(&self, own: Size) -> Result<()> {
        let mut before = Smaller {
            until: 0.0,
            size: (1, 1),
        };
        for stage in &self.0 {
            let (height, width) = stage.size;
            ensure!(
                stage.until > before.until && stage.until < 1.0,
                "progressive: each stage ends after the one before it and before 1, got until = {} after {}",
                stage.until,
                before.until
            );
            ensure!(
                height >= before.size.0
                    && width >= before.size.1
                    && height <= own.0
                    && width <= own.1,
                "progressive: images grow up to the tower's {}x{}, got {height}x{width} after {}x{}",
                own.0,
                own.1,
                before.size.0,
                before.size.1
            );
            before = *stage;
        }
        Ok(())
    }
}

impl Smaller {
    /// The first step of `total` that is no longer of it.
    fn ends(self, total: usize) -> usize {
        (self.until * total as f64).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(of: &[(f64, Size)]) -> Progressive {
        Progressive(
            of.iter()
                .map(|&(until, size)| Smaller { until, size })
                .collect(),
        )
    }

    #[test]
    fn every_step_has_the_size_of_its_share() {
        let sizes = sizes(&[(0.25, (4, 6)), (0.6, (8, 8))]);
        let mut counts = [0.0; 3];
        for step in 0..40 {
            let size = sizes.at(step, 40, (16, 16));
            let place = [(4, 6), (8, 8), (16, 16)].iter().position(|&s| s == size);
            counts[place.unwrap()] += 1.0 / 40.0;
        }
        for (count, (_, share)) in counts.iter().zip(sizes.shares((16, 16))) {
            assert!((count - share).abs() < 1e-9, "{counts:?}");
        }
    }

    #[test]
    fn what_is_no_growth_is_refused() {
        assert!(
            sizes(&[(0.5, (8, 8)), (0.7, (8, 12))])
                .check((16, 16))
                .is_ok()
        );
        for wrong in [
            sizes(&[(0.5, (8, 8)), (0.4, (12, 12))]),
            sizes(&[(1.0, (8, 8))]),
            sizes(&[(f64::NAN, (8, 8))]),
            sizes(&[(0.5, (8, 8)), (0.6, (4, 8))]),
            sizes(&[(0.5, (20, 8))]),
            sizes(&[(0.5, (0, 8))]),
        ] {
            let error = wrong.check((16, 16)).unwrap_err().to_string();
            assert!(error.contains("progressive"), "{error}");
        }
    }
}
