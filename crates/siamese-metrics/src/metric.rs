//! The distances in which embeddings are compared, exactly.

use serde::{Deserialize, Serialize};

/// How far apart two embeddings are. Smaller means more alike, for each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// `‖a − b‖`
    #[default]
    Euclidean,
    /// `‖a − b‖²`
    SquaredEuclidean,
    /// `1 − a·b / (‖a‖ ‖b‖)`; 1 where either is zero.
    Cosine,
    /// `Σ |aᵢ − bᵢ|`
    Manhattan,
}

impl Metric {
    /// The distance of two embeddings of one length, summed in `f64`.
    ///
    /// ```
    /// use siamese_metrics::Metric;
    /// assert_eq!(Metric::Euclidean.distance(&[3.0, 0.0], &[0.0, 4.0]), 5.0);
    /// assert_eq!(Metric::Cosine.distance(&[3.0, 0.0], &[0.0, 4.0]), 1.0);
    /// assert_eq!(Metric::Manhattan.distance(&[3.0, 0.0], &[0.0, 4.0]), 7.0);
    /// ```
    pub fn distance(self, a: &[f32], b: &[f32]) -> f32 {
        self.distance_of(self.key(a, b))
    }

    /// What embeddings are ranked by: rises with the distance, without the square root.
    pub(crate) fn key(self, a: &[f32], b: &[f32]) -> f64 {
        match self {
            Self::Euclidean | Self::SquaredEuclidean => sum(a, b, |a, b| (a - b) * (a - b)),
            Self::Manhattan => sum(a, b, |a, b| (a - b).abs()),
            Self::Cosine => {
                let norms = (sum(a, a, |x, y| x * y) * sum(b, b, |x, y| x * y)).sqrt();
                if norms > 0.0 {
                    1.0 - sum(a, b, |x, y| x * y) / norms
                } else {
                    1.0
                }
            }
        }
    }

    /// The distance that a key stands for.
    pub(crate) fn distance_of(self, key: f64) -> f32 {
        match self {
            Self::Euclidean => key.sqrt() as f32,
            Self::SquaredEuclidean | Self::Manhattan => key as f32,
            // Rounding can leave 1 − cos a hair below zero.
            Self::Cosine => key.max(0.0) as f32,
        }
    }
}

/// `Σ term(aᵢ, bᵢ)` in eight interleaved partial sums: a fixed order, which compilers vectorise.
fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += term(f64::from(a[lane]), f64::from(b[lane]));
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(a, b)| term(f64::from(*a), f64::from(*b)))
        .sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_rows_and_short_ones_are_summed_whole() {
        for n in 0..40 {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let b = vec![-1.0; n];
            let expected: f32 = (1..=n).map(|i| i as f32).sum();
            assert_eq!(Metric::Manhattan.distance(&a, &b), expected);
            let expected: f32 = (1..=n).map(|i| (i * i) as f32).sum();
            assert_eq!(Metric::SquaredEuclidean.distance(&a, &b), expected);
        }
    }

    #[test]
    fn cosine_ignores_length_and_a_zero_vector_is_at_distance_one() {
        assert_eq!(
            Metric::Cosine.distance(&[1.0, 1.0, 0.0], &[4.0, 4.0, 0.0]),
            0.0
        );
        assert_eq!(Metric::Cosine.distance(&[1.0, 0.0], &[-2.0, 0.0]), 2.0);
        assert_eq!(Metric::Cosine.distance(&[0.0, 0.0], &[1.0, 0.0]), 1.0);
        assert_eq!(Metric::Cosine.distance(&[0.0, 0.0], &[0.0, 0.0]), 1.0);
        assert_eq!(Metric::Cosine.distance(&[1e30, 0.0], &[0.0, 1e-30]), 1.0);
    }
}
