//! Every instruction set against the naive loops, over chains that exercise each fused path.

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::naive::{self, Given};
use super::{Context, Prepacked, Strided, Views, backward, conv, forward, infer};
use crate::fuse;
use crate::params::Params;
use crate::plan::{Dims, Plan};
use crate::simd::Level;
use crate::*;

pub(crate) struct Case {
    pub(crate) plan: Plan,
    pub(crate) params: Vec<Vec<f32>>,
    pub(crate) running: Vec<(Vec<f32>, Vec<f32>)>,
    pub(crate) x: Vec<f32>,
    pub(crate) dy: Vec<f32>,
    /// Largest error allowed, relative to the largest element.
    pub(crate) tolerance: f64,
}

pub(crate) struct Nets<'a>(VarBuilder<'a>, usize);

impl Nets<'_> {
    fn name(&mut self) -> VarBuilder<'_> {
        self.1 += 1;
        self.0.pp(format!("{}", self.1))
    }

    pub(crate) fn conv(&mut self, from: usize, to: usize, config: Conv2dConfig) -> Layer {
        Conv2d::new(from, to, config, self.name()).unwrap().into()
    }

    pub(crate) fn conv3(&mut self, from: usize, to: usize) -> Layer {
        self.conv(from, to, Conv2dConfig::default())
    }

    pub(crate) fn norm(&mut self, c: usize) -> Layer {
        BatchNorm2d::new(c, BatchNormConfig::default(), self.name())
            .unwrap()
            .into()
    }
}

pub(crate) fn config(
    kernel_size: usize,
    stride: usize,
    padding: usize,
    bias: bool,
) -> Conv2dConfig {
    Conv2dConfig {
        kernel_size,
        stride,
        padding,
        bias,
    }
}

pub(crate) fn case(
    shape: (usize, usize, usize, usize),
    seed: u64,
    build: impl Fn(&mut Nets<'_>) -> Vec<Layer>,
) -> Case {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let layers = build(&mut Nets(vb, 0));
    let x = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let (plan, Params { tensors, running }) = fuse::build(&layers, &x).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |n: usize, lo: f32, hi: f32| -> Vec<f32> {
        (0..n).map(|_| rng.random_range(lo..hi)).collect()
    };
    let params = tensors.iter().map(|t| {
        let fan = t.elem_count() / t.dims()[0];
        let bound = (3. / fan as f32).sqrt();
        draw(t.elem_count(), -bound, bound)
    });
    let params = params.collect();
    let running = running.iter().map(|r| {
        let c = r.mean.elem_count();
        (draw(c, -0.5, 0.5), draw(c, 0.5, 2.))
    });
    Case {
        running: running.collect(),
        params,
        x: draw(plan.batch * plan.input().len(), -1., 1.),
        dy: draw(plan.batch * plan.output().len(), -1., 1.),
        plan,
        tolerance: 2e-4,
    }
}

pub(crate) fn widen(v: &[f32]) -> Vec<f64> {
    v.iter().map(|&x| x as f64).collect()
}

fn strided(values: &[f32], d: Dims) -> Strided<'_> {
    Strided {
        values,
        start: 0,
        strides: [d.len(), d.w * d.c, d.c, 1],
    }
}

pub(crate) fn close(what: &str, fast: &[f32], naive: &[f64], tolerance: f64) {
    assert_eq!(fast.len(), naive.len(), "{what}");
    let scale = naive.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
    for (i, (&f, &n)) in fast.iter().zip(naive).enumerate() {
        let error = (f as f64 - n).abs() / scale;
        assert!(
            error < tolerance,
            "{what}[{i}]: {f} instead of {n}, largest {scale}"
        );
    }
}

/// How Winograd's convolutions run.
#[derive(Debug, PartialEq)]
enum Way {
    Chunks,
    Wide,
}

impl Case {
    /// Checks that the case exercises the path it is meant for.
    fn is_run(&self, way: Way) {
        for c in self.plan.units.iter().filter_map(|u| u.conv.as_ref()) {
            assert_eq!(conv::algorithm(c), conv::Algorithm::Winograd);
            assert_eq!(conv::is_wide(c, self.plan.batch), way == Way::Wide);
        }
    }

    fn fast(&self, ctx: &mut Context, train: bool) -> (Vec<f32>, Vec<Vec<f32>>, Vec<f32>) {
        let params: Vec<&[f32]> = self.params.iter().map(Vec::as_slice).collect();
        let views = Views {
            params: &params,
            running: &self.running,
            train,
        };
        let x = strided(&self.x, self.plan.input());
        let dy = strided(&self.dy, self.plan.output());
        let y = forward(&self.plan, views, x, ctx);
        if !train {
            self.infers(ctx.level(), views, &widen(&y));
        }
        let wanted = vec![true; params.len()];
        let grads = backward(&self.plan, views, dy, ctx, &wanted, true);
        let params = grads.params.into_iter().map(Option::unwrap).collect();
        (y, params, grads.input.unwrap())
    }

    /// The whole batch, and its first images alone, with weights kept and without, give `y`.
    fn infers(&self, level: Level, views: Views<'_>, y: &[f64]) {
        let prepacked = Prepacked::default();
        let (from, to) = (self.plan.input().len(), self.plan.output().len());
        for batch in [1, 2, self.plan.batch] {
            let batch = batch.min(self.plan.batch);
            let plan = Plan {
                batch,
                ..self.plan.clone()
            };
            let x = strided(&self.x[..batch * from], plan.input());
            for kept in [None, Some(&prepacked), Some(&prepacked)] {
                let found = infer(&plan, views, x, &mut Context::at(level), kept);
                let what = format!("inference of {batch}, weights kept: {}", kept.is_some());
                close(&what, &found, &y[..batch * to], self.tolerance);
            }
        }
    }

    fn holds(&self, what: &str) {
        let params: Vec<Vec<f64>> = self.params.iter().map(|p| widen(p)).collect();
        let running: Vec<_> = self
            .running
            .iter()
            .map(|(m, v)| (widen(m), widen(v)))
            .collect();
        for train in [true, false] {
            let given = Given {
                params: &params,
                running: &running,
                train,
            };
            let naive = naive::run(&self.plan, &given, &widen(&self.x), &widen(&self.dy));
            for level in Level::available() {
                let mut ctx = Context::at(level);
                for round in 0..2 {
                    let what = format!("{what}, {}, train {train}, round {round}", level.name());
                    let (y, params, dx) = self.fast(&mut ctx, train);
                    close(&format!("{what}: y"), &y, &naive.y, self.tolerance);
                    close(&format!("{what}: dx"), &dx, &naive.input, self.tolerance);
                    for (i, (fast, naive)) in params.iter().zip(&naive.params).enumerate() {
                        close(
                            &format!("{what}: parameter {i}"),
                            fast,
                            naive,
                            self.tolerance,
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn lone_convolutions_of_any_size_agree() {
    let configs = [
        (3, 1, 1, false),
        (3, 2, 1, true),
        (1, 1, 0, false),
        (1, 2, 0, true),
        (4, 1, 0, true),
        (5, 3, 2, false),
        (7, 2, 3, false),
    ];
    for (seed, (k, s, p, bias)) in configs.into_iter().enumerate() {
        for (b, ci, h, w, co) in [
            (2, 3, 5, 7, 17),
            (1, 20, 8, 6, 33),
            (1, 1, 4, 4, 1),
            (3, 17, 9, 4, 16),
        ] {
            let case = case((b, ci, h, w), seed as u64, |n| {
                vec![n.conv(ci, co, config(k, s, p, bias))]
            });
            case.holds(&format!(
                "{k}x{k} stride {s} padding {p} on {:?}",
                (b, ci, h, w, co)
            ));
        }
    }
}

#[test]
fn winograd_agrees_at_every_size_and_padding() {
    for (seed, (b, ci, h, w, co)) in [
        (1, 16, 1, 1, 16),
        (3, 17, 5, 7, 40),
        (2, 64, 8, 8, 64),
        (5, 32, 4, 4, 100),
        (1, 100, 3, 10, 17),
        // tiles of side 2, of side 3, of the one forward and of the other back
        (9, 16, 2, 2, 20),
        (2, 33, 6, 3, 18),
        (20, 160, 2, 1, 129),
        (3, 130, 6, 6, 140),
    ]
    .into_iter()
    .enumerate()
    {
        for padding in 0..=2 {
            if h + 2 * padding < 3 {
                continue;
            }
            let case = case((b, ci, h, w), seed as u64, |n| {
                vec![n.conv(ci, co, config(3, 1, padding, padding == 1))]
            });
            case.holds(&format!("padding {padding} on {:?}", (b, ci, h, w, co)));
        }
    }
}

#[test]
fn winograd_in_chunks_agrees() {
    for (seed, (b, ci, h, w, co)) in [(3, 16, 26, 22, 20), (17, 33, 12, 32, 16)]
        .into_iter()
        .enumerate()
    {
        let case = case((b, ci, h, w), seed as u64, |n| {
            vec![
                n.conv3(ci, co),
                n.norm(co),
                Activation::LeakyRelu(0.1).into(),
                n.conv3(co, ci),
                n.norm(ci),
                Activation::Relu.into(),
                MaxPool2d::new(2).into(),
            ]
        });
        case.is_run(Way::Chunks);
        case.holds(&format!("chunks of {:?}", (b, ci, h, w, co)));
    }
}

#[test]
fn wide_winograd_agrees() {
    let case = case((2, 130, 8, 5), 3, |n| {
        vec![n.conv3(130, 129), n.norm(129), n.conv3(129, 140)]
    });
    case.is_run(Way::Wide);
    case.holds("wide");
}

#[test]
fn towers_of_fused_units_agree() {
    for batch in [5, 2, 1] {
        tower(batch).holds(&format!("tower of {batch}"));
    }
}

fn tower(batch: usize) -> Case {
    case((batch, 3, 24, 16), 1, |n| {
        let leaky = Activation::LeakyRelu(0.01);
        vec![
            n.conv3(3, 16),
            n.norm(16),
            leaky.into(),
            MaxPool2d::new(2).into(),
            n.conv(16, 16, config(5, 1, 2, false)),
            n.norm(16),
            leaky.into(),
            n.conv3(16, 20),
            n.norm(20),
            leaky.into(),
            MaxPool2d::new(2).into(),
            n.conv(20, 17, config(3, 1, 1, true)),
            n.norm(17),
            Activation::Relu.into(),
            MaxPool2d {
                kernel_size: 3,
                stride: 2,
                padding: 1,
            }
            .into(),
            n.conv(17, 5, config(1, 1, 0, true)),
        ]
    })
}

#[test]
fn residual_blocks_agree() {
    let case = case((3, 16, 8, 8), 2, |n| {
        let block = Residual {
            body: Sequential::new(vec![
                n.conv3(16, 16),
                n.norm(16),
                Activation::Relu.into(),
                n.conv3(16, 16),
                n.norm(16),
            ]),
            shortcut: None,
            activation: Some(Activation::Relu),
        };
        let down = Residual {
            body: Sequential::new(vec![
                n.conv(16, 24, config(3, 2, 1, false)),
                n.norm(24),
                Activation::Relu.into(),
                n.conv3(24, 24),
                n.norm(24),
            ]),
            shortcut: Some(Sequential::new(vec![
                n.conv(16, 24, config(1, 2, 0, false)),
                n.norm(24),
            ])),
            activation: Some(Activation::Relu),
        };
        let bare = Residual {
            body: Sequential::default(),
            shortcut: None,
            activation: None,
        };
        vec![block.into(), down.into(), bare.into(), GlobalAvgPool.into()]
    });
    case.holds("residual");
}

#[test]
fn lone_layers_agree() {
    let shape = (3, 17, 7, 6);
    case(shape, 3, |n| vec![n.norm(17)]).holds("norm");
    case(shape, 4, |_| vec![Activation::LeakyRelu(0.2).into()]).holds("activation");
    case(shape, 5, |_| vec![MaxPool2d::new(2).into()]).holds("2x2 max-pool");
    case(shape, 6, |_| {
        vec![
            MaxPool2d {
                kernel_size: 3,
                stride: 2,
                padding: 1,
            }
            .into(),
        ]
    })
    .holds("3x3 max-pool");
    case(shape, 7, |_| {
        vec![
            AvgPool2d {
                kernel_size: 3,
                stride: 2,
                padding: 1,
            }
            .into(),
        ]
    })
    .holds("average-pool");
    case(shape, 8, |_| vec![GlobalAvgPool.into()]).holds("global average-pool");
    for shape in [shape, (2, 5, 3, 40), (2, 20, 19, 18)] {
        let what = format!("global max-pool of {shape:?}");
        case(shape, 8, |_| vec![GlobalMaxPool.into()]).holds(&what);
    }
    case(shape, 9, |n| {
        vec![n.norm(17), Activation::Relu.into(), n.conv3(17, 16)]
    })
    .holds("norm first");
}

#[test]
fn results_are_bit_equal_for_any_number_of_threads() {
    for (shape, channels) in [
        ((21, 3, 9, 8), 32),
        ((5, 3, 40, 36), 16),
        ((18, 3, 8, 8), 130),
    ] {
        let case = case(shape, 10, |n| {
            vec![
                n.conv3(3, 16),
                n.norm(16),
                Activation::Relu.into(),
                n.conv3(16, channels),
                n.norm(channels),
                Activation::Relu.into(),
                MaxPool2d::new(2).into(),
                n.conv3(channels, channels),
                n.conv(channels, 16, config(3, 2, 1, false)),
            ]
        });
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| case.fast(&mut Context::default(), true))
        };
        let one = with(1);
        assert_eq!(one, with(2), "{shape:?}");
        assert_eq!(one, with(3), "{shape:?}");
    }
}
