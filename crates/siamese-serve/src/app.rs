//! What all requests share.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use siamese_core::Metric;
use siamese_data::Framing;
use siamese_embed::Embedder;
use siamese_gallery::Gallery;
use tokio::sync::Semaphore;

use crate::batcher::Batcher;
use crate::config::Limits;
use crate::gate::Gate;
use crate::judged::Judged;
use crate::plane::Plane;
use crate::problem::Problem;

/// What all requests share.
pub(crate) struct App {
    pub(crate) embedder: Arc<Embedder>,
    pub(crate) metric: Metric,
    pub(crate) framing: Framing,
    /// Height, width and channels of what the model takes.
    pub(crate) shape: (usize, usize, usize),
    pub(crate) batcher: Batcher,
    pub(crate) gallery: Option<Served>,
    pub(crate) limits: Limits,
    pub(crate) gate: Arc<Gate>,
    /// Pictures that are decoded.
    pub(crate) decoders: Arc<Semaphore>,
    /// What other thresholds would have cost, where the run's folder tells.
    pub(crate) judged: Option<Judged>,
    /// Rows and columns of the grid by which pictures are explained.
    pub(crate) grid: usize,
}

/// The app as handlers have it.
pub(crate) type Shared = Arc<App>;

/// A gallery that is served.
pub(crate) struct Served {
    pub(crate) gallery: Arc<Mutex<Gallery>>,
    /// Of its model.
    pub(crate) fingerprint: String,
    /// Its map, as it was drawn last.
    pub(crate) plane: Arc<Mutex<Option<Plane>>>,
}

impl App {
    pub(crate) fn served(&self) -> Result<&Served, Problem> {
        self.gallery.as_ref().ok_or_else(|| {
            Problem::missing("this server has no gallery; start it with --gallery FOLDER")
        })
    }

    /// Asks the gallery, on a thread that may wait.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Gallery) -> siamese_gallery::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let served = self.served()?;
        let (gallery, own) = (served.gallery.clone(), served.fingerprint.clone());
        let work = tokio::task::spawn_blocking(move || {
            let mut gallery = gallery.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = question(&mut gallery).map_err(refused)?;
            match gallery.about().model.fingerprint == own {
                true => Ok(answer),
                false => Err(Problem::new(
                    StatusCode::CONFLICT,
                    "the gallery was embedded anew by another model; restart the server with that",
                )),
            }
        });
        work.await.map_err(Problem::fault)?
    }
}

/// What a gallery says, told to whoever asked.
fn refused(error: siamese_gallery::Error) -> Problem {
    use siamese_gallery::Error;
    match error {
        Error::Invalid(why) => Problem::bad(why),
        Error::Busy { .. } => {
            Problem::busy("another program is writing to the gallery; try again when it has ended")
        }
        other => Problem::fault(other),
    }
}
