//! A network under construction: its steps, the shape that they give, and what they cost.

use candle_core::{Error, Result, bail};
use candle_nn::init::{FanInOut, Init, NonLinearity, NormalOrUniform};
use candle_nn::{Linear, VarBuilder};
use siamese_files::limits::{CHANNELS, LAYERS};
use siamese_kernels::{
    Activation, BatchNorm2d, BatchNormConfig, Conv2d, Conv2dConfig, GlobalAvgPool, GlobalMaxPool,
    Layer, MaxPool2d, Residual, Sequential,
};

use super::drop_block::DropBlock;
use super::network::{Op, Step};
use crate::parameters::Parameters;

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

/// A part of a body by the name that its tensors begin with, such as `layer1.0`: all before its end can be frozen.
pub(crate) struct Mark {
    pub(crate) name: String,
    /// Steps up to its end.
    pub(crate) steps: usize,
    /// The parameters up to its end, by name.
    pub(crate) parameters: Vec<String>,
}

/// Steps so far.
pub(crate) struct Layers {
    pub(crate) list: Vec<Step>,
    pub(crate) shape: Shape,
    pub(crate) cost: Cost,
    pub(crate) marks: Vec<Mark>,
    parameters: Parameters,
}

impl Layers {
    /// None yet; the parameters are made in `parameters`.
    pub(crate) fn new(shape: Shape, parameters: &Parameters) -> Self {
        Self {
            list: Vec::new(),
            shape,
            cost: Cost::default(),
            marks: Vec::new(),
            parameters: parameters.clone(),
        }
    }

    /// Ends the part `name` of a body.
    pub(crate) fn mark(&mut self, name: impl Into<String>) {
        let all = self.parameters.all().into_iter();
        self.marks.push(Mark {
            name: name.into(),
            steps: self.list.len(),
            parameters: all.map(|(name, _)| name).collect(),
        });
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

    /// A square convolution without padding, its bias too drawn as `init` says.
    pub(crate) fn valid_conv(
        &mut self,
        channels: usize,
        kernel_size: usize,
        init: DenseInit,
        vb: VarBuilder,
    ) -> Result<()> {
        self.room_for(channels)?;
        if let Some(init) = init.bias {
            // made here, the convolution finds it
            vb.get_with_hints(channels, "bias", init)?;
        }
        let config = Conv2dConfig {
            kernel_size,
            stride: 1,
            padding: 0,
            bias: init.bias.is_some(),
        };
        let conv = Conv2d::with_init(self.shape.channels, channels, config, init.weight, vb)?;
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
        self.kernel(conv);
        self.strided(kernel_size, stride, padding)?;
        self.shape.channels = channels;
        let values = self.shape.len() as u64;
        self.cost.multiply_adds += values * (inputs * kernel_size * kernel_size) as u64;
        self.cost.activations += values;
        Ok(())
    }

    pub(crate) fn norm(&mut self, vb: VarBuilder) -> Result<()> {
        let norm = BatchNorm2d::new(self.shape.channels, BatchNormConfig::default(), vb)?;
        self.kernel(norm);
        self.cost.activations += self.shape.len() as u64;
        Ok(())
    }

    pub(crate) fn activation(&mut self, activation: Activation) {
        self.kernel(activation);
    }

    pub(crate) fn max_pool(&mut self, pool: MaxPool2d) -> Result<()> {
        self.kernel(pool);
        self.strided(pool.kernel_size, pool.stride, pool.padding)
    }

    pub(crate) fn global_average(&mut self) {
        self.kernel(GlobalAvgPool);
        (self.shape.height, self.shape.width) = (1, 1);
    }

    pub(crate) fn global_maximum(&mut self) {
        self.kernel(GlobalMaxPool);
        (self.shape.height, self.shape.width) = (1, 1);
    }

    /// Two paths from here, added: `body` and, unless it stays empty, `shortcut`.
    pub(crate) fn residual(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<()>,
        shortcut: impl FnOnce(&mut Self) -> Result<()>,
        activation: Option<Activation>,
    ) -> Result<()> {
        let begin = || Self::new(self.shape, &self.parameters);
        let (mut one, mut other) = (begin(), begin());
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
        let shortcut = (!other.list.is_empty()).then(|| chain(other.list));
        self.kernel(Residual {
            body: chain(one.list)?,
            shortcut: shortcut.transpose()?,
            activation,
        });
        Ok(())
    }

    /// The generalised mean of each channel over all pixels, `(mean xᵖ)^(1/p)` with a p that is learned from 3
    /// (Radenović et al. 2018); for values that are not negative.
    pub(crate) fn generalised_mean(&mut self, vb: VarBuilder) -> Result<()> {
        let p = vb.get_with_hints(1, "p", Init::Const(3.0))?;
        self.list.push(Step::Op(Op::GeneralisedMean(p)));
        (self.shape.height, self.shape.width) = (1, 1);
        Ok(())
    }

    /// A fully connected layer over all values, drawn as Candle draws its own.
    pub(crate) fn linear(&mut self, width: usize, vb: VarBuilder) -> Result<()> {
        let layer = candle_nn::linear(self.shape.len(), width, vb)?;
        self.connect(layer, width);
        Ok(())
    }

    /// The same, drawn as `init` says.
    pub(crate) fn dense(&mut self, width: usize, init: DenseInit, vb: VarBuilder) -> Result<()> {
        self.room_for(width)?;
        let weight = vb.get_with_hints((width, self.shape.len()), "weight", init.weight)?;
        let bias = |init| vb.get_with_hints(width, "bias", init);
        let bias = init.bias.map(bias).transpose()?;
        self.connect(Linear::new(weight, bias), width);
        Ok(())
    }

    fn connect(&mut self, layer: Linear, width: usize) {
        self.list.push(Step::Op(Op::Linear(layer)));
        self.cost.multiply_adds += (self.shape.len() * width) as u64;
        self.cost.activations += width as u64;
        self.shape = Shape {
            channels: width,
            height: 1,
            width: 1,
        };
    }

    pub(crate) fn sigmoid(&mut self) {
        self.list.push(Step::Op(Op::Sigmoid));
    }

    /// Training drops this share of the values; `setting` names it where it is none.
    pub(crate) fn dropout(&mut self, share: f32, setting: &str) -> Result<()> {
        if !(0.0..1.0).contains(&share) {
            bail!("{setting} must be in 0..1, got {share}")
        }
        self.list.push(Step::Op(Op::Dropout(share)));
        Ok(())
    }

    pub(crate) fn drop_block(&mut self, block: DropBlock) {
        self.list.push(Step::Op(Op::DropBlock(block)));
    }

    fn kernel(&mut self, layer: impl Into<Layer>) {
        self.list.push(Step::Kernel(layer.into()));
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

/// How new weights and biases are drawn; without the latter there is no bias.
#[derive(Clone, Copy)]
pub(crate) struct DenseInit {
    pub(crate) weight: Init,
    pub(crate) bias: Option<Init>,
}

/// The layers of one path of a residual block.
fn chain(steps: Vec<Step>) -> Result<Sequential> {
    let layer = |step| match step {
        Step::Kernel(layer) => Ok(layer),
        Step::Op(_) => bail!("a residual block is made of the kernels' layers alone"),
    };
    Ok(Sequential::new(
        steps.into_iter().map(layer).collect::<Result<_>>()?,
    ))
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
