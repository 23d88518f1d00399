//! The cross-batch memory.

use super::*;

fn with_memory(memory: usize) -> [ObjectiveConfig; 2] {
    [
        ObjectiveConfig::SupCon(SupCon {
            temperature: 0.2,
            memory,
        }),
        ObjectiveConfig::Contrastive(Contrastive {
            pairs: PairsOf::InBatch,
            margin: 1.5,
            averaging: Averaging::Active,
            memory,
            ..Contrastive::default()
        }),
    ]
}

/// The rows `first..first + count`, as f32.
fn batch(first: usize, count: usize) -> Result<(Tensor, Tensor)> {
    let rows = first..first + count;
    let labels = Tensor::new(&LABELS[rows.clone()], &Device::Cpu)?;
    Ok((images(rows, DType::F32)?, labels))
}

fn labels(objective: &Objective) -> Result<Vec<f32>> {
    let named = |(name, _): &(String, Var)| name.ends_with("labels");
    let (_, var) = objective
        .parameters()
        .all()
        .into_iter()
        .find(named)
        .unwrap();
    var.to_vec1()
}

#[test]
fn anchors_are_compared_with_former_batches_too() -> anyhow::Result<()> {
    let [config, _] = with_memory(5);
    let objective = objective(&config, Distance::Euclidean)?;
    let (x, y) = batch(0, 3)?;
    objective.score(&x, &y)?;
    let (x, y) = batch(3, 4)?;
    let loss = f64::from(objective.score(&x, &y)?.loss.to_scalar::<f32>()?);
    let e = |a: usize, b: usize| {
        let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let (a, b) = (&X[a], &X[b]);
        (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt() / 0.2).exp()
    };
    let of_anchor = |a: usize| {
        let others = || (0..7).filter(|&k| k != a);
        let total: f64 = others().map(|k| e(a, k)).sum();
        let costs = others().filter(|&p| LABELS[p] == LABELS[a]);
        let costs: Vec<f64> = costs.map(|p| -(e(a, p) / total).ln()).collect();
        costs.iter().sum::<f64>() / costs.len() as f64
    };
    assert_close(
        &[loss],
        &[(3..7).map(of_anchor).sum::<f64>() / 4.0],
        1e-5,
        "memory",
    );
    Ok(())
}

#[test]
fn the_newest_embeddings_are_kept() -> anyhow::Result<()> {
    for config in with_memory(5) {
        let objective = objective(&config, Distance::Euclidean)?;
        let mut seen = Vec::new();
        for (first, count) in [(0, 3), (3, 3), (0, 7)] {
            let (x, y) = batch(first, count)?;
            objective.score(&x, &y)?;
            seen.push(labels(&objective)?);
        }
        assert_eq!(seen[0], [0., 1., 0., -1., -1.]);
        assert_eq!(seen[1], [1., 2., 0., 0., 1.]);
        assert_eq!(seen[2], [0., 1., 0., 1., 2.]);
    }
    Ok(())
}

#[test]
fn an_empty_memory_changes_nothing_and_a_full_one_is_not_trained() -> anyhow::Result<()> {
    for ([with, without], _) in
        (0..2).map(|i| ([with_memory(9)[i].clone(), with_memory(0)[i].clone()], i))
    {
        let (with, without) = (
            objective(&with, Distance::Euclidean)?,
            objective(&without, Distance::Euclidean)?,
        );
        let (x, y) = batch(0, 7)?;
        let x = Var::from_tensor(&x)?;
        let (one, other) = (with.score(&x, &y)?.loss, without.score(&x, &y)?.loss);
        let (a, b) = (one.to_scalar::<f32>()?, other.to_scalar::<f32>()?);
        assert!((a - b).abs() < 1e-6 && a > 0.0, "{a} {b}");
        let moved = gradient(&one.backward()?, &x)?;
        assert_close(&moved, &gradient(&other.backward()?, &x)?, 1e-5, "gradient");
        assert_eq!(with.parameters().trainable().len(), 0);
        // the memory is changed before the gradient is taken, and is no part of it
        let loss = with.score(&x, &y)?.loss;
        with.score(&(x.as_tensor() * 7.0)?, &y)?;
        let grads = loss.backward()?;
        assert!(gradient(&grads, &x)?.iter().all(|g| g.is_finite()));
        for (name, var) in with.parameters().all() {
            assert!(grads.get(&var).is_none(), "{name}");
        }
    }
    Ok(())
}
