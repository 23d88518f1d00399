//! A body under construction: its layers, the shape that they give, and what they cost.

use candle_core::{Error, Result, bail};
use candle_nn::VarBuilder;
use candle_nn::init::{FanInOut, Init, NonLinearity, NormalOrUniform};
use siamese_files::limits::{CHANNELS, LAYERS};
use siamese_kernels::{
    Activation, BatchNorm2d, BatchNormConfig, Conv2d, Conv2dConfig, GlobalAvgPool, GlobalMaxPool,
    Layer, MaxPool2d, Residual, Sequential,
};

/// What one image costs a tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Multiply-adds of a pass.
    pub multiply_adds: u64,
    /// Values that the layers give: what training keeps for the way back, roughly.
    pub activations: u64,
}

/// Channels, height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Shape {
    pub(crate) fn len(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Layers so far.
pub(crate) struct Layers {
    pub(crate) list: Vec<Layer>,
    pub(crate) shape: Shape,
    pub(crate) cost: Cost,
}

impl Layers {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            list: Vec::new(),
            shape,
            cost: Cost::default(),
        }
    }

    /// A square convolution with `padding = kernel / 2`, its weights drawn as PyTorch's layer draws them.
    pub(crate) fn conv(
        &mut self,
        channels: usize,
        (kernel, stride): (usize, usize),
        bias: bool,
        vb: VarBuilder,
    ) -> Result<()> {
        self.room_for(channels)?;
        let config = same(kernel, stride, bias);
        let conv = Conv2d::new(self.shape.channels, channels, config, vb)?;
        self.convolve(conv, channels)
    }

    /// The same without bias, its weights normal with variance `2 / (k² · C_out)` (He et al. 2015, the backward
    /// case), as torchvision's ResNets are drawn.
    pub(crate) fn conv_of_he(
        &mut self,
        channels: usize,
        (kernel, stride): (usize, usize),
        vb: VarBuilder,
    ) -> Result<()> {
        self.room_for(channels)?;
        let config = same(kernel, stride, false);
        let init = Init::Kaiming {
            dist: NormalOrUniform::Normal,
            fan: FanInOut::FanOut,
            non_linearity: NonLinearity::ReLU,
        };
        let conv = Conv2d::with_init(self.shape.channels, channels, config, init, vb)?;
        self.convolve(conv, channels)
    }

    /// Whether a layer so wide is allowed, and another one at all: before its weights are made.
    fn room_for(&self, channels: usize) -> Result<()> {
        CHANNELS.check_len(channels).map_err(Error::msg)?;
        LAYERS.check_len(self.list.len() + 1).map_err(Error::msg)
    }

    fn convolve(&mut self, conv: Conv2d, channels: usize) -> Result<()> {
        let &Conv2dConfig {
            kernel_size,
            stride,
            padding,
            ..
        } = conv.config();
        let inputs = self.shape.channels;
        self.list.push(conv.into());
        self.strided(kernel_size, stride, padding)?;
        self.shape.channels = channels;
        let values = self.shape.len() as u64;
        self.cost.multiply_adds += values * (inputs * kernel_size * kernel_size) as u64;
        self.cost.activations += values;
        Ok(())
    }

    pub(crate) fn norm(&mut self, vb: VarBuilder) -> Result<()> {
        let norm = BatchNorm2d::new(self.shape.channels, BatchNormConfig::default(), vb)?;
        self.list.push(norm.into());
        self.cost.activations += self.shape.len() as u64;
        Ok(())
    }

    pub(crate) fn activation(&mut self, activation: Activation) {
        self.list.push(activation.into());
    }

    pub(crate) fn max_pool(&mut self, pool: MaxPool2d) -> Result<()> {
        self.list.push(pool.into());
        self.strided(pool.kernel_size, pool.stride, pool.padding)
    }

    pub(crate) fn global_average(&mut self) {
        self.list.push(GlobalAvgPool.into());
        (self.shape.height, self.shape.width) = (1, 1);
    }

    pub(crate) fn global_maximum(&mut self) {
        self.list.push(GlobalMaxPool.into());
        (self.shape.height, self.shape.width) = (1, 1);
    }

    /// Two paths from here, added: `body` and, unless it stays empty, `shortcut`.
    pub(crate) fn residual(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<()>,
        shortcut: impl FnOnce(&mut Self) -> Result<()>,
        activation: Option<Activation>,
    ) -> Result<()> {
        let (mut one, mut other) = (Self::new(self.shape), Self::new(self.shape));
        body(&mut one)?;
        shortcut(&mut other)?;
        if one.shape != other.shape {
            bail!(
                "the two paths of a residual block give {:?} and {:?}",
                one.shape,
                other.shape
            )
        }
        self.shape = one.shape;
        for path in [&one.cost, &other.cost] {
            self.cost.multiply_adds += path.multiply_adds;
            self.cost.activations += path.activations;
        }
        let shortcut = (!other.list.is_empty()).then(|| Sequential::new(other.list));
        self.list.push(
            Residual {
                body: Sequential::new(one.list),
                shortcut,
                activation,
            }
            .into(),
        );
        Ok(())
    }

    fn strided(&mut self, kernel: usize, stride: usize, padding: usize) -> Result<()> {
        let Shape { height, width, .. } = self.shape;
        let (padded_height, padded_width) = (height + 2 * padding, width + 2 * padding);
        if padded_height < kernel || padded_width < kernel {
            bail!(
                "a window of {kernel}x{kernel} does not fit into the {height}x{width} that is left of the image; use \
                 fewer stages, another tower, or larger images"
            )
        }
        self.shape.height = (padded_height - kernel) / stride + 1;
        self.shape.width = (padded_width - kernel) / stride + 1;
        Ok(())
    }
}

/// A convolution that keeps the size of an image but for its stride.
fn same(kernel_size: usize, stride: usize, bias: bool) -> Conv2dConfig {
    Conv2dConfig {
        kernel_size,
        stride,
        padding: kernel_size / 2,
        bias,
    }
}
