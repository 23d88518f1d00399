//! A network written down once, built both from the crate's layers and from the naive loops.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use siamese_kernels::{
    Activation, AvgPool2d, BatchNorm2d, Conv2d, Conv2dConfig, GlobalAvgPool, Layer, MaxPool2d,
    Residual, Sequential,
};

use crate::naive::{self, Map, Window};

pub(crate) const EPS: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

/// One layer, as data.
#[derive(Clone, Debug)]
pub(crate) enum Spec {
    Conv {
        inputs: usize,
        outputs: usize,
        window: Window,
        bias: bool,
    },
    Norm(usize),
    Act(Activation),
    Max(Window),
    Avg(Window),
    Global,
    Residual {
        body: Vec<Spec>,
        shortcut: Option<Vec<Spec>>,
        activation: Option<Activation>,
    },
}

pub(crate) fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    Window {
        kernel,
        stride,
        padding,
    }
}

/// A convolution of odd kernel that keeps the size (divided by the stride), without bias.
pub(crate) fn conv(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Spec {
    Spec::Conv {
        inputs,
        outputs,
        window: window(kernel, stride, kernel / 2),
        bias: false,
    }
}

/// Named values with their dimensions.
pub(crate) type Values = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

/// Numbers of order one that f32 holds exactly.
pub(crate) fn draw(rng: &mut impl Rng, len: usize) -> Vec<f64> {
    (0..len)
        .map(|_| f64::from(rng.random_range(-1.5f32..1.5)))
        .collect()
}

pub(crate) fn draw_map(rng: &mut impl Rng, dims: [usize; 4]) -> Map {
    Map {
        dims,
        data: draw(rng, dims.iter().product()),
    }
}

/// Random parameters and running statistics of `specs`, under the names that `build` uses.
pub(crate) fn draw_values(specs: &[Spec], prefix: &str, rng: &mut impl Rng, values: &mut Values) {
    for (index, spec) in specs.iter().enumerate() {
        let name = format!("{prefix}{index}");
        let mut put = |part: &str, dims: &[usize], data: Vec<f64>| {
            values.insert(format!("{name}.{part}"), (dims.to_vec(), data));
        };
        match spec {
            Spec::Conv {
                inputs,
                outputs,
                window: Window { kernel, .. },
                bias,
            } => {
                let fan_in = inputs * kernel * kernel;
                let scale = (fan_in as f32).sqrt().recip();
                let weight = draw(rng, outputs * fan_in).into_iter();
                let weight = weight.map(|v| f64::from(v as f32 * scale)).collect();
                put("weight", &[*outputs, *inputs, *kernel, *kernel], weight);
                if *bias {
                    put("bias", &[*outputs], draw(rng, *outputs));
                }
            }
            Spec::Norm(channels) => {
                // Not too near 0, lest the activation behind it has only close calls to decide.
                let gamma = draw(rng, *channels).into_iter();
                let gamma = gamma
                    .map(|v| f64::from(v as f32 + 0.5f32.copysign(v as f32)))
                    .collect();
                put("weight", &[*channels], gamma);
                put("bias", &[*channels], draw(rng, *channels));
                put("running_mean", &[*channels], draw(rng, *channels));
                let variance = draw(rng, *channels).into_iter();
                let variance = variance.map(|v| f64::from(v.abs() as f32 + 0.5)).collect();
                put("running_var", &[*channels], variance);
            }
            Spec::Residual { body, shortcut, .. } => {
                draw_values(body, &format!("{name}.body."), rng, values);
                if let Some(shortcut) = shortcut {
                    draw_values(shortcut, &format!("{name}.shortcut."), rng, values);
                }
            }
            _ => {}
        }
    }
}

pub(crate) fn build(specs: &[Spec], vb: VarBuilder) -> Result<Sequential> {
    let layer = |(index, spec): (usize, &Spec)| -> Result<Layer> {
        let vb = vb.pp(index);
        Ok(match spec.clone() {
            Spec::Conv {
                inputs,
                outputs,
                window:
                    Window {
                        kernel,
                        stride,
                        padding,
                    },
                bias,
            } => {
                let config = Conv2dConfig {
                    kernel_size: kernel,
                    stride,
                    padding,
                    bias,
                };
                Conv2d::new(inputs, outputs, config, vb)?.into()
            }
            Spec::Norm(channels) => BatchNorm2d::new(channels, Default::default(), vb)?.into(),
            Spec::Act(activation) => activation.into(),
            Spec::Max(Window {
                kernel: kernel_size,
                stride,
                padding,
            }) => MaxPool2d {
                kernel_size,
                stride,
                padding,
            }
            .into(),
            Spec::Avg(Window {
                kernel: kernel_size,
                stride,
                padding,
            }) => AvgPool2d {
                kernel_size,
                stride,
                padding,
            }
            .into(),
            Spec::Global => GlobalAvgPool.into(),
            Spec::Residual {
                body,
                shortcut,
                activation,
            } => {
                let body = build(&body, vb.pp("body"))?;
                let shortcut = shortcut.map(|s| build(&s, vb.pp("shortcut"))).transpose()?;
                Residual {
                    body,
                    shortcut,
                    activation,
                }
                .into()
            }
        })
    };
    Ok(Sequential::new(
        specs.iter().enumerate().map(layer).collect::<Result<_>>()?,
    ))
}

/// A fresh random state of the network, kept in variables that both sides read.
pub(crate) struct Net {
    pub(crate) specs: Vec<Spec>,
    pub(crate) vars: VarMap,
    pub(crate) layers: Sequential,
}

impl Net {
    pub(crate) fn new(specs: &[Spec], seed: u64) -> Self {
        let mut values = Values::new();
        draw_values(specs, "", &mut ChaCha8Rng::seed_from_u64(seed), &mut values);
        let vars = VarMap::new();
        for (name, (dims, data)) in &values {
            let var = Var::from_tensor(&tensor(dims, data)).unwrap();
            vars.data().lock().unwrap().insert(name.clone(), var);
        }
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let layers = build(specs, vb).unwrap();
        let names: Vec<_> = vars.data().lock().unwrap().keys().cloned().collect();
        assert!(
            names.iter().all(|name| values.contains_key(name)),
            "unexpected name in {names:?}"
        );
        Self {
            specs: specs.to_vec(),
            vars,
            layers,
        }
    }

    pub(crate) fn var(&self, name: &str) -> Var {
        self.vars.data().lock().unwrap()[name].clone()
    }

    /// The present values of parameters and running statistics.
    pub(crate) fn values(&self) -> Values {
        let vars = self.vars.data().lock().unwrap();
        vars.iter()
            .map(|(name, var)| (name.clone(), (var.dims().to_vec(), read(var))))
            .collect()
    }
}

pub(crate) fn tensor(dims: &[usize], data: &[f64]) -> Tensor {
    let data: Vec<f32> = data.iter().map(|&v| v as f32).collect();
    Tensor::from_vec(data, dims, &Device::Cpu).unwrap()
}

pub(crate) fn read(tensor: &Tensor) -> Vec<f64> {
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f64::from).collect()
}

/// What backward needs to remember of one layer.
enum Step {
    Conv {
        name: String,
        x: Map,
        window: Window,
    },
    Norm {
        name: String,
        x: Map,
        stats: Vec<(f64, f64)>,
    },
    Act {
        slope: f64,
        x: Map,
    },
    Max {
        dims: [usize; 4],
        winners: Vec<usize>,
    },
    Avg {
        dims: [usize; 4],
        window: Window,
    },
    Global {
        dims: [usize; 4],
    },
    Residual {
        body: Vec<Step>,
        shortcut: Option<Vec<Step>>,
        activation: Option<Box<Step>>,
    },
}

/// The naive network: same values, f64.
pub(crate) struct Reference {
    pub(crate) values: Values,
    pub(crate) train: bool,
    /// How near the closest call came: |x| at an activation, winner minus runner-up at a pool.
    ///
    /// Below f32's error the fast path may decide it the other way, and both are right.
    pub(crate) margin: f64,
    steps: Vec<Step>,
}

impl Reference {
    pub(crate) fn new(values: Values, train: bool) -> Self {
        Self {
            values,
            train,
            margin: f64::INFINITY,
            steps: Vec::new(),
        }
    }

    pub(crate) fn forward(&mut self, specs: &[Spec], x: &Map) -> Map {
        let (y, steps) = self.sequence(specs, "", x);
        self.steps = steps;
        y
    }

    /// The gradient to the input, and those to the parameters by name.
    pub(crate) fn backward(&self, dy: &Map) -> (Map, BTreeMap<String, Vec<f64>>) {
        let mut grads = BTreeMap::new();
        let dx = self.sequence_backward(&self.steps, dy, &mut grads);
        (dx, grads)
    }

    fn value(&self, name: &str, part: &str) -> &[f64] {
        &self.values[&format!("{name}.{part}")].1
    }

    fn weight(&self, name: &str) -> Map {
        let (dims, data) = &self.values[&format!("{name}.weight")];
        Map {
            dims: dims[..].try_into().unwrap(),
            data: data.clone(),
        }
    }

    fn sequence(&mut self, specs: &[Spec], prefix: &str, x: &Map) -> (Map, Vec<Step>) {
        let (mut x, mut steps) = (x.clone(), Vec::new());
        for (index, spec) in specs.iter().enumerate() {
            let (y, step) = self.layer(spec, format!("{prefix}{index}"), x);
            x = y;
            steps.push(step);
        }
        (x, steps)
    }

    fn layer(&mut self, spec: &Spec, name: String, x: Map) -> (Map, Step) {
        match spec {
            Spec::Conv { window, bias, .. } => {
                let bias = bias.then(|| self.value(&name, "bias"));
                let y = naive::conv(&x, &self.weight(&name), bias, *window);
                (
                    y,
                    Step::Conv {
                        name,
                        x,
                        window: *window,
                    },
                )
            }
            Spec::Norm(_) => {
                let stats = self.statistics(&name, &x);
                let (gamma, beta) = (self.value(&name, "weight"), self.value(&name, "bias"));
                let y = naive::norm(&x, &stats, gamma, beta, EPS);
                (y, Step::Norm { name, x, stats })
            }
            Spec::Act(activation) => self.activation(*activation, x),
            Spec::Max(window) => {
                let (y, winners, gap) = naive::max_pool(&x, *window);
                self.margin = self.margin.min(gap);
                (
                    y,
                    Step::Max {
                        dims: x.dims,
                        winners,
                    },
                )
            }
            Spec::Avg(window) => (
                naive::avg_pool(&x, *window),
                Step::Avg {
                    dims: x.dims,
                    window: *window,
                },
            ),
            Spec::Global => (naive::global_avg_pool(&x), Step::Global { dims: x.dims }),
            Spec::Residual {
                body,
                shortcut,
                activation,
            } => {
                let (y, body) = self.sequence(body, &format!("{name}.body."), &x);
                let (carried, shortcut) = match shortcut {
                    Some(shortcut) => {
                        let (y, steps) = self.sequence(shortcut, &format!("{name}.shortcut."), &x);
                        (y, Some(steps))
                    }
                    None => (x, None),
                };
                let sum = y.zip(&carried, |a, b| a + b);
                let (y, activation) = match activation {
                    Some(activation) => {
                        let (y, step) = self.activation(*activation, sum);
                        (y, Some(Box::new(step)))
                    }
                    None => (sum, None),
                };
                (
                    y,
                    Step::Residual {
                        body,
                        shortcut,
                        activation,
                    },
                )
            }
        }
    }

    fn activation(&mut self, activation: Activation, x: Map) -> (Map, Step) {
        let slope = match activation {
            Activation::Relu => 0.0,
            Activation::LeakyRelu(slope) => f64::from(slope),
        };
        self.margin = x
            .data
            .iter()
            .fold(self.margin, |margin, v| margin.min(v.abs()));
        let y = x.map(|v| if v > 0.0 { v } else { v * slope });
        (y, Step::Act { slope, x })
    }

    /// The batch's statistics in training, after which the running ones have moved; else these.
    fn statistics(&mut self, name: &str, x: &Map) -> Vec<(f64, f64)> {
        if !self.train {
            let (mean, var) = (
                self.value(name, "running_mean"),
                self.value(name, "running_var"),
            );
            return mean.iter().copied().zip(var.iter().copied()).collect();
        }
        let stats = naive::statistics(x);
        let count = (x.data.len() / x.dims[1]) as f64;
        for (part, unbias) in [
            ("running_mean", 1.0),
            ("running_var", count / (count - 1.0)),
        ] {
            let running = &mut self.values.get_mut(&format!("{name}.{part}")).unwrap().1;
            for (running, (mean, variance)) in running.iter_mut().zip(&stats) {
                let new = if part == "running_mean" {
                    *mean
                } else {
                    *variance * unbias
                };
                *running = (1.0 - MOMENTUM) * *running + MOMENTUM * new;
            }
        }
        stats
    }

    fn sequence_backward(
        &self,
        steps: &[Step],
        dy: &Map,
        grads: &mut BTreeMap<String, Vec<f64>>,
    ) -> Map {
        steps
            .iter()
            .rev()
            .fold(dy.clone(), |dy, step| self.layer_backward(step, &dy, grads))
    }

    fn layer_backward(&self, step: &Step, dy: &Map, grads: &mut BTreeMap<String, Vec<f64>>) -> Map {
        match step {
            Step::Conv { name, x, window } => {
                let (dx, dw, db) = naive::conv_backward(x, &self.weight(name), *window, dy);
                grads.insert(format!("{name}.weight"), dw.data);
                if self.values.contains_key(&format!("{name}.bias")) {
                    grads.insert(format!("{name}.bias"), db);
                }
                dx
            }
            Step::Norm { name, x, stats } => {
                let gamma = self.value(name, "weight");
                let (dx, dgamma, dbeta) =
                    naive::norm_backward(x, stats, gamma, EPS, self.train, dy);
                grads.insert(format!("{name}.weight"), dgamma);
                grads.insert(format!("{name}.bias"), dbeta);
                dx
            }
            Step::Act { slope, x } => x.zip(dy, |x, dy| if x > 0.0 { dy } else { dy * slope }),
            Step::Max { dims, winners } => naive::max_pool_backward(*dims, winners, dy),
            Step::Avg { dims, window } => naive::avg_pool_backward(*dims, *window, dy),
            Step::Global { dims } => {
                let mut dx = Map::zeros(*dims);
                let pixels = (dims[2] * dims[3]) as f64;
                Map::each(*dims, |at| {
                    dx.add(at, dy.get([at[0], at[1], 0, 0]) / pixels)
                });
                dx
            }
            Step::Residual {
                body,
                shortcut,
                activation,
            } => {
                let dy = match activation {
                    Some(step) => self.layer_backward(step, dy, grads),
                    None => dy.clone(),
                };
                let through_body = self.sequence_backward(body, &dy, grads);
                let carried = match shortcut {
                    Some(shortcut) => self.sequence_backward(shortcut, &dy, grads),
                    None => dy,
                };
                through_body.zip(&carried, |a, b| a + b)
            }
        }
    }
}
