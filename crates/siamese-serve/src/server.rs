//! A server: a model, a gallery if there is one, and what answers requests.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use siamese_embed::{Embedder, framing};
use siamese_gallery::Gallery;
use tokio::sync::Semaphore;

use crate::app::{App, Served, Shared};
use crate::batcher::Batcher;
use crate::config::Config;
use crate::error::Error;
use crate::event::Event;
use crate::gate::Gate;
use crate::judged::Judged;
use crate::listen::listen;
use crate::{api, guard, occlusion};

/// Images by which the model's time is measured.
const TRIAL: usize = 4;

/// A model that answers requests.
pub struct Server {
    app: Shared,
    config: Config,
}

impl Server {
    /// Makes everything ready but listens to nobody yet. What happens is told by `told`, from any thread.
    ///
    /// # Errors
    /// A configuration that cannot work or would be open to others by accident; a gallery of another model; a model that
    /// fails on a grey image.
    pub fn new(
        embedder: Embedder,
        gallery: Option<Gallery>,
        config: Config,
        told: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        config.check()?;
        if let Some(gallery) = &gallery {
            gallery.check_model(&embedder)?;
        }
        let model = embedder.model();
        let input = &model.tower.config().input;
        let shape = (input.height, input.width, input.channels());
        let framing = framing(input);
        let metric = model.metric().map_err(siamese_embed::Error::from)?;
        let time = time_of_one(&embedder, framing.image_len())?;
        let (embedder, gate) = (Arc::new(embedder), Arc::new(Gate::new(&config, told)));
        let limits = config.limits.clone();
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let app = App {
            metric,
            framing,
            shape,
            batcher: Batcher::start(embedder.clone(), &limits, gate.meters.clone())?,
            judged: embedder.place().and_then(Judged::beside),
            embedder,
            gallery: gallery.map(|gallery| Served {
                fingerprint: gallery.about().model.fingerprint.clone(),
                gallery: Arc::new(Mutex::new(gallery)),
                plane: Arc::default(),
            }),
            decoders: Arc::new(Semaphore::new(threads)),
            grid: occlusion::grid(time, limits.explanation),
            gate,
            limits,
        };
        let app = Arc::new(app);
        Ok(Self { app, config })
    }

    /// What answers requests, to be called without a network.
    pub fn router(&self) -> Router {
        guard::guarded(api::router(&self.app), &self.app.gate)
    }

    /// Listens until the process is asked to end (Ctrl-C, a termination), and finishes what it has begun then; a second
    /// Ctrl-C ends that too.
    ///
    /// # Errors
    /// An address that is taken.
    pub fn run(self) -> Result<(), Error> {
        run(self.router(), &self.config, &self.app.gate)
    }
}

/// Listens until the process is asked to end.
pub(crate) fn run(router: Router, config: &Config, gate: &Gate) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(listen(router, config, gate));
    // what still decodes for those who were cut off is not waited for
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

/// How long the model takes for one image of a batch; the first pass makes ready and does not count.
fn time_of_one(embedder: &Embedder, image_len: usize) -> Result<Duration, Error> {
    let grey = vec![128; TRIAL * image_len];
    embedder.rows(&grey)?;
    let begun = Instant::now();
    embedder.rows(&grey)?;
    Ok(begun.elapsed() / TRIAL as u32)
}
