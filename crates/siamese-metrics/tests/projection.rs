//! Projections: what PCA must keep, and what t-SNE must not tear apart.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use rand::{Rng, SeedableRng};
use siamese_metrics::projection::{TsneConfig, pca, tsne};
use siamese_metrics::retrieval::nearest;
use siamese_metrics::{Distance, EmbeddingView};

/// Five clusters in twelve dimensions.
fn clusters(n: usize) -> (Vec<f32>, Vec<u32>) {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    let centres: Vec<f32> = (0..5 * 12).map(|_| rng.random_range(-3.0..3.0)).collect();
    let labels: Vec<u32> = (0..n as u32).map(|i| i % 5).collect();
    let centre = |l: &u32| centres[*l as usize * 12..][..12].to_vec();
    let values = labels
        .iter()
        .flat_map(centre)
        .map(|c| c + rng.random_range(-0.5..0.5))
        .collect();
    (values, labels)
}

/// Axes by power iteration and deflation, plainly.
fn naive_variances(set: &EmbeddingView) -> [f64; 2] {
    let (n, dim) = (set.len(), set.dim());
    let mean: Vec<f64> = (0..dim)
        .map(|d| set.rows().map(|r| f64::from(r[d])).sum::<f64>() / n as f64)
        .collect();
    let mut covariance = vec![vec![0.0; dim]; dim];
    for row in set.rows() {
        for i in 0..dim {
            for j in 0..dim {
                let (x, y) = (f64::from(row[i]) - mean[i], f64::from(row[j]) - mean[j]);
                covariance[i][j] += x * y / n as f64;
            }
        }
    }
    let total: f64 = (0..dim).map(|i| covariance[i][i]).sum();
    [(); 2].map(|()| {
        let mut axis: Vec<f64> = (0..dim).map(|i| 1.0 + i as f64).collect();
        let mut value = 0.0;
        for _ in 0..20_000 {
            let image: Vec<f64> = covariance
                .iter()
                .map(|row| row.iter().zip(&axis).map(|(c, a)| c * a).sum())
                .collect();
            value = image.iter().map(|x| x * x).sum::<f64>().sqrt();
            axis = image.iter().map(|x| x / value).collect();
        }
        for i in 0..dim {
            for j in 0..dim {
                covariance[i][j] -= value * axis[i] * axis[j];
            }
        }
        value / total
    })
}

#[test]
fn pca_keeps_the_variance_that_power_iteration_finds() {
    let (values, labels) = clusters(203);
    let set = EmbeddingView::new(&values, 12, &labels).unwrap();
    let plane = pca(&set);
    for (ours, theirs) in plane.explained.iter().zip(naive_variances(&set)) {
        assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
    }
    let mixed: f64 = plane
        .points
        .iter()
        .map(|p| f64::from(p[0]) * f64::from(p[1]))
        .sum::<f64>()
        / 203.0;
    assert!(mixed.abs() < 1e-4, "the axes must not correlate: {mixed}");
}

#[test]
fn pca_of_points_on_a_line_or_at_one_place_is_finite() {
    let line = EmbeddingView::new(&[1.0, 2.0, 3.0], 1, &[0, 0, 0]).unwrap();
    let plane = pca(&line);
    assert!((plane.explained[0] - 1.0).abs() < 1e-12 && plane.explained[1] == 0.0);
    assert_eq!(plane.points, [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]);
    let place = EmbeddingView::new(&[2.0; 8], 2, &[0; 4]).unwrap();
    assert_eq!(pca(&place).points, [[0.0; 2]; 4]);
    assert_eq!(pca(&place).explained, [0.0; 2]);
}

#[test]
fn tsne_keeps_clusters_together() {
    let (values, labels) = clusters(200);
    let set = EmbeddingView::new(&values, 12, &labels).unwrap();
    let map = tsne(
        &set,
        &TsneConfig {
            perplexity: 10.0,
            ..Default::default()
        },
    )
    .unwrap();
    let flat: Vec<f32> = map.iter().flatten().copied().collect();
    let plane = EmbeddingView::new(&flat, 2, &labels).unwrap();
    let near = nearest(&plane, None, Distance::Euclidean, 1).unwrap();
    let torn = near
        .iter()
        .zip(&labels)
        .filter(|(n, l)| labels[n[0].index as usize] != **l)
        .count();
    assert_eq!(torn, 0);
    let width = flat.iter().fold(0f32, |m, x| m.max(x.abs()));
    assert!(width > 5.0 && width < 200.0, "{width}");
}

#[test]
fn tsne_repeats_bit_for_bit_on_any_number_of_threads() {
    let (values, labels) = clusters(61);
    let set = EmbeddingView::new(&values, 12, &labels).unwrap();
    let run = |threads, seed| {
        let config = TsneConfig {
            iterations: 300,
            seed,
            ..Default::default()
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| tsne(&set, &config).unwrap())
    };
    assert_eq!(run(1, 0), run(3, 0));
    assert_ne!(run(1, 0), run(1, 1));
}

#[test]
fn tsne_of_a_collapsed_embedding_is_finite() {
    let set = EmbeddingView::new(&[1.0; 60], 3, &[0; 20]).unwrap();
    let map = tsne(&set, &TsneConfig::default()).unwrap();
    assert!(map.iter().flatten().all(|x| x.is_finite()));
}

#[test]
fn tsne_refuses_what_it_cannot_lay_out() {
    let set = EmbeddingView::new(&[1.0, 2.0, 3.0], 1, &[0, 0, 0]).unwrap();
    assert_eq!(
        tsne(&set, &TsneConfig::default()).unwrap_err().to_string(),
        "embeddings: 3 rows, a map needs at least 4"
    );
    let set = EmbeddingView::new(&[1.0, 2.0, 3.0, 4.0], 1, &[0; 4]).unwrap();
    for perplexity in [0.0, -1.0, f64::NAN] {
        assert!(
            tsne(
                &set,
                &TsneConfig {
                    perplexity,
                    ..Default::default()
                }
            )
            .is_err()
        );
    }
}
