//! System E's tower: fully connected layers of the pixels alone.

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};
use siamese_kernels::Activation;

use super::layers::{DenseInit, Layers};

/// Fully connected layers without bias, ReLU and dropout after each. Weights are drawn normal with mean 0.001 and
/// deviation 0.02, as system E draws them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mlp {
    /// Width of each layer.
    pub hidden: Vec<usize>,
    /// Share that training drops after each layer.
    pub dropout: f32,
}

impl Default for Mlp {
    /// System E's m1: three layers of 128, of which training keeps nine tenths.
    fn default() -> Self {
        Self {
            hidden: vec![128; 3],
            dropout: 0.1,
        }
    }
}

impl Mlp {
    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        if self.hidden.is_empty() || self.hidden.contains(&0) {
            bail!(
                "an mlp has layers of at least 1 unit, got {:?}",
                self.hidden
            )
        }
        let init = DenseInit {
            weight: Init::Randn {
                mean: 0.001,
                stdev: 0.02,
            },
            bias: None,
        };
        for (i, &width) in self.hidden.iter().enumerate() {
            layers.dense(width, init, vb.pp(i))?;
            layers.activation(Activation::Relu);
            layers.dropout(self.dropout, "tower.body.dropout")?;
            layers.mark(i.to_string());
        }
        Ok(())
    }
}

impl fmt::Display for Mlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connected layers of {:?} units", self.hidden)
    }
}
