//! Items made ahead in background threads and handed out in order.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Makes items `0..total` in background threads, at most `ahead` of them before they are taken.
///
/// Dropping it stops the threads and waits for the items they are at.
pub(crate) struct Prefetch<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
    waited: Duration,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    /// Told when the next item in turn may be there.
    ready: Condvar,
    /// Told when there is room for another item, or nothing more to do.
    room: Condvar,
}

struct Queue<T> {
    total: usize,
    ahead: usize,
    /// The next item that no thread has begun.
    begun: usize,
    /// The next item to hand out; `made[0]` is its place.
    taken: usize,
    /// The items begun and not yet taken: none while in the making, an error if that panicked.
    made: VecDeque<Option<Result<T, String>>>,
    stop: bool,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts `workers` threads that call `make(i)` for each item.
    ///
    /// # Errors
    ///
    /// The system's, if it refuses a thread.
    pub(crate) fn start(
        total: usize,
        workers: usize,
        ahead: usize,
        make: impl Fn(usize) -> T + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let queue = Queue {
            total,
            ahead: ahead.max(1),
            begun: 0,
            taken: 0,
            made: VecDeque::new(),
            stop: false,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            ready: Condvar::new(),
            room: Condvar::new(),
        });
        let mut prefetch = Self {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
            waited: Duration::ZERO,
        };
        let make = Arc::new(make);
        for worker in 0..workers.clamp(1, total.max(1)) {
            let (shared, make) = (Arc::clone(&shared), Arc::clone(&make));
            let thread = std::thread::Builder::new()
                .name(format!("prefetch-{worker}"))
                .spawn(move || shared.work(&*make))?;
            prefetch.threads.push(thread);
        }
        Ok(prefetch)
    }

    /// The next item, waiting for it if need be; the message of the panic if making it panicked.
    ///
    /// None after the last item, and after a panic.
    pub(crate) fn next(&mut self) -> Option<Result<T, String>> {
        let mut queue = self.shared.lock();
        if queue.stop || queue.taken == queue.total {
            return None;
        }
        let started = Instant::now();
        let item = loop {
            match queue.made.front_mut().and_then(Option::take) {
                Some(item) => break item,
                None => queue = wait(&self.shared.ready, queue),
            }
        };
        self.waited += started.elapsed();
        queue.made.pop_front();
        queue.taken += 1;
        queue.stop = item.is_err();
        drop(queue);
        self.shared.room.notify_all();
        Some(item)
    }

    /// How many items are still to be taken.
    pub(crate) fn remaining(&self) -> usize {
        let queue = self.shared.lock();
        if queue.stop {
            0
        } else {
            queue.total - queue.taken
        }
    }

    /// The time spent waiting in [`Prefetch::next`] so far.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }
}

impl<T> Shared<T> {
    /// Makes items until there are no more to make.
    fn work(&self, make: &impl Fn(usize) -> T) {
        while let Some(index) = self.begin() {
            let item =
                catch_unwind(AssertUnwindSafe(|| make(index))).map_err(|panic| message(&*panic));
            let mut queue = self.lock();
            let place = index - queue.taken;
            queue.made[place] = Some(item);
            drop(queue);
            self.ready.notify_one();
        }
    }

    /// Waits for room; the item to make, or none if all are made or none is wanted.
    fn begin(&self) -> Option<usize> {
        let mut queue = self.lock();
        loop {
            if queue.stop || queue.begun == queue.total {
                return None;
            }
            if queue.begun - queue.taken < queue.ahead {
                break;
            }
            queue = wait(&self.room, queue);
        }
        let index = queue.begun;
        queue.begun += 1;
        queue.made.push_back(None);
        Some(index)
    }

    /// The queue; as no code panics while it holds the lock, a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.room.notify_all();
        for thread in self.threads.drain(..) {
            // A thread cannot have panicked: what it calls is caught.
            let _ = thread.join();
        }
    }
}

fn wait<'a, T>(told: &Condvar, queue: MutexGuard<'a, Queue<T>>) -> MutexGuard<'a, Queue<T>> {
    told.wait(queue).unwrap_or_else(PoisonError::into_inner)
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn items_come_in_order_whatever_the_workers() {
        for workers in 0..4 {
            for ahead in [0, 1, 2, 7] {
                let mut queue = Prefetch::start(20, workers, ahead, |i| {
                    if i % 3 == 0 {
                        std::thread::sleep(Duration::from_micros(200));
                    }
                    i
                })
                .unwrap();
                let items: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
                assert_eq!(items, (0..20).map(Ok).collect::<Vec<_>>());
                assert!(queue.next().is_none());
            }
        }
    }

    #[test]
    fn nothing_to_make_ends_at_once() {
        let mut queue = Prefetch::start(0, 2, 2, |i| i).unwrap();
        assert!(queue.next().is_none());
    }

    #[test]
    fn a_panic_is_an_error_in_its_turn_and_ends_the_items() {
        for workers in 1..4 {
            let make = |i| if i == 2 { panic!("no item {i}") } else { i };
            let mut queue = Prefetch::start(9, workers, 4, make).unwrap();
            let items: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
            assert_eq!(items, [Ok(0), Ok(1), Err("no item 2".to_owned())]);
            assert_eq!(queue.remaining(), 0);
        }
    }

    #[test]
    fn no_more_is_made_ahead_than_allowed() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let mut queue = Prefetch::start(100, 2, 3, move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
        for taken in 1..=50 {
            queue.next();
            std::thread::sleep(Duration::from_micros(100));
            let made = made.load(Ordering::SeqCst);
            assert!(made <= taken + 3, "{made} made with {taken} taken");
        }
        // Dropped early: the threads are joined, so nothing is made afterwards.
        drop(queue);
        let at_drop = made.load(Ordering::SeqCst);
        assert_eq!(Arc::strong_count(&made), 1);
        assert!(at_drop <= 53);
    }

    #[test]
    fn waiting_is_counted() {
        let mut queue =
            Prefetch::start(3, 1, 1, |_| std::thread::sleep(Duration::from_millis(5))).unwrap();
        while queue.next().is_some() {}
        assert!(queue.waited() >= Duration::from_millis(10));
    }
}
