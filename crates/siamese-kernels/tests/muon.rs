//! Muon against a naive loop in f64, across a save and a restart, and for any number of threads.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, which clippy cannot know

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use siamese_kernels::optim::{AdamW, AdamWConfig, Muon, MuonConfig, Param};

/// Kernels wider and narrower than they are high, and a bias.
const SHAPES: [&[usize]; 3] = [&[6, 3, 3, 3], &[40, 2, 3, 3], &[5]];

const CONFIG: MuonConfig = MuonConfig {
    rate: 10.0,
    momentum: 0.9,
    steps: 4,
    weight_decay: 0.1,
    adamw: AdamWConfig {
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay: 0.0,
    },
};

fn wave(len: usize, phase: f32) -> Vec<f32> {
    let at = |i: usize| (i as f32 * 0.37 + phase).sin() + (i as f32 * i as f32 * 0.11).cos();
    (0..len).map(at).collect()
}

fn params() -> Vec<Param> {
    let param = |(i, shape): (usize, &&[usize])| {
        let values = wave(shape.iter().product(), i as f32);
        let tensor = Tensor::from_vec(values, *shape, &Device::Cpu).unwrap();
        Param::new(format!("p{i}"), Var::from_tensor(&tensor).unwrap())
    };
    SHAPES.iter().enumerate().map(param).collect()
}

fn grad(param: &Param, step: usize) -> Vec<f32> {
    wave(param.var.elem_count(), step as f32 * 1.7)
}

/// Gradients that are exactly those of [`grad`].
fn grads(params: &[Param], step: usize) -> GradStore {
    let mut loss = Tensor::new(0f32, &Device::Cpu).unwrap();
    for param in params {
        let grad = Tensor::from_vec(grad(param, step), param.var.shape(), &Device::Cpu).unwrap();
        loss = (loss + (param.var.as_tensor() * grad).unwrap().sum_all().unwrap()).unwrap();
    }
    loss.backward().unwrap()
}

fn values(param: &Param) -> Vec<f32> {
    param.var.flatten_all().unwrap().to_vec1().unwrap()
}

fn bits(params: &[Param]) -> Vec<u32> {
    params.iter().flat_map(values).map(f32::to_bits).collect()
}

type Matrix = Vec<Vec<f64>>;

fn times(a: &Matrix, b: &Matrix) -> Matrix {
    let columns = 0..b[0].len();
    let at = |row: &Vec<f64>, j: usize| row.iter().zip(b).map(|(x, b)| x * b[j]).sum();
    a.iter()
        .map(|row| columns.clone().map(|j| at(row, j)).collect())
        .collect()
}

fn turned(a: &Matrix) -> Matrix {
    (0..a[0].len())
        .map(|j| a.iter().map(|row| row[j]).collect())
        .collect()
}

/// `Σ factor · matrix`
fn sum(terms: &[(f64, &Matrix)]) -> Matrix {
    let mut sum = vec![vec![0.0; terms[0].1[0].len()]; terms[0].1.len()];
    for (factor, matrix) in terms {
        for (sum, row) in sum.iter_mut().zip(*matrix) {
            for (sum, x) in sum.iter_mut().zip(row) {
                *sum += factor * x;
            }
        }
    }
    sum
}

fn orthogonal(m: &Matrix, steps: usize) -> Matrix {
    if m.len() > m[0].len() {
        return turned(&orthogonal(&turned(m), steps));
    }
    let norm = m.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
    let mut x = sum(&[(1.0 / (norm + 1e-7), m)]);
    for _ in 0..steps {
        let own = times(&x, &turned(&x));
        let moved = times(&sum(&[(-4.775, &own), (2.0315, &times(&own, &own))]), &x);
        x = sum(&[(3.4445, &x), (1.0, &moved)]);
    }
    x
}

#[test]
fn kernels_follow_the_naive_loop_and_all_else_is_adamws() {
    let (ours, others) = (params(), params().split_off(2));
    let mut muon = Muon::new(ours.clone(), CONFIG).unwrap();
    let mut adamw = AdamW::new(others.clone(), CONFIG.adamw).unwrap();
    let matrix = |values: Vec<f32>, rows: usize| -> Matrix {
        let row = |row: &[f32]| row.iter().map(|&x| f64::from(x)).collect();
        values.chunks(values.len() / rows).map(row).collect()
    };
    let (lr, scale) = (0.003, 0.5);
    let mut naive: Vec<(Matrix, Matrix)> = ours[..2]
        .iter()
        .map(|param| {
            let theta = matrix(values(param), param.var.dims()[0]);
            (sum(&[(0.0, &theta)]), theta)
        })
        .collect();
    for step in 0..6 {
        muon.step(&grads(&ours, step), lr, scale).unwrap();
        adamw.step(&grads(&others, step), lr, scale).unwrap();
        for (param, (velocity, theta)) in ours.iter().zip(&mut naive) {
            let grad = sum(&[(scale, &matrix(grad(param, step), theta.len()))]);
            *velocity = sum(&[(0.9, velocity), (1.0, &grad)]);
            let direction = orthogonal(&sum(&[(1.0, &grad), (0.9, velocity)]), CONFIG.steps);
            let lr = lr * CONFIG.rate;
            let size = lr * (theta.len() as f64 / theta[0].len() as f64).max(1.0).sqrt();
            *theta = sum(&[(1.0 - lr * 0.1, theta), (-size, &direction)]);
        }
    }
    for (param, (_, theta)) in ours.iter().zip(&naive) {
        for (ours, naive) in values(param).iter().zip(theta.iter().flatten()) {
            assert!((f64::from(*ours) - naive).abs() < 1e-4, "{ours} {naive}");
        }
    }
    assert_eq!(bits(&ours[2..]), bits(&others));
}

#[test]
fn a_restarted_run_has_the_same_bits_for_any_number_of_threads() {
    let run = |threads: usize, restart: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let params = params();
            let mut muon = Muon::new(params.clone(), CONFIG).unwrap();
            for step in 0..5 {
                if restart {
                    let state: HashMap<_, _> = muon.state().unwrap().into_iter().collect();
                    muon = Muon::new(params.clone(), CONFIG).unwrap();
                    muon.load_state(&state).unwrap();
                }
                muon.step(&grads(&params, step), 0.01, 1.0).unwrap();
            }
            bits(&params)
        })
    };
    let whole = run(1, false);
    assert!(whole == run(1, true) && whole == run(3, false) && whole == run(2, true));
}

#[test]
fn a_state_of_another_model_is_refused_by_name_and_a_frozen_kernel_stays() {
    let params = params();
    let mut muon = Muon::new(params.clone(), CONFIG).unwrap();
    let mut state: HashMap<_, _> = muon.state().unwrap().into_iter().collect();
    let velocity = state.remove("p0.momentum_buffer").unwrap();
    let error = muon.load_state(&state).unwrap_err().to_string();
    assert!(error.contains("p0.momentum_buffer"), "{error}");
    state.insert("p0.momentum_buffer".into(), velocity.clone());
    state.insert("p9.momentum_buffer".into(), velocity);
    let error = muon.load_state(&state).unwrap_err().to_string();
    assert!(error.contains("p9.momentum_buffer"), "{error}");

    let mut frozen = params;
    frozen[0].rate = 0.0;
    let before = bits(&frozen);
    let mut muon = Muon::new(frozen.clone(), CONFIG).unwrap();
    muon.step(&grads(&frozen, 1), 0.1, 1.0).unwrap();
    let after = bits(&frozen);
    let own = frozen[0].var.elem_count();
    assert!(before[..own] == after[..own] && before[own..] != after[own..]);
}

#[test]
fn constants_out_of_range_are_refused() {
    for config in [
        MuonConfig {
            momentum: 1.0,
            ..CONFIG
        },
        MuonConfig { steps: 0, ..CONFIG },
        MuonConfig {
            rate: f64::NAN,
            ..CONFIG
        },
    ] {
        assert!(Muon::new(params(), config).is_err(), "{config:?}");
    }
}
