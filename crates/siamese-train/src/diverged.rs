//! The end of a training whose loss or weights are no numbers: where, on which images, and what to try.

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use siamese_core::Precision;

use crate::checkpoint::Position;
use crate::config::TrainConfig;
use crate::folder::{DIVERGED, RunFolder};

/// Images that are named in a message; the file names all.
const NAMED: usize = 6;

/// A training has diverged.
#[derive(Debug)]
pub(crate) struct Diverged {
    /// What is not finite.
    what: String,
    /// The epoch, the batch in it and the step of the run, from 1.
    place: [usize; 3],
    images: Arc<[u32]>,
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

    /// Keeps which images it was in the run folder, and says what happened and what to try.
    pub(crate) fn explain(
        &self,
        config: &TrainConfig,
        folder: &RunFolder,
        names: &[String],
    ) -> Result<String> {
        let [epoch, batch, step] = self.place;
        // a turned copy is numbered on from the images as they are
        let name = |&i: &u32| names[i as usize % names.len()].as_str();
        let names: Vec<&str> = self.images.iter().map(name).collect();
        let numbered = self.images.iter().zip(&names);
        let some: Vec<String> = numbered
            .take(NAMED)
            .map(|(i, name)| format!("{name} (image {i})"))
            .collect();
        let kept = json!({
            "what": self.what, "epoch": epoch, "batch": batch, "step": step,
            "images": self.images.iter().zip(&names).map(|(i, name)| json!({ "index": i, "name": name })).collect::<Vec<_>>(),
        });
        folder.write_json(DIVERGED, &kept)?;
        let mut text = format!("{self}; its batch was of {}", some.join(", "));
        if names.len() > NAMED {
            text += &format!(" and {} more (all in {DIVERGED})", names.len() - NAMED);
        }
        text += ". ";
        if folder.last().exists() {
            text += "The checkpoint is of before that. ";
        }
        text += &format!(
            "Try a smaller learning_rate (it was {})",
            config.learning_rate
        );
        match config.clip_norm {
            None => text += " or clip_norm = 1.0",
            Some(norm) => text += &format!(" or a smaller clip_norm (it was {norm})"),
        }
        if config.precision != Precision::default() {
            text += " or precision = \"f32\"";
        }
        let rate = config.learning_rate / 10.0;
        text += &format!(
            ", in a new run: siamese train {} --set learning_rate={rate:.1e}",
            folder.file("config.json").display()
        );
        Ok(text)
    }
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [epoch, batch, step] = self.place;
        write!(
            f,
            "training has diverged: {} at step {step} (epoch {epoch}, batch {batch})",
            self.what
        )
    }
}

impl std::error::Error for Diverged {}
