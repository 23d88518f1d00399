//! What a run will cost: parameters, work, memory, time; and how many epochs a budget allows.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use candle_core::Device;
use siamese_core::{Objective, Tower};
use siamese_data::Batch;

use crate::config::TrainConfig;
use crate::data::Divided;
use crate::frozen::Kept;
use crate::memory::Memory;
use crate::run::{networks, params};
use crate::step::{Prepared, gradients};
use siamese_data::Part;

/// Steps that are measured, after one that warms up.
const MEASURED: usize = 3;
/// Share of a budget that is kept for validation, judging and the report, beyond what was measured.
const RESERVE: f64 = 0.1;

/// What a run will be like.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Numbers that are trained.
    pub parameters: usize,
    /// Multiply-adds of one image's pass through the tower.
    pub multiply_adds: u64,
    /// Images to train on, to validate by, and to judge by.
    pub images: [usize; 3],
    /// Batches of an epoch.
    pub batches: usize,
    /// Images in a batch.
    pub batch_images: usize,
    /// Epochs at most.
    pub epochs: usize,
    /// A step, as measured on made-up images; of images that grow, the mean over the run.
    pub step: Duration,
    /// Passing one image through the tower without training, as measured.
    pub embed: Duration,
    /// The memory that it takes.
    pub memory: Memory,
}

impl Plan {
    /// Measures some steps of such a run, on made-up images.
    ///
    /// # Errors
    /// When the configuration makes no tower, or a batch does not fit into memory.
    pub fn measure(
        config: &TrainConfig,
        divided: &Divided,
        batches: usize,
        device: &Device,
    ) -> Result<Self> {
        let (tower, objective) = networks(config, divided, device)?;
        let memory = Memory::of_networks(config, &tower, &objective)?;
        let batch_images = memory.batch_images;
        let input = &config.tower.input;
        let own = (input.height, input.width);
        let batch = made_up(config, divided, batch_images, own)?;
        let mut step = Duration::ZERO;
        let smaller = config.progressive.towers(&tower)?;
        let towers = smaller.iter().chain([&tower]);
        for (tower, (size, share)) in towers.zip(config.progressive.shares(own)) {
            let batch = made_up(config, divided, batch_images, size)?;
            step += measure_step(config, (tower, &objective), &batch)?.mul_f64(share);
        }
        let embed = measure_embed(config, &tower, &batch, device)?;
        let judged = |part| divided.part(part).len();
        let of_head = objective.head().map_or(0, |head| head.parameters().count());
        let parameters = tower.parameters().count() + of_head + objective.parameters().count();
        Ok(Self {
            parameters,
            multiply_adds: tower.cost().multiply_adds,
            images: [
                divided.training().len(),
                judged(Part::Validation),
                judged(Part::Test) + judged(Part::SeenTest),
            ],
            batches,
            batch_images,
            epochs: config.epochs,
            step,
            embed,
            memory,
        })
    }

    /// An epoch with its validation.
    pub fn epoch(&self) -> Duration {
        self.step * self.batches as u32 + self.embed * self.images[1] as u32
    }

    /// The whole run.
    pub fn whole(&self) -> Duration {
        self.epoch() * self.epochs as u32 + self.embed * self.images[2] as u32
    }

    /// How many epochs fit into a budget.
    ///
    /// # Errors
    /// When not even one does; the message says how long one takes.
    pub fn epochs_within(&self, budget: Duration) -> Result<usize> {
        let left = budget.as_secs_f64() * (1.0 - RESERVE)
            - self.embed.as_secs_f64() * self.images[2] as f64;
        let epochs = (left / self.epoch().as_secs_f64()).floor();
        ensure!(
            epochs >= 1.0,
            "one epoch takes about {:.0} s here, more than the {:.0} s asked for: give more time, smaller pictures or a smaller tower",
            self.epoch().as_secs_f64(),
            budget.as_secs_f64()
        );
        Ok(epochs as usize)
    }
}

/// A batch of made-up images, its classes in pairs so that any objective finds like and unlike ones.
fn made_up(
    config: &TrainConfig,
    divided: &Divided,
    images: usize,
    size: (usize, usize),
) -> Result<Prepared> {
    let input = &config.tower.input;
    let image_len = size.0 * size.1 * input.channels();
    let classes = divided.classes().max(2);
    let half = images.div_ceil(2);
    let label = |i: usize| ((i % half) % classes) as u32;
    let batch = Batch {
        first: 0,
        size,
        images: (0..images * image_len)
            .map(|i| (i * 37 % 251) as u8)
            .collect(),
        labels: (0..images).map(label).collect(),
        indices: (0..images as u32).collect(),
    };
    let dense: Vec<u32> = (0..classes as u32).collect();
    Prepared::new(&batch, input, &dense)
}

fn measure_step(
    config: &TrainConfig,
    (tower, objective): (&Tower, &Objective),
    batch: &Prepared,
) -> Result<Duration> {
    let mut optimizer = config.optimizer.build(params(tower, objective))?;
    // what is frozen is passed once, and not in each step
    let keeps = config.tower.frozen.is_some() && config.augment.is_identity();
    let kept = keeps
        .then(|| Kept::made_up(tower, batch.images(), &batch.indices()))
        .transpose()?;
    let mut step = |at| -> Result<()> {
        let how = (config.chunk, kept.as_ref());
        let (grads, figures) = gradients(tower, objective, (config.seed, at), batch, how, None)?;
        optimizer.step(&grads, 1e-6, 1.0)?;
        figures.to_vec1::<f32>()?;
        Ok(())
    };
    step(0)?;
    let started = Instant::now();
    for at in 1..=MEASURED {
        step(at)?;
    }
    Ok(started.elapsed() / MEASURED as u32)
}

/// Embedding one image, measured on a batch.
fn measure_embed(
    config: &TrainConfig,
    tower: &Tower,
    batch: &Prepared,
    device: &Device,
) -> Result<Duration> {
    let count = config.chunk.unwrap_or(batch.len()).min(batch.len());
    let images = batch.images().narrow(0, 0, count)?.to_device(device)?;
    let started = Instant::now();
    tower.embed(&images)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(started.elapsed() / count as u32)
}
