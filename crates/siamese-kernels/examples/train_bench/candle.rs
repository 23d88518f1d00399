//! The same nets by Candle's own operations, on the same weights: what this crate replaces.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use candle_core::{Module, Result as CandleResult, Tensor, Var};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, ModuleT, ops::leaky_relu};
use siamese_kernels::{Activation, Layer, Sequential};

/// Layers of Candle's.
pub(crate) struct Plain(Vec<Step>);

enum Step {
    Conv(Conv2d),
    Norm(Box<BatchNorm>),
    Activation(Activation),
    MaxPool {
        side: usize,
    },
    GlobalPool,
    Residual {
        body: Plain,
        shortcut: Option<Plain>,
        activation: Option<Activation>,
    },
}

impl Plain {
    /// The layers of `net`, whose parameters are in `vars` under `prefix`.
    pub(crate) fn new(net: &Sequential, vars: &HashMap<String, Var>, prefix: &str) -> Result<Self> {
        let steps = net.layers().iter().enumerate();
        let steps = steps.map(|(i, layer)| step(layer, vars, &format!("{prefix}.{i}")));
        Ok(Self(steps.collect::<Result<_>>()?))
    }

    pub(crate) fn forward_t(&self, x: &Tensor, train: bool) -> CandleResult<Tensor> {
        let mut x = x.clone();
        for step in &self.0 {
            x = match step {
                Step::Conv(conv) => conv.forward(&x)?,
                Step::Norm(norm) => norm.forward_t(&x, train)?,
                Step::Activation(activation) => activate(&x, *activation)?,
                Step::MaxPool { side } => x.max_pool2d(*side)?,
                Step::GlobalPool => x.mean_keepdim((2, 3))?,
                Step::Residual {
                    body,
                    shortcut,
                    activation,
                } => {
                    let carried = match shortcut {
                        Some(shortcut) => shortcut.forward_t(&x, train)?,
                        None => x.clone(),
                    };
                    let sum = (body.forward_t(&x, train)? + carried)?;
                    match activation {
                        Some(activation) => activate(&sum, *activation)?,
                        None => sum,
                    }
                }
            };
        }
        Ok(x)
    }
}

fn step(layer: &Layer, vars: &HashMap<String, Var>, name: &str) -> Result<Step> {
    let get = |what: &str| {
        let name = format!("{name}.{what}");
        let var = vars.get(&name).with_context(|| format!("no {name}"))?;
        Ok::<_, anyhow::Error>(var.as_tensor().clone())
    };
    Ok(match layer {
        Layer::Conv2d(conv) => {
            let config = Conv2dConfig {
                padding: conv.config().padding,
                stride: conv.config().stride,
                ..Default::default()
            };
            Step::Conv(Conv2d::new(get("weight")?, None, config))
        }
        Layer::BatchNorm2d(_) => {
            let (mean, var) = (get("running_mean")?, get("running_var")?);
            let (weight, bias) = (get("weight")?, get("bias")?);
            let norm = BatchNorm::new(weight.dim(0)?, mean, var, weight, bias, 1e-5)?;
            Step::Norm(Box::new(norm))
        }
        Layer::Activation(activation) => Step::Activation(*activation),
        Layer::MaxPool2d(pool) => Step::MaxPool {
            side: pool.kernel_size,
        },
        Layer::GlobalAvgPool(_) => Step::GlobalPool,
        Layer::Residual(residual) => Step::Residual {
            body: Plain::new(&residual.body, vars, &format!("{name}.body"))?,
            shortcut: match &residual.shortcut {
                Some(shortcut) => Some(Plain::new(shortcut, vars, &format!("{name}.shortcut"))?),
                None => None,
            },
            activation: residual.activation,
        },
        Layer::AvgPool2d(_) | Layer::GlobalMaxPool(_) => bail!("no net here has this pool"),
    })
}

fn activate(x: &Tensor, activation: Activation) -> CandleResult<Tensor> {
    match activation {
        Activation::Relu => x.relu(),
        Activation::LeakyRelu(slope) => leaky_relu(x, slope.into()),
    }
}
