//! The layers: their parameters, under PyTorch's names and layouts, and their configurations.

use candle_core::{Result, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder};

use crate::chain::Contexts;

/// Shape of a convolution's kernel and how it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Side of the square kernel, in pixels.
    pub kernel_size: usize,
    /// Distance between neighbouring windows.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
    /// Whether a bias per output channel is added.
    pub bias: bool,
}

impl Default for Conv2dConfig {
    /// 3×3, stride 1, padding 1, no bias.
    fn default() -> Self {
        Self {
            kernel_size: 3,
            stride: 1,
            padding: 1,
            bias: false,
        }
    }
}

/// 2-D convolution (cross-correlation, as everywhere in deep learning).
///
/// `(B, C_in, H, W)` → `(B, C_out, H', W')` with `H' = (H + 2·padding − kernel_size) / stride + 1`.
/// Parameters: `weight` `(C_out, C_in, k, k)` and, if asked for, `bias` `(C_out)`.
#[derive(Clone, Debug)]
pub struct Conv2d {
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
    pub(crate) config: Conv2dConfig,
    pub(crate) contexts: Contexts,
}

impl Conv2d {
    /// Reads `weight` and `bias` from `vb`, or creates them uniform in `±1/√(C_in·k²)` as PyTorch does.
    ///
    /// # Errors
    /// If a size or the stride is zero, or a stored parameter has another shape.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        config: Conv2dConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        let init = Self::uniform(in_channels, config);
        Self::with_init(in_channels, out_channels, config, init, vb)
    }

    /// As [`Self::new`], a new `weight` drawn as `init` says.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_init(
        in_channels: usize,
        out_channels: usize,
        config: Conv2dConfig,
        init: Init,
        vb: VarBuilder,
    ) -> Result<Self> {
        let k = config.kernel_size;
        if in_channels == 0 || out_channels == 0 || k == 0 || config.stride == 0 {
            bail!(
                "convolution of {in_channels} to {out_channels} channels with {config:?}: \
                 channels, kernel size and stride must be at least 1"
            )
        }
        let weight = vb.get_with_hints((out_channels, in_channels, k, k), "weight", init)?;
        let bias = match config.bias {
            true => {
                let init = Self::uniform(in_channels, config);
                Some(vb.get_with_hints(out_channels, "bias", init)?)
            }
            false => None,
        };
        Ok(Self {
            weight,
            bias,
            config,
            contexts: Contexts::default(),
        })
    }

    fn uniform(in_channels: usize, config: Conv2dConfig) -> Init {
        let fan_in = in_channels * config.kernel_size * config.kernel_size;
        let bound = 1.0 / (fan_in as f64).sqrt();
        Init::Uniform {
            lo: -bound,
            up: bound,
        }
    }

    /// How the kernel looks and moves.
    pub fn config(&self) -> &Conv2dConfig {
        &self.config
    }

    /// `(C_out, C_in, k, k)`
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `(C_out)`, if there is one.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

/// Constants of a BatchNorm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormConfig {
    /// Added to the variance under the square root.
    pub eps: f64,
    /// Weight of the newest batch in the running statistics.
    pub momentum: f64,
}

impl Default for BatchNormConfig {
    /// `eps` 1e-5, `momentum` 0.1.
    fn default() -> Self {
        Self {
            eps: 1e-5,
            momentum: 0.1,
        }
    }
}

/// Batch normalisation over the channels of a `(B, C, H, W)` tensor (Ioffe and Szegedy 2015).
///
/// `y = weight · (x − mean) / √(var + eps) + bias`; in training mean and (biased) variance are the
/// batch's, and the running statistics move towards them (unbiased variance); otherwise the
/// running statistics are used. Parameters `weight`, `bias`, `running_mean`, `running_var`, all `(C)`.
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
    pub(crate) running_mean: Var,
    pub(crate) running_var: Var,
    pub(crate) config: BatchNormConfig,
    pub(crate) contexts: Contexts,
}

impl BatchNorm2d {
    /// Reads the parameters from `vb`, or creates them: weight and variance 1, bias and mean 0.
    ///
    /// # Errors
    /// If `channels` is zero or a stored parameter has another shape.
    pub fn new(channels: usize, config: BatchNormConfig, vb: VarBuilder) -> Result<Self> {
        if channels == 0 {
            bail!("batch norm of 0 channels")
        }
        let get = |name, value| vb.get_with_hints(channels, name, Init::Const(value));
        Ok(Self {
            weight: get("weight", 1.)?,
            bias: get("bias", 0.)?,
            running_mean: Var::from_tensor(&get("running_mean", 0.)?)?,
            running_var: Var::from_tensor(&get("running_var", 1.)?)?,
            config,
            contexts: Contexts::default(),
        })
    }

    /// Its constants.
    pub fn config(&self) -> &BatchNormConfig {
        &self.config
    }

    /// The factor of each channel, `(C)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// What is added to each channel, `(C)`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// The mean that is used outside of training, `(C)`.
    pub fn running_mean(&self) -> &Tensor {
        &self.running_mean
    }

    /// The variance that is used outside of training, `(C)`.
    pub fn running_var(&self) -> &Tensor {
        &self.running_var
    }
}

/// Maximum over windows. At a tie the first in scan order receives the whole gradient, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool2d {
    /// Side of the square window, at most 16.
    pub kernel_size: usize,
    /// Distance between neighbouring windows.
    pub stride: usize,
    /// Border of −∞ on each side, at most half the window.
    pub padding: usize,
}

impl MaxPool2d {
    /// Windows of `kernel_size` side by side, without padding.
    pub fn new(kernel_size: usize) -> Self {
        Self {
            kernel_size,
            stride: kernel_size,
            padding: 0,
        }
    }
}

/// Mean over windows; padding counts as zeros (PyTorch's `count_include_pad = true`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool2d {
    /// Side of the square window.
    pub kernel_size: usize,
    /// Distance between neighbouring windows.
    pub stride: usize,
    /// Zeros on each side, at most half the window.
    pub padding: usize,
}

impl AvgPool2d {
    /// Windows of `kernel_size` side by side, without padding.
    pub fn new(kernel_size: usize) -> Self {
        Self {
            kernel_size,
            stride: kernel_size,
            padding: 0,
        }
    }
}

/// Mean over all pixels: `(B, C, H, W)` → `(B, C, 1, 1)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalAvgPool;

/// Maximum over all pixels: `(B, C, H, W)` → `(B, C, 1, 1)`, height and width at most 256.
///
/// At a tie the first in scan order receives the whole gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalMaxPool;
