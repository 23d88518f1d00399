//! One thread that embeds for all requests: what has come within a few milliseconds passes through the model at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

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
    most: usize,
    batch: usize,
    thread: Option<JoinHandle<()>>,
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
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = Worker {
            embedder,
            jobs,
            waiting: waiting.clone(),
            limits: limits.clone(),
            meters,
        };
        let thread = std::thread::Builder::new().name("embed".into());
        Ok(Self {
            queue: Some(queue),
            waiting,
            most: limits.queue,
            batch: limits.batch,
            thread: Some(thread.spawn(move || worker.run())?),
        })
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

    /// What comes within the window, until a batch is full.
    fn gathered(&self, first: Job) -> Vec<Job> {
        let until = Instant::now() + self.limits.window;
        let mut images = first.images.len();
        let mut jobs = vec![first];
        while images < self.limits.batch {
            let left = until.saturating_duration_since(Instant::now());
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
