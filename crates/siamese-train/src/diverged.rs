//! The end of a training whose loss or weights are no numbers: what it was, and where.

use std::fmt;
use std::sync::Arc;

use crate::checkpoint::Position;

/// A training has diverged.
#[derive(Debug)]
pub(crate) struct Diverged {
    /// What is not finite.
    pub(crate) what: String,
    /// The epoch, the batch in it and the step of the run, from 1.
    pub(crate) place: [usize; 3],
    pub(crate) images: Arc<[u32]>,
}

impl Diverged {
    /// Found in the step that was taken `steps_ago`, seen from where the run is.
    pub(crate) fn new(what: String, at: &Position, steps_ago: usize, images: Arc<[u32]>) -> Self {
        Self {
            what,
            place: [at.epoch + 1, at.batch - steps_ago, at.step - steps_ago],
            images,
        }
    }

    /// What is not finite, and where.
    pub(crate) fn place(&self) -> String {
        let [epoch, batch, step] = self.place;
        format!(
            "{} at step {step} (epoch {epoch}, batch {batch})",
            self.what
        )
    }
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "training has diverged: {}", self.place())
    }
}

impl std::error::Error for Diverged {}
