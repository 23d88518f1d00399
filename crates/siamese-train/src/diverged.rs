//! The end of a training whose loss or weights are no numbers: where, on which images, and what to try.

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use siamese_core::Precision;

use crate::request::Request;
use crate::run::Run;

/// What is kept of it in the run folder.
pub(crate) const FILE: &str = "diverged.json";
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
    /// Found in a run's step that was taken `steps_ago`.
    pub(crate) fn new(what: String, run: &Run, steps_ago: usize, images: Arc<[u32]>) -> Self {
        let at = &run.position;
        Self {
            what,
            place: [at.epoch + 1, at.batch - steps_ago, at.step - steps_ago],
            images,
        }
    }

    /// Keeps which images it was in the run folder, and says what happened and what to try.
    pub(crate) fn explain(&self, run: &Run, request: &Request) -> Result<String> {
        let [epoch, batch, step] = self.place;
        let name = |&i: &u32| request.data.names[i as usize].as_str();
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
        run.folder.write_json(FILE, &kept)?;
        let mut text = format!("{self}; its batch was of {}", some.join(", "));
        if names.len() > NAMED {
            text += &format!(" and {} more (all in {FILE})", names.len() - NAMED);
        }
        text += ". ";
        if run.folder.last().exists() {
            text += "The checkpoint is of before that. ";
        }
        let config = &run.config;
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
            run.folder.file("config.json").display()
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
