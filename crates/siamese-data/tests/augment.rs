//! The augmentations against naive code, on images that are neither square nor symmetric.

use std::collections::HashSet;

use proptest::prelude::*;
use rand::Rng;
use siamese_data::{AugmentConfig, AugmentError, ImageShape, RandomCrop, stream};

/// 2 rows, 3 columns; every byte is another.
const SMALL: ImageShape = (2, 3, 3);

fn numbered((height, width, channels): ImageShape) -> Vec<u8> {
    (0..height * width * channels)
        .map(|i| (i * 7 % 251) as u8)
        .collect()
}

fn apply(config: &AugmentConfig, image: &[u8], shape: ImageShape, seed: u64) -> Vec<u8> {
    let mut out = vec![0xAA; image.len()];
    config.apply(image, shape, &mut out, &mut stream(seed, "test", &[]));
    out
}

/// All distinct results over many seeds.
fn outcomes(config: &AugmentConfig, image: &[u8], shape: ImageShape) -> HashSet<Vec<u8>> {
    (0..2000)
        .map(|seed| apply(config, image, shape, seed))
        .collect()
}

/// The image whose pixel at (y, x) is that of `image` at `from(y, x)`.
fn remapped(
    image: &[u8],
    (height, width, channels): ImageShape,
    from: impl Fn(usize, usize) -> (usize, usize),
) -> Vec<u8> {
    let mut out = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (y, x) = from(y, x);
            out.extend((0..channels).map(|c| image[(y * width + x) * channels + c]));
        }
    }
    out
}

/// Walks from 0 to `at` step by step, turning round at the borders.
fn bounce(at: isize, len: usize) -> usize {
    let (mut position, mut direction) = (0isize, at.signum());
    for _ in 0..at.abs() {
        if !(0..len as isize).contains(&(position + direction)) {
            direction = -direction;
        }
        position += direction;
    }
    position as usize
}

fn naive_crops(image: &[u8], shape: ImageShape, padding: usize) -> HashSet<Vec<u8>> {
    let reach = padding as isize;
    let shifts = (-reach..=reach).flat_map(|down| (-reach..=reach).map(move |right| (down, right)));
    let crop = |(down, right)| {
        remapped(image, shape, |y, x| {
            (
                bounce(y as isize + down, shape.0),
                bounce(x as isize + right, shape.1),
            )
        })
    };
    shifts.map(crop).collect()
}

fn shapes() -> impl Strategy<Value = ImageShape> {
    (
        1..7usize,
        1..7usize,
        prop_oneof![Just(1usize), Just(3), Just(4)],
    )
}

#[test]
fn flip_mirrors_left_and_right_and_keeps_the_channels() {
    let config = AugmentConfig {
        flip: true,
        ..Default::default()
    };
    let image = [
        1, 2, 3, /**/ 4, 5, 6, /**/ 7, 8, 9, //
        10, 11, 12, /**/ 13, 14, 15, /**/ 16, 17, 18,
    ];
    let mirrored = [
        7, 8, 9, /**/ 4, 5, 6, /**/ 1, 2, 3, //
        16, 17, 18, /**/ 13, 14, 15, /**/ 10, 11, 12,
    ];
    let expected = HashSet::from([image.to_vec(), mirrored.to_vec()]);
    assert_eq!(outcomes(&config, &image, SMALL), expected);
    let flipped = (0..2000)
        .filter(|&seed| apply(&config, &image, SMALL, seed) == mirrored)
        .count();
    assert!(
        (900..1100).contains(&flipped),
        "{flipped} of 2000 are flipped"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn crops_and_flips_are_the_naive_ones_and_all_of_them_occur(
        shape in shapes(), padding in 0..3usize, flip in any::<bool>(),
    ) {
        prop_assume!(padding < shape.0.min(shape.1) || padding == 0);
        let image = numbered(shape);
        let mut expected = naive_crops(&image, shape, padding);
        if flip {
            let width = shape.1;
            let mirrored = |crop: &Vec<u8>| remapped(crop, shape, |y, x| (y, width - 1 - x));
            expected.extend(expected.iter().map(mirrored).collect::<Vec<_>>());
        }
        let config = AugmentConfig { flip, crop_padding: padding, ..Default::default() };
        prop_assert_eq!(outcomes(&config, &image, shape), expected);
    }

    #[test]
    fn cutouts_are_the_naive_ones_and_all_of_them_occur(shape in shapes(), cutout in 1..6usize) {
        let image = numbered(shape);
        let (height, width, channels) = shape;
        let mut expected = HashSet::new();
        for centre in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let mut out = image.clone();
            let mut covered = 0;
            for (i, pixel) in out.chunks_mut(channels).enumerate() {
                let within = |at: usize, centre: usize| {
                    let low = centre as isize - (cutout / 2) as isize;
                    (low..low + cutout as isize).contains(&(at as isize))
                };
                if within(i / width, centre.0) && within(i % width, centre.1) {
                    pixel.fill(128);
                    covered += 1;
                }
            }
            prop_assert!((1..=cutout * cutout).contains(&covered));
            expected.insert(out);
        }
        let config = AugmentConfig { cutout, ..Default::default() };
        prop_assert_eq!(outcomes(&config, &image, shape), expected);
    }

    #[test]
    fn jitter_is_brightness_then_contrast_then_saturation(
        (shape, image) in shapes().prop_flat_map(|shape| {
            let len = shape.0 * shape.1 * shape.2;
            (Just(shape), prop::collection::vec(any::<u8>(), len))
        }),
        jitter in 0.01..=1f32,
        seed in any::<u64>(),
    ) {
        let config = AugmentConfig { jitter, ..Default::default() };
        let out = apply(&config, &image, shape, seed);
        let mut rng = stream(seed, "test", &[]);
        let factors = [(); 3].map(|()| f64::from(1.0 + jitter * (2.0 * rng.random::<f32>() - 1.0)));
        let naive = naive_colour(&image, shape.2, factors);
        for (got, expected) in out.iter().zip(&naive) {
            let expected = expected.clamp(0.0, 255.0);
            prop_assert!((f64::from(*got) - expected).abs() < 0.51, "{} for {}", got, expected);
        }
    }

    #[test]
    fn any_mix_is_the_same_for_the_same_stream_and_stays_within_the_image(
        shape in shapes(), flip in any::<bool>(), jitter in 0f32..=1.0,
        cutout in prop_oneof![0..5usize, Just(usize::MAX)], seed in any::<u64>(),
    ) {
        let image = numbered(shape);
        let crop_padding = (shape.0.min(shape.1) - 1).min(2);
        let config = AugmentConfig { flip, crop_padding, jitter, cutout, ..AugmentConfig::default() };
        prop_assert_eq!(apply(&config, &image, shape, seed), apply(&config, &image, shape, seed));
    }
}

/// Three passes in f64, as the documentation has them.
fn naive_colour(
    image: &[u8],
    channels: usize,
    [bright, contrast, saturation]: [f64; 3],
) -> Vec<f64> {
    let grey = |pixel: &[f64]| match pixel {
        [r, g, b] => 0.299 * r + 0.587 * g + 0.114 * b,
        _ => pixel.iter().sum::<f64>() / pixel.len() as f64,
    };
    let mut values: Vec<f64> = image.iter().map(|&x| f64::from(x) * bright).collect();
    let pixels = values.chunks(channels);
    let mean = pixels.clone().map(grey).sum::<f64>() / pixels.len() as f64;
    for value in &mut values {
        *value = contrast * *value + (1.0 - contrast) * mean;
    }
    if channels == 3 {
        for pixel in values.chunks_mut(3) {
            let grey = grey(pixel);
            for value in pixel {
                *value = saturation * *value + (1.0 - saturation) * grey;
            }
        }
    }
    values
}

#[test]
fn jitter_keeps_the_order_of_brightness_and_the_grey_of_grey() {
    let config = AugmentConfig {
        jitter: 0.9,
        ..Default::default()
    };
    let ramp: Vec<u8> = (0..=255).collect();
    let grey_ramp: Vec<u8> = ramp.iter().flat_map(|&x| [x; 3]).collect();
    for seed in 0..200 {
        assert!(apply(&config, &ramp, (8, 32, 1), seed).is_sorted());
        let grey = apply(&config, &grey_ramp, (8, 32, 3), seed);
        assert!(
            grey.chunks(3)
                .all(|pixel| pixel.iter().all(|x| x.abs_diff(pixel[0]) == 0))
        );
        assert!(grey.is_sorted());
    }
}

#[test]
fn jitter_darkens_as_often_as_it_brightens() {
    let config = AugmentConfig {
        jitter: 0.5,
        ..Default::default()
    };
    // Contrast and saturation leave an image of one grey as it is.
    let flat = [100; 18];
    let results = (0..1000).map(|seed| apply(&config, &flat, SMALL, seed)[0]);
    let (darker, brighter): (Vec<u8>, Vec<u8>) = results.partition(|&x| x < 100);
    assert!(
        (420..580).contains(&darker.len()),
        "{} of 1000 are darker",
        darker.len()
    );
    assert!(darker.iter().all(|x| (50..100).contains(x)) && darker.iter().any(|&x| x < 60));
    assert!(brighter.iter().all(|x| (100..=150).contains(x)) && brighter.iter().any(|&x| x > 140));
}

#[test]
fn no_augmentation_copies_the_image_and_draws_nothing() {
    let image = numbered(SMALL);
    let config = AugmentConfig::default();
    assert!(config.is_identity());
    let mut rng = stream(1, "test", &[]);
    let mut out = vec![0; image.len()];
    config.apply(&image, SMALL, &mut out, &mut rng);
    assert_eq!(out, image);
    assert_eq!(rng, stream(1, "test", &[]));
}

#[test]
fn a_smaller_image_is_cut_out_of_every_place_of_a_larger_one() {
    let (shape, size) = ((5, 6, 3), (2, 4));
    let image = numbered(shape);
    let cut = |config: &AugmentConfig, seed| {
        let mut out = vec![0; 2 * 4 * 3];
        let mut rng = stream(seed, "test", &[]);
        config.apply_to(&image, shape, (&mut out, size), &mut rng);
        out
    };
    for padding in [0isize, 1] {
        let config = AugmentConfig {
            crop_padding: padding as usize,
            ..Default::default()
        };
        let places = (-padding..=3 + padding)
            .flat_map(|down| (-padding..=2 + padding).map(move |right| (down, right)));
        let naive = places.map(|(down, right)| {
            let pixel = |y: isize, x: isize| {
                let at = bounce(y + down, 5) * 6 + bounce(x + right, 6);
                image[at * 3..][..3].to_vec()
            };
            let pixels = (0..2).flat_map(|y| (0..4).map(move |x| (y, x)));
            pixels.flat_map(|(y, x)| pixel(y, x)).collect::<Vec<u8>>()
        });
        let all: HashSet<Vec<u8>> = (0..3000).map(|seed| cut(&config, seed)).collect();
        assert_eq!(all, naive.collect());
    }
    // a part of any size, resized: enlarged here
    let config = AugmentConfig {
        random_crop: Some(RandomCrop {
            scale: (1.0, 1.0),
            ratio: (1.2, 1.2),
        }),
        ..Default::default()
    };
    let mut out = vec![0; 10 * 12 * 3];
    let flat = [9; 5 * 6 * 3];
    config.apply_to(
        &flat,
        shape,
        (&mut out, (10, 12)),
        &mut stream(1, "test", &[]),
    );
    assert_eq!(out, [9; 10 * 12 * 3]);
    let small = AugmentConfig::default().check_to((5, 6, 3), (6, 6));
    let small = small.unwrap_err().to_string();
    assert!(
        small.contains("cached_size is 5x6, smaller than the 6x6"),
        "{small}"
    );
}

#[test]
fn settings_that_do_not_suit_the_images_are_refused_by_name() {
    let jitter = |jitter| {
        AugmentConfig {
            jitter,
            ..Default::default()
        }
        .check((2, 3, 3))
    };
    assert_eq!(jitter(1.0), Ok(()));
    assert_eq!(jitter(-0.1), Err(AugmentError::Jitter(-0.1)));
    assert!(jitter(f32::NAN).is_err());
    let padded = |crop_padding| {
        AugmentConfig {
            crop_padding,
            ..Default::default()
        }
        .check((2, 3, 3))
    };
    assert_eq!(padded(1), Ok(()));
    assert_eq!(
        padded(2).unwrap_err().to_string(),
        "crop_padding is 2, expected less than both sides of the 2x3 images"
    );
    assert!(padded(usize::MAX).is_err());
}

#[test]
fn a_config_reads_from_its_own_json_and_fills_in_defaults() {
    let config = AugmentConfig {
        flip: true,
        crop_padding: 4,
        jitter: 0.25,
        cutout: 8,
        ..AugmentConfig::default()
    };
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<AugmentConfig>(&json).unwrap(),
        config
    );
    assert_eq!(
        serde_json::from_str::<AugmentConfig>("{}").unwrap(),
        AugmentConfig::default()
    );
}
