//! Runs a plan on a GPU: cuDNN's convolutions, kernels of our own for all between them.
//!
//! What is to be launched, on which memory, in which order, is written here once against [`Gpu`].
//! `cuda` is the real one. `twin` is a stand-in in host memory that runs the same kernel sources,
//! compiled for the CPU: with it everything but the calls into the driver is tested without a GPU.

#![allow(unsafe_code)]

mod backward;
mod context;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
pub(crate) mod device;
mod forward;
mod job;
#[cfg(test)]
mod tests;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod twin;

#[cfg(feature = "cuda")]
pub(crate) use context::Context;
#[cfg(feature = "cuda")]
pub(crate) use cuda::{Cuda, with_places};
#[cfg(test)]
pub(crate) use device::Memory;
pub(crate) use device::{Gpu, Grid, Place, args};
