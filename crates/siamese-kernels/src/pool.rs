//! Working memory that is kept and used again.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What waits for its next use: as many as ever were in use at once.
#[derive(Debug)]
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn give_back(&self, used: T) {
        self.idle().push(used);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> Pool<T> {
    pub(crate) fn take(&self) -> T {
        self.idle().pop().unwrap_or_default()
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut taken = self.take();
        let result = f(&mut taken);
        self.give_back(taken);
        result
    }
}
