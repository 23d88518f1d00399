//! Convolution, BatchNorm, pooling and optimizer kernels for Candle, whose gradients are right.

#![doc = include_str!("../README.md")]

mod chain;
mod cpu;
mod deliver;
mod fuse;
mod layers;
pub mod optim;
mod plan;
mod sequential;
mod simd;

pub use layers::{
    Activation, AvgPool2d, BatchNorm2d, BatchNormConfig, Conv2d, Conv2dConfig, GlobalAvgPool,
    MaxPool2d,
};
pub use sequential::{Layer, Residual, Sequential};
