//! The kernels against naive loops in f64, PyTorch's golden values, and what callers rely on.

mod chains;
mod check;
mod golden;
mod graph;
mod inputs;
mod naive;
mod net;
mod ops;
mod reference;
mod refusals;
mod threads;
