//! Convolution, BatchNorm, pooling and optimizer kernels for Candle, whose gradients are right.

#![doc = include_str!("../README.md")]
//!
//! # Instruction sets
//!
//! On x86-64 the kernels use AVX-512 or AVX2 with FMA where the CPU has them, elsewhere portable code
//! that compilers turn into vector instructions. The environment variable `SIAMESE_SIMD`
//! (`portable`, `avx2` or `avx512`), read once, asks for one of them; [`simd_level`] tells which is
//! in use. Results are bit-equal for any number of threads, but differ in rounding between these.

mod activation;
mod backward;
mod candle_threads;
mod chain;
mod class_cost;
mod cpu;
mod deliver;
mod fuse;
#[cfg(any(feature = "cuda", test))]
mod gpu;
mod layers;
mod linear;
mod masked;
mod modules;
pub mod optim;
mod params;
mod plan;
mod pool;
mod precision;
pub mod profile;
mod rows;
mod sequential;
mod simd;
mod unit_rows;

pub use activation::Activation;
pub use backward::backward;
pub use candle_threads::keep_candle_on_one_thread;
pub use class_cost::ClassCost;
#[cfg(feature = "nccl")]
pub use gpu::cuda::Nccl;
pub use layers::{
    AvgPool2d, BatchNorm2d, BatchNormConfig, Conv2d, Conv2dConfig, GlobalAvgPool, GlobalMaxPool,
    MaxPool2d,
};
pub use linear::linear;
pub use masked::times_constants;
pub use precision::Precision;
pub use sequential::{Layer, Residual, Sequential};
pub use unit_rows::unit_rows;

/// The instruction set that the CPU kernels use: `portable`, `avx2` or `avx512`.
pub fn simd_level() -> &'static str {
    simd::Level::current().name()
}
