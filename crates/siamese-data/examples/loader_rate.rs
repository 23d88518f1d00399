//! How many images a second the loader prepares: `cargo run --release -p siamese-data --example
//! loader_rate`. The images are random, 32×32 RGB; the consumer does nothing but take batches.

use std::sync::Arc;
use std::time::Instant;

use rand::RngCore;
use siamese_data::{
    AugmentConfig, ImageSet, Loader, LoaderConfig, PairSampling, RandomAffine, Sampler,
    SamplerConfig, stream,
};

const IMAGES: usize = 50_000;
const CLASSES: usize = 100;
const EPOCHS: usize = 3;

fn main() -> anyhow::Result<()> {
    let mut pixels = vec![0; IMAGES * 32 * 32 * 3];
    stream(0, "pixels", &[]).fill_bytes(&mut pixels);
    let labels = (0..IMAGES).map(|i| (i % CLASSES) as u32).collect();
    let classes = (0..CLASSES).map(|class| class.to_string()).collect();
    let set = Arc::new(ImageSet::new(32, 32, 3, pixels, labels, classes)?);
    let indices: Vec<u32> = (0..IMAGES as u32).collect();
    let config = SamplerConfig::Pairs(PairSampling::default());
    let sampler = Sampler::new(&config, 0, &set.labels, &indices, None)?;
    let started = Instant::now();
    sampler.epoch(0);
    println!(
        "sampler: {:.1} ms an epoch of {IMAGES} pairs",
        1e3 * started.elapsed().as_secs_f64()
    );

    let none = AugmentConfig::default();
    let augmentations = [
        ("none", none),
        ("flip", AugmentConfig { flip: true, ..none }),
        (
            "crop",
            AugmentConfig {
                crop_padding: 4,
                ..none
            },
        ),
        (
            "jitter",
            AugmentConfig {
                jitter: 0.2,
                ..none
            },
        ),
        ("hue", AugmentConfig { hue: 0.1, ..none }),
        ("cutout", AugmentConfig { cutout: 8, ..none }),
        (
            "affine",
            AugmentConfig {
                affine: Some(RandomAffine {
                    rotation: 10.0,
                    shear: 0.3,
                    scale: (0.8, 1.2),
                    shift: 2,
                    ..RandomAffine::default()
                }),
                ..none
            },
        ),
        (
            "all",
            AugmentConfig {
                flip: true,
                crop_padding: 4,
                jitter: 0.2,
                cutout: 8,
                ..none
            },
        ),
    ];
    for (name, augment) in augmentations {
        // The best of a few epochs: other work on the machine only ever slows one down.
        let mut best = 0f64;
        for epoch in 0..EPOCHS {
            let config = LoaderConfig {
                augment,
                epoch,
                ..Default::default()
            };
            let pairs = sampler.epoch(epoch);
            let started = Instant::now();
            let mut loader =
                Loader::new(Arc::clone(&set), pairs, config, |batch| batch.labels.len())?;
            let images = loader.try_fold(0, |sum, count| count.map(|count| sum + count))?;
            best = best.max(images as f64 / started.elapsed().as_secs_f64());
        }
        println!("{name:>7}: {best:>9.0} images/s with one worker");
    }
    Ok(())
}
