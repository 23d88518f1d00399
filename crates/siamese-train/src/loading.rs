//! The batches of a run as tensors, and the tower that takes them.

use std::sync::Arc;

use anyhow::Result;
use siamese_core::Tower;
use siamese_data::{Draw, Loader, LoaderConfig, Shrunk, stream};
use siamese_kernels::profile;

use crate::run::Run;
use crate::step::Prepared;

impl Run {
    /// How the images of an epoch's batches are made, the first `skip_batches` left out.
    pub(crate) fn loading(&self, epoch: usize, skip_batches: usize) -> LoaderConfig {
        let input = &self.config.tower.input;
        let batches = self.sampler.batches_per_epoch();
        let ends = self.config.progressive.ends(batches * self.config.epochs);
        let shrunk = ends.map(|(step, size)| Shrunk {
            before: step.saturating_sub(batches * epoch),
            size,
        });
        LoaderConfig {
            augment: self.config.augment,
            size: Some((input.height, input.width)),
            shrunk: shrunk.collect(),
            seed: self.config.seed,
            epoch,
            skip_batches,
            ..Default::default()
        }
    }

    /// These batches, made into tensors by background threads.
    pub(crate) fn load_batches(
        &self,
        plan: Vec<Draw>,
        config: LoaderConfig,
    ) -> Result<Loader<Result<Prepared>>> {
        let input = self.config.tower.input.clone();
        let dense = self.divided.dense_labels();
        let prepare = move |batch: &_| Prepared::new(batch, &input, &dense);
        let images = Arc::clone(&self.training_images);
        Ok(Loader::new(images, plan, config, prepare)?)
    }

    /// The tower for a batch of images of that height and width.
    pub(crate) fn tower_for(&self, size: (usize, usize)) -> &Tower {
        let fits = |tower: &&Tower| {
            let input = &tower.config().input;
            (input.height, input.width) == size
        };
        self.smaller.iter().find(fits).unwrap_or(&self.tower)
    }

    /// Lets go of the towers for images smaller than these, with the memory that they worked in: images only grow.
    pub(crate) fn outgrow(&mut self, (height, width): (usize, usize)) {
        self.smaller.retain(|tower| {
            let input = &tower.config().input;
            input.height >= height && input.width >= width
        });
    }

    /// Moves BatchNorm's running statistics to those of the weights as they are, by some batches of the epoch at full
    /// size: an average of weights, or weights that trained on smaller images, had others.
    pub(crate) fn estimate_norms(&self) -> Result<()> {
        let Some(batches) = self.config.norm_batches else {
            return Ok(());
        };
        let epoch = self.position.epoch;
        let mut plan = self.sampler.epoch(epoch);
        plan.truncate(batches);
        let config = LoaderConfig {
            shrunk: Vec::new(),
            ..self.loading(epoch, 0)
        };
        let device = self.tower.parameters().device();
        let mut dropout = stream(self.config.seed, "norms", &[epoch as u64]);
        for batch in self.load_batches(plan, config)? {
            let batch = batch??;
            let at_once = self.config.chunk.unwrap_or(batch.len()).min(batch.len());
            // a rest that is smaller than a chunk has odd statistics
            for first in (0..=batch.len() - at_once).step_by(at_once) {
                let images = batch.images().narrow(0, first, at_once)?;
                let images = images.to_device(device)?;
                profile::apart(|| self.tower.embed_training(&images, &mut dropout))?;
            }
        }
        Ok(())
    }
}
