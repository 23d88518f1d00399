//! What the guards know: whom to answer, how much may be asked, and whom to tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use tokio::sync::Semaphore;

use crate::config::{Access, Config, Limits};
use crate::event::Event;
use crate::meters::Meters;

/// What the guards know.
pub(crate) struct Gate {
    pub(crate) access: Access,
    pub(crate) names: Vec<String>,
    pub(crate) limits: Limits,
    /// Requests that cost something and are worked on.
    pub(crate) admission: Semaphore,
    pub(crate) meters: Arc<Meters>,
    pub(crate) told: Box<dyn Fn(Event) + Send + Sync>,
    ids: Ids,
}

/// Numbers of requests: those of one server's are told from another's by when it began.
struct Ids {
    /// Seconds since 1970.
    first: u64,
    next: AtomicU64,
}

impl Gate {
    pub(crate) fn new(config: &Config, told: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self {
            access: config.access.clone(),
            names: config.names.clone(),
            limits: config.limits.clone(),
            admission: Semaphore::new(config.limits.requests),
            meters: Arc::new(Meters::new()),
            told: Box::new(told),
            ids: Ids {
                first: UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
                next: AtomicU64::new(0),
            },
        }
    }

    /// Whether a token is asked for.
    pub(crate) fn wants_token(&self) -> bool {
        matches!(self.access, Access::Token(_))
    }

    /// The number of the next request.
    pub(crate) fn next_id(&self) -> String {
        let Ids { first, next } = &self.ids;
        format!("{first:08x}-{:06}", next.fetch_add(1, Ordering::Relaxed))
    }
}
