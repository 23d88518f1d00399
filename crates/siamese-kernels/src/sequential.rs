//! A sequence of layers, run as one fused chain.

use std::sync::Arc;

use crate::activation::Activation;
use crate::chain::Contexts;
use crate::cpu::Prepacked;
use crate::layers::{AvgPool2d, BatchNorm2d, Conv2d, GlobalAvgPool, GlobalMaxPool, MaxPool2d};
use crate::precision::Precision;

/// One layer of a [`Sequential`].
#[derive(Clone, Debug)]
pub enum Layer {
    /// Convolution.
    Conv2d(Conv2d),
    /// Batch normalisation.
    BatchNorm2d(BatchNorm2d),
    /// ReLU or LeakyReLU.
    Activation(Activation),
    /// Maximum over windows.
    MaxPool2d(MaxPool2d),
    /// Mean over windows.
    AvgPool2d(AvgPool2d),
    /// Mean over all pixels.
    GlobalAvgPool(GlobalAvgPool),
    /// Maximum over all pixels.
    GlobalMaxPool(GlobalMaxPool),
    /// Two paths added.
    Residual(Residual),
}

macro_rules! layer_from {
    ($($layer:ident),*) => {$(
        impl From<$layer> for Layer {
            fn from(layer: $layer) -> Self {
                Self::$layer(layer)
            }
        }
    )*};
}
layer_from!(
    Conv2d,
    BatchNorm2d,
    Activation,
    MaxPool2d,
    AvgPool2d,
    GlobalAvgPool,
    GlobalMaxPool,
    Residual
);

/// `activation(body(x) + shortcut(x))` (He et al. 2016).
#[derive(Clone, Debug)]
pub struct Residual {
    /// The path that computes.
    pub body: Sequential,
    /// The path that carries `x` along; the identity if absent.
    pub shortcut: Option<Sequential>,
    /// Applied to the sum.
    pub activation: Option<Activation>,
}

/// Layers applied one after another, fused where neighbours allow it.
///
/// Runs of convolution, BatchNorm, residual add, activation and max-pool become one pass over the
/// data each, and the whole sequence is a single op in Candle's graph. A clone shares parameters
/// and working memory.
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    layers: Vec<Layer>,
    pub(crate) precision: Precision,
    pub(crate) contexts: Contexts,
    pub(crate) prepacked: Option<Arc<Prepacked>>,
}

impl Sequential {
    /// A sequence of `layers`; empty, it is the identity.
    pub fn new(layers: Vec<Layer>) -> Self {
        Self {
            layers,
            precision: Precision::default(),
            contexts: Contexts::default(),
            prepacked: None,
        }
    }

    /// Sets what the sequence computes in: all of it, whatever the sequences within it say.
    pub fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    /// Says that the parameters will not change any more: what an evaluation on a CPU makes of them, norms folded into
    /// weights and these in the order in which the kernels read them, is made once and kept, in up to five times their
    /// memory. One image is then embedded in a fraction of the time.
    ///
    /// Clones made from now on share it; a forward of a training forgets it.
    pub fn prepack(&mut self) {
        self.prepacked = Some(Arc::default());
    }

    /// Appends `layer`.
    pub fn push(&mut self, layer: impl Into<Layer>) {
        self.prepacked = self.prepacked.take().map(|_| Arc::default());
        self.layers.push(layer.into());
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}
