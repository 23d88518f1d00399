//! One step of training: a batch of pairs through the tower, the loss, and what the batch looked like.

use anyhow::Result;
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use siamese_core::{Distance, TensorDistance, Tower, loss};
use siamese_data::{PairBatch, stream};

use crate::collapse::BatchHealth;
use crate::{LossConfig, LossPairs, TrainConfig};

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
    /// Takes in the sums of `batches` steps.
    pub(crate) fn add(&mut self, sums: &StepSums) -> Result<()> {
        let Some(values) = &sums.values else {
            return Ok(());
        };
        let values = values.to_vec1::<f32>()?;
        self.batches += sums.batches;
        self.loss += f64::from(values[0]);
        self.spread_squared += f64::from(values[1]);
        self.scale_squared += f64::from(values[2]);
        self.active_share += f64::from(values[3]);
        Ok(())
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

/// Sums that stay on the device, so that a step does not wait for it.
#[derive(Default)]
pub(crate) struct StepSums {
    batches: usize,
    values: Option<Tensor>,
}

impl StepSums {
    /// Adds the figures of one step.
    pub(crate) fn push(&mut self, figures: Tensor) -> Result<()> {
        self.values = Some(match self.values.take() {
            None => figures,
            Some(sum) => (sum + figures)?,
        });
        self.batches += 1;
        Ok(())
    }
}

/// Forward and backward: the gradients, and `[loss, spread², scale², active share]` on the device.
pub(crate) fn gradients(
    tower: &Tower,
    config: &TrainConfig,
    step: usize,
    batch: &PairBatch,
) -> Result<(GradStore, Tensor)> {
    let device = tower.parameters().device();
    let images = tower.config().input.to_tensor(&batch.images, device)?;
    let mut dropout = stream(config.seed, "dropout", &[step as u64]);
    // both images of each pair in one batch, so that BatchNorm sees one distribution
    let embeddings = tower.embed_training(&images, &mut dropout)?;
    let pairs = Pairs::new(batch, device)?;
    let loss = pairs.loss(&embeddings, &config.loss, config.distance)?;
    let gradients = loss.backward()?;
    let health = pairs.health(&embeddings.detach(), &config.loss, config.distance)?;
    let figures = Tensor::cat(&[loss.detach().reshape(1)?, health], 0)?;
    Ok((gradients, figures))
}

/// The labels of a batch on the device.
struct Pairs {
    like: Tensor,
    labels: Tensor,
}

impl Pairs {
    fn new(batch: &PairBatch, device: &Device) -> Result<Self> {
        Ok(Self {
            like: Tensor::new(batch.like.as_slice(), device)?,
            labels: Tensor::new(batch.labels.as_slice(), device)?,
        })
    }

    fn loss(&self, embeddings: &Tensor, config: &LossConfig, distance: Distance) -> Result<Tensor> {
        Ok(match config.pairs {
            LossPairs::Sampled => loss::contrastive(
                &self.distances(embeddings, distance)?,
                &self.like,
                config.margin,
            )?,
            LossPairs::InBatch => loss::contrastive_in_batch(
                embeddings,
                &self.labels,
                config.margin,
                distance,
                config.averaging,
            )?,
        })
    }

    /// Distances of the sampled pairs: anchors are the first half of the embeddings, partners the second.
    fn distances(&self, embeddings: &Tensor, distance: Distance) -> Result<Tensor> {
        let count = self.like.elem_count();
        let (anchors, partners) = (
            embeddings.narrow(0, 0, count)?,
            embeddings.narrow(0, count, count)?,
        );
        Ok(distance.between(&anchors, &partners)?)
    }

    /// `[spread², scale², active share]`
    fn health(
        &self,
        embeddings: &Tensor,
        config: &LossConfig,
        distance: Distance,
    ) -> Result<Tensor> {
        let scale = embeddings.sqr()?.sum(1)?.mean(0)?;
        let spread = (&scale - embeddings.mean(0)?.sqr()?.sum_all()?)?;
        let unlike = self.like.affine(-1.0, 1.0)?;
        let inside = self
            .distances(embeddings, distance)?
            .lt(config.margin)?
            .to_dtype(unlike.dtype())?;
        let count = unlike.sum_all()?.maximum(1f32)?;
        let active = ((inside * unlike)?.sum_all()? / count)?;
        Ok(Tensor::stack(&[spread, scale, active], 0)?)
    }
}
