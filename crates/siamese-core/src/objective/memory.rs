//! Cross-batch memory: embeddings of former batches are further partners of this batch's anchors.
//!
//! Wang et al. (XBM, 2020): a tower drifts slowly, so an embedding is still about right some steps later, and pairs with
//! it cost no pass through the tower. The newest come first, and push out the oldest. The memory is part of the
//! objective's parameters, which no optimizer changes, and so of the checkpoint: a run that goes on has the same one.

use candle_core::{Result, Tensor, Var};
use candle_nn::{Init, VarBuilder};

use super::loss::{Batch, in_range};
use super::pairing::Pairing;
use crate::error;
use crate::parameters::MEMORY;

/// The embeddings `(M, D)`.
const EMBEDDINGS: &str = MEMORY[0];
/// Their labels `(M)`, −1 where there is nothing yet.
const LABELS: &str = MEMORY[1];

/// What a batch's anchors are compared with: the batch itself, then what is remembered.
pub(super) struct Partners {
    /// `(N + M, D)`; the remembered ones have no graph.
    pub(super) embeddings: Tensor,
    pub(super) pairing: Pairing,
}

/// Refuses a memory that would not fit into any machine's.
pub(super) fn validate(size: usize) -> error::Result<()> {
    let fits = size < 10_000_000;
    in_range("memory", fits, "below 10000000 embeddings", size as f64)
}

/// Makes room for `size` embeddings.
pub(super) fn prepare(own: &VarBuilder, size: usize, embedding: usize) -> Result<()> {
    if size > 0 {
        own.get_with_hints((size, embedding), EMBEDDINGS, Init::Const(0.0))?;
        own.get_with_hints(size, LABELS, Init::Const(-1.0))?;
    }
    Ok(())
}

/// The batch with the `size` embeddings before it, among which it then is itself.
pub(super) fn partners(batch: &Batch, size: usize) -> Result<Partners> {
    let pairing = batch.pairing()?;
    if size == 0 {
        return Ok(Partners {
            embeddings: batch.embeddings.clone(),
            pairing,
        });
    }
    let (images, length) = batch.embeddings.dims2()?;
    let embeddings = batch.own.get((size, length), EMBEDDINGS)?;
    let labels = batch.own.get(size, LABELS)?;
    // copies: the variables themselves are about to be changed
    let former = embeddings.copy()?.detach();
    let pairing = pairing.and(batch.labels, &labels.copy()?.detach())?;
    let former_there = former.to_dtype(batch.embeddings.dtype())?;
    let partners = Partners {
        embeddings: Tensor::cat(&[batch.embeddings, &former_there], 0)?,
        pairing,
    };
    let kept = images.min(size);
    let newer = |new: &Tensor, old: &Tensor| -> Result<Tensor> {
        let new = new.detach().to_dtype(old.dtype())?.narrow(0, 0, kept)?;
        match size - kept {
            0 => new.copy(),
            room => Tensor::cat(&[&new, &old.narrow(0, 0, room)?], 0),
        }
    };
    Var::from_tensor(&embeddings)?.set(&newer(batch.embeddings, &former)?)?;
    Var::from_tensor(&labels)?.set(&newer(batch.labels, &labels.detach())?)?;
    Ok(partners)
}
