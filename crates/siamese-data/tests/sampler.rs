//! The guarantees of the pair sampler, over random label sets.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use siamese_data::{ClassSampling, Pair, PairSampler, PairSamplerConfig, SamplerError};

/// A label set, the images of it in play (shuffled), the superclass of each class, a config.
#[derive(Clone, Debug)]
struct Case {
    labels: Vec<u32>,
    indices: Vec<u32>,
    superclasses: Vec<u32>,
    config: PairSamplerConfig,
}

const CLASSES: u32 = 6;

fn cases() -> impl Strategy<Value = Case> {
    let sampling = prop_oneof![
        Just(ClassSampling::Proportional),
        Just(ClassSampling::Uniform),
        prop::collection::vec(prop_oneof![Just(1e-9), 0.1..10.0], CLASSES as usize)
            .prop_map(ClassSampling::Weights),
    ];
    let images = (1..=CLASSES)
        .prop_flat_map(|classes| prop::collection::vec((0..classes, any::<bool>()), 0..60));
    let superclasses = prop::collection::vec(0..3u32, CLASSES as usize);
    let settings = (any::<u64>(), 1..10usize, 0.0..=1.0);
    (images, superclasses, sampling, settings, any::<u64>()).prop_map(
        |(images, superclasses, class_sampling, (seed, pairs_per_batch, hard_fraction), order)| {
            let labels = images.iter().map(|image| image.0).collect();
            let in_play = (0u32..).zip(&images).filter(|(_, image)| image.1);
            let mut indices: Vec<u32> = in_play.map(|(i, _)| i).collect();
            indices.sort_by_key(|&i| u64::from(i).wrapping_mul(order | 1));
            let config = PairSamplerConfig {
                seed,
                pairs_per_batch,
                class_sampling,
                hard_fraction,
            };
            Case {
                labels,
                indices,
                superclasses,
                config,
            }
        },
    )
}

impl Case {
    fn sampler(&self) -> Result<PairSampler, SamplerError> {
        let superclasses = Some(&self.superclasses[..]);
        PairSampler::new(
            &self.labels,
            &self.indices,
            superclasses,
            self.config.clone(),
        )
    }

    fn label(&self, index: u32) -> u32 {
        self.labels[index as usize]
    }

    fn members(&self) -> BTreeMap<u32, usize> {
        let mut members = BTreeMap::new();
        for &index in &self.indices {
            *members.entry(self.label(index)).or_default() += 1;
        }
        members
    }
}

fn like_count(batch: &[Pair]) -> usize {
    batch.iter().filter(|pair| pair.like).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_guarantee_holds_or_construction_says_why_not(case in cases()) {
        let members = case.members();
        let lone = members.values().filter(|&&count| count == 1).count();
        let sampler = match case.sampler() {
            Ok(sampler) => sampler,
            Err(error) => {
                match error {
                    SamplerError::Empty => prop_assert!(case.indices.is_empty()),
                    SamplerError::OneClass { .. } => prop_assert_eq!(members.len(), 1),
                    SamplerError::LoneImages { classes, .. } => {
                        prop_assert!(lone > case.indices.len() / 2);
                        prop_assert_eq!(classes.len(), lone);
                        prop_assert!(classes.iter().all(|class| members[class] == 1));
                    }
                    other => prop_assert!(false, "{}", other),
                }
                return Ok(());
            }
        };
        let mut excess = 0i64;
        for epoch in 0..5 {
            let batches = sampler.epoch(epoch);
            prop_assert_eq!(batches.len(), sampler.batches_per_epoch());
            let (last, full) = batches.split_last().unwrap();
            prop_assert!(full.iter().all(|batch| batch.len() == case.config.pairs_per_batch));
            prop_assert!((1..=case.config.pairs_per_batch).contains(&last.len()));
            for batch in &batches {
                let like = like_count(batch);
                prop_assert!(like.abs_diff(batch.len() - like) == batch.len() % 2);
                excess += 2 * like as i64 - batch.len() as i64;
                prop_assert!(excess.abs() <= 1, "like and unlike differ by {}", excess);
            }
            let pairs: Vec<Pair> = batches.concat();
            let anchors: BTreeSet<u32> = pairs.iter().map(|pair| pair.a).collect();
            prop_assert_eq!(anchors, case.indices.iter().copied().collect());
            prop_assert_eq!(pairs.len(), case.indices.len());
            for pair in pairs {
                prop_assert!(pair.a != pair.b);
                prop_assert!(case.indices.contains(&pair.b));
                prop_assert_eq!(pair.like, case.label(pair.a) == case.label(pair.b));
            }
        }
    }

    #[test]
    fn an_epoch_depends_on_the_set_of_images_and_the_config_alone(case in cases()) {
        let Ok(sampler) = case.sampler() else { return Ok(()) };
        let epoch = sampler.epoch(3);
        sampler.epoch(4);
        prop_assert_eq!(&epoch, &sampler.epoch(3));
        let mut reordered = case.clone();
        reordered.indices.sort_unstable();
        prop_assert_eq!(&epoch, &reordered.sampler().unwrap().epoch(3));
        let elsewhere = std::thread::spawn(move || case.sampler().unwrap().epoch(3));
        prop_assert_eq!(epoch, elsewhere.join().unwrap());
    }

    #[test]
    fn where_all_unlike_pairs_are_hard_they_stay_in_the_superclass(mut case in cases()) {
        case.config.hard_fraction = 1.0;
        let Ok(sampler) = case.sampler() else { return Ok(()) };
        let members = case.members();
        let superclass = |index| case.superclasses[case.label(index) as usize];
        for pair in sampler.epoch(0).concat().iter().filter(|pair| !pair.like) {
            let has_sibling = members.keys().any(|&class| {
                class != case.label(pair.a) && case.superclasses[class as usize] == superclass(pair.a)
            });
            prop_assert!(!has_sibling || superclass(pair.a) == superclass(pair.b));
        }
    }
}

/// 4 classes with 8, 16, 32 and 64 images; 0 and 1 are siblings, and so are 2 and 3.
fn uneven() -> (Vec<u32>, Vec<u32>) {
    let labels: Vec<u32> = (0..4u32).flat_map(|c| vec![c; 8 << c]).collect();
    let indices = (0..labels.len() as u32).collect();
    (labels, indices)
}

const SIBLINGS: [u32; 4] = [0, 0, 1, 1];

/// Of the unlike pairs with an anchor of class `anchor`, the share whose partner is of each class.
fn partner_shares(class_sampling: ClassSampling, hard_fraction: f64, anchor: u32) -> [f64; 4] {
    let (labels, indices) = uneven();
    let config = PairSamplerConfig {
        class_sampling,
        hard_fraction,
        seed: 5,
        ..Default::default()
    };
    let sampler = PairSampler::new(&labels, &indices, Some(&SIBLINGS), config).unwrap();
    let mut counts = [0.0; 4];
    for pair in (0..2000).flat_map(|epoch| sampler.epoch(epoch)).flatten() {
        if !pair.like && labels[pair.a as usize] == anchor {
            counts[labels[pair.b as usize] as usize] += 1.0;
        }
    }
    let total: f64 = counts.iter().sum();
    counts.map(|count| count / total)
}

/// Some 8,000 draws or more: a share's standard deviation is below 0.006.
fn assert_shares(shares: [f64; 4], expected: [f64; 4]) {
    for (share, expected) in shares.iter().zip(expected) {
        assert!(
            (share - expected).abs() < 0.02,
            "{shares:?}, expected {expected}"
        );
        assert!(expected > 0.0 || *share == 0.0, "{shares:?}");
    }
}

#[test]
fn class_sampling_decides_the_partner_of_unlike_pairs() {
    let third = 1.0 / 3.0;
    assert_shares(
        partner_shares(ClassSampling::Uniform, 0.0, 0),
        [0.0, third, third, third],
    );
    assert_shares(
        partner_shares(ClassSampling::Proportional, 0.0, 0),
        [0.0, 16.0 / 112.0, 32.0 / 112.0, 64.0 / 112.0],
    );
    let weights = || ClassSampling::Weights(vec![3.0, 5.0, 0.0, 1.0]);
    assert_shares(
        partner_shares(weights(), 0.0, 0),
        [0.0, 5.0 / 6.0, 0.0, 1.0 / 6.0],
    );
    assert_shares(partner_shares(weights(), 0.0, 3), [0.375, 0.625, 0.0, 0.0]);
}

#[test]
fn the_hard_fraction_is_drawn_from_siblings_and_the_rest_from_all() {
    let expected = 0.5 + 0.5 / 3.0;
    assert_shares(
        partner_shares(ClassSampling::Uniform, 0.5, 0),
        [0.0, expected, 0.5 / 3.0, 0.5 / 3.0],
    );
    // The only sibling of class 3 has weight 0, so there is none to draw.
    let weights = ClassSampling::Weights(vec![1.0, 1.0, 0.0, 1.0]);
    assert_shares(partner_shares(weights, 1.0, 3), [0.5, 0.5, 0.0, 0.0]);
}

#[test]
fn every_other_image_of_the_class_is_a_like_partner() {
    let labels = [0, 1, 0, 0, 1, 0];
    let config = PairSamplerConfig::default();
    let sampler = PairSampler::new(&labels, &[0, 1, 2, 3, 4, 5], None, config).unwrap();
    let mut counts = BTreeMap::new();
    for pair in (0..3000).flat_map(|epoch| sampler.epoch(epoch)).flatten() {
        if pair.like && pair.a == 2 {
            *counts.entry(pair.b).or_insert(0) += 1;
        }
    }
    // Image 2 is a like anchor in half of the epochs, with each of three partners.
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [0, 3, 5]);
    assert!(
        counts.values().all(|count| (430..570).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn an_image_alone_in_its_class_is_an_unlike_anchor() {
    let labels = [0, 0, 0, 1, 2, 3];
    let config = PairSamplerConfig {
        pairs_per_batch: 4,
        ..Default::default()
    };
    let sampler = PairSampler::new(&labels, &[0, 1, 2, 3, 4, 5], None, config).unwrap();
    for pair in sampler.epoch(0).concat() {
        assert_eq!(pair.like, pair.a < 3, "{pair:?}");
    }
}

#[test]
fn epochs_seeds_and_batches_differ() {
    let (labels, indices) = uneven();
    let epoch = |seed, epoch| {
        let config = PairSamplerConfig {
            seed,
            ..Default::default()
        };
        PairSampler::new(&labels, &indices, None, config)
            .unwrap()
            .epoch(epoch)
    };
    assert_ne!(epoch(0, 0), epoch(0, 1));
    assert_ne!(epoch(0, 0), epoch(1, 0));
    let kinds: Vec<bool> = epoch(0, 0)[0].iter().map(|pair| pair.like).collect();
    assert!(
        kinds[..8].contains(&true) && kinds[..8].contains(&false),
        "like and unlike are mixed"
    );
}

#[test]
fn an_epoch_is_the_same_on_every_machine() {
    let config = PairSamplerConfig {
        seed: 42,
        pairs_per_batch: 4,
        ..Default::default()
    };
    let sampler = PairSampler::new(&[0, 1, 0, 1, 2, 2], &[0, 1, 2, 3, 4, 5], None, config).unwrap();
    let epoch: Vec<Vec<(u32, u32)>> = sampler
        .epoch(1)
        .iter()
        .map(|batch| batch.iter().map(|pair| (pair.a, pair.b)).collect())
        .collect();
    assert_eq!(
        epoch,
        [vec![(2, 0), (4, 5), (3, 5), (1, 5)], vec![(5, 0), (0, 2)]]
    );
}

fn refusal(labels: &[u32], indices: &[u32], config: PairSamplerConfig) -> String {
    match PairSampler::new(labels, indices, None, config) {
        Ok(_) => panic!("{labels:?} were accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn bad_images_are_refused_by_name() {
    let refused = |labels: &[u32], indices: &[u32]| refusal(labels, indices, Default::default());
    assert_eq!(refused(&[0, 1], &[]), "no images to make pairs of");
    assert_eq!(
        refused(&[7, 7, 3], &[0, 1]),
        "all images are of class 7: unlike pairs need at least two classes"
    );
    assert_eq!(
        refused(&[0, 1], &[0, 2]),
        "image index 2 is out of range: there are 2 labels"
    );
    assert_eq!(
        refused(&[0, 1, 1], &[2, 0, 2]),
        "image index 2 is given twice"
    );
    assert_eq!(
        refused(&[0, 0, 1, 2, 3], &[0, 1, 2, 3, 4]),
        "3 of 5 images are alone in their class and can only be unlike anchors, but half of all \
         pairs are like: give these classes a second image or leave them out: 1, 2, 3"
    );
    let all_lone: Vec<u32> = (0..25).collect();
    assert!(refused(&all_lone, &all_lone).ends_with("8, 9 and 15 more"));
    let lacking = PairSampler::new(&[0, 0, 1, 1], &[0, 1, 2, 3], Some(&[0]), Default::default());
    assert_eq!(
        lacking.err(),
        Some(SamplerError::Superclass { label: 1, given: 1 })
    );
}

#[test]
fn bad_settings_are_refused_by_name() {
    let labels = [0, 0, 1, 1];
    let refused = |config| refusal(&labels, &[0, 1, 2, 3], config);
    let none = PairSamplerConfig::default;
    assert_eq!(
        refused(PairSamplerConfig {
            pairs_per_batch: 0,
            ..none()
        }),
        "pairs_per_batch is 0, expected at least 1"
    );
    for hard_fraction in [-0.1, 1.5, f64::NAN] {
        let error = refused(PairSamplerConfig {
            hard_fraction,
            ..none()
        });
        assert!(error.ends_with("expected a share from 0 to 1"), "{error}");
    }
    assert_eq!(
        refused(PairSamplerConfig {
            hard_fraction: 0.5,
            ..none()
        }),
        "hard_fraction is 0.5, expected 0, as the images have no superclasses"
    );
    let weights = |weights: &[f64]| {
        let class_sampling = ClassSampling::Weights(weights.to_vec());
        refused(PairSamplerConfig {
            class_sampling,
            ..none()
        })
    };
    assert!(weights(&[1.0]).starts_with("1 class weights for 2 classes"));
    assert!(weights(&[1.0; 3]).starts_with("3 class weights for 2 classes"));
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(weights(&[1.0, bad]).starts_with("the weight of class 1 is"));
    }
    for too_few in [[0.0, 0.0], [0.0, 2.0]] {
        assert!(weights(&too_few).starts_with("unlike pairs need two classes"));
    }
}

#[test]
fn extreme_weights_are_drawn_without_a_hitch() {
    let labels = [0, 0, 1, 1, 2, 2];
    let weights = vec![f64::MAX, f64::MIN_POSITIVE, f64::MAX];
    let class_sampling = ClassSampling::Weights(weights);
    let config = PairSamplerConfig {
        class_sampling,
        ..Default::default()
    };
    let sampler = PairSampler::new(&labels, &[0, 1, 2, 3, 4, 5], None, config).unwrap();
    for pair in (0..200).flat_map(|epoch| sampler.epoch(epoch)).flatten() {
        assert!(pair.like || labels[pair.b as usize] != labels[pair.a as usize]);
    }
}

#[test]
fn a_config_reads_from_its_own_json_and_fills_in_defaults() {
    let config = PairSamplerConfig {
        class_sampling: ClassSampling::Weights(vec![1.0, 2.5]),
        hard_fraction: 0.25,
        ..Default::default()
    };
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<PairSamplerConfig>(&json).unwrap(),
        config
    );
    let short = r#"{"class_sampling": "proportional"}"#;
    let config: PairSamplerConfig = serde_json::from_str(short).unwrap();
    assert_eq!(config.class_sampling, ClassSampling::Proportional);
    assert_eq!(
        config.pairs_per_batch,
        PairSamplerConfig::default().pairs_per_batch
    );
    assert!(serde_json::from_str::<PairSamplerConfig>(r#"{"hard": 0.5}"#).is_err());
}
