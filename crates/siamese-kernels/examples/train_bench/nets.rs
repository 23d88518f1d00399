//! The networks measured, on 3×32×32 images: as in `benches/peer.py`, layer by layer.

use anyhow::{Result, anyhow, bail};
use candle_core::{DType, Device, Result as CandleResult, Tensor};
use candle_nn::{Linear, Module, ModuleT, VarBuilder, VarMap, linear};
use siamese_kernels::{
    Activation, BatchNorm2d, Conv2d, Conv2dConfig, GlobalAvgPool, Layer, MaxPool2d, Precision,
    Residual, Sequential,
};

use crate::candle::Plain;

/// A convolutional body and a linear head.
pub(crate) struct Net {
    body: Body,
    head: Linear,
}

enum Body {
    Ours(Sequential),
    Candle(Plain),
}

/// Who computes a net's body.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Ours(Precision),
    Candle,
}

impl Net {
    /// A network by its name, with fresh weights.
    pub(crate) fn new(name: &str, device: &Device, side: Side) -> Result<(Self, VarMap)> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, device);
        let mut layers = Layers {
            vb: vb.pp("body"),
            list: Vec::new(),
        };
        let (features, outputs) = match name {
            "conv4" => layers.conv4()?,
            "tower" => layers.tower()?,
            "narrow" => layers.narrow()?,
            "resnet9" => layers.resnet9()?,
            "resnet18" => layers.resnet18()?,
            _ => bail!("no net {name:?}: expected conv4, tower, narrow, resnet9 or resnet18"),
        };
        let mut body = Sequential::new(layers.list);
        let body = match side {
            Side::Ours(precision) => {
                body.set_precision(precision);
                Body::Ours(body)
            }
            Side::Candle => {
                let vars = vars.data().lock().map_err(|_| anyhow!("poisoned"))?;
                Body::Candle(Plain::new(&body, &vars, "body")?)
            }
        };
        let head = linear(features, outputs, vb.pp("head"))?;
        Ok((Self { body, head }, vars))
    }

    /// `(B, 3, 32, 32)` → `(B, outputs)`.
    pub(crate) fn forward_t(&self, images: &Tensor, train: bool) -> CandleResult<Tensor> {
        let features = match &self.body {
            Body::Ours(body) => body.forward_t(images, train)?,
            Body::Candle(body) => body.forward_t(images, train)?,
        };
        let features = features.flatten_from(1)?;
        self.head.forward(&features)
    }
}

const RELU: Activation = Activation::Relu;
const LEAKY: Activation = Activation::LeakyRelu(0.01);

/// A sequence under construction; each method that ends a network gives its features and outputs.
struct Layers {
    vb: VarBuilder<'static>,
    list: Vec<Layer>,
}

impl Layers {
    fn next(&self) -> VarBuilder<'static> {
        self.vb.pp(self.list.len())
    }

    fn inside(&self, name: &str) -> Self {
        Self {
            vb: self.next().pp(name),
            list: Vec::new(),
        }
    }

    /// Convolution, BatchNorm and, where given, an activation.
    fn conv(
        &mut self,
        (inputs, outputs): (usize, usize),
        (kernel_size, stride): (usize, usize),
        activation: Option<Activation>,
    ) -> Result<()> {
        let config = Conv2dConfig {
            kernel_size,
            stride,
            padding: kernel_size / 2,
            bias: false,
        };
        self.list
            .push(Conv2d::new(inputs, outputs, config, self.next())?.into());
        self.list
            .push(BatchNorm2d::new(outputs, Default::default(), self.next())?.into());
        self.list.extend(activation.map(Layer::from));
        Ok(())
    }

    fn pool(&mut self, side: usize) {
        self.list.push(MaxPool2d::new(side).into());
    }

    fn conv4(&mut self) -> Result<(usize, usize)> {
        for inputs in [3, 64, 64, 64] {
            self.conv((inputs, 64), (3, 1), Some(RELU))?;
            self.pool(2);
        }
        Ok((64 * 2 * 2, 10))
    }

    fn tower(&mut self) -> Result<(usize, usize)> {
        for (inputs, outputs) in [(3, 32), (32, 64), (64, 128), (128, 256)] {
            self.conv((inputs, outputs), (3, 1), Some(LEAKY))?;
            self.conv((outputs, outputs), (3, 1), Some(LEAKY))?;
            self.pool(2);
        }
        Ok((256 * 2 * 2, 128))
    }

    /// The narrow residual network of the preset for CIFAR-100.
    fn narrow(&mut self) -> Result<(usize, usize)> {
        self.conv((3, 32), (3, 1), Some(RELU))?;
        for (inputs, outputs) in [(32, 64), (64, 128), (128, 256)] {
            self.conv((inputs, outputs), (3, 1), Some(RELU))?;
            self.pool(2);
            self.plain_residual(outputs)?;
        }
        self.pool(4);
        Ok((256, 128))
    }

    fn resnet9(&mut self) -> Result<(usize, usize)> {
        self.conv((3, 64), (3, 1), Some(RELU))?;
        self.conv((64, 128), (3, 1), Some(RELU))?;
        self.pool(2);
        self.plain_residual(128)?;
        self.conv((128, 256), (3, 1), Some(RELU))?;
        self.pool(2);
        self.conv((256, 512), (3, 1), Some(RELU))?;
        self.pool(2);
        self.plain_residual(512)?;
        self.pool(4);
        Ok((512, 10))
    }

    /// `x + relu(conv(relu(conv(x))))`, as ResNet-9 has it.
    fn plain_residual(&mut self, width: usize) -> Result<()> {
        let mut body = self.inside("body");
        body.conv((width, width), (3, 1), Some(RELU))?;
        body.conv((width, width), (3, 1), Some(RELU))?;
        let body = Sequential::new(body.list);
        self.list.push(
            Residual {
                body,
                shortcut: None,
                activation: None,
            }
            .into(),
        );
        Ok(())
    }

    fn resnet18(&mut self) -> Result<(usize, usize)> {
        self.conv((3, 64), (3, 1), Some(RELU))?;
        for (inputs, outputs, stride) in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)] {
            self.basic(inputs, outputs, stride)?;
            self.basic(outputs, outputs, 1)?;
        }
        self.list.push(GlobalAvgPool.into());
        Ok((512, 10))
    }

    /// `relu(norm(conv(relu(norm(conv(x))))) + shortcut(x))`.
    fn basic(&mut self, inputs: usize, outputs: usize, stride: usize) -> Result<()> {
        let mut body = self.inside("body");
        body.conv((inputs, outputs), (3, stride), Some(RELU))?;
        body.conv((outputs, outputs), (3, 1), None)?;
        let body = Sequential::new(body.list);
        let mut shortcut = self.inside("shortcut");
        if stride != 1 || inputs != outputs {
            shortcut.conv((inputs, outputs), (1, stride), None)?;
        }
        let shortcut = (!shortcut.list.is_empty()).then(|| Sequential::new(shortcut.list));
        self.list.push(
            Residual {
                body,
                shortcut,
                activation: Some(RELU),
            }
            .into(),
        );
        Ok(())
    }
}
