//! Golden values of scikit-learn and pytorch-metric-learning, made by `golden/make_golden.py`.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use serde::Deserialize;
use siamese_metrics::retrieval::{RetrievalConfig, retrieval};
use siamese_metrics::verification::RocCurve;
use siamese_metrics::{BootstrapConfig, Distance, EmbeddingView, find};

#[derive(Deserialize)]
struct Golden {
    verification: Vec<Verification>,
    retrieval: Vec<Retrieval>,
}

#[derive(Deserialize)]
struct Verification {
    distances: Vec<f32>,
    like: Vec<bool>,
    roc_auc: f64,
    average_precision: f64,
    eer: f64,
}

#[derive(Deserialize)]
struct Retrieval {
    dim: usize,
    embeddings: Vec<f32>,
    labels: Vec<u32>,
    gallery: Option<Vec<f32>>,
    gallery_labels: Option<Vec<u32>>,
    euclidean: RetrievalFigures,
    cosine: RetrievalFigures,
    manhattan: RetrievalFigures,
}

#[derive(Deserialize)]
struct RetrievalFigures {
    precision_at_1: f64,
    r_precision: f64,
    map_at_r: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/golden.json")).unwrap()
}

#[track_caller]
fn assert_near(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() < 1e-9, "ours {ours}, theirs {theirs}");
}

#[test]
fn area_average_precision_and_equal_error_rate_are_scikit_learns() {
    for case in golden().verification {
        let curve = RocCurve::new(&case.distances, &case.like).unwrap();
        assert_near(curve.roc_auc(), case.roc_auc);
        assert_near(curve.average_precision(), case.average_precision);
        assert_near(curve.eer(), case.eer);
    }
}

#[test]
fn retrieval_figures_are_accuracy_calculators_ties_and_lone_labels_included() {
    for case in golden().retrieval {
        let probes = EmbeddingView::new(&case.embeddings, case.dim, &case.labels).unwrap();
        let gallery = case.gallery.as_ref().map(|values| {
            EmbeddingView::new(values, case.dim, case.gallery_labels.as_ref().unwrap()).unwrap()
        });
        let metrics = [
            (Distance::Euclidean, &case.euclidean),
            (Distance::SquaredEuclidean, &case.euclidean),
            (Distance::Cosine, &case.cosine),
            (Distance::Manhattan, &case.manhattan),
        ];
        for (metric, theirs) in metrics {
            let bootstrap = BootstrapConfig::off();
            let config = RetrievalConfig {
                metric: metric.into(),
                ks: vec![1],
                bootstrap,
                ..Default::default()
            };
            let ours = retrieval(&probes, gallery.as_ref(), &config).unwrap();
            assert!(ours.lone > 0, "the case has no lone label");
            let value = |name| find(&ours.figures, name).unwrap().value;
            assert_near(value("precision_at_1"), theirs.precision_at_1);
            assert_near(value("r_precision"), theirs.r_precision);
            assert_near(value("map_at_r"), theirs.map_at_r);
        }
    }
}
