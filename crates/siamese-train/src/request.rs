//! What a training takes, and how it ends.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use candle_core::Device;

use crate::config::TrainConfig;
use crate::data::TrainingData;
use crate::event::Event;
use crate::folder::RunFolder;
use crate::summary::Summary;

/// What to train.
pub struct Request<'a> {
    /// All that decides the run.
    pub config: &'a TrainConfig,
    /// The images.
    pub data: &'a TrainingData,
    /// Where the tower computes.
    pub device: &'a Device,
    /// Where everything goes; a checkpoint in it is gone on from.
    pub folder: &'a RunFolder,
    /// Background threads that prepare batches, at least one.
    pub workers: usize,
    /// A checkpoint is written this often, and at the end of each epoch.
    pub checkpoint_every: Duration,
    /// Set to true (by Ctrl-C, say) to end after the current step, with a checkpoint.
    pub interrupt: &'a AtomicBool,
    /// Is told what happens.
    pub observe: &'a dyn Fn(&Event),
}

/// How a training ended.
#[derive(Debug)]
pub enum Outcome {
    /// By early stopping or at the last epoch, with its final figures.
    Finished(Box<Summary>),
    /// By a loss, or weights, that are no numbers; the best model before that was judged.
    Diverged {
        /// Where, on which images, and what to try.
        reason: String,
        /// The final figures of the best model so far.
        summary: Box<Summary>,
    },
    /// As process 0 said, which judges the run and tells of it.
    Followed,
    /// By the interrupt, in this epoch (from 1); a checkpoint was written.
    Interrupted {
        /// The epoch under way.
        epoch: usize,
    },
}
