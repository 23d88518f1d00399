//! The real GPU: launches through cudarc on Candle's stream.
//!
//! All work of a thread goes to one stream, in order; addresses therefore need no events.

mod cudnn;
mod device;
mod graph;
#[cfg(feature = "nccl")]
mod nccl;

pub(crate) use device::Cuda;
pub(crate) use graph::{Run, backward, forward, with_places};
#[cfg(feature = "nccl")]
pub use nccl::Nccl;
