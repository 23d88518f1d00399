//! The distances in which embeddings are compared, by name and on plain slices.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How far apart two embeddings are. Smaller means more alike, for each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// `‖a − b‖`
    #[default]
    Euclidean,
    /// `‖a − b‖²`
    SquaredEuclidean,
    /// `1 − a·b / (‖a‖ ‖b‖)`, in 0..=2; 1 where either is zero.
    Cosine,
    /// `Σ |aᵢ − bᵢ|`
    Manhattan,
}

impl Distance {
    /// Every distance, in the order of [`Self::NAMES`].
    pub const ALL: [Self; 4] = [
        Self::Euclidean,
        Self::SquaredEuclidean,
        Self::Cosine,
        Self::Manhattan,
    ];

    /// The names by which files and command lines call them.
    pub const NAMES: [&str; 4] = ["euclidean", "squared_euclidean", "cosine", "manhattan"];

    /// The distance of two embeddings of one length, summed in `f64`.
    ///
    /// ```
    /// use siamese_metrics::Distance;
    /// assert_eq!(Distance::Euclidean.of(&[3.0, 0.0], &[0.0, 4.0]), 5.0);
    /// assert_eq!(Distance::Cosine.of(&[3.0, 0.0], &[0.0, 4.0]), 1.0);
    /// assert_eq!(Distance::Manhattan.of(&[3.0, 0.0], &[0.0, 4.0]), 7.0);
    /// ```
    pub fn of(self, a: &[f32], b: &[f32]) -> f32 {
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

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Euclidean => "Euclidean",
            Self::SquaredEuclidean => "squared Euclidean",
            Self::Cosine => "cosine",
            Self::Manhattan => "Manhattan",
        })
    }
}

impl FromStr for Distance {
    type Err = Error;

    /// One of [`Distance::NAMES`]; a hyphen may stand for an underscore.
    ///
    /// # Errors
    /// Any other name; the message lists those there are.
    fn from_str(name: &str) -> Result<Self, Error> {
        let wanted = name.replace('-', "_");
        let found = Self::NAMES.iter().position(|&known| known == wanted);
        found.map(|i| Self::ALL[i]).ok_or_else(|| Error::Invalid {
            what: "distance",
            why: format!(
                "there is no {name:?}; choose one of {}",
                Self::NAMES.join(", ")
            ),
        })
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
            assert_eq!(Distance::Manhattan.of(&a, &b), expected);
            let expected: f32 = (1..=n).map(|i| (i * i) as f32).sum();
            assert_eq!(Distance::SquaredEuclidean.of(&a, &b), expected);
        }
    }

    #[test]
    fn each_distance_goes_by_one_name_in_files_and_on_command_lines() {
        for (distance, name) in Distance::ALL.into_iter().zip(Distance::NAMES) {
            assert_eq!(serde_json::to_value(distance).unwrap(), name);
            assert_eq!(name.parse::<Distance>().unwrap(), distance);
        }
        let hyphened = "squared-euclidean".parse::<Distance>().unwrap();
        assert_eq!(hyphened, Distance::SquaredEuclidean);
        let error = "euclid".parse::<Distance>().unwrap_err().to_string();
        assert!(error.contains("manhattan"), "{error}");
    }

    #[test]
    fn cosine_ignores_length_and_a_zero_vector_is_at_distance_one() {
        assert_eq!(Distance::Cosine.of(&[1.0, 1.0, 0.0], &[4.0, 4.0, 0.0]), 0.0);
        assert_eq!(Distance::Cosine.of(&[1.0, 0.0], &[-2.0, 0.0]), 2.0);
        assert_eq!(Distance::Cosine.of(&[0.0, 0.0], &[1.0, 0.0]), 1.0);
        assert_eq!(Distance::Cosine.of(&[0.0, 0.0], &[0.0, 0.0]), 1.0);
        assert_eq!(Distance::Cosine.of(&[1e30, 0.0], &[0.0, 1e-30]), 1.0);
    }
}
