//! Every objective against golden values, naive loops in f64, finite differences, and in degenerate batches.

mod behaviour;
mod golden;
mod memory;
mod naive;

use candle_core::{DType, Result, Var};

use super::*;

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
/// What β is in these tests: a number that f32 holds exactly, as are those of [`proxy`].
const BETA: f64 = 1.25;

/// Row `r` of what proxies and centres are in these tests.
fn proxy(r: usize) -> [f64; 3] {
    [0, 1, 2].map(|c| ((7 * r + 5 * c) % 17) as f64 / 16.0 - 0.5)
}

fn in_batch(margin: f64, positive_margin: f64, averaging: Averaging) -> ObjectiveConfig {
    ObjectiveConfig::Contrastive(Contrastive {
        pairs: PairsOf::InBatch,
        margin,
        positive_margin,
        averaging,
        memory: 0,
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
    let memory = 0;
    ObjectiveConfig::SupCon(SupCon {
        temperature,
        memory,
    })
}

fn nt_xent(temperature: f64) -> ObjectiveConfig {
    ObjectiveConfig::NtXent(NtXent { temperature })
}

fn n_pairs(penalty: f64) -> ObjectiveConfig {
    ObjectiveConfig::NPairs(NPairs { penalty })
}

fn cosine_embedding(pairs: PairsOf) -> ObjectiveConfig {
    let margin = 0.25;
    ObjectiveConfig::CosineEmbedding(CosineEmbedding { pairs, margin })
}

fn margin(boundary: Boundary, negatives: Negatives) -> ObjectiveConfig {
    ObjectiveConfig::Margin(Margin {
        margin: 0.25,
        beta: BETA,
        boundary,
        negatives,
        rate: 1.0,
    })
}

fn lifted() -> ObjectiveConfig {
    ObjectiveConfig::Lifted(Lifted {
        margin: 1.0,
        positive_margin: 0.25,
    })
}

fn multi_similarity(epsilon: f64) -> ObjectiveConfig {
    ObjectiveConfig::MultiSimilarity(MultiSimilarity {
        beta: 5.0,
        epsilon,
        ..MultiSimilarity::default()
    })
}

fn circle() -> ObjectiveConfig {
    ObjectiveConfig::Circle(Circle {
        margin: 0.4,
        scale: 8.0,
    })
}

fn cos_face() -> ObjectiveConfig {
    ObjectiveConfig::CosFace(CosFace {
        scale: 8.0,
        margin: 0.35,
    })
}

fn arc_face(centers: usize) -> ObjectiveConfig {
    ObjectiveConfig::ArcFace(ArcFace {
        scale: 8.0,
        margin: 0.5,
        centers,
    })
}

fn proxy_nca() -> ObjectiveConfig {
    ObjectiveConfig::ProxyNca(ProxyNca {
        temperature: 0.25,
        rate: 1.0,
    })
}

fn proxy_anchor() -> ObjectiveConfig {
    ObjectiveConfig::ProxyAnchor(ProxyAnchor {
        alpha: 8.0,
        ..ProxyAnchor::default()
    })
}

fn soft_triple(tau: f64) -> ObjectiveConfig {
    ObjectiveConfig::SoftTriple(SoftTriple {
        centers: 2,
        scale: 8.0,
        tau,
        ..SoftTriple::default()
    })
}

fn sim_siam() -> ObjectiveConfig {
    ObjectiveConfig::SimSiam(SimSiam {
        hidden: 2,
        rate: 1.0,
    })
}

fn sum(terms: &[(f64, ObjectiveConfig)]) -> ObjectiveConfig {
    let term = |(weight, objective): &(f64, ObjectiveConfig)| Term {
        weight: *weight,
        objective: objective.clone(),
    };
    ObjectiveConfig::Sum(Sum {
        terms: terms.iter().map(term).collect(),
    })
}

/// Each objective in every mode.
fn all() -> Vec<ObjectiveConfig> {
    use ObjectiveConfig as Of;
    let miners = [
        Miner::All,
        Miner::BatchHard,
        Miner::SemiHard,
        Miner::DistanceWeighted,
        Miner::Angular,
        Miner::NearestGap,
    ];
    let mut all = miners.map(|miner| triplets(0.5, miner)).to_vec();
    all.extend([
        Of::default(),
        in_batch(1.5, 0.0, Averaging::All),
        in_batch(1.5, 0.3, Averaging::Active),
        cosine_embedding(PairsOf::Sampled),
        cosine_embedding(PairsOf::InBatch),
        margin(Boundary::Fixed, Negatives::All),
        margin(Boundary::One, Negatives::DistanceWeighted),
        margin(Boundary::PerClass, Negatives::All),
        lifted(),
        multi_similarity(0.1),
        multi_similarity(2.0),
        circle(),
        sup_con(0.2),
        nt_xent(0.2),
        n_pairs(0.002),
        sim_siam(),
        softmax(0.0, 0.0),
        softmax(0.35, 0.1),
        cos_face(),
        arc_face(1),
        arc_face(2),
        proxy_nca(),
        proxy_anchor(),
        soft_triple(0.2),
        Of::Uniformity(Uniformity::default()),
        Of::Center(Center::default()),
        sum(&[
            (1.0, softmax(0.0, 0.0)),
            (4.0, in_batch(1.5, 0.0, Averaging::All)),
            (0.5, proxy_anchor()),
        ]),
    ]);
    all
}

/// So many of the images, `(N, 3)`.
fn images(rows: std::ops::Range<usize>, dtype: DType) -> Result<Tensor> {
    let values: Vec<f64> = X[rows.clone()].concat();
    Tensor::from_vec(values, (rows.len(), 3), &Device::Cpu)?.to_dtype(dtype)
}

/// How many of the images an objective takes: an even number where it wants pairs.
fn rows(config: &ObjectiveConfig) -> usize {
    match config.needs() {
        Arrangement::Pairs => 6,
        _ => 7,
    }
}

/// An objective of embeddings of length 3 and of three classes, with the parameters of these tests.
fn objective(config: &ObjectiveConfig, distance: Distance) -> crate::Result<Objective> {
    let objective = Objective::new(config.clone(), distance, 3, 3, 0, &Device::Cpu)?;
    for (name, var) in objective.parameters().all() {
        let values: Vec<f32> = match name.rsplit('.').next() {
            Some("proxies") => (0..var.dim(0)?).flat_map(proxy).map(|v| v as f32).collect(),
            Some("weight") if var.rank() == 2 => {
                let columns = var.dim(1)?;
                let row = |r: usize| proxy(r).into_iter().take(columns);
                (0..var.dim(0)?).flat_map(row).map(|v| v as f32).collect()
            }
            Some("beta") => vec![BETA as f32; var.elem_count()],
            _ => continue,
        };
        var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
    }
    Ok(objective)
}

/// The loss of embeddings of either precision.
fn score(
    config: &ObjectiveConfig,
    distance: Distance,
    x: &Tensor,
    labels: &[u32],
) -> Result<Scored> {
    let objective = objective(config, distance).map_err(candle_core::Error::wrap)?;
    objective.score(x, &Tensor::new(labels, &Device::Cpu)?)
}

fn gradient(grads: &candle_core::backprop::GradStore, of: &Var) -> Result<Vec<f64>> {
    match grads.get(of) {
        Some(gradient) => gradient.to_dtype(DType::F64)?.flatten_all()?.to_vec1(),
        None => Ok(vec![0.0; of.elem_count()]),
    }
}

fn value_and_gradient(
    config: &ObjectiveConfig,
    distance: Distance,
    x: &Var,
    labels: &[u32],
) -> Result<(f64, Vec<f64>)> {
    let loss = score(config, distance, x.as_tensor(), labels)?.loss;
    let gradient = gradient(&loss.backward()?, x)?;
    Ok((loss.to_dtype(DType::F64)?.to_scalar()?, gradient))
}

fn assert_close(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (g, e) in got.iter().zip(expected) {
        assert!(
            (g - e).abs() < tolerance * e.abs().max(1.0),
            "{what}: {got:?} is not {expected:?}"
        );
    }
}
