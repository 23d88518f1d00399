//! What an objective is made of: the one trait that every loss here implements, and what goes in and out.

use candle_core::{Result, Shape, Tensor, bail};
use candle_nn::VarBuilder;
use siamese_metrics::Distance;

use super::pairing::Pairing;
use crate::distance::{TensorDistance, normalize};
use crate::error::{self, Error};
use crate::head::Head;

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
    /// What the loss learns itself.
    pub(super) own: VarBuilder<'static>,
}

impl Batch<'_> {
    /// All pairs of the batch.
    pub(super) fn pairing(&self) -> Result<Pairing> {
        Pairing::new(self.labels, self.embeddings.dtype())
    }

    /// Distances between all images `(B, B)`.
    pub(super) fn distances(&self) -> Result<Tensor> {
        self.distance.pairwise(self.embeddings, self.embeddings)
    }

    /// Cosines of the angles between all images `(B, B)`.
    pub(super) fn cosines(&self) -> Result<Tensor> {
        let unit = normalize(self.embeddings)?;
        unit.matmul(&unit.t()?)
    }

    /// A parameter of the loss's own.
    pub(super) fn learned(&self, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
        let learned = self.own.get(shape, name)?;
        learned.to_dtype(self.embeddings.dtype())
    }
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
    fn prepare(&self, _: &VarBuilder, _embedding: usize, _classes: usize) -> error::Result<()> {
        Ok(())
    }

    /// Whether it learns something of each class.
    fn of_classes(&self) -> bool {
        false
    }

    /// The name of the vectors `(C, D)` that stand for the classes, and what their cosines are multiplied by before a
    /// softmax, where that is what it learns.
    fn class_vectors(&self) -> Option<(String, f64)> {
        None
    }

    /// How many times the tower's learning rate the parameter of this name learns by.
    fn rate(&self, _name: &str) -> f64 {
        1.0
    }

    /// The training loss's average over judged pairs.
    fn validation_loss(&self, _distances: &[f32], _like: &[bool]) -> Option<f64> {
        None
    }

    /// The loss of a batch of so many images, all mapped to one point, where that depends on nothing else.
    fn collapsed(&self, _batch: usize, _classes: usize) -> Option<f64> {
        None
    }
}

/// The anchors and their partners, of embeddings or of labels.
pub(super) fn halves(of_batch: &Tensor) -> Result<(Tensor, Tensor)> {
    let images = of_batch.dim(0)?;
    if !images.is_multiple_of(2) {
        bail!(
            "sampled pairs need an even number of images, got {:?}",
            of_batch.dims()
        )
    }
    let half = images / 2;
    Ok((
        of_batch.narrow(0, 0, half)?,
        of_batch.narrow(0, half, half)?,
    ))
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
