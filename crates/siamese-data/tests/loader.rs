//! The loader: the same bytes whatever the threads, in the order and layout that it promises.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use siamese_data::{
    AugmentConfig, Batch, Draw, ImageBatches, ImageSet, Loader, LoaderConfig, LoaderError, Pair,
    PairSampler, PairSamplerConfig, Shrunk, stream,
};

const EVERYTHING: AugmentConfig = AugmentConfig {
    flip: true,
    crop_padding: 2,
    jitter: 0.4,
    cutout: 3,
    random_crop: None,
    cached_size: None,
    affine: None,
    hue: 0.0,
    erase: None,
};

/// 50 RGB images of 5×7 in 5 classes.
fn images() -> Arc<ImageSet> {
    let pixels = (0..50 * 5 * 7 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
    let labels = (0..50).map(|i| i % 5).collect();
    let classes = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
    Arc::new(ImageSet::new(5, 7, 3, pixels.collect(), labels, classes).unwrap())
}

fn pairs(pairs_per_batch: usize) -> Vec<Vec<Pair>> {
    let set = images();
    let indices: Vec<u32> = (0..50).collect();
    let config = PairSamplerConfig {
        pairs_per_batch,
        ..Default::default()
    };
    PairSampler::new(&set.labels, &indices, None, config)
        .unwrap()
        .epoch(0)
}

/// The batches of these pairs: the anchors, then their partners.
fn draws(pairs: &[Vec<Pair>]) -> Vec<Draw> {
    let set = images();
    let draw = |pairs: &Vec<Pair>| {
        let anchors = pairs.iter().map(|pair| pair.a);
        let indices: Vec<u32> = anchors.chain(pairs.iter().map(|pair| pair.b)).collect();
        Draw {
            labels: indices
                .iter()
                .map(|&i| set.labels.get(i as usize).copied().unwrap_or_default())
                .collect(),
            indices,
            paired: true,
        }
    };
    pairs.iter().map(draw).collect()
}

fn loader(
    set: &Arc<ImageSet>,
    pairs: &[Vec<Pair>],
    config: LoaderConfig,
) -> Result<Loader<Batch>, LoaderError> {
    Loader::new(Arc::clone(set), draws(pairs), config, Batch::clone)
}

fn load(pairs: &[Vec<Pair>], config: LoaderConfig) -> Vec<Batch> {
    loader(&images(), pairs, config)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn augmented() -> LoaderConfig {
    LoaderConfig {
        augment: EVERYTHING,
        seed: 9,
        epoch: 3,
        ..Default::default()
    }
}

/// What the loader promises, image by image: pair k of the epoch draws from streams 2k and 2k + 1.
fn naive(pairs: &[Vec<Pair>], config: &LoaderConfig) -> Vec<Batch> {
    let set = images();
    let mut k = 0;
    let mut batches = Vec::new();
    for pairs in pairs {
        let mut sides = [Vec::new(), Vec::new()];
        for pair in pairs {
            for (side, index) in [pair.a, pair.b].into_iter().enumerate() {
                let mut rng = stream(config.seed, "augmentation", &[config.epoch as u64]);
                rng.set_stream(2 * k + side as u64);
                let mut out = vec![0; set.image_len()];
                config.augment.apply(
                    &set.image(index as usize).unwrap(),
                    (5, 7, 3),
                    &mut out,
                    &mut rng,
                );
                sides[side].extend(out);
            }
            k += 1;
        }
        let Draw {
            indices, labels, ..
        } = draws(std::slice::from_ref(pairs)).swap_remove(0);
        batches.push(Batch {
            first: 0,
            images: sides.concat(),
            size: (5, 7),
            labels,
            indices,
        });
    }
    batches
}

#[test]
fn batches_are_the_naive_ones_for_any_number_of_workers() {
    let pairs = pairs(8);
    let expected = naive(&pairs, &augmented());
    for workers in [0, 1, 2, 3] {
        for prefetch in [0, 1, 2, 5, 100] {
            let config = LoaderConfig {
                workers,
                prefetch,
                ..augmented()
            };
            assert_eq!(
                load(&pairs, config),
                expected,
                "{workers} workers, {prefetch} ahead"
            );
        }
    }
}

#[test]
fn parts_of_a_batch_are_those_of_the_whole() {
    let pairs = pairs(8);
    let whole = naive(&pairs, &augmented());
    for parts in [1, 2, 3] {
        for part in 0..parts {
            let config = LoaderConfig {
                part: Some((part, parts)),
                ..augmented()
            };
            for (own, whole) in load(&pairs, config).iter().zip(&whole) {
                let images = whole.indices.len();
                let (from, to) = (part * images / parts, (part + 1) * images / parts);
                assert_eq!(own.first, from);
                assert_eq!(own.images, whole.images[from * 5 * 7 * 3..to * 5 * 7 * 3]);
                assert_eq!((&own.labels, &own.indices), (&whole.labels, &whole.indices));
            }
        }
    }
}

#[test]
fn images_of_a_batch_may_be_cut_out_of_larger_ones() {
    let (set, pairs) = (images(), pairs(8));
    let config = LoaderConfig {
        size: Some((3, 4)),
        ..LoaderConfig::default()
    };
    for batch in load(&pairs, config) {
        for (image, index) in batch.images.chunks(3 * 4 * 3).zip(&batch.indices) {
            let whole = set.image(*index as usize).unwrap();
            let row = |y: usize, x: usize| &whole[(y * 7 + x) * 3..][..4 * 3];
            let mut places = (0..3).flat_map(|y| (0..4).map(move |x| (y, x)));
            assert!(places.any(|(y, x)| (0..3).all(|i| image[i * 12..][..12] == *row(y + i, x))));
        }
    }
    let config = LoaderConfig {
        size: Some((6, 7)),
        ..LoaderConfig::default()
    };
    assert!(loader(&set, &pairs, config).is_err());
}

#[test]
fn the_first_batches_are_the_same_images_made_smaller_wherever_an_epoch_is_resumed() {
    let pairs = pairs(8);
    let whole = load(&pairs, augmented());
    let shrinking = |skip_batches| LoaderConfig {
        skip_batches,
        shrunk: [(1, (2, 3)), (3, (3, 5))]
            .map(|(before, size)| Shrunk { before, size })
            .to_vec(),
        ..augmented()
    };
    let batches = load(&pairs, shrinking(0));
    let sizes: Vec<_> = batches.iter().map(|batch| batch.size).collect();
    assert_eq!(sizes[..4], [(2, 3), (3, 5), (3, 5), (5, 7)]);
    assert_eq!(batches[3..], whole[3..]);
    assert_eq!(load(&pairs, shrinking(2)), batches[2..]);
    let mean = |bytes: &[u8]| bytes.iter().map(|&b| f64::from(b)).sum::<f64>() / bytes.len() as f64;
    for (small, whole) in batches.iter().zip(&whole).take(3) {
        let len = small.size.0 * small.size.1 * 3;
        let images = small.images.chunks(len).zip(whole.images.chunks(5 * 7 * 3));
        for (small, whole) in images {
            assert!((mean(small) - mean(whole)).abs() < 12.0);
        }
        assert_eq!(small.images.len(), len * small.indices.len());
    }
}

#[test]
fn without_augmentation_the_images_are_those_of_the_set() {
    let set = images();
    for batch in load(&pairs(8), LoaderConfig::default()) {
        assert_eq!(batch.images.len(), batch.indices.len() * set.image_len());
        for (image, index) in batch.images.chunks(set.image_len()).zip(&batch.indices) {
            assert_eq!(image, &*set.image(*index as usize).unwrap());
        }
        for (label, index) in batch.labels.iter().zip(&batch.indices) {
            assert_eq!(*label, set.labels[*index as usize]);
        }
    }
}

#[test]
fn a_resumed_epoch_ends_as_the_whole_one_does() {
    let pairs = pairs(8);
    let whole = load(&pairs, augmented());
    for skip_batches in 0..=whole.len() + 1 {
        let rest = load(
            &pairs,
            LoaderConfig {
                skip_batches,
                workers: 2,
                ..augmented()
            },
        );
        assert_eq!(rest, whole[skip_batches.min(whole.len())..]);
    }
}

#[test]
fn augmentation_depends_on_epoch_and_seed_and_not_on_the_batch_size() {
    let pairs = pairs(8);
    let changed = load(&pairs, augmented());
    assert_ne!(
        changed,
        load(
            &pairs,
            LoaderConfig {
                epoch: 4,
                ..augmented()
            }
        )
    );
    assert_ne!(
        changed,
        load(
            &pairs,
            LoaderConfig {
                seed: 10,
                ..augmented()
            }
        )
    );
    let one_by_one: Vec<Vec<Pair>> = pairs.concat().iter().map(|&pair| vec![pair]).collect();
    let anchors = |batches: Vec<Batch>| -> Vec<u8> {
        let halves = batches
            .iter()
            .map(|batch| &batch.images[..batch.images.len() / 2]);
        halves.collect::<Vec<_>>().concat()
    };
    assert_eq!(anchors(changed), anchors(load(&one_by_one, augmented())));
}

#[test]
fn an_image_met_twice_in_an_epoch_is_changed_in_two_ways() {
    let twice = vec![
        vec![Pair {
            a: 0,
            b: 5,
            like: true,
        }],
        vec![Pair {
            a: 0,
            b: 5,
            like: true,
        }],
    ];
    let batches = load(&twice, augmented());
    assert_ne!(batches[0].images, batches[1].images);
}

#[test]
fn dropping_a_loader_early_ends_its_threads() {
    let set = images();
    for taken in 0..4 {
        let config = LoaderConfig {
            workers: 3,
            prefetch: 2,
            ..augmented()
        };
        let mut loader = loader(&set, &pairs(2), config).unwrap();
        assert_eq!(loader.by_ref().take(taken).count(), taken);
        drop(loader);
        // The threads held the set too.
        assert_eq!(Arc::strong_count(&set), 1);
    }
}

#[test]
fn a_consumer_slower_than_the_loader_hardly_waits() {
    let started = Instant::now();
    let mut loader = loader(&images(), &pairs(2), augmented()).unwrap();
    assert_eq!(loader.waited(), Duration::ZERO);
    for batch in loader.by_ref() {
        batch.unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(loader.waited() < started.elapsed() / 2);
}

#[test]
fn empty_epochs_and_empty_batches_are_nothing_special() {
    assert!(load(&[], augmented()).is_empty());
    let batches = load(&[vec![]], augmented());
    assert_eq!(batches.len(), 1);
    assert!(batches[0].images.is_empty() && batches[0].indices.is_empty());
}

#[test]
fn bad_input_is_refused_before_a_thread_starts() {
    let pair = Pair {
        a: 3,
        b: 50,
        like: true,
    };
    let error = loader(&images(), &[vec![pair]], LoaderConfig::default())
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "image index 50 is out of range: the set has 50 images"
    );
    let augment = AugmentConfig {
        crop_padding: 5,
        ..Default::default()
    };
    let config = LoaderConfig {
        augment,
        ..Default::default()
    };
    assert!(matches!(
        loader(&images(), &[], config),
        Err(LoaderError::Augment(_))
    ));
}

#[test]
fn image_batches_hold_each_image_once_in_order() {
    let set = images();
    let indices: Vec<u32> = (0..50).rev().collect();
    for batch_size in [1, 7, 50, 64] {
        let batches = ImageBatches::new(&set, &indices, batch_size).unwrap();
        assert_eq!(batches.len(), 50usize.div_ceil(batch_size));
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for batch in batches {
            let batch = batch.unwrap();
            assert_eq!(batch.images.len(), batch.labels.len() * set.image_len());
            assert!(batch.labels.len() <= batch_size);
            images.extend(batch.images);
            labels.extend(batch.labels);
        }
        let expected: Vec<u8> = indices
            .iter()
            .flat_map(|&i| set.image(i as usize).unwrap().to_vec())
            .collect();
        assert_eq!(images, expected);
        let expected: Vec<u32> = indices.iter().map(|&i| set.labels[i as usize]).collect();
        assert_eq!(labels, expected);
    }
    assert!(matches!(
        ImageBatches::new(&set, &indices, 0),
        Err(LoaderError::EmptyBatch)
    ));
    assert!(matches!(
        ImageBatches::new(&set, &[50], 1),
        Err(LoaderError::Index { index: 50, .. })
    ));
    assert_eq!(ImageBatches::new(&set, &[], 4).unwrap().count(), 0);
}
