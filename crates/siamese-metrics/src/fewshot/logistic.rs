//! A logistic regression on a few embeddings of each class, as Tian et al. (2020) judge few-shot features.

use crate::classify::unit_or_raw;
use crate::distance::Distance;
use crate::embeddings::{EmbeddingView, check_same_dim};
use crate::error::{Error, Result};

/// Gradients, of a loss summed over the support, below which nothing is left to gain.
const TOLERANCE: f64 = 1e-6;
/// Steps after which a fit is taken as it is.
const STEPS: usize = 2000;

/// The class of each probe by a multinomial logistic regression on the gallery: the classifier of scikit-learn's
/// `LogisticRegression` as it comes (the sum of the cross-entropies plus half of the weights' squares, an intercept
/// that costs nothing), on embeddings scaled to length 1.
///
/// It is meant for a few items of each class: a step costs the square of the gallery's length.
///
/// ```
/// use siamese_metrics::{EmbeddingView, fewshot::logistic_classify};
///
/// let support = EmbeddingView::new(&[1.0, 0.1, 0.1, 1.0], 2, &[7, 9])?;
/// let queries = EmbeddingView::new(&[0.9, 0.0, 0.0, 2.0], 2, &[7, 9])?;
/// assert_eq!(logistic_classify(&queries, &support)?, [7, 9]);
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
///
/// # Errors
/// Probes and gallery of different dimension, or nothing in the gallery.
pub fn logistic_classify(probes: &EmbeddingView, gallery: &EmbeddingView) -> Result<Vec<u32>> {
    check_same_dim(probes, gallery)?;
    let mut classes = gallery.labels().to_vec();
    classes.sort_unstable();
    classes.dedup();
    let fitted = Fitted::new(gallery, &classes)?;
    let named = |row| classes[highest(&fitted.scores(row))];
    Ok(probes.rows().map(named).collect())
}

/// Ties go to the first.
fn highest(scores: &[f64]) -> usize {
    let better = |best, class| {
        if scores[class] > scores[best] {
            class
        } else {
            best
        }
    };
    (0..scores.len()).reduce(better).unwrap_or(0)
}

struct Fitted {
    /// Of each class, as long as an embedding.
    weights: Vec<Vec<f64>>,
    intercepts: Vec<f64>,
}

impl Fitted {
    /// The weights are sums of support embeddings, so that what is sought is a number for each item and class.
    fn new(gallery: &EmbeddingView, classes: &[u32]) -> Result<Self> {
        if classes.is_empty() {
            return Err(Error::Empty { what: "gallery" });
        }
        let rows: Vec<Vec<f64>> = gallery.rows().map(of_unit_length).collect();
        let wanted = |label: &u32| {
            classes
                .iter()
                .map(|class| f64::from(class == label))
                .collect()
        };
        let targets: Vec<Vec<f64>> = gallery.labels().iter().map(wanted).collect();
        let alike: Vec<Vec<f64>> = rows
            .iter()
            .map(|a| rows.iter().map(|b| dot(a, b)).collect())
            .collect();
        let (parts, intercepts) = descend(&alike, &targets);
        let weights = (0..classes.len()).map(|class| {
            let mut weights = vec![0.0; gallery.dim()];
            for (row, part) in rows.iter().zip(&parts) {
                let add = |(w, x): (&mut f64, &f64)| *w += part[class] * x;
                weights.iter_mut().zip(row).for_each(add);
            }
            weights
        });
        Ok(Self {
            weights: weights.collect(),
            intercepts,
        })
    }

    fn scores(&self, row: &[f32]) -> Vec<f64> {
        let row = of_unit_length(row);
        let classes = self.weights.iter().zip(&self.intercepts);
        classes.map(|(w, b)| dot(w, &row) + b).collect()
    }
}

/// Nesterov's accelerated gradient: each item's part in each class's weights, and the intercepts.
///
/// Rows of length 1 bound the curvature by `n + 1`; the squares of the weights keep it above 1.
fn descend(alike: &[Vec<f64>], targets: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let classes = targets.first().map_or(0, Vec::len);
    let steepest = targets.len() as f64 + 1.0;
    let momentum = (steepest.sqrt() - 1.0) / (steepest.sqrt() + 1.0);
    let mut parts = vec![vec![0.0; classes]; targets.len()];
    let mut intercepts = vec![0.0; classes];
    let (mut ahead, mut ahead_intercepts) = (parts.clone(), intercepts.clone());
    for _ in 0..STEPS {
        let mut gradient = ahead.clone();
        let mut of_intercepts = vec![0.0; classes];
        for ((alike, target), gradient) in alike.iter().zip(targets).zip(&mut gradient) {
            let chances = softmax(&ahead_intercepts, alike, &ahead);
            for class in 0..classes {
                let error = chances[class] - target[class];
                gradient[class] += error;
                of_intercepts[class] += error;
            }
        }
        let step = |now: &mut [f64], ahead: &mut [f64], gradient: &[f64]| {
            for ((now, ahead), gradient) in now.iter_mut().zip(ahead).zip(gradient) {
                let next = *ahead - gradient / steepest;
                *ahead = next + momentum * (next - *now);
                *now = next;
            }
        };
        for ((now, ahead), gradient) in parts.iter_mut().zip(&mut ahead).zip(&gradient) {
            step(now, ahead, gradient);
        }
        step(&mut intercepts, &mut ahead_intercepts, &of_intercepts);
        let mut gradients = gradient.iter().flatten().chain(&of_intercepts);
        if gradients.all(|g| g.abs() < TOLERANCE) {
            break;
        }
    }
    (parts, intercepts)
}

/// The chances of the classes for the item that is so `alike` to each of the support's.
fn softmax(intercepts: &[f64], alike: &[f64], parts: &[Vec<f64>]) -> Vec<f64> {
    let mut scores = intercepts.to_vec();
    for (alike, parts) in alike.iter().zip(parts) {
        let add = |(score, part): (&mut f64, &f64)| *score += alike * part;
        scores.iter_mut().zip(parts).for_each(add);
    }
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores
        .iter_mut()
        .for_each(|score| *score = (*score - most).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
    scores
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn of_unit_length(row: &[f32]) -> Vec<f64> {
    unit_or_raw(row, &Distance::Cosine.into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9.1, `LogisticRegression(C=1, tol=1e-12, max_iter=100000)` on the same rows, each divided by its
    /// length: `predict_proba`.
    const CHANCES: [[f64; 3]; 3] = [
        [0.301219643, 0.254542378, 0.444237978],
        [0.252285666, 0.207299289, 0.540415045],
        [0.441754576, 0.419072534, 0.139172891],
    ];

    #[test]
    fn it_fits_what_scikit_learn_fits() -> Result<()> {
        let at = |i: u32, j: u32| ((i * 7 + j * 13 + i * i * j) % 11) as f32 - 5.0;
        let support: Vec<f32> = (0..9).flat_map(|i| (0..4).map(move |j| at(i, j))).collect();
        let labels: Vec<u32> = (0..9).map(|i| i % 3).collect();
        let support = EmbeddingView::new(&support, 4, &labels)?;
        let at = |i: u32, j: u32| ((i * 5 + j * 3 + i * j * j) % 13) as f32 - 6.0;
        let asked: Vec<f32> = (0..3).flat_map(|i| (0..4).map(move |j| at(i, j))).collect();
        let asked = EmbeddingView::new(&asked, 4, &[0, 0, 0])?;
        let fitted = Fitted::new(&support, &[0, 1, 2])?;
        for (row, wanted) in asked.rows().zip(CHANCES) {
            let scores = fitted.scores(row);
            let chances = softmax(&scores, &[], &[]);
            for (got, wanted) in chances.iter().zip(wanted) {
                assert!((got - wanted).abs() < 1e-6, "{chances:?}");
            }
        }
        assert_eq!(logistic_classify(&asked, &support)?, [2, 2, 0]);
        Ok(())
    }

    #[test]
    fn one_class_zeros_and_twins_under_two_names_have_an_answer() -> Result<()> {
        let row = [3.0, 4.0];
        let probe = EmbeddingView::new(&row, 2, &[0])?;
        let alone = EmbeddingView::new(&row, 2, &[5])?;
        assert_eq!(logistic_classify(&probe, &alone)?, [5]);
        let values = [3.0, 4.0, 3.0, 4.0, 0.0, 0.0];
        let twins = EmbeddingView::new(&values, 2, &[8, 4, 6])?;
        let answer = logistic_classify(&probe, &twins)?;
        assert!([4, 8].contains(&answer[0]), "{answer:?}");
        let other = EmbeddingView::new(&[1.0], 1, &[0])?;
        assert!(logistic_classify(&other, &twins).is_err());
        Ok(())
    }
}
