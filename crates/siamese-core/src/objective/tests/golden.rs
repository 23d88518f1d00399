//! Golden values of pytorch-metric-learning and PyTorch, and finite differences.

use std::collections::BTreeMap;

use super::*;

/// What another implementation says; `tests/golden/objectives.py` wrote it.
#[derive(Deserialize)]
struct Golden {
    /// So many of the images.
    rows: usize,
    loss: f64,
    gradient: Vec<f64>,
    /// The gradient of the objective's own parameter.
    own: Option<Vec<f64>>,
}

fn cases() -> [(&'static str, ObjectiveConfig); 27] {
    [
        (
            "contrastive_two_margins",
            in_batch(1.5, 0.3, Averaging::Active),
        ),
        ("triplet_all", triplets(0.5, Miner::All)),
        ("triplet_all_squared", triplets(0.5, Miner::All)),
        ("triplet_batch_hard", triplets(0.5, Miner::BatchHard)),
        ("triplet_semi_hard", triplets(0.5, Miner::SemiHard)),
        ("triplet_angular", triplets(0.5, Miner::Angular)),
        ("sup_con", sup_con(0.2)),
        ("nt_xent", nt_xent(0.2)),
        ("n_pairs", n_pairs(0.0)),
        ("normalized_softmax", softmax(0.0, 0.0)),
        ("normalized_softmax_margin", softmax(0.35, 0.1)),
        ("cosine_embedding", cosine_embedding(PairsOf::Sampled)),
        ("margin", margin(Boundary::Fixed, Negatives::All)),
        (
            "margin_per_class",
            margin(Boundary::PerClass, Negatives::All),
        ),
        ("lifted", lifted()),
        ("multi_similarity", multi_similarity(0.1)),
        ("multi_similarity_all", multi_similarity(2.0)),
        ("circle", circle()),
        ("proxy_nca", proxy_nca()),
        ("proxy_anchor", proxy_anchor()),
        ("cos_face", cos_face()),
        ("arc_face", arc_face(1)),
        ("arc_face_centers", arc_face(2)),
        ("soft_triple", soft_triple(0.0)),
        ("sim_siam", sim_siam()),
        (
            "uniformity",
            ObjectiveConfig::Uniformity(Uniformity::default()),
        ),
        ("center", ObjectiveConfig::Center(Center::default())),
    ]
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() -> anyhow::Result<()> {
    let text = include_str!("../../../tests/golden/objectives.json");
    let golden: BTreeMap<String, Golden> = serde_json::from_str(text)?;
    assert_eq!(golden.len(), cases().len());
    for (name, config) in cases() {
        let distance = match name.ends_with("squared") {
            true => Distance::SquaredEuclidean,
            false => Distance::Euclidean,
        };
        let wanted = &golden[name];
        for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 2e-5)] {
            let x = Var::from_tensor(&images(0..wanted.rows, dtype)?)?;
            let objective = objective(&config, distance)?;
            let labels = Tensor::new(&LABELS[..wanted.rows], &Device::Cpu)?;
            let loss = objective.score(&x, &labels)?.loss;
            let grads = loss.backward()?;
            let loss = loss.to_dtype(DType::F64)?.to_scalar()?;
            assert_close(&[loss], &[wanted.loss], tolerance, name);
            assert_close(&gradient(&grads, &x)?, &wanted.gradient, tolerance, name);
            if let Some(own) = &wanted.own {
                let (_, parameter) = &objective.parameters().all()[0];
                // these are f32 always
                assert_close(&gradient(&grads, parameter)?, own, 2e-5, name);
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_agree_with_finite_differences() -> Result<()> {
    let base: Vec<f64> = X.concat();
    // these have constants that follow from the embeddings
    let weighs = |config: &ObjectiveConfig| match config {
        ObjectiveConfig::Triplet(triplet) => triplet.miner == Miner::DistanceWeighted,
        ObjectiveConfig::Margin(margin) => margin.negatives == Negatives::DistanceWeighted,
        ObjectiveConfig::Circle(_) | ObjectiveConfig::SimSiam(_) => true,
        _ => false,
    };
    for config in all().into_iter().filter(|config| !weighs(config)) {
        let rows = rows(&config);
        let labels = &LABELS[..rows];
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
