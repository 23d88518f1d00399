//! Named parameters and the norm of their gradients.

use std::collections::HashSet;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
use rayon::prelude::*;

use super::host;

/// One tensor to be trained.
#[derive(Clone, Debug)]
pub struct Param {
    /// The name it bears in the model file; the optimizer's state is saved under it.
    pub name: String,
    /// The tensor itself, shared with the layers that read it.
    pub var: Var,
    /// Whether weight decay applies: usually yes for weights, no for biases and BatchNorm.
    pub decay: bool,
    /// Its own learning rate, as a multiple of the step's: 1 as a rule, 0 where it is frozen.
    ///
    /// Decay, being a part of the step, is multiplied too. A frozen parameter is left as it is, its
    /// moments with it, and its gradient counts for nothing in [`global_grad_norm`].
    pub rate: f64,
}

impl Param {
    /// `var` under `name`, at the step's own rate; weights decay, vectors (biases, norms) do not.
    pub fn new(name: impl Into<String>, var: Var) -> Self {
        Self {
            name: name.into(),
            decay: var.rank() > 1,
            var,
            rate: 1.0,
        }
    }
}

/// The L2 norm of all gradients taken together, in f64; parameters without one, and
/// frozen ones, count as zero.
///
/// Clipping to `max_norm` as PyTorch's `clip_grad_norm_` is
/// `grad_scale = min(1, max_norm / (norm + 1e-6))`, passed to the optimizer's `step`.
/// The sum is taken in a fixed order, whatever the number of threads.
pub fn global_grad_norm(params: &[Param], grads: &GradStore) -> Result<f64> {
    let mut sum = 0.0;
    for param in params {
        if let Some(grad) = gradient(param, grads)? {
            sum += squared_norm(&grad)?;
        }
    }
    Ok(sum.sqrt())
}

fn squared_norm(grad: &Tensor) -> Result<f64> {
    if !matches!(grad.device(), Device::Cpu) || grad.dtype() != DType::F32 {
        return grad
            .to_dtype(DType::F32)?
            .sqr()?
            .sum_all()?
            .to_scalar::<f32>()
            .map(f64::from);
    }
    host::with_slice(grad, |values| {
        let squares = |chunk: &[f32]| chunk.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>();
        if values.len() <= host::CHUNK {
            return squares(values);
        }
        let partial: Vec<f64> = values.par_chunks(host::CHUNK).map(squares).collect();
        partial.iter().sum()
    })
}

/// The gradient of one parameter, dense and checked; `None` where the loss does not reach it, or
/// the parameter is frozen.
pub(super) fn gradient(param: &Param, grads: &GradStore) -> Result<Option<Tensor>> {
    if param.rate == 0.0 {
        return Ok(None);
    }
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
pub(super) fn check_step(lr: f64, grad_scale: f64) -> Result<()> {
    if !(lr.is_finite() && lr >= 0.0) {
        candle_core::bail!("learning rate {lr} is not a finite number ≥ 0");
    }
    if !grad_scale.is_finite() {
        candle_core::bail!("gradient scale {grad_scale} is not finite");
    }
    Ok(())
}

/// Refuses what no optimizer here can train, before the first step rather than in it.
pub(super) fn check(params: &[Param]) -> Result<()> {
    let (mut names, mut ids) = (HashSet::new(), HashSet::new());
    for Param {
        name, var, rate, ..
    } in params
    {
        if !names.insert(name) {
            candle_core::bail!("two parameters are named '{name}'");
        }
        if !ids.insert(var.as_tensor().id()) {
            candle_core::bail!("parameter '{name}' is the same tensor as an earlier one");
        }
        if !(rate.is_finite() && *rate >= 0.0) {
            candle_core::bail!("the rate {rate} of parameter '{name}' is not a finite number ≥ 0");
        }
        if var.dtype() != DType::F32 {
            candle_core::bail!("parameter '{name}' is {:?}, expected F32", var.dtype());
        }
        if !var.is_contiguous() {
            candle_core::bail!(
                "parameter '{name}' of shape {:?} is not contiguous",
                var.shape()
            );
        }
    }
    Ok(())
}
