//! One step of training: a batch through the tower, the objective, and what the batch looked like.

mod cached;
mod shared;

use std::sync::Arc;

use anyhow::Result;
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use siamese_core::objective::Scored;
use siamese_core::{ImageInput, Objective, Tower};
use siamese_data::{Batch, stream};

use crate::collapse::BatchHealth;
use crate::frozen::Kept;
use crate::world::World;

/// Sums over the batches of an epoch, read from the device now and then.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    batches: usize,
    loss: f64,
    spread_squared: f64,
    scale_squared: f64,
    active_share: f64,
}

impl Totals {
    /// Reads the figures of these steps from the device; at the first whose figures are no numbers it ends, and says
    /// which that is.
    pub(crate) fn read(&mut self, unread: Unread) -> Result<Option<NotFinite>> {
        let after = unread.figures.len();
        if after == 0 {
            return Ok(None);
        }
        let rows = Tensor::stack(&unread.figures, 0)?.to_vec2::<f32>()?;
        for (i, (values, images)) in rows.iter().zip(unread.images).enumerate() {
            if !values.iter().all(|v| v.is_finite()) {
                return Ok(Some(NotFinite {
                    loss: values[0],
                    steps_ago: after - 1 - i,
                    images,
                }));
            }
            self.batches += 1;
            self.loss += f64::from(values[0]);
            self.spread_squared += f64::from(values[1]);
            self.scale_squared += f64::from(values[2]);
            self.active_share += f64::from(values[3]);
        }
        Ok(None)
    }

    /// The averages; NaN before the first batch.
    pub(crate) fn health(&self) -> BatchHealth {
        let n = self.batches as f64;
        BatchHealth {
            spread: (self.spread_squared / n).max(0.0).sqrt(),
            scale: (self.scale_squared / n).sqrt(),
            active_share: self.active_share / n,
            loss: self.loss / n,
        }
    }
}

/// The figures of steps that are still on the device, so that a step does not wait for it.
#[derive(Default)]
pub(crate) struct Unread {
    figures: Vec<Tensor>,
    images: Vec<Arc<[u32]>>,
}

impl Unread {
    /// Adds the figures of one step, and which images it was of.
    pub(crate) fn push(&mut self, figures: Tensor, images: Arc<[u32]>) {
        self.figures.push(figures);
        self.images.push(images);
    }
}

/// A step whose figures are no numbers.
pub(crate) struct NotFinite {
    /// The loss; it may be finite where the embeddings are not.
    pub(crate) loss: f32,
    /// Steps since.
    pub(crate) steps_ago: usize,
    /// The images of its batch.
    pub(crate) images: Arc<[u32]>,
}

/// A batch as the tower takes it; made by the loader's threads.
pub(crate) struct Prepared {
    /// `(B, C, H, W)`, normalised, in the host's memory; of several processes, their own part of the batch.
    images: Tensor,
    /// Which image of the batch they begin with.
    first: usize,
    labels: Vec<u32>,
    indices: Arc<[u32]>,
    size: (usize, usize),
}

impl Prepared {
    /// `dense` numbers the training classes from 0, by label. Mean and deviation are those of `input`, the size is the
    /// batch's.
    pub(crate) fn new(batch: &Batch, input: &ImageInput, dense: &[u32]) -> Result<Self> {
        let (height, width) = batch.size;
        let input = ImageInput {
            height,
            width,
            ..input.clone()
        };
        Ok(Self {
            size: batch.size,
            first: batch.first,
            images: input.to_tensor(&batch.images, &Device::Cpu)?,
            labels: batch
                .labels
                .iter()
                .map(|&label| dense[label as usize])
                .collect(),
            indices: batch.indices.as_slice().into(),
        })
    }

    /// Which images of the set these are.
    pub(crate) fn indices(&self) -> Arc<[u32]> {
        Arc::clone(&self.indices)
    }

    /// `(B, C, H, W)`, in the host's memory.
    pub(crate) fn images(&self) -> &Tensor {
        &self.images
    }

    /// Height and width of its images.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Images in the batch, those of other processes included.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }
}

/// Forward and backward, of several processes together: the gradients, and `[loss, spread², scale², active share]` on the device.
///
/// With a chunk so many images are in the tower at once, which bounds the memory; the loss is of the whole batch. Where
/// the output of the frozen part is kept it begins with that.
pub(crate) fn gradients(
    tower: &Tower,
    objective: &Objective,
    (seed, step): (u64, usize),
    batch: &Prepared,
    (chunk, kept): (Option<usize>, Option<&Kept>),
    world: Option<&World>,
) -> Result<(GradStore, Tensor)> {
    let device = tower.parameters().device();
    let labels = Tensor::new(batch.labels.as_slice(), device)?;
    if let Some(world) = world {
        let own = (batch, &labels);
        let dropout = dropout_of(seed, step, world.rank());
        return shared::gradients(tower, objective, own, (chunk, kept), dropout, world);
    }
    let mut dropout = dropout_of(seed, step, 0);
    if let Some(chunk) = chunk.filter(|&chunk| chunk < batch.len()) {
        return cached::gradients(tower, objective, (&batch.images, &labels), chunk, dropout);
    }
    let frozen = match kept.filter(|kept| kept.has(&batch.indices)) {
        Some(kept) => kept.get(&batch.indices, device)?,
        None => tower.freeze(&batch.images.to_device(device)?)?,
    };
    // all images of the batch at once, so that BatchNorm sees one distribution
    let embeddings = tower.embed_frozen_training(&frozen, &mut dropout)?;
    let scored = objective.score(&embeddings, &labels)?;
    let gradients = siamese_kernels::backward(&scored.loss)?;
    Ok((gradients, figures(&scored, &embeddings)?))
}

/// What a process drops in a step; each draws others.
fn dropout_of(seed: u64, step: usize, rank: usize) -> ChaCha8Rng {
    match rank {
        0 => stream(seed, "dropout", &[step as u64]),
        _ => stream(seed, "dropout", &[step as u64, rank as u64]),
    }
}

/// `[loss, spread², scale², active share]` on the device.
fn figures(scored: &Scored, embeddings: &Tensor) -> Result<Tensor> {
    let figures = [
        scored.loss.detach(),
        spread(&embeddings.detach())?,
        embeddings.detach().sqr()?.sum(1)?.mean(0)?,
        scored.active.clone(),
    ];
    Ok(Tensor::stack(&figures, 0)?)
}

/// Mean squared distance of the embeddings from their mean.
fn spread(embeddings: &Tensor) -> Result<Tensor> {
    let scale = embeddings.sqr()?.sum(1)?.mean(0)?;
    Ok((scale - embeddings.mean(0)?.sqr()?.sum_all()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_that_is_no_number_is_told_with_its_images() -> Result<()> {
        let figures = |loss: f32| Tensor::new(&[loss, 1.0, 1.0, 0.5], &Device::Cpu);
        let mut unread = Unread::default();
        for (i, loss) in [0.25, 0.75, f32::NAN, f32::INFINITY, 0.5]
            .into_iter()
            .enumerate()
        {
            unread.push(figures(loss)?, Arc::new([i as u32]));
        }
        let mut totals = Totals::default();
        let found = totals.read(unread)?.map(|s| (s.steps_ago, s.images[0]));
        assert_eq!(found, Some((2, 2)));
        assert_eq!(totals.health().loss, 0.5);
        Ok(())
    }
}
