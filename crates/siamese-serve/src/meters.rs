//! What Prometheus is told.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds, in seconds.
const SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper bounds of images in a batch.
const IMAGES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    method: String,
    route: String,
    status: u16,
}

type Seconds = Family<Labels, Histogram, fn() -> Histogram>;

/// Counters of a server's.
pub(crate) struct Meters {
    registry: Registry,
    requests: Seconds,
    batches: Histogram,
    model: Counter<f64, AtomicU64>,
    /// Images that wait for the model.
    pub(crate) queue: Gauge,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut meters = Self {
            registry: Registry::with_prefix("siamese"),
            requests: Family::new_with_constructor(seconds),
            batches: Histogram::new(IMAGES),
            model: Counter::default(),
            queue: Gauge::default(),
        };
        let registry = &mut meters.registry;
        let requests = meters.requests.clone();
        registry.register("request_seconds", "Time to answer requests", requests);
        registry.register(
            "batch_images",
            "Images embedded at once",
            meters.batches.clone(),
        );
        registry.register(
            "model_seconds",
            "Time spent in the model",
            meters.model.clone(),
        );
        registry.register(
            "queue_images",
            "Images that wait for the model",
            meters.queue.clone(),
        );
        meters
    }

    /// A request was answered; `route` is one of ours, never what was asked for.
    pub(crate) fn answered(&self, method: &str, route: &str, status: u16, time: Duration) {
        let (method, route) = (method.to_string(), route.to_string());
        let labels = Labels {
            method,
            route,
            status,
        };
        let seconds = self.requests.get_or_create(&labels);
        seconds.observe(time.as_secs_f64());
    }

    /// So many images were embedded at once.
    pub(crate) fn embedded(&self, images: usize, time: Duration) {
        self.batches.observe(images as f64);
        self.model.inc_by(time.as_secs_f64());
    }

    /// All of it, in OpenMetrics' text.
    pub(crate) fn text(&self) -> String {
        let mut told = String::new();
        text::encode(&mut told, &self.registry).ok(); // a String takes everything
        told
    }
}
