//! Proxies: learned vectors that stand for the classes.

use candle_core::{D, Device, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

use super::loss::{Batch, Scored};
use crate::distance::normalize;
use crate::error::{self, Error};

/// The parameter's name: `(C · K, D)` for K vectors of each of C classes, those of a class one after another.
pub(super) const PROXIES: &str = "proxies";

/// Draws K vectors of each class. `kind` is the loss that asks.
pub(super) fn prepare(
    own: &VarBuilder,
    kind: &'static str,
    (classes, of_each): (usize, usize),
    embedding: usize,
) -> error::Result<()> {
    if embedding == 0 || classes < 2 {
        let why = format!(
            "needs embeddings and at least 2 classes, got a length of {embedding} and {classes}"
        );
        return Err(Error::Invalid { field: kind, why });
    }
    let init = Init::Randn {
        mean: 0.0,
        stdev: 1.0 / (embedding as f64).sqrt(),
    };
    own.get_with_hints((classes * of_each, embedding), PROXIES, init)?;
    Ok(())
}

/// The proxies of a loss, K of each class.
pub(super) fn learned(batch: &Batch, of_each: usize) -> Result<Tensor> {
    let length = batch.embeddings.dim(1)?;
    batch.learned((batch.classes * of_each, length), PROXIES)
}

/// Which class each image is of, `(B, C)` of 1 and 0.
///
/// # Errors
/// On a CPU, when a label is of no class (a look at the labels would make a GPU wait).
pub(super) fn truth(labels: &Tensor, classes: usize, like: &Tensor) -> Result<Tensor> {
    check_labels(labels, classes)?;
    let numbers = Tensor::arange(0u32, classes as u32, labels.device())?;
    labels
        .unsqueeze(1)?
        .broadcast_eq(&numbers.unsqueeze(0)?)?
        .to_dtype(like.dtype())
}

/// Cosines of embeddings with proxies, `(B, C · K)`.
pub(super) fn cosines(embeddings: &Tensor, proxies: &Tensor) -> Result<Tensor> {
    normalize(embeddings)?.matmul(&normalize(proxies)?.t()?)
}

/// The cross-entropy of logits `(B, C)` with targets `(B, C)`, averaged over the images; `active` is the share of them
/// whose most similar class, by `similarities` `(B, C)`, is not theirs.
pub(super) fn cross_entropy(
    logits: &Tensor,
    target: &Tensor,
    (similarities, truth): (&Tensor, &Tensor),
) -> Result<Scored> {
    let likelihood = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    let cost = (likelihood * target)?.sum(D::Minus1)?.neg()?;
    Ok(Scored {
        loss: cost.mean_all()?,
        active: missed(similarities, truth)?,
    })
}

/// The share of the images whose most similar class is not theirs.
pub(super) fn missed(similarities: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let known = similarities.detach();
    let right = (&known * truth)?.sum_keepdim(D::Minus1)?;
    // −2 is below every cosine
    let wrong = (&known - (truth * 4.0)?)?.max_keepdim(D::Minus1)?;
    wrong.ge(&right)?.to_dtype(known.dtype())?.mean_all()
}

pub(super) fn check_labels(labels: &Tensor, classes: usize) -> Result<()> {
    if !matches!(labels.device(), Device::Cpu) {
        return Ok(());
    }
    let largest = labels.to_vec1::<u32>()?.into_iter().max().unwrap_or(0);
    if largest as usize >= classes {
        bail!(
            "label {largest} is of none of the objective's {classes} classes, which are numbered from 0"
        )
    }
    Ok(())
}
