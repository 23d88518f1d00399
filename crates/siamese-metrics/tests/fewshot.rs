//! Few-shot episodes against a naive loop, and Lake's trials by hand.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use siamese_metrics::fewshot::{Classifier, FewShotConfig, Trials, few_shot, lake_trials};
use siamese_metrics::{BootstrapConfig, EmbeddingView};

/// Twelve classes of ten items on a line, the classes a unit apart and overlapping by noise.
fn overlapping() -> (Vec<f32>, Vec<u32>) {
    let labels: Vec<u32> = (0..120).map(|i| i / 10).collect();
    let noise = |i: u32| (i * 7919 % 97) as f32 / 97.0 * 2.2;
    let values = (0..120).map(|i| (i / 10) as f32 + noise(i)).collect();
    (values, labels)
}

#[test]
fn episodes_of_one_collapsed_embedding_are_at_chance() {
    let labels: Vec<u32> = (0..200).map(|i| i / 20).collect();
    let set = EmbeddingView::new(&[0.5; 200], 1, &labels).unwrap();
    for classifier in [Classifier::Centroid, Classifier::NearestNeighbour] {
        let config = FewShotConfig {
            classifier,
            episodes: 50,
            ..Default::default()
        };
        let result = few_shot(&set, &config).unwrap();
        assert!(
            result
                .per_episode
                .iter()
                .all(|accuracy| (accuracy - 0.2).abs() < 1e-12)
        );
    }
}

#[test]
fn one_shot_prototypes_are_nearest_neighbours() {
    let (values, labels) = overlapping();
    let set = EmbeddingView::new(&values, 1, &labels).unwrap();
    let run = |classifier| {
        let config = FewShotConfig {
            classifier,
            queries: 5,
            episodes: 60,
            ..Default::default()
        };
        few_shot(&set, &config).unwrap()
    };
    let (centroid, nearest) = (run(Classifier::Centroid), run(Classifier::NearestNeighbour));
    assert_eq!(centroid.per_episode, nearest.per_episode);
    assert!(centroid.accuracy.value > 0.4 && centroid.accuracy.value < 1.0);
}

#[test]
fn two_way_accuracy_is_what_enumerating_every_episode_gives() {
    // 2 classes of 3 items, 1 shot, 2 queries: 9 supports, all equally likely.
    let rows = [0.0f32, 1.0, 4.0, 3.0, 5.0, 6.0];
    let labels = [0, 0, 0, 1, 1, 1];
    let set = EmbeddingView::new(&rows, 1, &labels).unwrap();
    let mut expected = 0.0;
    for a in 0..3 {
        for b in 3..6 {
            for query in (0..6).filter(|q| *q != a && *q != b) {
                let (to_a, to_b) = ((rows[query] - rows[a]).abs(), (rows[query] - rows[b]).abs());
                let right = if query < 3 { to_a < to_b } else { to_b < to_a };
                // A tie falls to either class, whichever was drawn first.
                expected += if to_a == to_b {
                    0.5
                } else {
                    f64::from(u8::from(right))
                };
            }
        }
    }
    expected /= 36.0;
    let config = FewShotConfig {
        ways: 2,
        queries: 2,
        episodes: 20_000,
        ..Default::default()
    };
    let result = few_shot(&set, &config).unwrap();
    let interval = result.accuracy.interval.unwrap();
    assert!(
        (result.accuracy.value - expected).abs() < 0.01,
        "{expected} {result:?}",
        result = result.accuracy
    );
    assert!(interval.high - interval.low < 0.01);
}

#[test]
fn episodes_depend_on_the_seed_and_on_nothing_else() {
    let (values, labels) = overlapping();
    let set = EmbeddingView::new(&values, 1, &labels).unwrap();
    let run = |threads, seed| {
        let config = FewShotConfig {
            queries: 5,
            shots: 3,
            episodes: 40,
            seed,
            ..Default::default()
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| few_shot(&set, &config).unwrap())
    };
    assert_eq!(run(1, 5), run(3, 5));
    assert_ne!(run(1, 5), run(1, 6));
}

#[test]
fn episodes_that_cannot_be_drawn_are_refused() {
    let (values, labels) = overlapping();
    let set = EmbeddingView::new(&values, 1, &labels).unwrap();
    let message = |config| few_shot(&set, &config).unwrap_err().to_string();
    assert_eq!(
        message(FewShotConfig::default()),
        "episodes: class 0 has 10 items, 1 shots and 15 queries need 16"
    );
    assert_eq!(
        message(FewShotConfig {
            ways: 13,
            ..Default::default()
        }),
        "episodes: 12 classes, 13 ways need as many"
    );
    assert!(
        message(FewShotConfig {
            shots: 0,
            ..Default::default()
        })
        .contains("0 shots")
    );
}

#[test]
fn a_tied_trial_goes_to_the_first_class() {
    let run = Trials {
        distances: vec![0.5, 0.5, 0.9, 0.9, 0.5, 0.5],
        truth: vec![0, 2],
    };
    let result = lake_trials(&[run], &BootstrapConfig::off()).unwrap();
    assert_eq!(
        (result.correct, result.trials, result.accuracy.value),
        (vec![1], 2, 0.5)
    );
}

#[test]
fn malformed_runs_are_refused() {
    let score = |distances: &[f32], truth: &[usize]| {
        let run = Trials {
            distances: distances.to_vec(),
            truth: truth.to_vec(),
        };
        lake_trials(&[run], &BootstrapConfig::off())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        score(&[0.1, 0.2, 0.3], &[0, 1]),
        "distances has 3 entries and tests × classes has 2: they must agree"
    );
    assert_eq!(
        score(&[0.1, 0.2], &[2]),
        "truth: class 2 of 2, counted from 0"
    );
    assert_eq!(
        score(&[0.1, f32::NAN], &[0]),
        "distances[1] is NaN: every value must be finite"
    );
}
