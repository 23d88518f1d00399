//! Cross-validated verification: each fold judged at the threshold that suits the others best.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_same_length};
use crate::verification::{Target, Verification, fit_threshold};

/// One fold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// The threshold of best accuracy on the other folds.
    pub threshold: f32,
    /// Accuracy of this fold at that threshold.
    pub accuracy: f64,
}

/// All folds, as LFW reports them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// The folds, in ascending order.
    pub folds: Vec<Fold>,
    /// Mean accuracy of the folds.
    pub accuracy: f64,
    /// Standard error of that mean, `s/√folds` with the sample standard deviation `s`.
    pub standard_error: f64,
}

/// Judges each fold at the threshold of best accuracy on all others; `fold[i]` is pair `i`'s.
///
/// # Errors
/// Lengths that differ, fewer than two folds, and, fold by fold, those of
/// [`fit_threshold`] and [`Verification::at`]: every fold needs like and unlike pairs.
pub fn cross_validate(distances: &[f32], like: &[bool], fold: &[usize]) -> Result<CrossValidation> {
    check_same_length(("distances", distances.len()), ("like", like.len()))?;
    check_same_length(("distances", distances.len()), ("fold", fold.len()))?;
    let numbers: BTreeSet<usize> = fold.iter().copied().collect();
    if numbers.len() < 2 {
        let why = format!(
            "{} of them, the threshold needs at least one other",
            numbers.len()
        );
        return Err(Error::Invalid { what: "folds", why });
    }
    let select = |inside: &dyn Fn(usize) -> bool| -> (Vec<f32>, Vec<bool>) {
        (0..fold.len())
            .filter(|&i| inside(fold[i]))
            .map(|i| (distances[i], like[i]))
            .unzip()
    };
    let mut folds = Vec::with_capacity(numbers.len());
    for number in numbers {
        let (other_distances, other_like) = select(&|fold| fold != number);
        let threshold = fit_threshold(&other_distances, &other_like, Target::BestAccuracy)?.value;
        let (own_distances, own_like) = select(&|fold| fold == number);
        let accuracy = Verification::at(&own_distances, &own_like, threshold)?.accuracy;
        folds.push(Fold {
            threshold,
            accuracy,
        });
    }
    let n = folds.len() as f64;
    let accuracy = folds.iter().map(|f| f.accuracy).sum::<f64>() / n;
    let squares: f64 = folds.iter().map(|f| (f.accuracy - accuracy).powi(2)).sum();
    Ok(CrossValidation {
        folds,
        accuracy,
        standard_error: (squares / (n - 1.0) / n).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fold_is_judged_by_the_others_threshold() {
        // Fold 0 separates at 0.5, fold 1 at 2.5: each threshold fails the other by one pair.
        let distances = [0.0, 1.0, 2.0, 3.0];
        let like = [true, false, true, false];
        let result = cross_validate(&distances, &like, &[0, 0, 1, 1]).unwrap();
        assert_eq!(
            result.folds[0],
            Fold {
                threshold: 2.5,
                accuracy: 0.5
            }
        );
        assert_eq!(
            result.folds[1],
            Fold {
                threshold: 0.5,
                accuracy: 0.5
            }
        );
        assert_eq!((result.accuracy, result.standard_error), (0.5, 0.0));
    }

    #[test]
    fn the_standard_error_is_that_of_the_folds_mean() {
        let distances = [0.0, 1.0, 0.0, 1.0, 0.2, 0.1];
        let like = [true, false, true, false, true, false];
        let result = cross_validate(&distances, &like, &[0, 0, 4, 4, 7, 7]).unwrap();
        let accuracies: Vec<f64> = result.folds.iter().map(|f| f.accuracy).collect();
        assert_eq!(accuracies, [1.0, 1.0, 0.5]);
        // numpy: std([1, 1, .5], ddof=1) / sqrt(3) = 1/6
        assert!((result.standard_error - 1.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn one_fold_alone_is_refused() {
        let message = cross_validate(&[0.0, 1.0], &[true, false], &[3, 3])
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "folds: 1 of them, the threshold needs at least one other"
        );
        assert!(
            cross_validate(&[0.0, 1.0], &[true, false], &[0, 1]).is_err(),
            "one kind each"
        );
    }
}
