//! The optimizers behind one type.

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};

use super::adamw::AdamW;
use super::muon::Muon;
use super::param::Param;
use super::sgd::Sgd;
use crate::profile;

/// Any optimizer, behind the four calls that a training loop makes.
#[derive(Debug)]
pub enum Optimizer {
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
    /// Stochastic gradient descent, with momentum where asked.
    Sgd(Sgd),
    /// Orthogonalised momentum for the kernels of convolutions, AdamW for all else.
    Muon(Muon),
}

impl Optimizer {
    /// The parameters, in the order they were given.
    pub fn params(&self) -> &[Param] {
        match self {
            Self::AdamW(adamw) => adamw.params(),
            Self::Sgd(sgd) => sgd.params(),
            Self::Muon(muon) => muon.params(),
        }
    }

    /// Takes one step: see [`AdamW::step`], [`Sgd::step`] and [`Muon::step`].
    pub fn step(&mut self, grads: &GradStore, lr: f64, grad_scale: f64) -> Result<()> {
        let clock = profile::clock();
        match self {
            Self::AdamW(adamw) => adamw.step(grads, lr, grad_scale)?,
            Self::Sgd(sgd) => sgd.step(grads, lr, grad_scale)?,
            Self::Muon(muon) => muon.step(grads, lr, grad_scale)?,
        }
        profile::optimizer(clock);
        Ok(())
    }

    /// Everything a later [`load_state`](Self::load_state) needs, sorted by name.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        match self {
            Self::AdamW(adamw) => adamw.state(),
            Self::Sgd(sgd) => sgd.state(),
            Self::Muon(muon) => muon.state(),
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
            Self::Muon(muon) => muon.load_state(state),
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

impl From<Muon> for Optimizer {
    fn from(muon: Muon) -> Self {
        Self::Muon(muon)
    }
}
