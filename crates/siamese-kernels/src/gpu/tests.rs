//! The kernels and the order in which they run, on the twin, against the naive loops.

#![cfg(target_os = "linux")]

use super::backward::backward;
use super::context::Context;
use super::device::Memory;
use super::forward::forward;
use super::job::{Job, Strided};
use super::twin::{Twin, Words};
use crate::cpu::naive::{self, Given, Outcome};
use crate::cpu::tests::{Case, Nets, case, close, config, widen};
use crate::plan::Dims;
use crate::precision::Precision;
use crate::*;

/// What the twin gave, and the running averages afterwards.
struct Found {
    y: Vec<f32>,
    params: Vec<Vec<f32>>,
    input: Vec<f32>,
    running: Vec<(Vec<f32>, Vec<f32>)>,
}

const MOMENTUM: f32 = 0.1;

/// As Candle hands images over: channels first.
fn channels_first(values: &[f32], batch: usize, d: Dims) -> (Words, [usize; 4]) {
    let mut planes = vec![0.; values.len()];
    for (i, value) in values.iter().enumerate() {
        let (b, pixel, k) = (i / d.len(), i / d.c % d.pixels(), i % d.c);
        planes[b * d.len() + k * d.pixels() + pixel] = *value;
    }
    debug_assert_eq!(values.len(), batch * d.len());
    (Words::of(&planes), [d.len(), d.w, 1, d.pixels()])
}

fn find(twin: &Twin, case: &Case, precision: Precision, train: bool, rounds: usize) -> Found {
    let plan = &case.plan;
    let params: Vec<_> = case.params.iter().map(|p| Words::of(p)).collect();
    let running: Vec<_> = case
        .running
        .iter()
        .map(|(m, v)| (Words::of(m), Words::of(v)))
        .collect();
    let places: Vec<_> = params.iter().map(Words::place).collect();
    let running_places: Vec<_> = running
        .iter()
        .map(|(m, v)| (m.place(), v.place(), MOMENTUM))
        .collect();
    let job = Job {
        plan,
        precision,
        params: &places,
        running: &running_places,
        train,
    };
    let (x, strides) = channels_first(&case.x, plan.batch, plan.input());
    let x_strided = Strided {
        place: x.place(),
        strides,
    };
    let (dy, dy_strides) = channels_first(&case.dy, plan.batch, plan.output());
    let dy_strided = Strided {
        place: dy.place(),
        strides: dy_strides,
    };
    let y = Words::new(4 * case.dy.len());
    let dx = Words::new(4 * case.x.len());
    let grads: Vec<_> = case
        .params
        .iter()
        .map(|p| Words::new(4 * p.len()))
        .collect();
    let wanted: Vec<_> = grads.iter().map(|g| Some(g.place())).collect();
    let mut ctx = Context::default();
    for _ in 0..rounds {
        forward(twin, &job, x_strided, y.place(), true, &mut ctx).unwrap();
        backward(twin, &job, dy_strided, &wanted, Some(dx.place()), &mut ctx).unwrap();
    }
    let again = Words::new(4 * case.dy.len());
    if !train {
        let mut ctx = Context::default();
        forward(twin, &job, x_strided, again.place(), false, &mut ctx).unwrap();
        let bits = |y: &Words| y.values(case.dy.len()).into_iter().map(f32::to_bits);
        assert!(bits(&again).eq(bits(&y)), "what keeps nothing differs");
    }
    let sized = |words: &Words, like: &[f32]| words.values(like.len());
    Found {
        y: sized(&y, &case.dy),
        params: grads
            .iter()
            .zip(&case.params)
            .map(|(g, p)| sized(g, p))
            .collect(),
        input: sized(&dx, &case.x),
        running: running
            .iter()
            .zip(&case.running)
            .map(|((m, v), (like, _))| (sized(m, like), sized(v, like)))
            .collect(),
    }
}

fn naive(case: &Case, train: bool) -> Outcome {
    let params: Vec<Vec<f64>> = case.params.iter().map(|p| widen(p)).collect();
    let running: Vec<_> = case
        .running
        .iter()
        .map(|(m, v)| (widen(m), widen(v)))
        .collect();
    let given = Given {
        params: &params,
        running: &running,
        train,
    };
    naive::run(&case.plan, &given, &widen(&case.x), &widen(&case.dy))
}

/// Within a few roundings to 8 bits.
fn near(what: &str, found: &[f32], naive: &[f64]) {
    let length = naive.iter().map(|n| n * n).sum::<f64>().sqrt().max(1e-3);
    let off = found
        .iter()
        .zip(naive)
        .map(|(&f, n)| (f64::from(f) - n).powi(2));
    let off = off.sum::<f64>().sqrt() / length;
    assert!(off < 0.02, "{what}: off by {off} of its length");
}

fn holds(twin: &Twin, what: &str, case: &Case) {
    for train in [true, false] {
        let naive = naive(case, train);
        let found = find(twin, case, Precision::F32, train, 2);
        let what = format!("{what}, train {train}");
        let tolerance = case.tolerance;
        close(&format!("{what}: y"), &found.y, &naive.y, tolerance);
        close(
            &format!("{what}: dx"),
            &found.input,
            &naive.input,
            tolerance,
        );
        for (i, (found, naive)) in found.params.iter().zip(&naive.params).enumerate() {
            close(&format!("{what}: parameter {i}"), found, naive, tolerance);
        }
    }
}

/// In bf16, for nets without kinks: a rounding that flips a ReLU or a pool's winner is no error.
fn holds_in_bf16(twin: &Twin, what: &str, case: &Case) {
    for train in [true, false] {
        let naive = naive(case, train);
        let found = find(twin, case, Precision::Bf16, train, 2);
        let what = format!("{what}, train {train}, bf16");
        near(&format!("{what}: y"), &found.y, &naive.y);
        near(&format!("{what}: dx"), &found.input, &naive.input);
        for (i, (found, naive)) in found.params.iter().zip(&naive.params).enumerate() {
            near(&format!("{what}: parameter {i}"), found, naive);
        }
    }
}

#[test]
fn convolutions_agree() {
    let Some(twin) = Twin::open() else { return };
    for (k, stride, padding, bias) in [
        (3, 1, 1, false),
        (3, 2, 1, true),
        (1, 2, 0, true),
        (7, 2, 3, false),
    ] {
        for (b, ci, h, w, co) in [(2, 3, 5, 7, 17), (1, 1, 4, 4, 1), (3, 16, 9, 4, 8)] {
            let case = case((b, ci, h, w), 1, |n| {
                vec![n.conv(ci, co, config(k, stride, padding, bias))]
            });
            holds(
                twin,
                &format!("{k}x{k} stride {stride} on {:?}", (b, ci, h, w, co)),
                &case,
            );
        }
    }
}

/// Everything that follows a convolution, for channels that fill vectors and channels that do not.
fn tower(n: &mut Nets<'_>, c: usize) -> Vec<Layer> {
    let leaky = Activation::LeakyRelu(0.01);
    vec![
        n.conv3(3, c),
        n.norm(c),
        leaky.into(),
        MaxPool2d::new(2).into(),
        n.conv(c, 2 * c, config(3, 1, 1, true)),
        n.norm(2 * c),
        Activation::Relu.into(),
        MaxPool2d {
            kernel_size: 3,
            stride: 2,
            padding: 1,
        }
        .into(),
        n.conv(2 * c, 5, config(1, 1, 0, true)),
    ]
}

#[test]
fn towers_agree() {
    let Some(twin) = Twin::open() else { return };
    for (c, shape) in [
        (8, (4, 3, 12, 8)),
        (5, (5, 3, 7, 9)),
        (12, (2, 3, 16, 16)),
        (100, (2, 3, 5, 7)),
    ] {
        holds(
            twin,
            &format!("tower of {c}"),
            &case(shape, 2, |n| tower(n, c)),
        );
    }
}

#[test]
fn residual_blocks_agree() {
    let Some(twin) = Twin::open() else { return };
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
            body: Sequential::new(vec![n.conv(16, 24, config(3, 2, 1, false)), n.norm(24)]),
            shortcut: Some(Sequential::new(vec![
                n.conv(16, 24, config(1, 2, 0, false)),
                n.norm(24),
            ])),
            activation: Some(Activation::LeakyRelu(0.1)),
        };
        let bare = Residual {
            body: Sequential::default(),
            shortcut: None,
            activation: None,
        };
        vec![
            block.into(),
            down.into(),
            bare.into(),
            MaxPool2d::new(2).into(),
            GlobalAvgPool.into(),
        ]
    });
    holds(twin, "residual", &case);
}

#[test]
fn lone_layers_agree() {
    let Some(twin) = Twin::open() else { return };
    for c in [1, 16, 17] {
        let shape = (3, c, 7, 6);
        let pools = MaxPool2d {
            kernel_size: 3,
            stride: 2,
            padding: 1,
        };
        let average = AvgPool2d {
            kernel_size: 3,
            stride: 2,
            padding: 1,
        };
        let sparse = MaxPool2d {
            kernel_size: 2,
            stride: 3,
            padding: 0,
        };
        let check = |what: &str, layers: &dyn Fn(&mut Nets<'_>) -> Vec<Layer>| {
            holds(twin, &format!("{what} of {c}"), &case(shape, 3, layers));
        };
        check("norm", &|n| vec![n.norm(c)]);
        check("activation", &|_| vec![Activation::LeakyRelu(0.2).into()]);
        check("overlapping max-pool", &|_| vec![pools.into()]);
        check("sparse max-pool", &|_| vec![sparse.into()]);
        check("average-pool", &|_| vec![average.into()]);
        check("global average-pool", &|_| vec![GlobalAvgPool.into()]);
        check("global max-pool", &|_| vec![GlobalMaxPool.into()]);
        check("norm first", &|n| {
            vec![n.norm(c), Activation::Relu.into(), n.conv3(c, 16)]
        });
    }
}

#[test]
fn bf16_agrees() {
    let Some(twin) = Twin::open() else { return };
    for c in [8, 5] {
        let case = case((4, 3, 12, 9), 7, |n| {
            let smooth = Activation::LeakyRelu(1.);
            let block = Residual {
                body: Sequential::new(vec![n.conv3(c, c), n.norm(c)]),
                shortcut: Some(Sequential::new(vec![n.conv(c, c, config(1, 1, 0, true))])),
                activation: Some(smooth),
            };
            vec![
                n.conv3(3, c),
                n.norm(c),
                smooth.into(),
                AvgPool2d::new(2).into(),
                block.into(),
                n.conv(c, 2 * c, config(3, 2, 1, true)),
                GlobalAvgPool.into(),
            ]
        });
        holds_in_bf16(twin, &format!("net of {c}"), &case);
    }
    // few bits make ties: the first must win as it does in f32
    for c in [8, 3] {
        let mut case = case((2, c, 7, 6), 8, |_| {
            let pool = MaxPool2d {
                kernel_size: 3,
                stride: 2,
                padding: 1,
            };
            vec![Activation::LeakyRelu(0.5).into(), pool.into()]
        });
        let values = case.x.iter_mut().chain(&mut case.dy);
        values.for_each(|v| *v = (*v * 4.).round() / 4.);
        let [full, half] = [Precision::F32, Precision::Bf16].map(|p| find(twin, &case, p, true, 1));
        assert_eq!(full.y, half.y);
        assert_eq!(full.input, half.input);
    }
}

#[test]
fn running_averages_are_the_cpus() {
    let Some(twin) = Twin::open() else { return };
    // so far from zero that squares about it would cancel
    let mut case = case((6, 8, 5, 5), 4, |n| {
        vec![n.norm(8), n.conv(8, 9, config(3, 1, 1, true)), n.norm(9)]
    });
    case.x.iter_mut().for_each(|x| *x += 300.);
    let found = find(twin, &case, Precision::F32, true, 1);
    let pixels = (case.x.len() / 8) as f64;
    for k in 0..8 {
        let all = || case.x.iter().skip(k).step_by(8).map(|&x| f64::from(x));
        let mean = all().sum::<f64>() / pixels;
        let var = all().map(|x| (x - mean).powi(2)).sum::<f64>() / (pixels - 1.);
        let (old, m) = (&case.running[0], f64::from(MOMENTUM));
        let expected = [
            f64::from(old.0[k]) * (1. - m) + mean * m,
            f64::from(old.1[k]) * (1. - m) + var * m,
        ];
        let found = [found.running[0].0[k], found.running[0].1[k]];
        close(&format!("channel {k}"), &found, &expected, 1e-6);
    }
    let without_bias = {
        let mut case = case_without_bias(&case);
        case.running[1].0.iter_mut().for_each(|m| *m = 0.);
        find(twin, &case, Precision::F32, true, 1)
            .running
            .swap_remove(1)
    };
    let (with, bias) = (&found.running[1], &case.params[3]);
    for (k, bias) in bias.iter().enumerate() {
        let expected = case.running[1].0[k] * (1. - MOMENTUM) + without_bias.0[k] + bias * MOMENTUM;
        assert!(
            (with.0[k] - expected).abs() < 1e-4,
            "{} {expected}",
            with.0[k]
        );
    }
}

/// The same net, its convolution's bias zero.
fn case_without_bias(case: &Case) -> Case {
    let mut params = case.params.clone();
    params[3].fill(0.);
    Case {
        plan: case.plan.clone(),
        params,
        running: case.running.clone(),
        x: case.x.clone(),
        dy: case.dy.clone(),
        tolerance: case.tolerance,
    }
}

#[test]
fn only_wanted_gradients_are_written() {
    let Some(twin) = Twin::open() else { return };
    let case = case((2, 3, 8, 8), 5, |n| tower(n, 8));
    let full = find(twin, &case, Precision::F32, true, 1);
    let params: Vec<_> = case.params.iter().map(|p| Words::of(p)).collect();
    let places: Vec<_> = params.iter().map(Words::place).collect();
    let running: Vec<_> = case
        .running
        .iter()
        .map(|(m, v)| (Words::of(m), Words::of(v)))
        .collect();
    let running: Vec<_> = running
        .iter()
        .map(|(m, v)| (m.place(), v.place(), MOMENTUM))
        .collect();
    let job = Job {
        plan: &case.plan,
        precision: Precision::F32,
        params: &places,
        running: &running,
        train: true,
    };
    let (x, strides) = channels_first(&case.x, 2, case.plan.input());
    let (dy, dy_strides) = channels_first(&case.dy, 2, case.plan.output());
    let (x, dy) = (
        Strided {
            place: x.place(),
            strides,
        },
        Strided {
            place: dy.place(),
            strides: dy_strides,
        },
    );
    let y = Words::new(4 * case.dy.len());
    for only in 0..params.len() {
        let grad = Words::new(4 * case.params[only].len());
        let wanted: Vec<_> = (0..params.len())
            .map(|i| (i == only).then(|| grad.place()))
            .collect();
        let mut ctx = Context::default();
        forward(twin, &job, x, y.place(), true, &mut ctx).unwrap();
        backward(twin, &job, dy, &wanted, None, &mut ctx).unwrap();
        assert_eq!(
            grad.values(case.params[only].len()),
            full.params[only],
            "parameter {only}"
        );
    }
}

#[test]
fn a_nan_is_not_hidden() {
    let Some(twin) = Twin::open() else { return };
    let mut case = case((1, 8, 4, 4), 6, |_| {
        vec![Activation::Relu.into(), MaxPool2d::new(2).into()]
    });
    case.x[5] = f32::NAN;
    case.x[6] = f32::NEG_INFINITY;
    for precision in [Precision::F32, Precision::Bf16] {
        let y = find(twin, &case, precision, false, 1).y;
        assert!(y[5].is_nan(), "{y:?}");
        assert_eq!(y.iter().filter(|y| y.is_nan()).count(), 1, "{y:?}");
    }
}
