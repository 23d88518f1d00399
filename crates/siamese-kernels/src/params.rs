//! The tensors that a plan computes with.

use candle_core::{Tensor, Var};

/// The running statistics of one BatchNorm.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) mean: Var,
    pub(crate) var: Var,
    pub(crate) momentum: f64,
}

/// The tensors a plan's indices point into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) running: Vec<Running>,
}

impl Params {
    pub(crate) fn add(&mut self, tensor: &Tensor) -> usize {
        self.tensors.push(tensor.clone());
        self.tensors.len() - 1
    }
}
