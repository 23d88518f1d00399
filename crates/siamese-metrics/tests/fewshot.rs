//! Few-shot episodes against a naive loop, and Lake's trials on the real images.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use siamese_metrics::fewshot::{
    Classifier, FewShotConfig, Trials, few_shot, lake_trials, parse_class_labels,
};
use siamese_metrics::{BootstrapConfig, Embeddings, Metric};

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
    let set = Embeddings::new(&[0.5; 200], 1, &labels).unwrap();
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
    let set = Embeddings::new(&values, 1, &labels).unwrap();
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
    let set = Embeddings::new(&rows, 1, &labels).unwrap();
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
    let set = Embeddings::new(&values, 1, &labels).unwrap();
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
    let set = Embeddings::new(&values, 1, &labels).unwrap();
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
    let wrong = parse_class_labels("a b\nc\n", Path::new("class_labels.txt")).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "class_labels.txt:2: expected a test and a training image, found \"c\""
    );
}

#[test]
fn raw_pixels_get_87_of_lakes_400_trials() {
    let zip = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/datasets/omniglot/all_runs.zip");
    let Ok(file) = std::fs::File::open(&zip) else {
        println!("skipped: {} is not here", zip.display());
        return;
    };
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        archive
            .by_name(name)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    };
    let runs: Vec<Trials> = (1..=20)
        .map(|run| {
            let labels = String::from_utf8(read(&format!("run{run:02}/class_labels.txt"))).unwrap();
            let trials = parse_class_labels(&labels, Path::new("class_labels.txt")).unwrap();
            assert_eq!(trials.len(), 20);
            // Ink is 1 and paper 0.
            let mut ink = |name: &str| -> Vec<f32> {
                let image = image::load_from_memory(&read(name)).unwrap().to_luma8();
                image
                    .pixels()
                    .map(|p| f32::from(u8::from(p.0[0] < 128)))
                    .collect()
            };
            let classes: Vec<String> = (1..=20)
                .map(|c| format!("run{run:02}/training/class{c:02}.png"))
                .collect();
            let training: Vec<Vec<f32>> = classes.iter().map(|c| ink(c)).collect();
            let position: HashMap<&str, usize> = classes
                .iter()
                .enumerate()
                .map(|(i, c)| (c.as_str(), i))
                .collect();
            let truth = trials
                .iter()
                .map(|(_, class)| position[class.as_str()])
                .collect();
            let distances = trials
                .iter()
                .flat_map(|(test, _)| {
                    let test = ink(test);
                    training
                        .iter()
                        .map(|t| Metric::Cosine.distance(&test, t))
                        .collect::<Vec<_>>()
                })
                .collect();
            Trials { distances, truth }
        })
        .collect();
    let result = lake_trials(&runs, &BootstrapConfig::default()).unwrap();
    assert_eq!(
        (result.correct.iter().sum::<usize>(), result.trials),
        (87, 400)
    );
    let interval = result.accuracy.interval.unwrap();
    assert!(interval.low < 0.2175 && 0.2175 < interval.high);
}
