//! The Python package `siamese`: what the crates do, with NumPy's arrays in and out.

mod embedder;
mod errors;
mod figures;
mod gallery;
mod training;

use pyo3::prelude::*;

/// Training allocates the same large buffers step after step; mimalloc keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What `siamese/__init__.py` shows.
#[pymodule]
mod _siamese {
    #[pymodule_export]
    use crate::embedder::{Embedder, Verdict};
    #[pymodule_export]
    use crate::figures::{Figure, evaluate};
    #[pymodule_export]
    use crate::gallery::{Gallery, Identified, Match};
    #[pymodule_export]
    use crate::training::train;
}
