//! Naive loops in f64: each loss by its definition, one pair or triplet after another.

use super::*;

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn cosine(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn s(i: usize, j: usize) -> f64 {
    cosine(&X[i], &X[j])
}

fn like(i: usize, j: usize) -> bool {
    LABELS[i] == LABELS[j]
}

fn others(i: usize) -> impl Iterator<Item = usize> {
    (0..7).filter(move |&j| j != i)
}

fn positives(i: usize) -> impl Iterator<Item = usize> {
    others(i).filter(move |&j| like(i, j))
}

fn negatives(i: usize) -> impl Iterator<Item = usize> {
    others(i).filter(move |&j| !like(i, j))
}

fn mean(costs: impl IntoIterator<Item = f64>) -> f64 {
    let costs: Vec<f64> = costs.into_iter().collect();
    costs.iter().sum::<f64>() / costs.len() as f64
}

/// Σ w·cost / Σ w
fn weighted(costs: &[(f64, f64)]) -> f64 {
    costs.iter().map(|(w, cost)| w * cost).sum::<f64>() / costs.iter().map(|c| c.0).sum::<f64>()
}

/// Cross-entropy with a class's logit `of(image, class)` and smoothed targets.
fn cross_entropy(smoothing: f64, of: impl Fn(usize, usize) -> f64) -> f64 {
    mean((0..7).map(|i| {
        let total: f64 = (0..3).map(|k| of(i, k).exp()).sum();
        let target = |k: usize| {
            let own = if k == LABELS[i] as usize {
                1.0 - smoothing
            } else {
                0.0
            };
            own + smoothing / 3.0
        };
        -(0..3)
            .map(|k| target(k) * (of(i, k).exp() / total).ln())
            .sum::<f64>()
    }))
}

/// `margin` where the class is the image's, else 0.
fn handicap(i: usize, class: usize, margin: f64) -> f64 {
    if class == LABELS[i] as usize {
        margin
    } else {
        0.0
    }
}

fn naive_contrastive(c: &Contrastive, d: impl Fn(usize, usize) -> f64) -> f64 {
    let pull = |i: usize, j: usize| (d(i, j) - c.positive_margin).max(0.0).powi(2);
    let push = |i: usize, j: usize| (c.margin - d(i, j)).max(0.0).powi(2);
    if c.pairs == PairsOf::Sampled {
        let cost = |i: usize| {
            if like(i, i + 3) {
                pull(i, i + 3)
            } else {
                push(i, i + 3)
            }
        };
        return 0.5 * mean((0..3).map(cost));
    }
    let pairs = || (0..7).flat_map(|i| (0..i).map(move |j| (i, j)));
    let pull = pairs()
        .filter(|&(i, j)| like(i, j))
        .map(|(i, j)| pull(i, j));
    let push = pairs()
        .filter(|&(i, j)| !like(i, j))
        .map(|(i, j)| push(i, j));
    let push = push.filter(|&cost| c.averaging == Averaging::All || cost > 0.0);
    0.25 * (mean(pull) + mean(push))
}

/// The chance of each negative, by the density of distances between unit vectors of three numbers, which is d.
fn chance(anchor: usize, negative: usize) -> f64 {
    let d = |n: usize| (2.0 - 2.0 * s(anchor, n)).sqrt();
    let near: Vec<usize> = negatives(anchor).filter(|&n| d(n) < 1.4).collect();
    assert!(!near.is_empty());
    let inverse = |n: usize| 1.0 / d(n).max(0.5);
    let total: f64 = near.iter().map(|&n| inverse(n)).sum();
    if near.contains(&negative) {
        inverse(negative) / total
    } else {
        0.0
    }
}

/// Whether the negative sees the pair under more than 20° to either side of its middle.
fn wide(a: usize, p: usize, n: usize) -> bool {
    let unit = |i: usize| X[i].map(|v| v / dot(&X[i], &X[i]).sqrt());
    let length = |f: &dyn Fn(usize) -> f64| (0..3).map(|k| f(k).powi(2)).sum::<f64>().sqrt();
    let (a, p, n) = (unit(a), unit(p), unit(n));
    let across = length(&|k| a[k] - p[k]);
    let away = length(&|k| n[k] - (a[k] + p[k]) / 2.0);
    (across / (2.0 * away)).atan().to_degrees() > 20.0
}

fn naive_triplet(c: &Triplet, d: impl Fn(usize, usize) -> f64) -> f64 {
    let mut costs = Vec::new();
    for a in 0..7 {
        let hardest = positives(a).map(|p| d(a, p)).fold(0.0, f64::max);
        let nearest = negatives(a).map(|n| d(a, n)).fold(f64::MAX, f64::min);
        if c.miner == Miner::BatchHard {
            costs.push((1.0, (c.margin + hardest - nearest).max(0.0)));
            continue;
        }
        for (p, n) in positives(a).flat_map(|p| negatives(a).map(move |n| (p, n))) {
            let cost = (c.margin + d(a, p) - d(a, n)).max(0.0);
            let gap = |n: usize| (d(a, n) - d(a, p)).abs();
            let weight = match c.miner {
                Miner::All => f64::from(cost > 0.0),
                Miner::SemiHard => f64::from(cost > 0.0 && d(a, n) > d(a, p)),
                Miner::DistanceWeighted => chance(a, n),
                Miner::Angular => f64::from(wide(a, p, n)),
                Miner::NearestGap => f64::from(negatives(a).all(|m| gap(m) >= gap(n))),
                Miner::BatchHard => unreachable!(),
            };
            costs.push((weight, cost));
        }
    }
    weighted(&costs)
}

fn naive_margin(c: &Margin, d: impl Fn(usize, usize) -> f64) -> f64 {
    let mut costs = Vec::new();
    for a in 0..7 {
        for (p, n) in positives(a).flat_map(|p| negatives(a).map(move |n| (p, n))) {
            let weight = match c.negatives {
                Negatives::All => 1.0,
                Negatives::DistanceWeighted => chance(a, n),
            };
            let pull = (c.margin + d(a, p) - c.beta).max(0.0);
            let push = (c.margin + c.beta - d(a, n)).max(0.0);
            costs.extend([pull, push].map(|cost| (weight * f64::from(cost > 0.0), cost)));
        }
    }
    weighted(&costs)
}

fn naive_multi_similarity(c: &MultiSimilarity) -> f64 {
    let of_anchor = |a: usize| {
        let least = positives(a).map(|p| s(a, p)).fold(f64::MAX, f64::min);
        let most = negatives(a).map(|n| s(a, n)).fold(f64::MIN, f64::max);
        let pull = positives(a).filter(|&p| s(a, p) - c.epsilon < most);
        let push = negatives(a).filter(|&n| s(a, n) + c.epsilon > least);
        let pull: f64 = pull.map(|p| (-c.alpha * (s(a, p) - c.base)).exp()).sum();
        let push: f64 = push.map(|n| (c.beta * (s(a, n) - c.base)).exp()).sum();
        (1.0 + pull).ln() / c.alpha + (1.0 + push).ln() / c.beta
    };
    mean((0..7).map(of_anchor))
}

fn naive_circle(c: &Circle) -> f64 {
    let m = c.margin;
    let of_anchor = |a: usize| {
        let push = negatives(a)
            .map(|n| s(a, n))
            .map(|s| (c.scale * (s + m).max(0.0) * (s - m)).exp());
        let pull = positives(a).map(|p| s(a, p));
        let pull = pull.map(|s| (-c.scale * (1.0 + m - s).max(0.0) * (s - 1.0 + m)).exp());
        (1.0 + push.sum::<f64>() * pull.sum::<f64>()).ln()
    };
    mean((0..7).map(of_anchor))
}

fn naive_n_pairs(c: &NPairs) -> f64 {
    let rank = |i: usize| (0..i).filter(|&j| like(i, j)).count() % 2;
    let z = |i: usize, j: usize| dot(&X[i], &X[j]);
    let mut costs = Vec::new();
    for a in (0..7).filter(|&a| rank(a) == 0) {
        for p in positives(a).filter(|&p| rank(p) == 1) {
            let against = negatives(a).filter(|&n| rank(n) == 1);
            costs.push((1.0 + against.map(|n| (z(a, n) - z(a, p)).exp()).sum::<f64>()).ln());
        }
    }
    mean(costs) + 0.5 * c.penalty * mean((0..7).map(|i| z(i, i)))
}

/// Numbers of the seven images less their mean, over their deviation.
fn standardised(x: [f64; 7]) -> [f64; 7] {
    let center = mean(x);
    let variance = mean(x.map(|v| (v - center).powi(2)));
    x.map(|v| (v - center) / (variance + 1e-5).sqrt())
}

/// The predictor's weights are the proxies' numbers, its scales 1 and its biases 0.
fn naive_sim_siam() -> f64 {
    let columns = [0, 1, 2].map(|k| standardised(X.map(|row| row[k])));
    let z: [[f64; 3]; 7] = std::array::from_fn(|i| columns.map(|column| column[i]));
    let hidden = [0, 1].map(|k| standardised(z.map(|row| dot(&row, &proxy(k)))));
    let predicted = |i: usize| {
        let of = |r: usize| {
            (0..2)
                .map(|k| proxy(r)[k] * hidden[k][i].max(0.0))
                .sum::<f64>()
        };
        [0, 1, 2].map(of)
    };
    // where nothing of an image is active the prediction is 0, and like nothing
    let cost = |a: usize, b: usize| match dot(&predicted(a), &predicted(a)) {
        0.0 => 0.0,
        _ => -cosine(&predicted(a), &z[b]),
    };
    mean(
        (0..7)
            .flat_map(|a| positives(a).map(move |b| (a, b)))
            .map(|(a, b)| cost(a, b)),
    )
}

fn naive_proxy_anchor(c: &ProxyAnchor) -> f64 {
    let of = |k: usize| {
        let (own, rest): (Vec<usize>, Vec<usize>) = (0..7).partition(|&i| LABELS[i] as usize == k);
        let s = |i: usize| cosine(&X[i], &proxy(k));
        let pull: f64 = own
            .into_iter()
            .map(|i| (-c.alpha * (s(i) - c.margin)).exp())
            .sum();
        let push: f64 = rest
            .into_iter()
            .map(|i| (c.alpha * (s(i) + c.margin)).exp())
            .sum();
        (1.0 + pull).ln() + (1.0 + push).ln()
    };
    mean((0..3).map(of))
}

fn naive_arc_face(c: &ArcFace) -> f64 {
    cross_entropy(0.0, |i, k| {
        let of = |r: usize| cosine(&X[i], &proxy(k * c.centers + r));
        let nearest = (0..c.centers).map(of).fold(f64::MIN, f64::max);
        let farther = nearest.acos() + handicap(i, k, c.margin);
        match farther > std::f64::consts::PI {
            true => c.scale * (nearest - c.margin * c.margin.sin()),
            false => c.scale * farther.cos(),
        }
    })
}

fn naive_soft_triple(c: &SoftTriple) -> f64 {
    let loss = cross_entropy(0.0, |i, k| {
        let of = (0..2).map(|r| cosine(&X[i], &proxy(2 * k + r)));
        let share = |s: f64| (s / c.gamma).exp();
        let total: f64 = of.clone().map(share).sum();
        let similarity: f64 = of.map(|s| share(s) / total * s).sum();
        c.scale * (similarity - handicap(i, k, c.margin))
    });
    // two centres of each of three classes make a pair of each
    let apart = |k: usize| (2.0 - 2.0 * cosine(&proxy(2 * k), &proxy(2 * k + 1))).sqrt();
    loss + c.tau * (0..3).map(apart).sum::<f64>() / (3.0 * 2.0)
}

fn naive(config: &ObjectiveConfig, distance: Distance) -> f64 {
    let squared = |i: usize, j: usize| (0..3).map(|k| (X[i][k] - X[j][k]).powi(2)).sum::<f64>();
    let d = |i: usize, j: usize| match distance {
        Distance::Euclidean => squared(i, j).sqrt(),
        Distance::SquaredEuclidean => squared(i, j),
        Distance::Cosine => 1.0 - s(i, j),
        Distance::Manhattan => (0..3).map(|k| (X[i][k] - X[j][k]).abs()).sum(),
    };
    let e = |a: usize, b: usize, temperature: f64| (s(a, b) / temperature).exp();
    match config {
        ObjectiveConfig::Contrastive(c) => naive_contrastive(c, d),
        ObjectiveConfig::CosineEmbedding(c) if c.pairs == PairsOf::Sampled => {
            mean((0..3).map(|i| {
                let s = s(i, i + 3);
                if like(i, i + 3) {
                    1.0 - s
                } else {
                    (s - c.margin).max(0.0)
                }
            }))
        }
        ObjectiveConfig::CosineEmbedding(c) => {
            let pull = (0..7).flat_map(|a| positives(a).map(move |p| 1.0 - s(a, p)));
            let push =
                (0..7).flat_map(|a| negatives(a).map(move |n| (s(a, n) - c.margin).max(0.0)));
            (mean(pull) + mean(push)) / 2.0
        }
        ObjectiveConfig::Margin(c) => naive_margin(c, d),
        ObjectiveConfig::Triplet(c) => naive_triplet(c, d),
        ObjectiveConfig::SameDifferent(_) => unreachable!("it has tests of its own"),
        ObjectiveConfig::Lifted(c) => mean((0..7).map(|a| {
            let pull = positives(a).map(|p| (d(a, p) - c.positive_margin).exp());
            let push = negatives(a).map(|n| (c.margin - d(a, n)).exp());
            (pull.sum::<f64>().ln() + push.sum::<f64>().ln()).max(0.0)
        })),
        ObjectiveConfig::MultiSimilarity(c) => naive_multi_similarity(c),
        ObjectiveConfig::Circle(c) => naive_circle(c),
        ObjectiveConfig::SupCon(SupCon { temperature: t, .. }) => mean((0..7).map(|a| {
            let total: f64 = others(a).map(|k| e(a, k, *t)).sum();
            mean(positives(a).map(|p| -(e(a, p, *t) / total).ln()))
        })),
        ObjectiveConfig::NtXent(NtXent { temperature: t }) => mean((0..7).flat_map(|a| {
            let unlike: f64 = negatives(a).map(|n| e(a, n, *t)).sum();
            positives(a).map(move |p| -(e(a, p, *t) / (e(a, p, *t) + unlike)).ln())
        })),
        ObjectiveConfig::NPairs(c) => naive_n_pairs(c),
        ObjectiveConfig::SimSiam(_) => naive_sim_siam(),
        ObjectiveConfig::NormalizedSoftmax(c) => cross_entropy(c.label_smoothing, |i, k| {
            c.scale * (cosine(&X[i], &proxy(k)) - handicap(i, k, c.margin))
        }),
        ObjectiveConfig::CosFace(c) => cross_entropy(0.0, |i, k| {
            c.scale * (cosine(&X[i], &proxy(k)) - handicap(i, k, c.margin))
        }),
        ObjectiveConfig::ArcFace(c) => naive_arc_face(c),
        ObjectiveConfig::ProxyNca(c) => cross_entropy(0.0, |i, k| {
            (2.0 * cosine(&X[i], &proxy(k)) - 2.0) / c.temperature
        }),
        ObjectiveConfig::ProxyAnchor(c) => naive_proxy_anchor(c),
        ObjectiveConfig::SoftTriple(c) => naive_soft_triple(c),
        ObjectiveConfig::Uniformity(c) => {
            let pairs = (0..7).flat_map(|i| (0..i).map(move |j| (i, j)));
            mean(pairs.map(|(i, j)| (-c.t * (2.0 - 2.0 * s(i, j))).exp())).ln()
        }
        ObjectiveConfig::Center(_) => mean((0..7).map(|i| {
            let center = proxy(LABELS[i] as usize);
            let away: f64 = (0..3).map(|k| (X[i][k] - center[k]).powi(2)).sum();
            0.5 * away
        })),
        ObjectiveConfig::Matryoshka(_) => unreachable!("it has tests of its own"),
        ObjectiveConfig::Sum(c) => {
            let term = |term: &Term| term.weight * naive(&term.objective, distance);
            c.terms.iter().map(term).sum()
        }
    }
}

#[test]
fn losses_agree_with_naive_loops() -> Result<()> {
    for config in all() {
        let rows = rows(&config);
        let x = images(0..rows, DType::F64)?;
        for distance in Distance::ALL {
            let round = [Distance::SquaredEuclidean, Distance::Manhattan].contains(&distance);
            if round && config == triplets(0.5, Miner::NearestGap) {
                continue; // gaps of round numbers are the same but for rounding
            }
            let scored = score(&config, distance, &x, &LABELS[..rows])?;
            let loss = scored.loss.to_scalar::<f64>()?;
            let what = format!("{config:?} {distance}");
            assert_close(&[loss], &[naive(&config, distance)], 1e-9, &what);
            let active = scored.active.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            assert!((0.0..=1.0).contains(&active), "{what}: {active}");
        }
    }
    Ok(())
}
