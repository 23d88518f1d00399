//! Groups layers into the fused units of a plan.

use candle_core::{DType, Result, Tensor, bail};

use crate::params::{Params, Running};
use crate::plan::{ConvStep, Dims, NormStep, Plan, PoolKind, PoolStep, Unit};
use crate::sequential::{Layer, Residual};

/// Groups `layers` into units for an input like `x`.
pub(crate) fn build(layers: &[Layer], x: &Tensor) -> Result<(Plan, Params)> {
    let (batch, c, h, w) = match x.dims() {
        [b, c, h, w] if x.elem_count() > 0 => (*b, *c, *h, *w),
        other => bail!("expected images (B, C, H, W), none of them 0, got {other:?}"),
    };
    if x.dtype() != DType::F32 {
        bail!("expected images in f32, got {:?} {:?}", x.dtype(), x.dims())
    }
    let mut builder = Builder {
        plan: Plan {
            batch,
            units: Vec::new(),
            values: vec![Dims { h, w, c }],
        },
        params: Params::default(),
        open: None,
    };
    let last = builder.sequence(layers, 0)?;
    builder.seal();
    debug_assert_eq!(last + 1, builder.plan.values.len());
    for tensor in &builder.params.tensors {
        if tensor.dtype() != DType::F32 {
            bail!(
                "expected parameters in f32, got {:?} {:?}",
                tensor.dtype(),
                tensor.dims()
            )
        }
        if !tensor.device().same_device(x.device()) {
            bail!(
                "images {:?} are on {:?}, a parameter {:?} on {:?}",
                x.dims(),
                x.device().location(),
                tensor.dims(),
                tensor.device().location()
            )
        }
    }
    Ok((builder.plan, builder.params))
}

/// How far a unit has been filled: a part may follow only a lower stage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Conv,
    Norm,
    Residual,
    Activation,
    Pool,
}

struct Builder {
    plan: Plan,
    params: Params,
    /// Stage of the last unit, while it may still grow.
    open: Option<Stage>,
}

impl Builder {
    /// Lets the last unit grow no more: its value is used elsewhere too.
    fn seal(&mut self) {
        self.open = None;
    }

    /// The unit to put a part of `stage` into, and the shape that the part receives.
    fn unit(&mut self, source: usize, stage: Stage) -> (&mut Unit, Dims) {
        let input = self.plan.values[source];
        let grows = source + 1 == self.plan.values.len() && self.open.is_some_and(|o| o < stage);
        if !grows {
            self.plan.values.push(input);
            self.plan.units.push(Unit {
                source,
                conv: None,
                norm: None,
                residual: None,
                activation: None,
                pool: None,
                target: self.plan.values.len() - 1,
                middle: input,
            });
        }
        self.open = Some(stage);
        let last = self.plan.units.len() - 1;
        (&mut self.plan.units[last], input)
    }

    fn sequence(&mut self, layers: &[Layer], mut value: usize) -> Result<usize> {
        for layer in layers {
            value = self.layer(layer, value)?;
        }
        Ok(value)
    }

    /// Appends `layer` behind `value`; the value it produces.
    fn layer(&mut self, layer: &Layer, value: usize) -> Result<usize> {
        let d = self.plan.values[value];
        let shape = (self.plan.batch, d.c, d.h, d.w);
        match layer {
            Layer::Conv2d(conv) => {
                let (out, inp, k, _) = conv.weight.dims4()?;
                let config = conv.config;
                if inp != d.c {
                    bail!(
                        "convolution with weight {:?} given {shape:?}: expected {inp} channels",
                        conv.weight.dims()
                    )
                }
                let side = |n| windows(n, k, config.stride, config.padding);
                let (Some(h), Some(w)) = (side(d.h), side(d.w)) else {
                    bail!(
                        "{config:?} does not fit into {shape:?}: kernel larger than the padded image"
                    )
                };
                let weight = self.params.add(&conv.weight);
                let bias = conv.bias.as_ref().map(|b| self.params.add(b));
                let (unit, input) = self.unit(value, Stage::Conv);
                let output = Dims { h, w, c: out };
                unit.conv = Some(ConvStep {
                    weight,
                    bias,
                    kernel: k,
                    stride: config.stride,
                    padding: config.padding,
                    input,
                    output,
                });
                unit.middle = output;
                self.close_part(output)
            }
            Layer::BatchNorm2d(norm) => {
                if norm.weight.dims() != [d.c] {
                    bail!(
                        "batch norm of {} channels given {shape:?}",
                        norm.weight.elem_count()
                    )
                }
                let step = NormStep {
                    weight: self.params.add(&norm.weight),
                    bias: self.params.add(&norm.bias),
                    stats: self.params.running.len(),
                    eps: norm.config.eps,
                };
                self.params.running.push(Running {
                    mean: norm.running_mean.clone(),
                    var: norm.running_var.clone(),
                    momentum: norm.config.momentum,
                });
                let (unit, input) = self.unit(value, Stage::Norm);
                unit.norm = Some(step);
                self.close_part(input)
            }
            Layer::Activation(activation) => {
                if !(0.0..=1.0).contains(&activation.slope()) {
                    bail!("{activation:?}: the slope must lie between 0 and 1")
                }
                let (unit, input) = self.unit(value, Stage::Activation);
                unit.activation = Some(*activation);
                self.close_part(input)
            }
            Layer::MaxPool2d(p) => {
                if p.kernel_size > 16 {
                    bail!("{p:?}: windows up to 16 × 16 only")
                }
                self.pool(
                    value,
                    PoolKind::Max,
                    (p.kernel_size, p.kernel_size),
                    p.stride,
                    p.padding,
                )
            }
            Layer::AvgPool2d(p) => self.pool(
                value,
                PoolKind::Average,
                (p.kernel_size, p.kernel_size),
                p.stride,
                p.padding,
            ),
            Layer::GlobalAvgPool(_) => self.pool(value, PoolKind::Average, (d.h, d.w), 1, 0),
            Layer::GlobalMaxPool(_) => {
                if d.h > WINNERS || d.w > WINNERS {
                    bail!("global max-pool given {shape:?}: up to {WINNERS} × {WINNERS} only")
                }
                // Along the rows first, so that the first in scan order wins a tie.
                let value = self.pool(value, PoolKind::Max, (1, d.w), 1, 0)?;
                self.pool(value, PoolKind::Max, (d.h, 1), 1, 0)
            }
            Layer::Residual(residual) => self.residual(residual, value),
        }
    }

    fn close_part(&mut self, output: Dims) -> Result<usize> {
        let last = self.plan.values.len() - 1;
        self.plan.values[last] = output;
        Ok(last)
    }

    fn pool(
        &mut self,
        value: usize,
        kind: PoolKind,
        kernel: (usize, usize),
        stride: usize,
        padding: usize,
    ) -> Result<usize> {
        let d = self.plan.values[value];
        let shape = (self.plan.batch, d.c, d.h, d.w);
        let least = kernel.0.min(kernel.1);
        if least == 0 || stride == 0 || padding > least / 2 {
            bail!(
                "pool of {kernel:?}, stride {stride}, padding {padding}: window and stride must be at least 1, padding at most half the window"
            )
        }
        let (Some(h), Some(w)) = (
            windows(d.h, kernel.0, stride, padding),
            windows(d.w, kernel.1, stride, padding),
        ) else {
            bail!("pool of {kernel:?}, padding {padding} does not fit into {shape:?}")
        };
        // Only a max-pool joins the unit before it: its winner's index says where the gradient
        // goes. Behind a residual add it does not, as the other operand needs that gradient too.
        let adds = self.plan.units.last().is_some_and(|u| u.residual.is_some());
        if kind == PoolKind::Average || adds {
            self.seal();
        }
        let (unit, input) = self.unit(value, Stage::Pool);
        let output = Dims { h, w, c: d.c };
        unit.pool = Some(PoolStep {
            kind,
            kernel,
            stride,
            padding,
            input,
            output,
        });
        self.close_part(output)
    }

    fn residual(&mut self, residual: &Residual, value: usize) -> Result<usize> {
        self.seal();
        let carried = match &residual.shortcut {
            Some(shortcut) => self.sequence(shortcut.layers(), value)?,
            None => value,
        };
        self.seal();
        let body = self.sequence(residual.body.layers(), value)?;
        let (a, b) = (self.plan.values[body], self.plan.values[carried]);
        if a != b {
            let n = self.plan.batch;
            bail!(
                "residual: body gives {:?}, shortcut {:?}",
                (n, a.c, a.h, a.w),
                (n, b.c, b.h, b.w)
            )
        }
        if body == value {
            self.seal(); // an empty body: the sum needs a unit of its own
        }
        let (unit, input) = self.unit(body, Stage::Residual);
        unit.residual = Some(carried);
        let sum = self.close_part(input)?;
        match residual.activation {
            Some(activation) => self.layer(&Layer::Activation(activation), sum),
            None => Ok(sum),
        }
    }
}

/// Pixels of a max-pool's window: its winner is kept in one byte.
const WINNERS: usize = 256;

/// How many windows of `k` fit along `n` pixels with `padding` on both sides.
fn windows(n: usize, k: usize, stride: usize, padding: usize) -> Option<usize> {
    Some((n + 2 * padding).checked_sub(k)? / stride + 1)
}
