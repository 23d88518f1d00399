//! How like and unlike pairs weigh against each other, and how many carry a rate.

use serde::{Deserialize, Serialize};

/// How like and unlike pairs weigh in what depends on their mix: accuracy, precision, F1, and the probability of
/// "same". The ROC curve and all that is read off it weigh each kind by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mix {
    /// Every pair weighs the same: pairs that somebody chose, a file's.
    #[default]
    AsGiven,
    /// The like pairs together weigh as much as the unlike ones, however many there are of each: pairs drawn from a
    /// set, which may hold too few of one kind.
    Even,
}

impl Mix {
    /// What a like and what an unlike pair weighs; all pairs together weigh as much as there are.
    pub(crate) fn weights(self, like: f64, unlike: f64) -> (f64, f64) {
        let half = (like + unlike) / 2.0;
        match self {
            Self::AsGiven => (1.0, 1.0),
            Self::Even => (half / like, half / unlike),
        }
    }
}

/// A rate that fewer errors than this measure says more than the pairs do.
const LEAST_ERRORS: f64 = 10.0;

/// Unlike pairs that a false accept rate needs: ten errors' worth.
///
/// ```
/// use siamese_metrics::verification::unlike_pairs_for;
/// assert_eq!(unlike_pairs_for(1e-3), 10_000);
/// ```
pub fn unlike_pairs_for(far: f64) -> usize {
    // One part in 1e12 of slack: 10 / 1e-4 must not round up to 100,001.
    (LEAST_ERRORS / far * (1.0 - 1e-12)).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_pairs_of_both_kinds_weigh_one_each_exactly() {
        assert_eq!(Mix::Even.weights(10_000.0, 10_000.0), (1.0, 1.0));
        assert_eq!(Mix::Even.weights(6.0, 9.0), (1.25, 7.5 / 9.0));
        assert_eq!(Mix::AsGiven.weights(6.0, 9.0), (1.0, 1.0));
    }

    #[test]
    fn every_reported_rate_needs_ten_errors() {
        for (far, pairs) in [(1e-1, 100), (1e-2, 1_000), (1e-3, 10_000), (1e-4, 100_000)] {
            assert_eq!(unlike_pairs_for(far), pairs);
        }
        assert_eq!(unlike_pairs_for(1.0), 10);
        assert_eq!(unlike_pairs_for(0.3), 34);
    }
}
