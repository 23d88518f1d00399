//! What a run tells while it goes on: the library prints nothing, whoever started it draws.

use std::path::Path;
use std::time::Duration;

use siamese_core::Loaded;
use siamese_report::EpochRow;

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Weights that were trained elsewhere were taken.
    Pretrained {
        /// Their file, or their name on the hub.
        name: &'a str,
        /// Which of them, and what was not found.
        loaded: &'a Loaded,
    },
    /// Images begin to pass the frozen part of the tower, this once.
    Freezing {
        /// How many.
        images: usize,
    },
    /// A step was taken.
    Step(StepEvent),
    /// An epoch ended, its images were validated.
    Epoch {
        /// Its figures.
        row: &'a EpochRow,
        /// Epochs at most.
        epochs: usize,
        /// Whether it is the best so far.
        best: bool,
        /// How long the rest would take at the pace so far.
        left: Duration,
    },
    /// A checkpoint was written.
    Saved(&'a Path),
    /// What was found wrong in the folder, and what is done about it.
    Warning(&'a str),
    /// The embedding has collapsed.
    Alarm {
        /// The epoch, from 1.
        epoch: usize,
        /// What is wrong and what to try.
        reason: &'a str,
    },
    /// Early stopping ended the training.
    Stopped {
        /// Epochs without progress.
        patience: usize,
    },
    /// The best weights are being judged on the test images.
    Judging,
}

/// Where a run stands after a step.
#[derive(Debug, Clone, Copy)]
pub struct StepEvent {
    /// The epoch under way, from 1.
    pub epoch: usize,
    /// Epochs at most.
    pub epochs: usize,
    /// Batches of the epoch that are done.
    pub batch: usize,
    /// Batches of the epoch.
    pub batches: usize,
    /// Images in the last batch.
    pub images: usize,
    /// The epoch's average loss as last read from the device; NaN before the first read.
    pub loss: f64,
}
