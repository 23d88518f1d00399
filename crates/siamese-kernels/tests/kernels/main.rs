//! The kernels against naive loops in f64, PyTorch's golden values, and what callers rely on.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, which clippy cannot know

mod chains;
mod check;
mod golden;
mod graph;
mod inputs;
mod levels;
mod linear;
mod naive;
mod net;
mod ops;
mod reference;
mod refusals;
mod rows;
mod threads;
