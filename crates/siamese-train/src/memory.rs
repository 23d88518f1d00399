//! How much memory a training takes, told before its first step.

use std::fmt;

use anyhow::{Result, ensure};
use candle_core::Device;
use siamese_core::{Objective, Tower};
use siamese_data::{LoaderConfig, SamplerConfig};

use crate::config::TrainConfig;
use crate::data::Divided;
use crate::room::Room;
use crate::run::networks;

/// Bytes for each parameter: itself, its gradient and two moments, and copies of them while a checkpoint is written.
const PARAMETER: u64 = 40;
/// Bytes for judging, whatever the batch: embeddings, pairs, the report.
const JUDGING: u64 = 80 << 20;

/// The memory that a training takes beside its images, and what it is for.
///
/// It is an estimate (`siamese train --dry-run` prints it). The peak of whole trainings on a CPU, less the 45 MB that the
/// program holds anyway, was measured for Conv-4, stages, ResNet-9 and ResNet-18 at 32 to 128 images of 32 and 64 pixels a
/// batch: the estimate of the whole lay within 12 % of it in eight of nine, and 46 % above it in one of a single step.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// Bytes for each image of a batch, or of a chunk of it.
    pub per_image: u64,
    /// Bytes that do not depend on the batch.
    pub fixed: u64,
    /// Images of a batch.
    pub batch_images: usize,
    /// Images that are in the network at once.
    pub at_once: usize,
    sampler: SamplerConfig,
    /// Whether it is the host's; how much a GPU has free is not looked at.
    on_host: bool,
}

impl Memory {
    /// The memory that a training of this configuration takes.
    ///
    /// # Errors
    /// When the configuration makes no tower.
    pub fn of(config: &TrainConfig, divided: &Divided, device: &Device) -> Result<Self> {
        let (tower, objective) = networks(config, divided, device)?;
        Self::of_networks(config, &tower, &objective)
    }

    pub(crate) fn of_networks(
        config: &TrainConfig,
        tower: &Tower,
        objective: &Objective,
    ) -> Result<Self> {
        let of_head = objective.head().map_or(0, |head| head.parameters().count());
        let parameters = tower.parameters().count() + of_head + objective.parameters().count();
        let batch_images = config.sampler.batch_images();
        let at_once = config.chunk.unwrap_or(batch_images).min(batch_images);
        let image = config.tower.input.image_len() as u64;
        // batches that wait as f32 beside the one under way
        let waiting = LoaderConfig::default().prefetch as u64 + 2;
        Ok(Self {
            per_image: tower.kept_bytes()? as u64 + 4 * waiting * image,
            // of the images that are not in the network only the pixels are held
            fixed: PARAMETER * parameters as u64
                + JUDGING
                + 4 * waiting * image * (batch_images - at_once) as u64,
            batch_images,
            at_once,
            sampler: config.sampler.clone(),
            on_host: tower.parameters().device().is_cpu(),
        })
    }

    /// What each of several processes takes, with its part of every batch.
    pub fn in_processes(self, processes: usize) -> Self {
        let part = self.batch_images.div_ceil(processes.max(1));
        Self {
            at_once: self.at_once.min(part),
            ..self
        }
    }

    /// All of it, in bytes.
    pub fn bytes(&self) -> u64 {
        self.fixed + self.per_image * self.at_once as u64
    }

    /// Whether that is to be had: from the machine, from the cgroup (a container's), from the limit on address space.
    /// Where the system does not tell, and for what a GPU holds, the answer is yes.
    ///
    /// # Errors
    /// When it is not; the message says how many images of a batch would fit.
    pub fn check(&self) -> Result<()> {
        match Room::now() {
            Some(room) if self.on_host => self.check_within(&room),
            _ => Ok(()),
        }
    }

    fn check_within(&self, room: &Room) -> Result<()> {
        let advice = match (room.bytes.saturating_sub(self.fixed) / self.per_image.max(1)) as usize
        {
            fit if fit >= self.sampler.batch_images() => String::new(),
            fit => self.smaller(fit),
        };
        ensure!(
            self.bytes() <= room.bytes,
            "a training with batches of {} images takes about {}, and {} are {}: {advice}smaller pictures, or a smaller tower; \
             --any-memory begins all the same",
            self.batch_images,
            Bytes(self.bytes()),
            Bytes(room.bytes),
            room.by
        );
        Ok(())
    }

    /// What makes batches of at most `fit` images.
    fn smaller(&self, fit: usize) -> String {
        let setting = match &self.sampler {
            SamplerConfig::Pairs(_) => format!("--pairs-per-batch {}", fit / 2),
            SamplerConfig::PerClass(each) => {
                format!("--set sampler.classes={}", fit / each.images.max(1))
            }
            SamplerConfig::Episodes(each) => {
                format!(
                    "--set sampler.ways={}",
                    fit / (each.shots + each.queries).max(1)
                )
            }
        };
        match fit {
            0..4 => String::new(),
            _ => format!("batches of at most {fit} images fit ({setting}); or take "),
        }
    }
}

/// A number of bytes as a person reads it.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 as f64 {
            bytes if bytes < 1e9 => write!(f, "{:.0} MB", bytes / 1e6),
            bytes => write!(f, "{:.1} GB", bytes / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_batch_that_would() -> Result<()> {
        let config = TrainConfig::preset("default")?;
        let memory = Memory {
            per_image: 1_000_000,
            fixed: 50_000_000,
            batch_images: config.sampler.batch_images(),
            at_once: config.sampler.batch_images(),
            sampler: config.sampler,
            on_host: true,
        };
        let room = |bytes| Room {
            bytes,
            by: "free on this machine",
        };
        assert!(memory.check_within(&room(memory.bytes())).is_ok());
        let refused = |bytes| memory.check_within(&room(bytes)).unwrap_err().to_string();
        let error = refused(90_000_000);
        assert!(
            error.contains("batches of at most 40 images fit") && error.contains("--any-memory"),
            "{error}"
        );
        let error = refused(51_000_000);
        assert!(
            !error.contains("at most") && error.contains("smaller tower"),
            "{error}"
        );
        Ok(())
    }
}
