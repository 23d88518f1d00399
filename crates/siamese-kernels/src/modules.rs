//! Layers as Candle's modules: their chain is planned for the images given, and run.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::ModuleT;

use crate::activation::Activation;
use crate::chain::{self, Contexts};
use crate::cpu::{self, Prepacked};
use crate::fuse;
use crate::layers::{AvgPool2d, BatchNorm2d, Conv2d, GlobalAvgPool, GlobalMaxPool, MaxPool2d};
use crate::precision::Precision;
use crate::sequential::{Layer, Residual, Sequential};

impl ModuleT for Sequential {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if train && let Some(prepacked) = &self.prepacked {
            prepacked.clear();
        }
        let memory = (&self.contexts, self.prepacked.clone());
        forward(self.layers(), memory, x, self.precision, train)
    }
}

impl Sequential {
    /// Bytes of working memory that training on a CPU keeps for each image like those of `x`.
    ///
    /// # Errors
    /// When the layers do not fit each other or the images.
    pub fn kept_bytes(&self, x: &Tensor) -> Result<usize> {
        Ok(cpu::kept(&fuse::build(self.layers(), x)?.0))
    }
}

impl ModuleT for Residual {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let layers = [Layer::from(self.clone())];
        forward(
            &layers,
            (&self.body.contexts, None),
            x,
            self.body.precision,
            train,
        )
    }
}

macro_rules! single_module {
    ($($layer:ty),*) => {$(
        impl ModuleT for $layer {
            fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
                let layers = [Layer::from(self.clone())];
                forward(&layers, (&self.contexts, None), x, Precision::F32, train)
            }
        }
    )*};
}
single_module!(Conv2d, BatchNorm2d);

macro_rules! stateless_module {
    ($($layer:ty),*) => {$(
        impl ModuleT for $layer {
            fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
                let memory = (&Contexts::default(), None);
                forward(&[Layer::from(*self)], memory, x, Precision::F32, train)
            }
        }
    )*};
}
stateless_module!(
    Activation,
    MaxPool2d,
    AvgPool2d,
    GlobalAvgPool,
    GlobalMaxPool
);

fn forward(
    layers: &[Layer],
    memory: (&Contexts, Option<Arc<Prepacked>>),
    x: &Tensor,
    precision: Precision,
    train: bool,
) -> Result<Tensor> {
    let (plan, params) = fuse::build(layers, x)?;
    chain::run(plan, params, memory, x, precision, train)
}
