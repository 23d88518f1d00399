//! The optimizers against PyTorch, against a naive loop in f64, and across a save and a restart.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, which clippy cannot know

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
use proptest::prelude::*;
use siamese_kernels::optim::{
    AdamW, AdamWConfig, Optimizer, Param, Sgd, SgdConfig, global_grad_norm,
};

fn param(name: &str, values: &[f32], dims: &[usize], decay: bool) -> Param {
    let tensor = Tensor::from_slice(values, dims, &Device::Cpu).unwrap();
    Param {
        decay,
        ..Param::new(name, Var::from_tensor(&tensor).unwrap())
    }
}

/// Gradients that are exactly `grads`: those of `Σ θ·g`.
fn grads_of(params: &[&Param], grads: &[&[f32]]) -> GradStore {
    let mut loss = Tensor::new(0f32, &Device::Cpu).unwrap();
    for (param, grad) in params.iter().zip(grads) {
        let grad = Tensor::from_slice(grad, param.var.shape(), &Device::Cpu).unwrap();
        loss = (loss + (param.var.as_tensor() * grad).unwrap().sum_all().unwrap()).unwrap();
    }
    loss.backward().unwrap()
}

fn values(param: &Param) -> Vec<f32> {
    param.var.flatten_all().unwrap().to_vec1().unwrap()
}

fn bits(param: &Param) -> Vec<u32> {
    values(param).into_iter().map(f32::to_bits).collect()
}

fn wave(len: usize, phase: f32) -> Vec<f32> {
    (0..len)
        .map(|i| (i as f32 * 0.37 + phase).sin() * 1.5)
        .collect()
}

fn adamw(params: Vec<Param>, config: AdamWConfig) -> Optimizer {
    AdamW::new(params, config).unwrap().into()
}

fn sgd(params: Vec<Param>, config: SgdConfig) -> Optimizer {
    Sgd::new(params, config).unwrap().into()
}

/// The same formulas, one number at a time in f64.
#[derive(Default)]
struct Naive {
    step: i32,
    mean: f64,
    square: f64,
    velocity: f64,
}

impl Naive {
    fn adamw(&mut self, theta: f64, grad: f64, lr: f64, config: AdamWConfig) -> f64 {
        let AdamWConfig {
            beta1,
            beta2,
            eps,
            weight_decay,
        } = config;
        self.step += 1;
        self.mean = beta1 * self.mean + (1.0 - beta1) * grad;
        self.square = beta2 * self.square + (1.0 - beta2) * grad * grad;
        let mean = self.mean / (1.0 - beta1.powi(self.step));
        let square = self.square / (1.0 - beta2.powi(self.step));
        theta - lr * weight_decay * theta - lr * mean / (square.sqrt() + eps)
    }

    fn sgd(&mut self, theta: f64, grad: f64, lr: f64, config: SgdConfig) -> f64 {
        let grad = grad + config.weight_decay * theta;
        self.velocity = config.momentum * self.velocity + grad;
        let ahead = match config.nesterov {
            true => grad + config.momentum * self.velocity,
            false => self.velocity,
        };
        theta - lr * ahead
    }
}

#[test]
fn six_steps_are_those_of_pytorch() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("golden/optim.json")).unwrap();
    let floats = |value: &serde_json::Value| -> Vec<f32> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap() as f32)
            .collect()
    };
    let decayed = AdamWConfig {
        beta1: 0.8,
        beta2: 0.95,
        eps: 1e-6,
        weight_decay: 0.1,
    };
    let momentum = SgdConfig {
        momentum: 0.9,
        weight_decay: 0.01,
        nesterov: false,
    };
    type Make = Box<dyn Fn(Vec<Param>) -> Optimizer>;
    let cases: [(&str, f64, Make); 6] = [
        (
            "adamw",
            1e-2,
            Box::new(|params| adamw(params, AdamWConfig::default())),
        ),
        (
            "adamw_decay",
            5e-2,
            Box::new(move |params| adamw(params, decayed)),
        ),
        (
            "sgd",
            0.1,
            Box::new(|params| sgd(params, SgdConfig::default())),
        ),
        (
            "sgd_decay",
            0.1,
            Box::new(|params| {
                sgd(
                    params,
                    SgdConfig {
                        weight_decay: 0.05,
                        ..SgdConfig::default()
                    },
                )
            }),
        ),
        (
            "momentum",
            0.05,
            Box::new(move |params| sgd(params, momentum)),
        ),
        (
            "nesterov",
            0.05,
            Box::new(move |params| {
                sgd(
                    params,
                    SgdConfig {
                        nesterov: true,
                        ..momentum
                    },
                )
            }),
        ),
    ];
    for (name, lr, make) in cases {
        let theta = param("theta", &floats(&golden["start"]), &[3, 5], true);
        let mut optimizer = make(vec![theta.clone()]);
        let expected = golden["steps"][name].as_array().unwrap();
        for (grad, expected) in golden["grads"].as_array().unwrap().iter().zip(expected) {
            let grads = grads_of(&[&theta], &[&floats(grad)]);
            let norm = global_grad_norm(optimizer.params(), &grads).unwrap();
            let scale = f64::min(1.0, 2.0 / (norm + 1e-6));
            optimizer.step(&grads, lr, scale).unwrap();
            for (ours, torch) in values(&theta).iter().zip(floats(expected)) {
                assert!(
                    (ours - torch).abs() < 2e-6,
                    "{name}: {ours}, PyTorch {torch}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_parameter_follows_the_naive_loop(
        len in 1usize..70,
        phase in 0f32..6.0,
        lr in 1e-4f64..0.1,
        scale in 0.1f64..1.0,
        decay in any::<bool>(),
        nesterov in any::<bool>(),
        weight_decay in 0f64..0.2,
    ) {
        let with_adamw = AdamWConfig { weight_decay, ..AdamWConfig::default() };
        let with_sgd = SgdConfig { momentum: 0.9, nesterov, weight_decay };
        let (a, s) = (param("a", &wave(len, phase), &[len], decay), param("s", &wave(len, phase), &[len], decay));
        let mut optimizers = [adamw(vec![a.clone()], with_adamw), sgd(vec![s.clone()], with_sgd)];
        let mut naive: Vec<_> = (0..len).map(|_| (Naive::default(), Naive::default())).collect();
        let mut expected: Vec<_> = wave(len, phase).into_iter().map(|v| (f64::from(v), f64::from(v))).collect();
        let kept = if decay { weight_decay } else { 0.0 };
        for step in 0..8 {
            let grad = wave(len, phase + step as f32);
            let grads = grads_of(&[&a, &s], &[&grad, &grad]);
            for optimizer in &mut optimizers {
                optimizer.step(&grads, lr, scale).unwrap();
            }
            for ((naive, expected), grad) in naive.iter_mut().zip(&mut expected).zip(grad) {
                let grad = f64::from(grad) * scale;
                expected.0 = naive.0.adamw(expected.0, grad, lr, AdamWConfig { weight_decay: kept, ..with_adamw });
                expected.1 = naive.1.sgd(expected.1, grad, lr, SgdConfig { weight_decay: kept, ..with_sgd });
            }
        }
        // Eight steps of f32 rounding on values of order one.
        for ((a, s), expected) in values(&a).iter().zip(values(&s)).zip(expected) {
            prop_assert!((f64::from(*a) - expected.0).abs() < 2e-5, "AdamW {a}, naive {}", expected.0);
            prop_assert!((f64::from(s) - expected.1).abs() < 2e-5, "SGD {s}, naive {}", expected.1);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let len = 150_001; // ten chunks, the last one odd
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let a = param("a", &wave(len, 0.0), &[len], true);
            let s = param("s", &wave(len, 1.0), &[len], true);
            let config = SgdConfig {
                momentum: 0.9,
                nesterov: true,
                weight_decay: 0.01,
            };
            let mut optimizers = [
                adamw(vec![a.clone()], AdamWConfig::default()),
                sgd(vec![s.clone()], config),
            ];
            let mut norms = vec![];
            for step in 0..3 {
                let grad = wave(len, step as f32);
                let grads = grads_of(&[&a, &s], &[&grad, &grad]);
                norms.push(
                    global_grad_norm(&[a.clone(), s.clone()], &grads)
                        .unwrap()
                        .to_bits(),
                );
                for optimizer in &mut optimizers {
                    optimizer.step(&grads, 0.01, 0.7).unwrap();
                }
            }
            (bits(&a), bits(&s), norms)
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}

/// Two parameters and the optimizer over them, as a restarted program would build it.
fn fresh(kind: &str) -> (Param, Param, Optimizer) {
    let a = param("conv.weight", &wave(12, 0.3), &[3, 4], true);
    let b = param("bn.bias", &wave(5, 0.9), &[5], false);
    let params = vec![a.clone(), b.clone()];
    let optimizer = match kind {
        "adamw" => adamw(params, AdamWConfig::default()),
        _ => sgd(
            params,
            SgdConfig {
                momentum: 0.9,
                nesterov: kind == "nesterov",
                weight_decay: 0.1,
            },
        ),
    };
    (a, b, optimizer)
}

fn train(a: &Param, b: &Param, optimizer: &mut Optimizer, steps: std::ops::Range<usize>) {
    for step in steps {
        let grads = grads_of(
            &[a, b],
            &[&wave(12, step as f32), &wave(5, 2.0 * step as f32)],
        );
        optimizer.step(&grads, 0.03, 1.0).unwrap();
    }
}

#[test]
fn a_restarted_run_has_the_same_bits() {
    for kind in ["adamw", "momentum", "nesterov"] {
        let (a, b, mut whole) = fresh(kind);
        train(&a, &b, &mut whole, 0..9);

        let (c, d, mut first) = fresh(kind);
        train(&c, &d, &mut first, 0..4);
        let state: HashMap<_, _> = first.state().unwrap().into_iter().collect();
        let file = std::env::temp_dir().join(format!(
            "siamese-optim-{kind}-{}.safetensors",
            std::process::id()
        ));
        candle_core::safetensors::save(&state, &file).unwrap();

        let (e, f, mut second) = fresh(kind);
        e.var.set(&c.var).unwrap();
        f.var.set(&d.var).unwrap();
        second
            .load_state(&candle_core::safetensors::load(&file, &Device::Cpu).unwrap())
            .unwrap();
        std::fs::remove_file(file).unwrap();
        train(&e, &f, &mut second, 4..9);
        assert_eq!((bits(&a), bits(&b)), (bits(&e), bits(&f)), "{kind}");
    }
}

#[test]
fn the_state_is_sorted_and_bears_the_names_of_the_parameters() {
    let (_, _, optimizer) = fresh("adamw");
    let names: Vec<_> = optimizer
        .state()
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "bn.bias.exp_avg",
            "bn.bias.exp_avg_sq",
            "bn.bias.step",
            "conv.weight.exp_avg",
            "conv.weight.exp_avg_sq",
            "conv.weight.step",
        ]
    );
    let (_, _, optimizer) = fresh("momentum");
    let names: Vec<_> = optimizer
        .state()
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        ["bn.bias.momentum_buffer", "conv.weight.momentum_buffer"]
    );
}

#[test]
fn a_state_that_does_not_fit_is_named_and_changes_nothing() {
    for (kind, moment) in [("adamw", "exp_avg"), ("momentum", "momentum_buffer")] {
        let (a, b, mut optimizer) = fresh(kind);
        train(&a, &b, &mut optimizer, 0..2);
        let good: HashMap<_, _> = optimizer.state().unwrap().into_iter().collect();
        let key = format!("conv.weight.{moment}");
        let change = |tensor: Option<Tensor>, key: &str| {
            let mut state = good.clone();
            match tensor {
                Some(tensor) => state.insert(key.into(), tensor),
                None => state.remove(key),
            };
            state
        };
        let matrix = Tensor::zeros((4, 3), DType::F32, &Device::Cpu).unwrap();
        let cases = [
            (change(None, &key), format!("lacks '{key}'")),
            (
                change(Some(matrix.clone()), "head.weight.exp_avg"),
                "has 'head.weight.exp_avg'".into(),
            ),
            (
                change(Some(matrix), &key),
                format!("'{key}' is F32 [4, 3], expected F32 [3, 4]"),
            ),
            (
                change(Some(good[&key].to_dtype(DType::F64).unwrap()), &key),
                "F64".into(),
            ),
        ];
        for (state, expected) in cases {
            let error = optimizer.load_state(&state).unwrap_err().to_string();
            assert!(
                error.contains(&expected),
                "{error:?} should contain {expected:?}"
            );
        }
        for (name, tensor) in optimizer.state().unwrap() {
            let (now, before) = (
                tensor.to_dtype(DType::F32).unwrap(),
                good[&name].to_dtype(DType::F32).unwrap(),
            );
            let same = now.eq(&before).unwrap().to_dtype(DType::F32).unwrap();
            assert_eq!(
                same.min_all().unwrap().to_scalar::<f32>().unwrap(),
                1.0,
                "{name} changed"
            );
        }
    }
}

#[test]
fn a_parameter_without_gradient_is_left_alone_moments_too() {
    for kind in ["adamw", "momentum"] {
        let (a, b, mut optimizer) = fresh(kind);
        train(&a, &b, &mut optimizer, 0..1);
        let of_b = |optimizer: &Optimizer| -> Vec<(String, String)> {
            let state = optimizer.state().unwrap().into_iter();
            let state = state.filter(|(name, _)| name.starts_with("bn"));
            state
                .map(|(name, tensor)| (name, format!("{tensor:?} {tensor}")))
                .collect()
        };
        let (before, moments, moved) = (bits(&b), of_b(&optimizer), bits(&a));
        optimizer
            .step(&grads_of(&[&a], &[&wave(12, 1.0)]), 0.1, 1.0)
            .unwrap();
        assert_eq!((before, moments), (bits(&b), of_b(&optimizer)));
        assert_ne!(moved, bits(&a));
    }
}

#[test]
fn a_transposed_gradient_is_read_in_the_parameter_s_order() -> Result<()> {
    let weight = param("weight", &[0.0; 6], &[3, 2], false);
    let mut grads = grads_of(&[&weight], &[&[0.0; 6]]);
    let transposed = Tensor::new(&[[1f32, 3.0, 5.0], [2.0, 4.0, 6.0]], &Device::Cpu)?.t()?;
    grads.insert(&weight.var, transposed);
    let params = vec![weight.clone()];
    assert!((global_grad_norm(&params, &grads)? - 91f64.sqrt()).abs() < 1e-12);
    sgd(params, SgdConfig::default()).step(&grads, 1.0, 1.0)?;
    assert_eq!(values(&weight), [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]);
    Ok(())
}

#[test]
fn what_cannot_be_trained_is_refused_by_name() {
    let good = || param("w", &[1.0, 2.0], &[2], true);
    let double = Tensor::zeros(3, DType::F64, &Device::Cpu).unwrap();
    let double = Param::new("d", Var::from_tensor(&double).unwrap());
    let shared = good();
    let twin = Param {
        name: "twin".into(),
        ..shared.clone()
    };
    let adamw = |params| {
        AdamW::new(params, AdamWConfig::default())
            .unwrap_err()
            .to_string()
    };
    assert!(adamw(vec![good(), good()]).contains("two parameters are named 'w'"));
    assert!(adamw(vec![double]).contains("'d' is F64"));
    assert!(adamw(vec![shared, twin]).contains("'twin' is the same tensor"));

    let betas = AdamWConfig {
        beta2: 1.0,
        ..AdamWConfig::default()
    };
    assert!(
        AdamW::new(vec![good()], betas)
            .unwrap_err()
            .to_string()
            .contains("(0.9, 1)")
    );
    let lonely = SgdConfig {
        nesterov: true,
        ..SgdConfig::default()
    };
    assert!(
        Sgd::new(vec![good()], lonely)
            .unwrap_err()
            .to_string()
            .contains("momentum")
    );

    let theta = good();
    let mut optimizer = sgd(vec![theta.clone()], SgdConfig::default());
    let grads = grads_of(&[&theta], &[&[1.0, 1.0]]);
    assert!(
        optimizer
            .step(&grads, f64::NAN, 1.0)
            .unwrap_err()
            .to_string()
            .contains("NaN")
    );
    assert!(
        optimizer
            .step(&grads, 0.1, f64::INFINITY)
            .unwrap_err()
            .to_string()
            .contains("inf")
    );
    assert_eq!(values(&theta), [1.0, 2.0], "a refused step changes nothing");
}

/// A parameter's values and the optimizer's state after three steps at `lr`, by either optimizer.
fn three_steps(rate: f64, lr: f64) -> Vec<(Vec<f32>, Vec<Vec<f32>>)> {
    let sgd = SgdConfig {
        momentum: 0.9,
        nesterov: true,
        weight_decay: 0.1,
    };
    [true, false]
        .map(|adam| {
            let param = Param {
                rate,
                ..param("p", &[1.5, -0.25], &[2, 1], true)
            };
            let var = param.var.clone();
            let mut optimizer = match adam {
                true => Optimizer::from(
                    AdamW::new(vec![param.clone()], AdamWConfig::default()).unwrap(),
                ),
                false => Optimizer::from(Sgd::new(vec![param.clone()], sgd).unwrap()),
            };
            for step in 1..=3 {
                let grad = [step as f32, -0.5];
                let grads = grads_of(&[&param], &[&grad]);
                optimizer.step(&grads, lr, 0.7).unwrap();
            }
            let state = optimizer.state().unwrap().into_iter();
            let state = state.map(|(_, t)| {
                let values = t.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
                values.to_vec1().unwrap()
            });
            (
                var.flatten_all().unwrap().to_vec1().unwrap(),
                state.collect(),
            )
        })
        .to_vec()
}

#[test]
fn a_rate_multiplies_the_learning_rate_and_nothing_else() {
    assert_eq!(three_steps(0.25, 0.2), three_steps(1.0, 0.05));
    assert_ne!(three_steps(1.0, 0.2), three_steps(1.0, 0.05));
}

#[test]
fn a_frozen_parameter_keeps_its_value_and_its_moments_and_is_not_clipped_for() {
    for (values, state) in three_steps(0.0, 0.2) {
        assert_eq!(values, [1.5, -0.25]);
        assert!(state.iter().flatten().all(|&x| x == 0.0), "{state:?}");
    }
    let frozen = Param {
        rate: 0.0,
        ..param("frozen", &[1.0], &[1], true)
    };
    let free = param("free", &[1.0], &[1], true);
    let grads = grads_of(&[&frozen, &free], &[&[100.0], &[2.0]]);
    assert_eq!(global_grad_norm(&[frozen, free], &grads).unwrap(), 2.0);
    let wrong = Param {
        rate: f64::NAN,
        ..param("p", &[1.0], &[1], true)
    };
    let error = AdamW::new(vec![wrong], AdamWConfig::default()).unwrap_err();
    assert!(
        error.to_string().contains("rate NaN of parameter 'p'"),
        "{error}"
    );
}
