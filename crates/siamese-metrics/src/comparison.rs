//! A learned comparison of two embeddings, on plain slices: what is made of the pair, and a small network on top.

use std::fmt;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Pairs that pass the network at once.
const BLOCK: usize = 256;

/// What is made of two embeddings, number by number. Each is the same for (a, b) as for (b, a), to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// `|a − b|`
    AbsoluteDifference,
    /// `(a − b)²`
    SquaredDifference,
    /// `a · b`
    Product,
    /// `a + b`; beside [`Self::AbsoluteDifference`] it holds both embeddings but for their order.
    Sum,
    /// `max(a, b)`; with [`Self::Minimum`] likewise.
    Maximum,
    /// `min(a, b)`
    Minimum,
}

impl Combine {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AbsoluteDifference,
        Self::SquaredDifference,
        Self::Product,
        Self::Sum,
        Self::Maximum,
        Self::Minimum,
    ];

    fn of(self, a: f32, b: f32) -> f32 {
        match self {
            Self::AbsoluteDifference => (a - b).abs(),
            Self::SquaredDifference => (a - b) * (a - b),
            Self::Product => a * b,
            Self::Sum => a + b,
            Self::Maximum => a.max(b),
            Self::Minimum => a.min(b),
        }
    }

    fn fill(self, a: &[f32], b: &[f32], out: &mut [f32]) {
        // matched once, so that each loop is a plain one
        match self {
            Self::AbsoluteDifference => zip(a, b, out, |a, b| (a - b).abs()),
            Self::SquaredDifference => zip(a, b, out, |a, b| (a - b) * (a - b)),
            Self::Product => zip(a, b, out, |a, b| a * b),
            Self::Sum => zip(a, b, out, |a, b| a + b),
            Self::Maximum => zip(a, b, out, f32::max),
            Self::Minimum => zip(a, b, out, f32::min),
        }
    }
}

fn zip(a: &[f32], b: &[f32], out: &mut [f32], of: impl Fn(f32, f32) -> f32) {
    for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
        *o = of(*a, *b);
    }
}

impl fmt::Display for Combine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AbsoluteDifference => "|a − b|",
            Self::SquaredDifference => "(a − b)²",
            Self::Product => "a · b",
            Self::Sum => "a + b",
            Self::Maximum => "max(a, b)",
            Self::Minimum => "min(a, b)",
        })
    }
}

/// A layer: `x ↦ W x + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// W, row after row, a row for each output.
    pub weights: Vec<f32>,
    /// b, a number for each output.
    pub bias: Vec<f32>,
}

/// A network that says of two embeddings whether they show the same: what is made of them, layers with ReLU between,
/// one number at the end, the logit of P(same). As a distance it is `1 − P(same)`, in 0..=1.
///
/// `|a − b|` and a single layer is Koch's weighted L1 distance (2015): `σ(Σ wᵢ |aᵢ − bᵢ| + b)`.
#[derive(Clone, PartialEq)]
pub struct Comparison {
    combine: Vec<Combine>,
    dim: usize,
    hidden: Vec<(Array2<f32>, Array1<f32>)>,
    /// The last layer, of one output.
    last: (Vec<f32>, f32),
}

impl Comparison {
    /// A comparison of embeddings of length `dim`; the last of the layers has one output.
    ///
    /// ```
    /// use siamese_metrics::{Combine, Comparison, Dense};
    /// let last = Dense { weights: vec![-1.0, -2.0], bias: vec![1.0] };
    /// let comparison = Comparison::new(vec![Combine::AbsoluteDifference], 2, vec![last])?;
    /// // the logit is 1 − 1·|3 − 2| − 2·|1 − 1| = 0
    /// assert_eq!(comparison.of(&[3.0, 1.0], &[2.0, 1.0]), 0.5);
    /// # Ok::<(), siamese_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    /// Nothing to make of a pair, layers that do not fit one another, or a weight that is not finite.
    pub fn new(combine: Vec<Combine>, dim: usize, mut layers: Vec<Dense>) -> Result<Self> {
        let invalid = |why: String| Error::Invalid {
            what: "comparison",
            why,
        };
        let mut inputs = combine.len() * dim;
        if inputs == 0 {
            return Err(invalid("nothing is made of the two embeddings".into()));
        }
        for Dense { weights, bias } in &layers {
            if bias.is_empty() || weights.len() != inputs * bias.len() {
                let why = format!(
                    "a layer of {} weights and {} outputs does not take {inputs} numbers",
                    weights.len(),
                    bias.len()
                );
                return Err(invalid(why));
            }
            if !weights.iter().chain(bias).all(|value| value.is_finite()) {
                return Err(invalid("a weight is not finite".into()));
            }
            inputs = bias.len();
        }
        let last = match layers.pop() {
            Some(Dense { weights, bias }) if bias.len() == 1 => (weights, bias[0]),
            _ => return Err(invalid("its last layer must have one output".into())),
        };
        let hidden = layers.into_iter().map(|Dense { weights, bias }| {
            let shape = (bias.len(), weights.len() / bias.len());
            let weights = Array2::from_shape_vec(shape, weights);
            let weights = weights.map_err(|error| invalid(error.to_string()))?;
            Ok((weights, Array1::from(bias)))
        });
        Ok(Self {
            hidden: hidden.collect::<Result<_>>()?,
            combine,
            dim,
            last,
        })
    }

    /// The length of an embedding.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// What is made of a pair, one after another.
    pub fn combine(&self) -> &[Combine] {
        &self.combine
    }

    /// Its layers, as [`Self::new`] takes them.
    pub fn layers(&self) -> Vec<Dense> {
        let hidden = self.hidden.iter().map(|(weights, bias)| Dense {
            weights: weights.iter().copied().collect(),
            bias: bias.to_vec(),
        });
        let (weights, bias) = &self.last;
        let last = Dense {
            weights: weights.clone(),
            bias: vec![*bias],
        };
        hidden.chain([last]).collect()
    }

    /// Multiply-adds of one comparison, about.
    pub fn cost(&self) -> u64 {
        let layers = self.hidden.iter().map(|(weights, _)| weights.len());
        (self.combine.len() * self.dim + layers.sum::<usize>() + self.last.0.len()) as u64
    }

    /// `1 − P(same)` of two embeddings; the order of the two does not change a bit.
    pub fn of(&self, a: &[f32], b: &[f32]) -> f32 {
        self.keys([(a, b)].into_iter())
            .first()
            .map_or(f32::NAN, |&key| distance_of(key))
    }

    /// What pairs are ranked by, `−logit`: rises with the distance, and still differs where that is 1 in f32.
    pub(crate) fn keys<'a>(
        &self,
        mut pairs: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    ) -> Vec<f64> {
        if self.hidden.is_empty() {
            return pairs.map(|(a, b)| self.direct(a, b)).collect();
        }
        let mut keys = Vec::with_capacity(pairs.size_hint().0);
        let mut features = Vec::new();
        loop {
            features.clear();
            for (a, b) in pairs.by_ref().take(BLOCK) {
                for combine in &self.combine {
                    let start = features.len();
                    features.resize(start + self.dim, 0.0);
                    combine.fill(a, b, &mut features[start..]);
                }
            }
            if features.is_empty() {
                return keys;
            }
            keys.extend(self.network(&features));
        }
    }

    /// One layer needs no matrix.
    fn direct(&self, a: &[f32], b: &[f32]) -> f64 {
        let (weights, bias) = &self.last;
        let parts = self.combine.iter().zip(weights.chunks_exact(self.dim));
        let logit: f64 = parts
            .map(|(combine, weights)| match combine {
                // the usual one, for which there are vector instructions
                Combine::AbsoluteDifference => dot(weights, a, b, |a, b| (a - b).abs()),
                other => dot(weights, a, b, |a, b| other.of(a, b)),
            })
            .sum();
        -(logit + f64::from(*bias))
    }

    fn network(&self, features: &[f32]) -> Vec<f64> {
        let width = self.combine.len() * self.dim;
        let shape = (features.len() / width, width);
        let Ok(features) = ndarray::ArrayView2::from_shape(shape, features) else {
            return Vec::new();
        };
        let mut x = ndarray::CowArray::from(features);
        for (weights, bias) in &self.hidden {
            let mut y = x.dot(&weights.t()) + bias;
            y.mapv_inplace(|value| value.max(0.0));
            x = y.into();
        }
        let (weights, bias) = &self.last;
        let logit = |row: ndarray::ArrayView1<f32>| {
            let terms = row.iter().zip(weights);
            let sum: f64 = terms.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            -(sum + f64::from(*bias))
        };
        x.rows().into_iter().map(logit).collect()
    }
}

/// `1 − σ(logit)`, exact for small ones: P(same) may be as near to 1 as it likes.
pub(crate) fn distance_of(key: f64) -> f32 {
    (1.0 / (1.0 + (-key).exp())) as f32
}

/// `Σ wᵢ · term(aᵢ, bᵢ)` in eight interleaved partial sums: a fixed order, which compilers vectorise.
fn dot(weights: &[f32], a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0f64; LANES];
    let (w_blocks, w_rest) = weights.as_chunks::<LANES>();
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for ((w, a), b) in w_blocks.iter().zip(a_blocks).zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += f64::from(w[lane]) * f64::from(term(a[lane], b[lane]));
        }
    }
    let rest = w_rest.iter().zip(a_rest).zip(b_rest);
    let rest: f64 = rest
        .map(|((w, a), b)| f64::from(*w) * f64::from(term(*a, *b)))
        .sum();
    lanes.iter().sum::<f64>() + rest
}

impl fmt::Debug for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = self.hidden.iter().map(|(_, bias)| bias.len()).collect();
        f.debug_struct("Comparison")
            .field("combine", &self.combine)
            .field("dim", &self.dim)
            .field("hidden", &widths)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_layers_make_the_same_comparison() -> Result<()> {
        let number = |i: usize| ((i * 37) % 101) as f32 / 50.0 - 1.0;
        let layer = |outputs: usize, inputs: usize| Dense {
            weights: (0..outputs * inputs).map(number).collect(),
            bias: (0..outputs).map(|i| number(i + 3)).collect(),
        };
        for layers in [vec![layer(1, 6)], vec![layer(2, 6), layer(1, 2)]] {
            let combine = vec![Combine::Sum, Combine::Product];
            let comparison = Comparison::new(combine.clone(), 3, layers)?;
            assert_eq!(comparison.combine(), combine);
            let again = Comparison::new(combine, 3, comparison.layers())?;
            assert_eq!(again, comparison);
        }
        Ok(())
    }
}
