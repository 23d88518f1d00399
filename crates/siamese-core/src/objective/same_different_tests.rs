//! The binary cross-entropy on pairs: golden values, a naive loop, finite differences, degenerate batches.

use std::collections::HashMap;

use candle_core::{Device, Var};

use super::*;
use crate::head::{ComparisonConfig, Head};
use crate::objective::{Objective, ObjectiveConfig};
use crate::parameters::Parameters;
use siamese_metrics::Distance;

const X: [[f64; 3]; 6] = [
    [0.3, -1.2, 0.5],
    [2.0, 0.1, -0.7],
    [0.4, 0.45, 0.35],
    [0.1, 0.2, 0.3],
    [0.5, 0.3, 0.2],
    [0.2, -0.5, 0.9],
];
const LABELS: [u32; 6] = [0, 1, 0, 1, 1, 0];

/// As `tests/golden/same_different.py` writes it.
#[derive(Deserialize)]
struct Golden {
    #[serde(flatten)]
    head: Shape,
    #[serde(flatten)]
    config: Settings,
    weights: Vec<[Vec<f32>; 2]>,
    loss: f64,
    gradient: Vec<f64>,
    weight_gradients: Vec<[Vec<f64>; 2]>,
}

#[derive(Deserialize)]
struct Shape {
    combine: Vec<siamese_metrics::Combine>,
    hidden: Vec<usize>,
}

#[derive(Deserialize)]
struct Settings {
    pairs: PairsOf,
    label_smoothing: f64,
}

impl Golden {
    fn all() -> Vec<Self> {
        let text = include_str!("../../tests/golden/same_different.json");
        serde_json::from_str(text).unwrap()
    }

    fn head(&self) -> Head {
        let mut tensors = HashMap::new();
        for (i, [weight, bias]) in self.weights.iter().enumerate() {
            let shape = (bias.len(), weight.len() / bias.len());
            let weight = Tensor::from_vec(weight.clone(), shape, &Device::Cpu).unwrap();
            let bias = Tensor::new(bias.as_slice(), &Device::Cpu).unwrap();
            tensors.insert(format!("layers.{i}.weight"), weight);
            tensors.insert(format!("layers.{i}.bias"), bias);
        }
        let config = ComparisonConfig {
            combine: self.head.combine.clone(),
            hidden: self.head.hidden.clone(),
        };
        let parameters = Parameters::from_tensors(tensors, &Device::Cpu);
        let head = Head::with_parameters(config, 3, parameters).unwrap();
        head.parameters().check_given().unwrap();
        head
    }

    fn objective(&self) -> Objective {
        objective(self.config.pairs, self.config.label_smoothing, self.head())
    }
}

fn objective(pairs: PairsOf, label_smoothing: f64, head: Head) -> Objective {
    let config = ObjectiveConfig::SameDifferent(SameDifferent {
        pairs,
        label_smoothing,
    });
    let objective = Objective::new(config, Distance::Euclidean, 3, 2, 0, &Device::Cpu);
    objective.unwrap().with_head(head)
}

fn close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (g, e) in got.iter().zip(expected) {
        assert!((g - e).abs() < tolerance, "{got:?} is not {expected:?}");
    }
}

fn f64s(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    flat.to_vec1().unwrap()
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() -> anyhow::Result<()> {
    let labels = Tensor::new(&LABELS, &Device::Cpu)?;
    for golden in Golden::all() {
        for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-5)] {
            let objective = golden.objective();
            let x = Var::from_tensor(&Tensor::new(&X, &Device::Cpu)?.to_dtype(dtype)?)?;
            let loss = objective.score(x.as_tensor(), &labels)?.loss;
            close(&f64s(&loss), &[golden.loss], tolerance);
            let grads = loss.backward()?;
            close(&f64s(grads.get(&x).unwrap()), &golden.gradient, tolerance);
            let of_head: HashMap<_, _> = objective
                .head()
                .unwrap()
                .parameters()
                .all()
                .into_iter()
                .collect();
            for (i, [weight, bias]) in golden.weight_gradients.iter().enumerate() {
                for (name, expected) in [("weight", weight), ("bias", bias)] {
                    let var = &of_head[&format!("layers.{i}.{name}")];
                    // the head's weights are f32, and so are their gradients
                    close(&f64s(grads.get(var).unwrap()), expected, 1e-5);
                }
            }
        }
    }
    Ok(())
}

/// The loss by its definition, one pair after another.
fn naive(golden: &Golden) -> f64 {
    let comparison = golden.head().comparison().unwrap();
    let row = |i: usize| X[i].map(|v| v as f32);
    let cost = |(a, b): (usize, usize)| {
        let different = f64::from(comparison.of(&row(a), &row(b)));
        let like = LABELS[a] == LABELS[b];
        let smoothing = golden.config.label_smoothing;
        let target = if like {
            1.0 - smoothing / 2.0
        } else {
            smoothing / 2.0
        };
        let cost = -target * (1.0 - different).ln() - (1.0 - target) * different.ln();
        (like, cost)
    };
    let mean = |costs: Vec<f64>| costs.iter().sum::<f64>() / costs.len() as f64;
    match golden.config.pairs {
        PairsOf::Sampled => mean((0..3).map(|i| cost((i, i + 3)).1).collect()),
        PairsOf::InBatch => {
            let pairs = || (0..6).flat_map(|a| (a + 1..6).map(move |b| (a, b)));
            let of = |kind| {
                let costs = pairs().map(cost).filter(|(like, _)| *like == kind);
                mean(costs.map(|(_, cost)| cost).collect())
            };
            0.5 * (of(true) + of(false))
        }
    }
}

#[test]
fn losses_agree_with_a_naive_loop() -> anyhow::Result<()> {
    let (x, labels) = (
        Tensor::new(&X, &Device::Cpu)?,
        Tensor::new(&LABELS, &Device::Cpu)?,
    );
    for golden in Golden::all() {
        let loss = golden.objective().score(&x, &labels)?.loss;
        close(&f64s(&loss), &[naive(&golden)], 1e-5);
    }
    Ok(())
}

#[test]
fn gradients_agree_with_finite_differences() -> anyhow::Result<()> {
    let labels = Tensor::new(&LABELS, &Device::Cpu)?;
    let base = X.concat();
    for golden in Golden::all() {
        let objective = golden.objective();
        let at = |values: &[f64]| Var::from_slice(values, (6, 3), &Device::Cpu);
        let x = at(&base)?;
        let grads = objective.score(x.as_tensor(), &labels)?.loss.backward()?;
        let gradient = f64s(grads.get(&x).unwrap());
        for i in 0..base.len() {
            let step = |h: f64| -> anyhow::Result<f64> {
                let mut moved = base.clone();
                moved[i] += h;
                let scored = objective.score(at(&moved)?.as_tensor(), &labels)?;
                Ok(scored.loss.to_scalar::<f64>()?)
            };
            let numeric = (step(1e-6)? - step(-1e-6)?) / 2e-6;
            assert!(
                (gradient[i] - numeric).abs() < 1e-6,
                "{i}: {} {numeric}",
                gradient[i]
            );
        }
    }
    Ok(())
}

#[test]
fn degenerate_batches_and_sure_heads_have_a_finite_loss_and_gradient() -> anyhow::Result<()> {
    let same = [[0.6f32, -0.8, 0.0]; 4];
    let zero = [[0f32; 3]; 4];
    let far = [
        [1e4f32, 0., 0.],
        [0., -1e4, 0.],
        [0., 0., 1e4],
        [-1e4, 0., 0.],
    ];
    for golden in Golden::all() {
        for pairs in [PairsOf::Sampled, PairsOf::InBatch] {
            for x in [same, zero, far] {
                for labels in [[0u32, 1, 0, 1], [2, 2, 2, 2], [0, 1, 2, 3]] {
                    for images in [4, 3, 2, 1] {
                        if pairs == PairsOf::Sampled && images % 2 == 1 {
                            continue;
                        }
                        let objective = objective(pairs, 0.1, golden.head());
                        let x = Var::from_vec(x[..images].concat(), (images, 3), &Device::Cpu)?;
                        let labels = Tensor::new(&labels[..images], &Device::Cpu)?;
                        let scored = objective.score(x.as_tensor(), &labels)?;
                        assert!(scored.loss.to_scalar::<f32>()?.is_finite());
                        assert!(scored.active.to_scalar::<f32>()?.is_finite());
                        let grads = scored.loss.backward()?;
                        let mut vars = objective.head().unwrap().parameters().trainable();
                        vars.push(("x".into(), x));
                        for (name, var) in vars {
                            let finite = |g| f64s(g).iter().all(|v| v.is_finite());
                            assert!(grads.get(&var).is_none_or(finite), "{name}");
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_collapsed_tower_stands_at_the_loss_of_a_coin() -> anyhow::Result<()> {
    let head = Head::new(ComparisonConfig::default(), 3, 0, &Device::Cpu)?;
    let weights: HashMap<String, Tensor> = [
        (
            "layers.0.weight".to_string(),
            Tensor::ones((1, 3), DType::F32, &Device::Cpu)?,
        ),
        (
            "layers.0.bias".to_string(),
            Tensor::zeros(1, DType::F32, &Device::Cpu)?,
        ),
    ]
    .into();
    head.parameters().load(&weights)?;
    let x = Tensor::new(&[[0.6f32, -0.8, 0.0]; 4], &Device::Cpu)?;
    let labels = Tensor::new(&[0u32, 1, 0, 1], &Device::Cpu)?;
    for smoothing in [0.0, 0.2] {
        let objective = objective(PairsOf::InBatch, smoothing, head.clone());
        let scored = objective.score(&x, &labels)?;
        close(
            &f64s(&scored.loss),
            &[objective.collapsed(4).unwrap()],
            1e-6,
        );
        assert_eq!(scored.active.to_scalar::<f32>()?, 1.0);
    }
    Ok(())
}

#[test]
fn the_validation_loss_takes_the_training_losss_average() -> anyhow::Result<()> {
    let (x, labels) = (
        Tensor::new(&X, &Device::Cpu)?,
        Tensor::new(&LABELS, &Device::Cpu)?,
    );
    for golden in Golden::all() {
        let (objective, comparison) = (golden.objective(), golden.head().comparison()?);
        let row = |i: usize| X[i].map(|v| v as f32);
        let pairs: Vec<(usize, usize)> = match golden.config.pairs {
            PairsOf::Sampled => (0..3).map(|i| (i, i + 3)).collect(),
            PairsOf::InBatch => (0..6)
                .flat_map(|a| (a + 1..6).map(move |b| (a, b)))
                .collect(),
        };
        let judged = pairs
            .iter()
            .map(|&(a, b)| (comparison.of(&row(a), &row(b)), LABELS[a] == LABELS[b]));
        let (distances, like): (Vec<f32>, Vec<bool>) = judged.unzip();
        let judged = objective.validation_loss(&distances, &like).unwrap();
        close(&[judged], &f64s(&objective.score(&x, &labels)?.loss), 1e-5);
        assert_eq!(objective.validation_loss(&[], &[]), None);
        let sure = objective.validation_loss(&[1.0, 0.0], &[true, false]);
        assert!(
            sure.is_some_and(|loss| loss > 5.0 && loss < 17.0),
            "{sure:?}"
        );
    }
    Ok(())
}

#[test]
fn a_missing_head_an_odd_batch_and_settings_out_of_range_are_named() -> anyhow::Result<()> {
    let (x, labels) = (
        Tensor::new(&X, &Device::Cpu)?,
        Tensor::new(&LABELS, &Device::Cpu)?,
    );
    let config = ObjectiveConfig::SameDifferent(SameDifferent::default());
    assert!(config.needs_head() && !ObjectiveConfig::default().needs_head());
    let objective = Objective::new(config, Distance::Euclidean, 3, 2, 0, &Device::Cpu)?;
    let error = objective.score(&x, &labels).unwrap_err().to_string();
    assert!(error.contains("head.kind"), "{error}");
    let head = Head::new(ComparisonConfig::default(), 3, 0, &Device::Cpu)?;
    let objective = objective.with_head(head);
    let error = objective.score(&x.narrow(0, 0, 5)?, &labels.narrow(0, 0, 5)?);
    assert!(error.unwrap_err().to_string().contains("even number"));
    let smoothed = |label_smoothing| {
        let config = SameDifferent {
            label_smoothing,
            ..Default::default()
        };
        ObjectiveConfig::SameDifferent(config).validate()
    };
    for wrong in [1.0, -0.1, f64::NAN] {
        assert!(
            smoothed(wrong)
                .unwrap_err()
                .to_string()
                .starts_with("label_smoothing")
        );
    }
    Ok(())
}
