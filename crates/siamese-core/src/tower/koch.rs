//! The tower of Koch, Zemel and Salakhutdinov 2015.

use std::fmt;

use candle_core::Result;
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::layers::{DenseInit, Layers};

/// Convolutions 64@10×10, 128@7×7, 128@4×4 and 256@4×4 without padding, ReLU, a 2×2 max-pool after each but the
/// last; then 4096 fully connected units with a sigmoid. Of a 105×105 grey image it has 38,947,648 parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Koch {}

/// Length of its features.
const UNITS: usize = 4096;

impl Koch {
    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        let normal = |mean, stdev| Init::Randn { mean, stdev };
        let init = |stdev| DenseInit {
            weight: normal(0.0, stdev),
            bias: Some(normal(0.5, 0.01)),
        };
        let convolutions = [(64, 10), (128, 7), (128, 4), (256, 4)];
        for (i, (channels, kernel)) in convolutions.into_iter().enumerate() {
            if i > 0 {
                layers.max_pool(MaxPool2d::new(2))?;
            }
            let name = format!("conv{}", i + 1);
            layers.valid_conv(channels, kernel, init(0.01), vb.pp(&name))?;
            layers.activation(Activation::Relu);
            layers.mark(name);
        }
        layers.dense(UNITS, init(0.2), vb.pp("units"))?;
        layers.sigmoid();
        layers.mark("units");
        Ok(())
    }
}

impl fmt::Display for Koch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the convolutional network of Koch et al.")
    }
}
