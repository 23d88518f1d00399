//! One thread that embeds for all requests: what has come within a few milliseconds passes through the model at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use siamese_embed::Embedder;
use siamese_files::guarded;
use tokio::sync::oneshot;

use crate::config::Limits;
use crate::meters::Meters;
use crate::problem::Problem;

/// The embeddings (D) of a job's images; in words, why there are none.
type Embedded = Result<Vec<Vec<f32>>, String>;

/// Hands images to the thread that embeds.
pub(crate) struct Batcher {
    /// `None` once it is to end.
    queue: Option<Sender<Job>>,
    waiting: Arc<AtomicUsize>,
    /// Requests whose pictures are on their way: worth waiting for.
    coming: Arc<AtomicUsize>,
    most: usize,
    batch: usize,
    thread: Option<JoinHandle<()>>,
}

/// A request whose pictures are on their way, as long as this lives.
pub(crate) struct Coming(Arc<AtomicUsize>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Images (N, H, W, C) of one request.
struct Job {
    images: Vec<Vec<u8>>,
    reply: oneshot::Sender<Embedded>,
}

impl Batcher {
    /// Starts the thread.
    pub(crate) fn start(
        embedder: Arc<Embedder>,
        limits: &Limits,
        meters: Arc<Meters>,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = channel();
        let (waiting, coming) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let worker = Worker {
            embedder,
            jobs,
            waiting: waiting.clone(),
            coming: coming.clone(),
            limits: limits.clone(),
            meters,
        };
        let thread = std::thread::Builder::new().name("embed".into());
        Ok(Self {
            queue: Some(queue),
            waiting,
            coming,
            most: limits.queue,
            batch: limits.batch,
            thread: Some(thread.spawn(move || worker.run())?),
        })
    }

    /// Announces a request, so that those before it wait for it a little.
    pub(crate) fn coming(&self) -> Coming {
        self.coming.fetch_add(1, Ordering::Relaxed);
        Coming(self.coming.clone())
    }

    /// The embedding of each image (H, W, C), in their order.
    ///
    /// # Errors
    /// 503 where too many wait already.
    pub(crate) async fn embed(&self, images: Vec<Vec<u8>>) -> Result<Vec<Vec<f32>>, Problem> {
        let mut replies = Vec::new();
        let mut rest = images;
        self.reserve(rest.len())?;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(self.batch));
            let (reply, answer) = oneshot::channel();
            let job = Job {
                images: std::mem::replace(&mut rest, later),
                reply,
            };
            let queue = self.queue.as_ref().ok_or_else(ending)?;
            queue.send(job).map_err(|_| ending())?;
            replies.push(answer);
        }
        let mut rows = Vec::new();
        for reply in replies {
            rows.extend(reply.await.map_err(|_| ending())?.map_err(Problem::fault)?);
        }
        Ok(rows)
    }

    /// Counts images in, unless that were too many.
    fn reserve(&self, count: usize) -> Result<(), Problem> {
        let add = |waiting: usize| (waiting + count <= self.most).then_some(waiting + count);
        let order = Ordering::Relaxed;
        let reserved = self.waiting.fetch_update(order, order, add);
        reserved.map(|_| ()).map_err(|waiting| {
            Problem::busy(format!(
                "{waiting} pictures wait for the model already; try again in a second"
            ))
        })
    }
}

fn ending() -> Problem {
    Problem::busy("the server is ending")
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

struct Worker {
    embedder: Arc<Embedder>,
    jobs: Receiver<Job>,
    waiting: Arc<AtomicUsize>,
    coming: Arc<AtomicUsize>,
    limits: Limits,
    meters: Arc<Meters>,
}

impl Worker {
    fn run(self) {
        while let Ok(first) = self.jobs.recv() {
            let jobs = self.gathered(first);
            let count: usize = jobs.iter().map(|job| job.images.len()).sum();
            // nobody waits any more for those whose time was up
            let jobs: Vec<Job> = jobs.into_iter().filter(|j| !j.reply.is_closed()).collect();
            self.answer(jobs);
            let waiting = self.waiting.fetch_sub(count, Ordering::Relaxed) - count;
            self.meters.queue.set(waiting as i64);
        }
    }

    /// What comes within the window, until a batch is full or nothing is on its way.
    fn gathered(&self, first: Job) -> Vec<Job> {
        let until = Instant::now() + self.limits.window;
        let mut images = first.images.len();
        let mut jobs = vec![first];
        while images < self.limits.batch {
            let left = match self.coming.load(Ordering::Relaxed) {
                0 => Duration::ZERO,
                _ => until.saturating_duration_since(Instant::now()),
            };
            let Ok(job) = self.jobs.recv_timeout(left) else {
                break;
            };
            images += job.images.len();
            jobs.push(job);
        }
        jobs
    }

    fn answer(&self, jobs: Vec<Job>) {
        let images: Vec<&[u8]> = jobs
            .iter()
            .flat_map(|j| &j.images)
            .map(Vec::as_slice)
            .collect();
        if images.is_empty() {
            return;
        }
        let begun = Instant::now();
        let embedded = guarded(|| self.embedder.rows(&images.concat()));
        self.meters.embedded(images.len(), begun.elapsed());
        let mut rows = match embedded {
            Ok(Ok(rows)) => Ok(rows.into_iter()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(gave_up) => Err(gave_up),
        };
        for job in jobs {
            let own = match &mut rows {
                Ok(rows) => Ok(rows.by_ref().take(job.images.len()).collect()),
                Err(why) => Err(why.clone()),
            };
            job.reply.send(own).ok(); // it may have gone away
        }
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::candle::Device;
    use siamese_core::{Body, Distance, Model, Stage, Stages, Tower, TowerConfig};

    use super::*;

    /// A batcher of a small tower that waits as long as that, and the bytes of an image.
    fn batcher(window: Duration) -> (Batcher, Arc<Meters>, usize) {
        let stage = Stage {
            channels: 4,
            convolutions: 1,
        };
        let config = TowerConfig {
            body: Body::Stages(Stages {
                stages: vec![stage],
                ..Stages::default()
            }),
            embedding: 3,
            ..TowerConfig::system_c()
        };
        let tower = Tower::new(config, 7, &Device::Cpu).unwrap();
        let image_len = tower.config().input.image_len();
        let model = Model::new(tower, Distance::Euclidean);
        let limits = Limits {
            window,
            queue: 8,
            ..Limits::default()
        };
        let (embedder, meters) = (Arc::new(Embedder::new(model)), Arc::new(Meters::new()));
        let batcher = Batcher::start(embedder, &limits, meters.clone()).unwrap();
        (batcher, meters, image_len)
    }

    fn batches(meters: &Meters) -> String {
        let text = meters.text();
        let count = |line: &str| {
            Some(
                line.strip_prefix("siamese_batch_images_count ")?
                    .to_string(),
            )
        };
        text.lines().find_map(count).unwrap()
    }

    #[tokio::test]
    async fn those_that_were_announced_are_embedded_together() {
        let (batcher, meters, image_len) = batcher(Duration::from_millis(500));
        let _coming = batcher.coming();
        let one = |value| batcher.embed(vec![vec![value; image_len]]);
        let (a, b, c) = tokio::join!(one(1), one(200), one(1));
        let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
        assert!(a == c && a != b && a[0].len() == 3);
        assert_eq!(batches(&meters), "1");
    }

    #[tokio::test]
    async fn a_request_that_nobody_follows_does_not_wait() {
        let (batcher, _, image_len) = batcher(Duration::from_secs(3600));
        drop(batcher.coming());
        let embedded = batcher.embed(vec![vec![9; image_len]]);
        let embedded = tokio::time::timeout(Duration::from_secs(600), embedded).await;
        assert_eq!(embedded.unwrap().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused_at_once() {
        let (batcher, _, image_len) = batcher(Duration::ZERO);
        assert!(batcher.embed(vec![vec![9; image_len]; 9]).await.is_err());
        assert_eq!(
            batcher
                .embed(vec![vec![9; image_len]; 8])
                .await
                .unwrap()
                .len(),
            8
        );
    }
}
