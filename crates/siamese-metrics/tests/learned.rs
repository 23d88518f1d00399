//! A learned comparison against naive loops: alone, and in every figure that it takes the place of a distance in.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

use siamese_metrics::classify::{centroid_classify, knn_classify, vote};
use siamese_metrics::fewshot::{Classifier, FewShotConfig, few_shot};
use siamese_metrics::retrieval::{RetrievalConfig, nearest, retrieval};
use siamese_metrics::verification::{LowRates, RocCurve};
use siamese_metrics::{
    BootstrapConfig, Combine, Comparison, Dense, Distance, EmbeddingView, Metric, find,
};

const DIM: usize = 11;

/// Numbers in −1..1 that repeat late.
fn numbers(count: usize, start: usize) -> Vec<f32> {
    let number = |i: usize| ((i * 7919 + i / 3 * 31 + start) % 1009) as f32 / 504.5 - 1.0;
    (0..count).map(number).collect()
}

fn layers(inputs: usize, widths: &[usize]) -> Vec<Dense> {
    let mut inputs = inputs;
    let layer = |(i, &outputs): (usize, &usize)| {
        let weights = numbers(inputs * outputs, 17 * i);
        inputs = outputs;
        let bias = numbers(outputs, 400 + i);
        Dense { weights, bias }
    };
    widths.iter().enumerate().map(layer).collect()
}

/// What is made of a pair, and the widths of the layers.
fn shapes() -> Vec<(Vec<Combine>, Vec<usize>)> {
    let mut shapes: Vec<_> = Combine::ALL.map(|one| (vec![one], vec![1])).into();
    shapes.extend(Combine::ALL.map(|one| (vec![one], vec![5, 1])));
    shapes.push((
        vec![Combine::Sum, Combine::AbsoluteDifference],
        vec![9, 4, 1],
    ));
    shapes.push((
        vec![Combine::Maximum, Combine::Minimum, Combine::Product],
        vec![1],
    ));
    shapes
}

fn comparison(combine: &[Combine], widths: &[usize]) -> Comparison {
    let layers = layers(combine.len() * DIM, widths);
    Comparison::new(combine.to_vec(), DIM, layers).unwrap()
}

/// `1 − P(same)` by its definition, in f64.
fn naive(combine: &[Combine], widths: &[usize], a: &[f32], b: &[f32]) -> f64 {
    let mut x = Vec::new();
    for one in combine {
        x.extend(a.iter().zip(b).map(|(&a, &b)| {
            let (a, b) = (f64::from(a), f64::from(b));
            match one {
                Combine::AbsoluteDifference => (a - b).abs(),
                Combine::SquaredDifference => (a - b).powi(2),
                Combine::Product => a * b,
                Combine::Sum => a + b,
                Combine::Maximum => a.max(b),
                Combine::Minimum => a.min(b),
            }
        }));
    }
    let layers = layers(x.len(), widths);
    for (i, Dense { weights, bias }) in layers.iter().enumerate() {
        let rows = weights.chunks(x.len()).zip(bias);
        let output = |(row, bias): (&[f32], &f32)| {
            let sum: f64 = row.iter().zip(&x).map(|(w, x)| f64::from(*w) * x).sum();
            let y = sum + f64::from(*bias);
            if i + 1 < layers.len() { y.max(0.0) } else { y }
        };
        x = rows.map(output).collect();
    }
    1.0 - 1.0 / (1.0 + (-x[0]).exp())
}

#[test]
fn a_comparison_is_the_naive_one_and_the_order_of_the_two_does_not_change_a_bit() {
    let rows = numbers(40 * DIM, 3);
    let rows: Vec<&[f32]> = rows.chunks(DIM).collect();
    for (combine, widths) in shapes() {
        let comparison = comparison(&combine, &widths);
        for pair in rows.windows(2) {
            let distance = comparison.of(pair[0], pair[1]);
            let expected = naive(&combine, &widths, pair[0], pair[1]);
            assert!(
                (f64::from(distance) - expected).abs() < 1e-5,
                "{comparison:?}: {distance} is not {expected}"
            );
            assert_eq!(
                distance.to_bits(),
                comparison.of(pair[1], pair[0]).to_bits(),
                "{comparison:?}"
            );
        }
    }
}

#[test]
fn however_many_pairs_are_compared_at_once_each_has_the_same_bits() {
    let (a, b) = (numbers(700 * DIM, 0), numbers(700 * DIM, 5));
    for (combine, widths) in shapes() {
        let comparison = comparison(&combine, &widths);
        let alone: Vec<f32> = a
            .chunks(DIM)
            .zip(b.chunks(DIM))
            .map(|(a, b)| comparison.of(a, b))
            .collect();
        let metric = Metric::from(comparison);
        assert_eq!(metric.between(&a, &b, DIM).unwrap(), alone, "{metric:?}");
        assert_eq!(metric.between(&b, &a, DIM).unwrap(), alone, "{metric:?}");
    }
}

/// Rows of six labels around six centres.
fn clusters(n: usize) -> (Vec<f32>, Vec<u32>) {
    let labels: Vec<u32> = (0..n as u32).map(|i| i * i % 6).collect();
    let noise = numbers(n * DIM, 1);
    let row = |label: u32| (0..DIM).map(move |i| ((label as usize * 5 + i * i) % 7) as f32 / 4.0);
    let centres = labels.iter().flat_map(|&label| row(label));
    (centres.zip(noise).map(|(x, e)| x + e).collect(), labels)
}

/// The metrics that retrieval is tried with.
fn metrics() -> [Metric; 2] {
    let plain = Comparison::new(
        vec![Combine::AbsoluteDifference],
        DIM,
        vec![Dense {
            weights: vec![-1.5; DIM],
            bias: vec![8.0],
        }],
    );
    let deep = comparison(&[Combine::SquaredDifference, Combine::Product], &[6, 1]);
    [plain.unwrap().into(), deep.into()]
}

#[test]
fn neighbours_votes_and_centres_are_those_of_a_double_loop() {
    let (values, labels) = clusters(120);
    let set = EmbeddingView::new(&values, DIM, &labels).unwrap();
    let gallery = EmbeddingView::new(&values[..50 * DIM], DIM, &labels[..50]).unwrap();
    for metric in metrics() {
        for shown in [None, Some(&gallery)] {
            let found = nearest(&set, shown, &metric, 7).unwrap();
            for (probe, neighbours) in found.iter().enumerate() {
                let others = shown.unwrap_or(&set);
                let mut order: Vec<(f32, u32)> = (0..others.len())
                    .filter(|&i| shown.is_some() || i != probe)
                    .map(|i| (metric.of(set.row(probe), others.row(i)), i as u32))
                    .collect();
                order.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
                let distances: Vec<f32> = neighbours.iter().map(|n| n.distance).collect();
                let expected: Vec<f32> = order[..7].iter().map(|o| o.0).collect();
                assert_eq!(distances, expected, "{metric:?}");
                for n in neighbours {
                    assert!(order.contains(&(n.distance, n.index)));
                }
            }
            let voted = knn_classify(&set, shown, &metric, 5).unwrap();
            let shown_labels = shown.unwrap_or(&set).labels();
            let by_vote: Vec<u32> = found.iter().map(|n| vote(&n[..5], shown_labels)).collect();
            assert_eq!(voted, by_vote);
        }
        let config = RetrievalConfig {
            metric: metric.clone(),
            bootstrap: BootstrapConfig::off(),
            ..Default::default()
        };
        let result = retrieval(&set, None, &config).unwrap();
        let hits = nearest(&set, None, &metric, 1).unwrap();
        let right = (0..120)
            .filter(|&i| labels[hits[i][0].index as usize] == labels[i])
            .count();
        let recall = find(&result.figures, "recall_at_1").unwrap().value;
        assert_eq!(recall, right as f64 / 120.0);
    }
}

#[test]
fn a_weighted_l1_with_equal_weights_ranks_as_manhattan_does() {
    let (values, labels) = clusters(150);
    let set = EmbeddingView::new(&values, DIM, &labels).unwrap();
    let [metric, _] = metrics();
    let rows = |metric: Metric| -> Vec<Vec<u32>> {
        let found = nearest(&set, None, metric, 20).unwrap();
        found
            .iter()
            .map(|n| n.iter().map(|n| n.index).collect())
            .collect()
    };
    assert_eq!(rows(metric.clone()), rows(Distance::Manhattan.into()));
    let called = centroid_classify(&set, None, &metric).unwrap();
    assert_eq!(
        called,
        centroid_classify(&set, None, Distance::Manhattan).unwrap()
    );
    for classifier in [Classifier::Centroid, Classifier::NearestNeighbour] {
        let accuracy = |metric: Metric| {
            let config = FewShotConfig {
                ways: 4,
                queries: 5,
                episodes: 30,
                classifier,
                metric,
                ..Default::default()
            };
            few_shot(&set, &config).unwrap().accuracy.value
        };
        assert_eq!(
            accuracy(metric.clone()),
            accuracy(Distance::Manhattan.into())
        );
    }
}

#[test]
fn low_rates_are_those_of_the_curve_of_all_pairs() {
    let (values, labels) = clusters(300);
    let set = EmbeddingView::new(&values, DIM, &labels).unwrap();
    for metric in metrics() {
        let (mut distances, mut like) = (Vec::new(), Vec::new());
        for a in 0..300 {
            for b in a + 1..300 {
                distances.push(metric.of(set.row(a), set.row(b)));
                like.push(labels[a] == labels[b]);
            }
        }
        let curve = RocCurve::new(&distances, &like).unwrap();
        let low = LowRates::new(&set, &metric, 1e-2).unwrap();
        assert_eq!(low.like_pairs(), curve.like_pairs());
        assert_eq!(low.unlike_pairs(), curve.unlike_pairs());
        let figures = low.figures(&BootstrapConfig::off()).unwrap();
        for (far, name) in [(1e-2, "tar_at_far_1e-2"), (1e-3, "tar_at_far_1e-3")] {
            let value = find(&figures, name).unwrap().value;
            assert_eq!(Some(value), curve.tar_at_far(far), "{metric:?} {name}");
        }
    }
}

#[test]
fn a_sure_answer_is_at_a_distance_that_is_a_number() {
    let sure = |bias: f32| {
        let last = Dense {
            weights: vec![0.0; DIM],
            bias: vec![bias],
        };
        let comparison = Comparison::new(vec![Combine::Product], DIM, vec![last]).unwrap();
        comparison.of(&[0.5; DIM], &[0.5; DIM])
    };
    assert_eq!((sure(1e30), sure(-1e30), sure(0.0)), (0.0, 1.0, 0.5));
    let near = sure(40.0);
    assert!(near > 0.0 && near < 1e-17, "{near}");
}

#[test]
fn layers_that_do_not_fit_are_refused_with_the_reason() {
    let refused = |combine: Vec<Combine>, layers: Vec<Dense>| {
        let error = Comparison::new(combine, DIM, layers).unwrap_err();
        error.to_string()
    };
    let product = || vec![Combine::Product];
    assert!(refused(vec![], layers(DIM, &[1])).contains("nothing is made"));
    assert!(refused(product(), layers(DIM + 1, &[1])).contains("11 numbers"));
    assert!(refused(product(), layers(DIM, &[2])).contains("one output"));
    assert!(refused(product(), vec![]).contains("one output"));
    let mut broken = layers(DIM, &[1]);
    broken[0].bias[0] = f32::NAN;
    assert!(refused(product(), broken).contains("not finite"));
    let (values, labels) = ([0.0; 4], [0, 1]);
    let set = EmbeddingView::new(&values, 2, &labels).unwrap();
    let error = nearest(&set, None, comparison(&product(), &[1]), 1).unwrap_err();
    assert!(error.to_string().contains("11"), "{error}");
}
