//! The gradient of a batch that several processes share: each embeds its part.
//!
//! The embeddings are gathered, so that the loss is that of the whole batch in every process; each passes the gradient
//! of its own embeddings on through its tower, and the towers' gradients are added up. It is the whole batch's gradient,
//! as with gradient caching, of which each process has a chunk: BatchNorm's statistics are those of a process's part.

use anyhow::{Context, Result};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use rand_chacha::ChaCha8Rng;
use siamese_core::{Objective, Tower};

use super::cached::{Chunks, add, statistics};
use super::{Prepared, figures};
use crate::frozen::Kept;
use crate::world::World;

/// The gradients of the whole batch and its figures, the same in every process.
///
/// Where a process is lost, what a pass in training changes beside is as it was before.
pub(super) fn gradients(
    tower: &Tower,
    objective: &Objective,
    (batch, labels): (&Prepared, &Tensor),
    how: (Option<usize>, Option<&Kept>),
    dropout: ChaCha8Rng,
    world: &World,
) -> Result<(GradStore, Tensor)> {
    let before = statistics(tower)?;
    let copy = |(_, var): (String, Var)| Ok((var.clone(), var.as_tensor().copy()?));
    let memory = objective.parameters().buffers().into_iter().map(copy);
    let memory = memory.collect::<Result<Vec<_>>>()?;
    let found = own_gradients(tower, objective, (batch, labels), how, dropout, world);
    let shared = found.and_then(|(mut gradients, figures)| {
        let figures = add_up(tower, objective, &mut gradients, &figures, &before, world)?;
        Ok((gradients, figures))
    });
    if shared.is_err() {
        for (var, value) in before.iter().chain(&memory) {
            var.set(value)?;
        }
    }
    shared
}

/// The tower's gradients by this process's part, the objective's by the whole batch.
fn own_gradients(
    tower: &Tower,
    objective: &Objective,
    (batch, labels): (&Prepared, &Tensor),
    (chunk, kept): (Option<usize>, Option<&Kept>),
    dropout: ChaCha8Rng,
    world: &World,
) -> Result<(GradStore, Tensor)> {
    let device = tower.parameters().device();
    let own = batch.images.dim(0)?;
    let chunks = chunk.filter(|&chunk| chunk < own).map(|chunk| Chunks {
        images: &batch.images,
        chunk,
    });
    let embeddings = match &chunks {
        Some(chunks) => chunks.embed(tower, dropout.clone())?,
        None => {
            let indices = &batch.indices[batch.first..batch.first + own];
            let frozen = match kept.filter(|kept| kept.has(indices)) {
                Some(kept) => kept.get(indices, device)?,
                None => tower.freeze(&batch.images.to_device(device)?)?,
            };
            tower.embed_frozen_training(&frozen, &mut dropout.clone())?
        }
    };
    let whole = Var::from_tensor(&world.gather(&embeddings.detach(), batch.len())?)?;
    let scored = objective.score(&whole, labels)?;
    let figures = figures(&scored, &whole)?;
    let mut gradients = siamese_kernels::backward(&scored.loss)?;
    let of_embeddings = gradients
        .remove(&whole)
        .context("the loss does not depend on the embeddings")?
        .narrow(0, batch.first, own)?;
    match &chunks {
        Some(chunks) => chunks.pass_on(tower, &of_embeddings, dropout, &mut gradients)?,
        None => {
            let own = siamese_kernels::backward(&(embeddings * of_embeddings)?.sum_all()?)?;
            add(&mut gradients, own, tower)?;
        }
    }
    Ok((gradients, figures))
}

/// Adds the towers' gradients up, moves BatchNorm's running statistics by the mean of how far each process moved them,
/// and takes process 0's word for what all have computed alike: on different machines the last bits may differ.
fn add_up(
    tower: &Tower,
    objective: &Objective,
    gradients: &mut GradStore,
    figures: &Tensor,
    before: &[(Var, Tensor)],
    world: &World,
) -> Result<Tensor> {
    let mut learned = objective.parameters().trainable();
    learned.extend(
        objective
            .head()
            .map_or_else(Vec::new, |h| h.parameters().trainable()),
    );
    let of_tower = tower.parameters().trainable();
    let mut parts = Vec::new();
    let mut values = Vec::new();
    for (_, var) in of_tower.iter().chain(&learned) {
        if let Some(gradient) = gradients.get(var) {
            let alike = learned.iter().any(|(_, own)| own.id() == var.id());
            values.push(said(gradient, alike, world)?);
            parts.push((var.clone(), gradient.clone()));
        }
    }
    values.push(said(figures, true, world)?);
    for (var, old) in before {
        let moved = ((var.as_tensor() - old)? / world.size() as f64)?;
        values.push(said(&moved, false, world)?);
    }
    let sum = world.sum(&Tensor::cat(&values, 0)?)?;
    let mut rest = Rest { sum, taken: 0 };
    for (var, gradient) in &parts {
        gradients.insert(var, rest.take(gradient)?);
    }
    let figures = rest.take(figures)?;
    for (var, old) in before {
        var.set(&(old + rest.take(old)?)?)?;
    }
    Ok(figures)
}

/// What this process adds to a sum: a tensor's numbers in a row; zeros where all have the same, and process 0 says it.
fn said(tensor: &Tensor, alike: bool, world: &World) -> Result<Tensor> {
    let row = tensor.flatten_all()?;
    Ok(match alike && world.rank() > 0 {
        true => row.zeros_like()?,
        false => row,
    })
}

/// A sum's tensors, one after the other.
struct Rest {
    sum: Tensor,
    taken: usize,
}

impl Rest {
    /// The next numbers, as a tensor like this one.
    fn take(&mut self, like: &Tensor) -> Result<Tensor> {
        let count = like.elem_count();
        let own = self.sum.narrow(0, self.taken, count)?;
        self.taken += count;
        Ok(own.reshape(like.shape())?.copy()?)
    }
}

#[cfg(test)]
mod tests {
    use siamese_collective::{Collective, Ring};
    use siamese_data::{part_of, stream};

    use super::super::cached;
    use super::super::cached::tests::{assert_close, batch, networks_with};
    use super::*;
    use crate::world::tests::{among, world};

    type Named = Vec<(String, Tensor)>;

    /// The gradients, by what they are of.
    fn named(tower: &Tower, objective: &Objective, gradients: &GradStore) -> Result<Named> {
        let trained = tower.parameters().trainable().into_iter();
        let trained = trained.chain(objective.parameters().trainable());
        let of = |(name, var): (String, Var)| {
            let gradient = gradients.get(&var).context(name.clone())?;
            Ok((name, gradient.clone()))
        };
        trained.map(of).collect()
    }

    /// The gradients and the figures of one process, which takes `chunk` images at a time.
    fn shared(ring: Ring, by_cards: bool, chunk: Option<usize>) -> Result<(Named, Tensor)> {
        let own = part_of(batch()?.1.elem_count(), (ring.rank(), ring.size()));
        let world = world(ring, by_cards);
        let (images, labels) = batch()?;
        let count = images.dim(0)?;
        let own = Prepared {
            images: images.narrow(0, own.start, own.len())?,
            first: own.start,
            labels: labels.to_vec1()?,
            indices: (0..count as u32).collect(),
            size: (4, 6),
        };
        let (tower, objective) = networks_with(3, 0.0)?;
        let dropout = stream(1, "dropout", &[0]);
        let how = (chunk, None);
        let (found, figures) =
            gradients(&tower, &objective, (&own, &labels), how, dropout, &world)?;
        Ok((named(&tower, &objective, &found)?, figures))
    }

    #[test]
    fn two_and_three_processes_have_the_gradient_of_one_by_chunks() -> Result<()> {
        let ways = [(2, None), (3, None), (2, Some(3))];
        let ways = ways.map(|(size, chunk)| [(size, chunk, false), (size, chunk, true)]);
        for (size, chunk, by_cards) in ways.concat() {
            let (images, labels) = batch()?;
            let (tower, objective) = networks_with(3, 0.0)?;
            let dropout = stream(1, "dropout", &[0]);
            let at_once = chunk.unwrap_or(images.dim(0)? / size);
            let batch = (&images, &labels);
            let (whole, figures) = cached::gradients(&tower, &objective, batch, at_once, dropout)?;
            let whole = named(&tower, &objective, &whole)?;
            let all = among(size, |ring| shared(ring, by_cards, chunk))?;
            for (own, own_figures) in &all {
                assert_close(&figures, own_figures, "figures")?;
                for ((name, one), (_, other)) in whole.iter().zip(own) {
                    assert_close(one, other, name)?;
                }
                for ((name, first), (_, other)) in all[0].0.iter().zip(own) {
                    let apart = (first - other)?.abs()?.max_all()?.to_scalar::<f32>()?;
                    assert_eq!(apart, 0.0, "{name} of two processes");
                }
            }
            assert!(whole.len() > 4);
        }
        Ok(())
    }
}
