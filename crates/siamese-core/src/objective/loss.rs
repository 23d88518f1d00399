//! What an objective is made of: the one trait that every loss here implements, and what goes in and out.

use candle_core::{Result, Tensor};
use siamese_metrics::Distance;

use crate::error::{self, Error};
use crate::head::Head;
use crate::parameters::Parameters;

/// What a batch must look like for an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// Any images.
    Any,
    /// Anchors in the first half, each one's partner in the second.
    Pairs,
    /// Several images of each class.
    SeveralPerClass,
}

/// A scored batch.
#[derive(Debug, Clone)]
pub struct Scored {
    /// The loss, a scalar with its graph.
    pub loss: Tensor,
    /// The share of pairs, triplets or images that still cost something, a scalar without graph.
    pub active: Tensor,
}

/// A batch after the tower.
pub(super) struct Batch<'a> {
    /// `(B, D)`
    pub(super) embeddings: &'a Tensor,
    /// `(B)` u32
    pub(super) labels: &'a Tensor,
    pub(super) distance: Distance,
    /// What compares pairs, where that is learned.
    pub(super) head: Option<&'a Head>,
    pub(super) classes: usize,
    pub(super) parameters: &'a Parameters,
}

/// A loss: its settings are `self`.
pub(super) trait Loss {
    /// The name in files.
    fn name(&self) -> &'static str;

    /// In a clause, for a model card.
    fn describe(&self) -> String;

    fn validate(&self) -> error::Result<()>;

    fn needs(&self) -> Arrangement;

    /// Whether it trains a head that compares pairs.
    fn needs_head(&self) -> bool {
        false
    }

    fn score(&self, batch: &Batch) -> Result<Scored>;

    /// Draws the parameters of its own.
    fn prepare(&self, _: &Parameters, _embedding: usize, _classes: usize) -> error::Result<()> {
        Ok(())
    }

    /// The training loss's average over judged pairs.
    fn validation_loss(&self, _distances: &[f32], _like: &[bool]) -> Option<f64> {
        None
    }

    /// The loss of a batch of so many images, all mapped to one point.
    fn collapsed(&self, batch: usize, classes: usize) -> Option<f64>;
}

/// Refuses what is not a number in `low..1e6`, or is `low` itself.
pub(super) fn above(field: &'static str, low: f64, value: f64) -> error::Result<()> {
    in_range(
        field,
        value > low && value < 1e6,
        &format!("above {low}, below 1000000"),
        value,
    )
}

/// As [`above`], where `low` itself will do.
pub(super) fn at_least(field: &'static str, low: f64, value: f64) -> error::Result<()> {
    in_range(
        field,
        value >= low && value < 1e6,
        &format!("at least {low}, below 1000000"),
        value,
    )
}

/// Refuses a value that is out of range, NaN included.
pub(super) fn in_range(
    field: &'static str,
    fits: bool,
    range: &str,
    value: f64,
) -> error::Result<()> {
    if fits {
        return Ok(());
    }
    let why = format!("must be {range}, got {value}");
    Err(Error::Invalid { field, why })
}
