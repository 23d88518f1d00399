//! Optimizers in one pass per parameter: in place, without a graph, resumable to the bit.
//!
//! Candle's own optimizers build five to ten temporary tensors per parameter and step, keep their
//! moments private (so that a run cannot be resumed exactly), and its `SGD` has no momentum. These
//! read each parameter, gradient and moment once and write them once. On a CPU the pass is split
//! over rayon's threads; every element is computed on its own, so the number of threads cannot
//! change a bit of the result. On other devices the same formulas run as Candle tensor operations.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use siamese_kernels::optim::{AdamW, AdamWConfig, Optimizer, Param, global_grad_norm};
//! # fn main() -> candle_core::Result<()> {
//! let weight = Var::from_tensor(&Tensor::new(&[1f32, -2.0], &Device::Cpu)?)?;
//! let params = vec![Param { decay: true, ..Param::new("weight", weight.clone()) }];
//! let mut optimizer = Optimizer::from(AdamW::new(params, AdamWConfig::default())?);
//!
//! let grads = weight.sqr()?.sum_all()?.backward()?;
//! let norm = global_grad_norm(optimizer.params(), &grads)?; // |(2, -4)| = 4.47
//! optimizer.step(&grads, 0.1, f64::min(1.0, 1.0 / (norm + 1e-6)))?;
//! // The first AdamW step is ±lr, after a decay of lr · 0.01.
//! let [a, b] = weight.to_vec1::<f32>()?[..] else { unreachable!() };
//! assert!((a - 0.899).abs() < 1e-6 && (b + 1.898).abs() < 1e-6);
//! # Ok(())
//! # }
//! ```

mod adamw;
mod host;
mod muon;
mod optimizer;
mod orthogonal;
mod param;
mod sgd;
mod state;

pub use adamw::{AdamW, AdamWConfig};
pub use muon::{Muon, MuonConfig};
pub use optimizer::Optimizer;
pub use param::{Param, global_grad_norm};
pub use sgd::{Sgd, SgdConfig};
