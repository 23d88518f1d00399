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
//! let params = vec![Param { name: "weight".into(), var: weight.clone(), decay: true }];
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

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

mod adamw;
mod host;
mod param;
mod sgd;
mod state;

pub use adamw::{AdamW, AdamWConfig};
pub use param::{Param, global_grad_norm};
pub use sgd::{Sgd, SgdConfig};

/// Either optimizer, behind the four calls that a training loop makes.
#[derive(Debug)]
pub enum Optimizer {
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
    /// Stochastic gradient descent, with momentum where asked.
    Sgd(Sgd),
}

impl Optimizer {
    /// The parameters, in the order they were given.
    pub fn params(&self) -> &[Param] {
        match self {
            Self::AdamW(adamw) => adamw.params(),
            Self::Sgd(sgd) => sgd.params(),
        }
    }

    /// Takes one step: see [`AdamW::step`] and [`Sgd::step`].
    pub fn step(&mut self, grads: &GradStore, lr: f64, grad_scale: f64) -> Result<()> {
        match self {
            Self::AdamW(adamw) => adamw.step(grads, lr, grad_scale),
            Self::Sgd(sgd) => sgd.step(grads, lr, grad_scale),
        }
    }

    /// Everything a later [`load_state`](Self::load_state) needs, sorted by name.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        match self {
            Self::AdamW(adamw) => adamw.state(),
            Self::Sgd(sgd) => sgd.state(),
        }
    }

    /// Puts back what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// A tensor missing, unknown or of another shape is named, and nothing is changed.
    pub fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        match self {
            Self::AdamW(adamw) => adamw.load_state(state),
            Self::Sgd(sgd) => sgd.load_state(state),
        }
    }
}

impl From<AdamW> for Optimizer {
    fn from(adamw: AdamW) -> Self {
        Self::AdamW(adamw)
    }
}

impl From<Sgd> for Optimizer {
    fn from(sgd: Sgd) -> Self {
        Self::Sgd(sgd)
    }
}

/// The gradient of one parameter, dense and checked; `None` where the loss does not reach it.
fn gradient(param: &Param, grads: &GradStore) -> Result<Option<Tensor>> {
    let Some(grad) = grads.get(&param.var) else {
        return Ok(None);
    };
    let (var, name): (&Var, _) = (&param.var, &param.name);
    if grad.dtype() != var.dtype() || grad.shape() != var.shape() {
        candle_core::bail!(
            "gradient of '{name}' is {:?} {:?}, the parameter is {:?} {:?}",
            grad.dtype(),
            grad.shape(),
            var.dtype(),
            var.shape()
        );
    }
    grad.contiguous().map(Some)
}

/// Refuses a learning rate or gradient scale that would spoil every parameter at once.
fn check_step(lr: f64, grad_scale: f64) -> Result<()> {
    if !(lr.is_finite() && lr >= 0.0) {
        candle_core::bail!("learning rate {lr} is not a finite number ≥ 0");
    }
    if !grad_scale.is_finite() {
        candle_core::bail!("gradient scale {grad_scale} is not finite");
    }
    Ok(())
}
