//! Runs a plan on the CPU.
//!
//! Every pass over a batch is split into the same chunks of images whatever the number of
//! threads, and sums are combined in the order of the chunks: results do not depend on threads.

mod backward;
mod buffer;
mod chunks;
mod class_cost;
mod context;
mod conv;
mod direct;
mod few;
mod forward;
mod gemm;
mod gradient;
mod infer;
mod kept;
mod lanes;
#[cfg(test)]
pub(crate) mod naive;
mod norm;
mod norm_gradient;
mod pack;
mod pool;
mod prepacked;
mod product;
mod progress;
#[cfg(test)]
pub(crate) mod tests;
mod unit;
mod unit_rows;
mod views;
mod weight_gradient;
mod wide;
mod winograd;

pub(crate) use backward::backward;
pub(crate) use buffer::Buffer;
pub(crate) use class_cost::{Compared, Lent};
pub(crate) use context::Context;
pub(crate) use forward::forward;
pub(crate) use infer::infer;
pub(crate) use kept::kept;
pub(crate) use prepacked::Prepacked;
pub(crate) use product::{Products, turn};
pub(crate) use unit_rows::{UnitRow, UnitRowSlope};
pub(crate) use views::{Strided, Views};
