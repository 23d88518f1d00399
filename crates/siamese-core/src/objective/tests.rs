//! Every objective against golden values, naive loops in f64, finite differences, and in degenerate batches.

use candle_core::{DType, Result, Var};

use super::*;
use crate::distance::TensorDistance;

const X: [[f64; 3]; 7] = [
    [0.3, -1.2, 0.5],
    [2.0, 0.1, -0.7],
    [0.4, 0.4, 0.4],
    [0.1, 0.2, 0.3],
    [0.5, 0.3, 0.2],
    [0.2, -0.5, 0.9],
    [0.1, 0.3, -0.2],
];
const LABELS: [u32; 7] = [0, 1, 0, 1, 2, 0, 2];
const PROXIES: [[f64; 3]; 3] = [[0.2, -0.4, 0.6], [0.7, 0.1, -0.3], [-0.1, 0.5, 0.2]];

fn in_batch(margin: f64, positive_margin: f64, averaging: Averaging) -> ObjectiveConfig {
    ObjectiveConfig::Contrastive(Contrastive {
        pairs: PairsOf::InBatch,
        margin,
        positive_margin,
        averaging,
    })
}

fn triplets(margin: f64, miner: Miner) -> ObjectiveConfig {
    ObjectiveConfig::Triplet(Triplet { margin, miner })
}

fn softmax(margin: f64, label_smoothing: f64) -> ObjectiveConfig {
    ObjectiveConfig::NormalizedSoftmax(NormalizedSoftmax {
        scale: 8.0,
        margin,
        label_smoothing,
    })
}

fn sup_con(temperature: f64) -> ObjectiveConfig {
    ObjectiveConfig::SupCon(SupCon { temperature })
}

fn nt_xent(temperature: f64) -> ObjectiveConfig {
    ObjectiveConfig::NtXent(NtXent { temperature })
}

/// Each objective that scores a batch of any arrangement, in every mode.
fn all() -> Vec<ObjectiveConfig> {
    vec![
        in_batch(1.5, 0.0, Averaging::All),
        in_batch(1.5, 0.3, Averaging::Active),
        triplets(0.5, Miner::All),
        triplets(0.5, Miner::BatchHard),
        triplets(0.5, Miner::SemiHard),
        sup_con(0.2),
        nt_xent(0.2),
        softmax(0.0, 0.0),
        softmax(0.35, 0.1),
    ]
}

/// The loss of embeddings of either precision; proxies are those of the golden values.
fn score(
    config: &ObjectiveConfig,
    distance: Distance,
    x: &Tensor,
    labels: &[u32],
) -> Result<Scored> {
    let labels = Tensor::new(labels, x.device())?;
    if let ObjectiveConfig::NormalizedSoftmax(softmax) = config {
        let proxies = Tensor::new(&PROXIES, x.device())?.to_dtype(x.dtype())?;
        return normalized_softmax(x, &labels, &proxies, softmax);
    }
    let objective = Objective::new(config.clone(), distance, 3, 3, 0, x.device());
    objective
        .map_err(candle_core::Error::wrap)?
        .score(x, &labels)
}

fn value_and_gradient(
    config: &ObjectiveConfig,
    distance: Distance,
    x: &Var,
    labels: &[u32],
) -> Result<(f64, Vec<f64>)> {
    let loss = score(config, distance, x.as_tensor(), labels)?.loss;
    let grads = loss.backward()?;
    let gradient = match grads.get(x) {
        Some(gradient) => gradient.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?,
        None => vec![0.0; x.elem_count()],
    };
    Ok((loss.to_dtype(DType::F64)?.to_scalar()?, gradient))
}

fn assert_close(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (g, e) in got.iter().zip(expected) {
        assert!(
            (g - e).abs() < tolerance,
            "{what}: {got:?} is not {expected:?}"
        );
    }
}

/// `tests/golden/objectives.py` wrote them.
#[test]
fn losses_and_gradients_are_those_of_pytorch() -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Golden {
        loss: f64,
        gradient: Vec<f64>,
    }
    let text = include_str!("../../tests/golden/objectives.json");
    let golden: std::collections::BTreeMap<String, Golden> = serde_json::from_str(text)?;
    let cases = [
        (
            "contrastive_two_margins",
            in_batch(1.5, 0.3, Averaging::Active),
        ),
        ("triplet_all", triplets(0.5, Miner::All)),
        ("triplet_all_squared", triplets(0.5, Miner::All)),
        ("triplet_batch_hard", triplets(0.5, Miner::BatchHard)),
        ("triplet_semi_hard", triplets(0.5, Miner::SemiHard)),
        ("sup_con", sup_con(0.2)),
        ("nt_xent", nt_xent(0.2)),
        ("normalized_softmax", softmax(0.0, 0.0)),
        ("normalized_softmax_margin", softmax(0.35, 0.1)),
    ];
    assert_eq!(golden.len(), cases.len());
    for (name, config) in cases {
        let distance = match name.ends_with("squared") {
            true => Distance::SquaredEuclidean,
            false => Distance::Euclidean,
        };
        let wanted = &golden[name];
        for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 2e-5)] {
            let x = Var::from_tensor(&Tensor::new(&X, &Device::Cpu)?.to_dtype(dtype)?)?;
            let (loss, gradient) = value_and_gradient(&config, distance, &x, &LABELS)?;
            assert_close(&[loss], &[wanted.loss], tolerance, name);
            assert_close(&gradient, &wanted.gradient, tolerance, name);
        }
    }
    Ok(())
}

#[test]
fn gradients_agree_with_finite_differences() -> Result<()> {
    let base: Vec<f64> = X.concat();
    let mut configs = all();
    configs.push(ObjectiveConfig::default());
    for config in configs {
        // pairs of the first three with the last three, for those that want halves
        let (rows, labels) = match config {
            ObjectiveConfig::Contrastive(c) if c.pairs == PairsOf::Sampled => (6, &LABELS[..6]),
            _ => (7, &LABELS[..]),
        };
        let at = |values: &[f64]| Var::from_slice(&values[..rows * 3], (rows, 3), &Device::Cpu);
        for distance in [Distance::Euclidean, Distance::Cosine] {
            let (_, gradient) = value_and_gradient(&config, distance, &at(&base)?, labels)?;
            for i in 0..rows * 3 {
                let step = |h: f64| -> Result<f64> {
                    let mut moved = base.clone();
                    moved[i] += h;
                    score(&config, distance, at(&moved)?.as_tensor(), labels)?
                        .loss
                        .to_scalar::<f64>()
                };
                let numeric = (step(1e-6)? - step(-1e-6)?) / 2e-6;
                assert!(
                    (gradient[i] - numeric).abs() < 1e-6,
                    "{config:?} {distance:?} {i}: {} {numeric}",
                    gradient[i]
                );
            }
        }
    }
    Ok(())
}

/// The loss by its definition, one pair or triplet after another.
fn naive(config: &ObjectiveConfig, distance: Distance) -> f64 {
    let row = |i: usize| X[i].map(|v| v as f32);
    let d = |i: usize, j: usize| f64::from(distance.of(&row(i), &row(j)));
    let like = |i: usize, j: usize| LABELS[i] == LABELS[j];
    let others = |i: usize| (0..7).filter(move |&j| j != i);
    let cosine = |a: &[f64; 3], b: &[f64; 3]| {
        let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let mean = |costs: Vec<f64>| costs.iter().sum::<f64>() / costs.len() as f64;
    match config {
        ObjectiveConfig::Contrastive(c) => {
            let pairs = || (0..7).flat_map(|i| (0..i).map(move |j| (i, j)));
            let pull = pairs().filter(|&(i, j)| like(i, j));
            let pull = pull.map(|(i, j)| (d(i, j) - c.positive_margin).max(0.0).powi(2));
            let push = pairs().filter(|&(i, j)| !like(i, j));
            let push = push.map(|(i, j)| (c.margin - d(i, j)).max(0.0).powi(2));
            let push = push.filter(|&cost| c.averaging == Averaging::All || cost > 0.0);
            0.25 * (mean(pull.collect()) + mean(push.collect()))
        }
        ObjectiveConfig::SameDifferent(_) => unreachable!("it has tests of its own"),
        ObjectiveConfig::Triplet(c) => {
            let mut costs = Vec::new();
            for a in 0..7 {
                let hardest = others(a).filter(|&p| like(a, p)).map(|p| d(a, p));
                let hardest = hardest.fold(0.0, f64::max);
                let nearest = others(a).filter(|&n| !like(a, n)).map(|n| d(a, n));
                let nearest = nearest.fold(f64::MAX, f64::min);
                if c.miner == Miner::BatchHard {
                    costs.push((c.margin + hardest - nearest).max(0.0));
                    continue;
                }
                for (p, n) in others(a).flat_map(|p| others(a).map(move |n| (p, n))) {
                    let cost = c.margin + d(a, p) - d(a, n);
                    let mined = c.miner == Miner::All || d(a, n) > d(a, p);
                    if like(a, p) && !like(a, n) && cost > 0.0 && mined {
                        costs.push(cost);
                    }
                }
            }
            mean(costs)
        }
        ObjectiveConfig::SupCon(SupCon { temperature }) => {
            let e = |a: usize, b: usize| (cosine(&X[a], &X[b]) / temperature).exp();
            let of_anchor = |a: usize| {
                let total: f64 = others(a).map(|k| e(a, k)).sum();
                let positives = others(a).filter(|&p| like(a, p));
                mean(positives.map(|p| -(e(a, p) / total).ln()).collect())
            };
            mean((0..7).map(of_anchor).collect())
        }
        ObjectiveConfig::NtXent(NtXent { temperature }) => {
            let e = |a: usize, b: usize| (cosine(&X[a], &X[b]) / temperature).exp();
            let mut costs = Vec::new();
            for a in 0..7 {
                let unlike: f64 = others(a).filter(|&n| !like(a, n)).map(|n| e(a, n)).sum();
                let positives = others(a).filter(|&p| like(a, p));
                costs.extend(positives.map(|p| -(e(a, p) / (e(a, p) + unlike)).ln()));
            }
            mean(costs)
        }
        ObjectiveConfig::NormalizedSoftmax(c) => {
            let of_image = |i: usize| {
                let truth = LABELS[i] as usize;
                let handicap = |k: usize| if k == truth { c.margin } else { 0.0 };
                let e = |k: usize| (c.scale * (cosine(&X[i], &PROXIES[k]) - handicap(k))).exp();
                let total: f64 = (0..3).map(e).sum();
                let target = |k: usize| {
                    let own = if k == truth {
                        1.0 - c.label_smoothing
                    } else {
                        0.0
                    };
                    own + c.label_smoothing / 3.0
                };
                -(0..3).map(|k| target(k) * (e(k) / total).ln()).sum::<f64>()
            };
            mean((0..7).map(of_image).collect())
        }
    }
}

#[test]
fn losses_agree_with_naive_loops() -> Result<()> {
    let x = Tensor::new(&X, &Device::Cpu)?;
    for config in all() {
        for distance in Distance::ALL {
            let loss = score(&config, distance, &x, &LABELS)?
                .loss
                .to_scalar::<f64>()?;
            let what = format!("{config:?} {distance}");
            assert_close(&[loss], &[naive(&config, distance)], 1e-5, &what);
        }
    }
    Ok(())
}

#[test]
fn degenerate_batches_have_a_finite_loss_and_gradient() -> Result<()> {
    let same = [[0.6f32, -0.8, 0.0]; 4];
    let zero = [[0f32; 3]; 4];
    let apart = [[1f32, 0., 0.], [0., 1., 0.], [0., 0., 1.], [-1., 0., 0.]];
    // extreme temperatures and scales must not overflow
    let mut configs = all();
    configs.extend([sup_con(1e-3), nt_xent(1e-3), triplets(9e5, Miner::All)]);
    configs.push(ObjectiveConfig::NormalizedSoftmax(NormalizedSoftmax {
        scale: 9e5,
        ..NormalizedSoftmax::default()
    }));
    for config in configs {
        for x in [same, zero, apart] {
            // ordinary, of one class, without a like pair
            for labels in [[0, 1, 0, 1], [2, 2, 2, 2], [0, 1, 2, 0]] {
                for images in [4, 3, 2, 1] {
                    let x = Var::from_vec(x[..images].concat(), (images, 3), &Device::Cpu)?;
                    let labels = &labels[..images];
                    let (loss, gradient) =
                        value_and_gradient(&config, Distance::Euclidean, &x, labels)?;
                    assert!(loss.is_finite(), "{config:?} {x} {labels:?}");
                    assert!(
                        gradient.iter().all(|g| g.is_finite()),
                        "{config:?} {x} {labels:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_collapsed_tower_stands_at_the_loss_that_is_told() -> anyhow::Result<()> {
    let x = Tensor::new(&[[0.6f32, -0.8, 0.0]; 6], &Device::Cpu)?;
    let labels = Tensor::new(&[0u32, 0, 1, 1, 0, 1], &Device::Cpu)?;
    let mut told = 0;
    for config in all() {
        let objective = Objective::new(config.clone(), Distance::Euclidean, 3, 2, 7, &Device::Cpu)?;
        if matches!(config, ObjectiveConfig::NormalizedSoftmax(_)) {
            // one point is no guess of a class where both proxies are the same
            let proxies = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
            objective
                .parameters()
                .load(&[("proxies".to_string(), proxies)].into())?;
        }
        let scored = objective.score(&x, &labels)?;
        let Some(collapsed) = objective.collapsed(6) else {
            continue;
        };
        // semi-hard negatives are farther than the positive, and here nothing is
        if config != triplets(0.5, Miner::SemiHard) {
            let loss = f64::from(scored.loss.to_scalar::<f32>()?);
            assert_close(&[loss], &[collapsed], 1e-4, &config.to_string());
        }
        let active = scored.active.to_scalar::<f32>()?;
        assert_eq!(active, 1.0, "{config}");
        told += 1;
    }
    assert_eq!(told, 8);
    Ok(())
}

#[test]
fn the_validation_loss_takes_the_training_losss_average() -> anyhow::Result<()> {
    let x = Tensor::new(&X, &Device::Cpu)?.to_dtype(DType::F32)?;
    let matrix = Distance::Euclidean.pairwise(&x, &x)?.to_vec2::<f32>()?;
    let of = |pairs: &[(usize, usize)]| -> (Vec<f32>, Vec<bool>) {
        let pair = |&(i, j): &(usize, usize)| (matrix[i][j], LABELS[i] == LABELS[j]);
        pairs.iter().map(pair).unzip()
    };
    let every: Vec<(usize, usize)> = (0..7).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    let sampled = [(0, 3), (1, 4), (2, 5)];
    let cases = [
        (in_batch(1.5, 0.0, Averaging::All), &every[..], 7),
        (in_batch(1.5, 0.3, Averaging::Active), &every[..], 7),
        (ObjectiveConfig::default(), &sampled[..], 6),
    ];
    for (config, pairs, images) in cases {
        let trained = score(
            &config,
            Distance::Euclidean,
            &x.narrow(0, 0, images)?,
            &LABELS[..images],
        )?;
        let objective = Objective::new(config, Distance::Euclidean, 3, 3, 0, &Device::Cpu)?;
        let (distances, like) = of(pairs);
        let judged = objective.validation_loss(&distances, &like).unwrap();
        let trained = f64::from(trained.loss.to_scalar::<f32>()?);
        assert_close(&[judged], &[trained], 1e-6, &objective.config().to_string());
        assert_eq!(objective.validation_loss(&[], &[]), None);
    }
    let objective = Objective::new(sup_con(0.1), Distance::Cosine, 3, 3, 0, &Device::Cpu)?;
    assert_eq!(objective.validation_loss(&[0.5], &[true]), None);
    Ok(())
}

#[test]
fn proxies_are_drawn_from_the_seed_and_learn() -> anyhow::Result<()> {
    let new = |seed| {
        Objective::new(
            softmax(0.0, 0.0),
            Distance::Cosine,
            3,
            5,
            seed,
            &Device::Cpu,
        )
    };
    let objective = new(1)?;
    assert_eq!(
        objective.parameters().fingerprint()?,
        new(1)?.parameters().fingerprint()?
    );
    assert_ne!(
        objective.parameters().fingerprint()?,
        new(2)?.parameters().fingerprint()?
    );
    assert_eq!(objective.parameters().count(), 15);
    let x = Tensor::new(&X, &Device::Cpu)?.to_dtype(DType::F32)?;
    let grads = objective
        .score(&x, &Tensor::new(&LABELS, &Device::Cpu)?)?
        .loss
        .backward()?;
    let (_, proxies) = &objective.parameters().all()[0];
    let moved = grads
        .get(proxies)
        .unwrap()
        .abs()?
        .sum(1)?
        .to_vec1::<f32>()?;
    assert!(moved.iter().all(|&g| g > 0.0), "{moved:?}");
    Ok(())
}

#[test]
fn shapes_and_labels_that_do_not_fit_are_named() -> anyhow::Result<()> {
    let x = Tensor::ones((3, 2), DType::F32, &Device::Cpu)?;
    let said = |config: ObjectiveConfig, labels: &[u32]| -> anyhow::Result<String> {
        let objective = Objective::new(config, Distance::Euclidean, 2, 2, 0, &Device::Cpu)?;
        let scored = objective.score(&x, &Tensor::new(labels, &Device::Cpu)?);
        Ok(scored.err().map(|e| e.to_string()).unwrap_or_default())
    };
    for config in all() {
        let error = said(config, &[0, 1])?;
        assert!(error.contains("[3, 2]") && error.contains("[2]"), "{error}");
    }
    assert!(said(ObjectiveConfig::default(), &[0, 1, 0])?.contains("even number"));
    assert!(said(softmax(0.0, 0.0), &[0, 1, 2])?.contains("label 2"));
    let pairs = Tensor::new(&[0.5f32, 0.6], &Device::Cpu)?;
    let error = contrastive(&pairs, &pairs.narrow(0, 0, 1)?, &Contrastive::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("[2]") && error.contains("[1]"), "{error}");
    Ok(())
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let contrastive = |change: fn(&mut Contrastive)| {
        let mut config = Contrastive::default();
        change(&mut config);
        ObjectiveConfig::Contrastive(config)
    };
    let cases = [
        (contrastive(|c| c.margin = 0.0), "margin"),
        (contrastive(|c| c.margin = 1e6), "margin"),
        (contrastive(|c| c.positive_margin = 1.0), "positive_margin"),
        (contrastive(|c| c.positive_margin = -0.1), "positive_margin"),
        (
            contrastive(|c| c.averaging = Averaging::Active),
            "averaging",
        ),
        (triplets(f64::NAN, Miner::All), "margin"),
        (sup_con(0.0), "temperature"),
        (nt_xent(f64::INFINITY), "temperature"),
        (softmax(2.0, 0.0), "margin"),
        (softmax(0.0, 1.0), "label_smoothing"),
    ];
    for (config, field) in cases {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(field), "{config:?}: {error}");
        assert!(Objective::new(config, Distance::Cosine, 3, 3, 0, &Device::Cpu).is_err());
    }
    let one_class = Objective::new(softmax(0.0, 0.0), Distance::Cosine, 3, 1, 0, &Device::Cpu);
    assert!(one_class.is_err_and(|e| e.to_string().contains("2 classes")));
}

#[test]
fn files_name_the_kind_and_may_leave_out_the_rest() -> anyhow::Result<()> {
    for name in ObjectiveConfig::NAMES {
        let config: ObjectiveConfig = serde_json::from_value(serde_json::json!({ "kind": name }))?;
        config.validate()?;
        assert_eq!(config.name(), name);
        let copy: ObjectiveConfig = serde_json::from_str(&serde_json::to_string(&config)?)?;
        assert_eq!(copy, config);
        let typo = serde_json::json!({ "kind": name, "margine": 1.0 });
        let error = serde_json::from_value::<ObjectiveConfig>(typo)
            .unwrap_err()
            .to_string();
        assert!(error.contains("margine"), "{error}");
    }
    let said = in_batch(1.0, 0.0, Averaging::All).to_string();
    assert_eq!(
        said,
        "contrastive loss, margin 1, over all pairs of each batch"
    );
    Ok(())
}
