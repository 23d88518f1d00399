//! From indices to batches: augmentation, and loading ahead in background threads.

pub(crate) mod augment;
pub(crate) mod loader;
pub(crate) mod prefetch;
