//! Conv-4, the small network of the few-shot papers (Snell, Swersky and Zemel 2017).

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_kernels::{Activation, MaxPool2d};

use super::layers::Layers;

/// Four 3×3 convolutions, each with BatchNorm and LeakyReLU, the first `pools` of them with a 2×2 max-pool.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conv4 {
    /// Channels of each of the four.
    pub channels: [usize; 4],
    /// Slope of the LeakyReLU for negative values; 0 is ReLU.
    pub leaky_slope: f32,
    /// How many of the four are followed by a max-pool, the first ones: 4, as in the papers, or fewer to keep more of
    /// where things are.
    pub pools: usize,
}

impl Default for Conv4 {
    /// 64 channels, slope 0.1, four pools.
    fn default() -> Self {
        Self {
            channels: [64; 4],
            leaky_slope: 0.1,
            pools: 4,
        }
    }
}

impl Conv4 {
    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        if self.channels.contains(&0) {
            bail!(
                "Conv-4's channels must be at least 1, got {:?}",
                self.channels
            )
        }
        if self.pools > 4 {
            bail!("Conv-4 has at most 4 pools, got {}", self.pools)
        }
        for (i, channels) in self.channels.into_iter().enumerate() {
            layers.conv(channels, (3, 1), false, vb.pp(format!("{i}.conv")))?;
            layers.norm(vb.pp(format!("{i}.bn")))?;
            layers.activation(Activation::LeakyRelu(self.leaky_slope));
            if i < self.pools {
                layers.max_pool(MaxPool2d::new(2))?;
            }
            layers.mark(i.to_string());
        }
        Ok(())
    }
}

impl fmt::Display for Conv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.channels;
        write!(f, "Conv-4 {a}-{b}-{c}-{d}")?;
        match self.pools {
            4 => Ok(()),
            pools => write!(f, " with {pools} pools"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parameters;
    use crate::tower::layers::Shape;
    use candle_core::Device;

    #[test]
    fn fewer_pools_leave_more_places_and_five_are_refused() -> Result<()> {
        let shape_after = |pools| -> Result<Shape> {
            let conv4 = Conv4 {
                pools,
                ..Conv4::default()
            };
            let parameters = Parameters::new(0, &Device::Cpu);
            let shape = Shape {
                channels: 1,
                height: 28,
                width: 20,
            };
            let mut layers = Layers::new(shape, &parameters);
            conv4.build(&mut layers, parameters.builder())?;
            Ok(layers.shape)
        };
        let (four, three) = (shape_after(4)?, shape_after(3)?);
        assert_eq!((four.height, four.width), (1, 1));
        assert_eq!((three.height, three.width, three.channels), (3, 2, 64));
        assert!(shape_after(5).is_err());
        Ok(())
    }
}
