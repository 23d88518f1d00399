//! System D's small tower: two convolutions without padding, each pooled, and fully connected layers.

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::layers::{DenseInit, Layers};

/// 3×3 convolutions with ReLU, a 2×2 max-pool and dropout each; then fully connected layers with ReLU, and dropout
/// between these. Weights are drawn as Keras draws them (Glorot and Bengio 2010, uniform), biases are 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lenet {
    /// Channels of each convolution.
    pub channels: Vec<usize>,
    /// Width of each fully connected layer.
    pub hidden: Vec<usize>,
    /// Share that training drops after each pool.
    pub pool_dropout: f32,
    /// Share that training drops between two fully connected layers.
    pub hidden_dropout: f32,
}

impl Default for Lenet {
    /// System D's: 6 and 12 channels, 128 and 50 units, a quarter and a tenth dropped.
    fn default() -> Self {
        Self {
            channels: vec![6, 12],
            hidden: vec![128, 50],
            pool_dropout: 0.25,
            hidden_dropout: 0.1,
        }
    }
}

impl Lenet {
    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        if self.channels.is_empty() || self.channels.contains(&0) || self.hidden.contains(&0) {
            bail!(
                "a lenet has convolutions, and at least 1 channel or unit in each layer, got {:?} and {:?}",
                self.channels,
                self.hidden
            )
        }
        for (i, &channels) in self.channels.iter().enumerate() {
            let name = format!("conv{}", i + 1);
            let (inputs, outputs) = (9 * layers.shape.channels, 9 * channels);
            layers.valid_conv(channels, 3, glorot(inputs, outputs), vb.pp(&name))?;
            layers.activation(Activation::Relu);
            layers.max_pool(MaxPool2d::new(2))?;
            layers.dropout(self.pool_dropout, "tower.body.pool_dropout")?;
            layers.mark(name);
        }
        for (i, &width) in self.hidden.iter().enumerate() {
            if i > 0 {
                layers.dropout(self.hidden_dropout, "tower.body.hidden_dropout")?;
            }
            let name = format!("fc{}", i + 1);
            let init = glorot(layers.shape.len(), width);
            layers.dense(width, init, vb.pp(&name))?;
            layers.activation(Activation::Relu);
            layers.mark(name);
        }
        Ok(())
    }
}

/// Uniform within `±√(6 / (inputs + outputs))`.
fn glorot(inputs: usize, outputs: usize) -> DenseInit {
    let bound = (6.0 / (inputs + outputs) as f64).sqrt();
    DenseInit {
        weight: Init::Uniform {
            lo: -bound,
            up: bound,
        },
        bias: Some(Init::Const(0.0)),
    }
}

impl fmt::Display for Lenet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "convolutions of {:?} channels and {:?} connected units",
            self.channels, self.hidden
        )
    }
}
