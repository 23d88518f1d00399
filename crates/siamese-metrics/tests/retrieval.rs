//! Retrieval and classification against naive loops, on random embeddings with ties and lone
//! labels, and at the edges.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use proptest::prelude::*;
use siamese_metrics::classify::{Confusion, accuracy_figure, centroid_classify, knn_classify};
use siamese_metrics::retrieval::{Retrieval, RetrievalConfig, nearest, retrieval};
use siamese_metrics::{BootstrapConfig, Distance, EmbeddingView, find};

const METRICS: [Distance; 4] = [
    Distance::Euclidean,
    Distance::SquaredEuclidean,
    Distance::Cosine,
    Distance::Manhattan,
];

/// Embeddings on a coarse grid: ties, duplicates, zero vectors and lone labels abound.
#[derive(Clone, Debug)]
struct Set {
    values: Vec<f32>,
    dim: usize,
    labels: Vec<u32>,
}

impl Set {
    fn view(&self) -> EmbeddingView<'_> {
        EmbeddingView::new(&self.values, self.dim, &self.labels).unwrap()
    }
}

fn set_of(rows: std::ops::Range<usize>, dim: usize) -> impl Strategy<Value = Set> {
    rows.prop_flat_map(move |n| {
        let values = prop::collection::vec((-2i8..3).prop_map(f32::from), n * dim);
        let labels = prop::collection::vec(0u32..8, n);
        (values, labels).prop_map(move |(values, labels)| Set {
            values,
            dim,
            labels,
        })
    })
}

/// The whole gallery in order of distance, ties by row: a full sort of every distance.
fn sorted(
    probes: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    metric: Distance,
) -> Vec<Vec<usize>> {
    let shown = gallery.unwrap_or(probes);
    (0..probes.len())
        .map(|i| {
            let keys: Vec<f64> = shown
                .rows()
                .map(|row| naive(metric, probes.row(i), row))
                .collect();
            let mut order: Vec<usize> = (0..shown.len())
                .filter(|&j| gallery.is_some() || j != i)
                .collect();
            order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
            order
        })
        .collect()
}

fn naive(metric: Distance, a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    let differences = || a.iter().zip(b).map(|(x, y)| f64::from(*x) - f64::from(*y));
    match metric {
        Distance::Euclidean | Distance::SquaredEuclidean => differences().map(|d| d * d).sum(),
        Distance::Manhattan => differences().map(f64::abs).sum(),
        Distance::Cosine => {
            let norms = (dot(a, a) * dot(b, b)).sqrt();
            if norms > 0.0 {
                1.0 - dot(a, b) / norms
            } else {
                1.0
            }
        }
    }
}

/// Mean of `score(hits of the sorted gallery, R)` over probes that are not lone.
fn mean_over_probes(
    order: &[Vec<usize>],
    probes: &EmbeddingView,
    shown: &EmbeddingView,
    score: impl Fn(&[bool], usize) -> f64,
) -> Option<f64> {
    let scores: Vec<f64> = order
        .iter()
        .enumerate()
        .filter_map(|(i, order)| {
            let hits: Vec<bool> = order
                .iter()
                .map(|&j| shown.labels()[j] == probes.labels()[i])
                .collect();
            let relevant = hits.iter().filter(|h| **h).count();
            (relevant > 0).then(|| score(&hits, relevant))
        })
        .collect();
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

fn count(hits: &[bool]) -> f64 {
    hits.iter().filter(|h| **h).count() as f64
}

fn check_against_naive(probes: &EmbeddingView, gallery: Option<&EmbeddingView>, metric: Distance) {
    let shown = gallery.unwrap_or(probes);
    let order = sorted(probes, gallery, metric);
    let found = nearest(probes, gallery, metric, 5).unwrap();
    for (found, order) in found.iter().zip(&order) {
        let rows: Vec<usize> = found.iter().map(|n| n.index as usize).collect();
        assert_eq!(rows, order[..5.min(order.len())], "{metric:?}");
    }
    let config = RetrievalConfig {
        metric: metric.into(),
        ks: vec![1, 3],
        neighbours: 2,
        bootstrap: BootstrapConfig::off(),
    };
    let result = retrieval(probes, gallery, &config);
    let mean =
        |score: &dyn Fn(&[bool], usize) -> f64| mean_over_probes(&order, probes, shown, score);
    let Some(r_precision) = mean(&|hits, r| count(&hits[..r]) / r as f64) else {
        assert!(result.is_err(), "only lone labels must be refused");
        return;
    };
    let result = result.unwrap();
    let check = |name: &str, expected: f64| match find(&result.figures, name) {
        Some(figure) => assert!((figure.value - expected).abs() < 1e-12, "{metric:?} {name}"),
        None => assert!(order[0].len() < 3, "{name} missing"),
    };
    check("r_precision", r_precision);
    check(
        "map_at_r",
        mean(&|hits, r| {
            let precision = |i: usize| count(&hits[..=i]) / (i + 1) as f64;
            (0..r).filter(|&i| hits[i]).map(precision).sum::<f64>() / r as f64
        })
        .unwrap(),
    );
    for k in [1, 3] {
        let top = |hits: &[bool]| count(&hits[..k.min(hits.len())]);
        check(
            &format!("precision_at_{k}"),
            mean(&|hits, _| top(hits) / k as f64).unwrap(),
        );
        check(
            &format!("recall_at_{k}"),
            mean(&|hits, _| top(hits).min(1.0)).unwrap(),
        );
    }
    for (neighbours, order) in result.neighbours.iter().zip(&order) {
        assert_eq!(neighbours.len(), 2.min(order.len()));
    }
}

proptest! {
    #[test]
    fn a_set_among_itself_is_ranked_as_a_full_sort_ranks_it(set in set_of(2..60, 3)) {
        for metric in METRICS {
            check_against_naive(&set.view(), None, metric);
        }
    }

    #[test]
    fn probes_in_a_gallery_are_ranked_as_a_full_sort_ranks_them(
        probes in set_of(1..20, 2), gallery in set_of(1..60, 2)
    ) {
        for metric in METRICS {
            check_against_naive(&probes.view(), Some(&gallery.view()), metric);
        }
    }

    #[test]
    fn votes_are_counted_as_a_full_sort_counts_them(set in set_of(2..40, 3), k in 1usize..9) {
        let view = set.view();
        let order = sorted(&view, None, Distance::Euclidean);
        let predicted = knn_classify(&view, None, Distance::Euclidean, k).unwrap();
        for (order, predicted) in order.iter().zip(predicted) {
            let near: Vec<u32> = order.iter().take(k).map(|&j| set.labels[j]).collect();
            let votes = |label: u32| near.iter().filter(|l| **l == label).count();
            let most = near.iter().map(|&l| votes(l)).max().unwrap();
            let winner = near.iter().find(|l| votes(**l) == most).unwrap();
            prop_assert_eq!(*winner, predicted);
        }
    }

    #[test]
    fn centres_are_the_means_of_the_other_items(set in set_of(2..30, 2)) {
        // Distances to centres are compared with slack: the centres are rounded.
        let view = set.view();
        let predicted = centroid_classify(&view, None, Distance::Euclidean).unwrap();
        for (i, &predicted) in predicted.iter().enumerate() {
            let distance = |label: u32| {
                let others: Vec<usize> = (0..set.labels.len())
                    .filter(|&j| j != i && set.labels[j] == label)
                    .collect();
                let mean = |d: usize| {
                    others.iter().map(|&j| f64::from(view.row(j)[d])).sum::<f64>()
                        / others.len() as f64
                };
                let square = |d: usize| (f64::from(view.row(i)[d]) - mean(d)).powi(2);
                (!others.is_empty()).then(|| square(0) + square(1))
            };
            let least = (0..8).filter_map(distance).fold(f64::INFINITY, f64::min);
            prop_assert!(distance(predicted).unwrap() <= least + 1e-5);
        }
    }
}

/// A large random set through several blocks, clustered by label.
fn large(n: usize, dim: usize, spread: f32, offset: f32) -> Set {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let labels: Vec<u32> = (0..n).map(|_| rng.random_range(0..20)).collect();
    let centres: Vec<f32> = (0..20 * dim)
        .map(|_| rng.random_range(-1.0f32..1.0))
        .collect();
    let mut values = Vec::new();
    for label in &labels {
        for d in 0..dim {
            let noise: f32 = rng.random_range(-1.0..1.0);
            values.push(offset + spread * (centres[*label as usize * dim + d] + noise));
        }
    }
    Set {
        values,
        dim,
        labels,
    }
}

#[test]
fn many_blocks_agree_with_a_full_sort() {
    // Odd sizes, so that the last block of probes and of gallery is partial.
    let set = large(1500, 17, 1.0, 0.0);
    for metric in METRICS {
        check_against_naive(&set.view(), None, metric);
    }
}

#[test]
fn embeddings_that_differ_in_their_last_bits_only_are_ranked_exactly() {
    for (spread, offset) in [(1e-6, 1.0), (1e-3, 1000.0)] {
        let set = large(300, 5, spread, offset);
        check_against_naive(&set.view(), None, Distance::Euclidean);
        check_against_naive(&set.view(), None, Distance::Manhattan);
    }
    // Rounding of 1 − cos in f64 is the limit here: the spread is kept above its root.
    let set = large(300, 5, 1e-4, 1.0);
    check_against_naive(&set.view(), None, Distance::Cosine);
}

#[test]
fn one_huge_outlier_does_not_blur_the_rest() {
    let mut set = large(200, 4, 1e-4, 0.0);
    set.values[..4].copy_from_slice(&[1e18, -1e18, 1e18, 3.0]);
    for metric in METRICS {
        check_against_naive(&set.view(), None, metric);
    }
}

#[test]
fn a_collapsed_embedding_is_ranked_by_row() {
    let labels: Vec<u32> = (0..3000).map(|i| i % 7).collect();
    let values = vec![0.25; 3000 * 2];
    let set = EmbeddingView::new(&values, 2, &labels).unwrap();
    for metric in METRICS {
        let found = nearest(&set, None, metric, 3).unwrap();
        assert_eq!(
            found[0].iter().map(|n| n.index).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(
            found[2999].iter().map(|n| n.index).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert!(found.iter().flatten().all(|n| n.distance == 0.0));
    }
}

#[test]
fn lone_labels_count_in_no_mean_but_stay_in_the_way() {
    // 0 and 1 are alike, but the lone item 2 lies nearest to both.
    let set = EmbeddingView::new(&[0.0, 1.0, 0.5], 1, &[4, 4, 9]).unwrap();
    let config = RetrievalConfig {
        ks: vec![1, 2, 10],
        ..Default::default()
    };
    let result = retrieval(&set, None, &config).unwrap();
    assert_eq!((result.probes, result.lone), (2, 1));
    let value = |name| find(&result.figures, name).map(|f| f.value);
    assert_eq!(value("precision_at_1"), Some(0.0));
    assert_eq!(value("recall_at_2"), Some(1.0));
    assert_eq!(value("r_precision"), Some(0.0));
    assert_eq!(value("recall_at_10"), None, "two items have no ten nearest");
}

#[test]
fn figures_are_bit_equal_on_any_number_of_threads() {
    let set = large(700, 9, 1.0, 0.0);
    let run = |threads| -> Retrieval {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| retrieval(&set.view(), None, &RetrievalConfig::default()).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(3));
    let figure = find(&one.figures, "map_at_r").unwrap();
    let interval = figure.interval.unwrap();
    assert!(interval.low < figure.value && figure.value < interval.high);
}

#[test]
fn bad_input_is_refused_by_name() {
    let text = |e: siamese_metrics::Error| e.to_string();
    assert_eq!(
        text(EmbeddingView::new(&[1.0, 2.0, 3.0], 2, &[0, 1]).unwrap_err()),
        "embeddings has 3 entries and labels × dimension has 4: they must agree"
    );
    assert_eq!(
        text(EmbeddingView::new(&[1.0, f32::INFINITY], 1, &[0, 1]).unwrap_err()),
        "embeddings: row 1, column 0 is inf: every value must be finite"
    );
    assert!(EmbeddingView::new(&[], 2, &[]).is_err());
    let set = EmbeddingView::new(&[1.0, 2.0], 1, &[0, 0]).unwrap();
    let other = EmbeddingView::new(&[1.0, 2.0], 2, &[0]).unwrap();
    assert_eq!(
        text(nearest(&set, Some(&other), Distance::Euclidean, 1).unwrap_err()),
        "a probe embedding has 1 entries and a gallery embedding has 2: they must agree"
    );
    assert!(
        retrieval(
            &set,
            None,
            &RetrievalConfig {
                ks: vec![0],
                ..Default::default()
            }
        )
        .is_err()
    );
    assert!(knn_classify(&set, None, Distance::Euclidean, 0).is_err());
    let all = nearest(&set, None, Distance::Euclidean, usize::MAX).unwrap();
    assert_eq!(all[1].len(), 1, "k beyond the gallery gives all of it");
    let alone = EmbeddingView::new(&[1.0], 1, &[0]).unwrap();
    assert!(retrieval(&alone, None, &RetrievalConfig::default()).is_err());
    assert!(knn_classify(&alone, None, Distance::Euclidean, 1).is_err());
    assert!(centroid_classify(&alone, None, Distance::Euclidean).is_err());
}

#[test]
fn classes_are_told_by_neighbours_and_by_centres() {
    let gallery = EmbeddingView::new(&[0.0, 0.2, 1.0, 1.4, 1.6], 1, &[3, 3, 8, 8, 8]).unwrap();
    let probes = EmbeddingView::new(&[0.7, 0.1, 0.65], 1, &[8, 3, 8]).unwrap();
    let by_centre = centroid_classify(&probes, Some(&gallery), Distance::Euclidean).unwrap();
    assert_eq!(by_centre, [3, 3, 3], "centres are 0.1 and 1.333");
    let by_nearest = knn_classify(&probes, Some(&gallery), Distance::Euclidean, 1).unwrap();
    assert_eq!(by_nearest, [8, 3, 8]);
    let two = knn_classify(&probes, Some(&gallery), Distance::Euclidean, 2).unwrap();
    assert_eq!(two, [8, 3, 8], "a tie of votes goes to the nearest");

    let confusion = Confusion::new(probes.labels(), &by_centre).unwrap();
    assert_eq!(confusion.classes, [3, 8]);
    assert_eq!(confusion.counts, [(3, 3, 1), (8, 3, 2)]);
    assert_eq!(confusion.most_confused(5), [(8, 3, 2)]);
    let config = BootstrapConfig::default();
    let figure = accuracy_figure("knn_accuracy", probes.labels(), &by_centre, &config).unwrap();
    assert!((figure.value - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(figure.interval.map(|i| (i.low, i.high)), Some((0.0, 1.0)));
}
