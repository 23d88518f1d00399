//! What two embeddings are compared by: one of the distances, or a comparison that was learned.

use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;

use crate::comparison::{self, Comparison};
use crate::distance::Distance;
use crate::error::{Result, check_same_length};

/// Pairs whose distances a thread measures at a time.
const BLOCK: usize = 1024;

/// How far apart two embeddings are: smaller means more alike. Clones share the weights of a learned comparison.
///
/// Whatever takes a metric takes a [`Distance`] too.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// A distance.
    Distance(Distance),
    /// `1 − P(same)` by a network.
    Learned(Arc<Comparison>),
}

impl Metric {
    /// How far apart two embeddings are; the order of the two does not matter.
    pub fn of(&self, a: &[f32], b: &[f32]) -> f32 {
        self.distance_of(self.key(a, b))
    }

    /// How far apart each row of `a` is from the same row of `b`, rows being of `dim` numbers; on all cores.
    ///
    /// # Errors
    /// When there are not as many numbers in `b`.
    pub fn between(&self, a: &[f32], b: &[f32], dim: usize) -> Result<Vec<f32>> {
        check_same_length(("a", a.len()), ("b", b.len()))?;
        let dim = dim.max(1);
        let blocks = a
            .par_chunks(dim * BLOCK)
            .zip(b.par_chunks(dim * BLOCK))
            .flat_map_iter(|(a, b)| {
                let pairs = a.chunks_exact(dim).zip(b.chunks_exact(dim));
                let keys = self.keys(pairs);
                keys.into_iter().map(|key| self.distance_of(key))
            });
        Ok(blocks.collect())
    }

    /// How far each of `rows` is from `a`, in their order.
    pub fn of_each<'a>(&self, a: &'a [f32], rows: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
        let keys = self.keys(rows.map(|row| (a, row))).into_iter();
        keys.map(|key| self.distance_of(key)).collect()
    }

    /// Multiply-adds of one comparison of embeddings of length `dim`, about.
    pub fn cost(&self, dim: usize) -> u64 {
        match self {
            Self::Distance(_) => dim as u64,
            Self::Learned(comparison) => comparison.cost(),
        }
    }

    /// Whether it was learned: then there is no quick way to sieve many pairs.
    pub fn is_learned(&self) -> bool {
        matches!(self, Self::Learned(_))
    }

    /// Whether only the directions of embeddings count.
    pub(crate) fn is_cosine(&self) -> bool {
        *self == Self::Distance(Distance::Cosine)
    }

    /// What pairs are ranked by: rises with the distance.
    pub(crate) fn key(&self, a: &[f32], b: &[f32]) -> f64 {
        match self {
            Self::Distance(distance) => distance.key(a, b),
            Self::Learned(_) => self.keys([(a, b)].into_iter())[0],
        }
    }

    /// As [`Self::key`], of many pairs.
    pub(crate) fn keys<'a>(&self, pairs: impl Iterator<Item = (&'a [f32], &'a [f32])>) -> Vec<f64> {
        match self {
            Self::Distance(distance) => pairs.map(|(a, b)| distance.key(a, b)).collect(),
            Self::Learned(comparison) => comparison.keys(pairs),
        }
    }

    /// The distance that a key stands for.
    pub(crate) fn distance_of(&self, key: f64) -> f32 {
        match self {
            Self::Distance(distance) => distance.distance_of(key),
            Self::Learned(_) => comparison::distance_of(key),
        }
    }
}

impl Default for Metric {
    fn default() -> Self {
        Distance::default().into()
    }
}

impl From<Distance> for Metric {
    fn from(distance: Distance) -> Self {
        Self::Distance(distance)
    }
}

impl From<&Metric> for Metric {
    fn from(metric: &Metric) -> Self {
        metric.clone()
    }
}

impl From<Comparison> for Metric {
    fn from(comparison: Comparison) -> Self {
        Self::Learned(Arc::new(comparison))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distance(distance) => distance.fmt(f),
            Self::Learned(_) => f.write_str("learned"),
        }
    }
}
