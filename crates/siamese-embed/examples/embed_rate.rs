//! Our side of `cargo xtask bench embed`: a model passes images in memory, as many at once as it is told.
//!
//! `embed_rate make NAME MODEL` writes an untrained model, `stages` of 32×32 pixels or `resnet18` of 128×128.
//! `embed_rate MODEL IMAGES OUT` reads images (N, H, W, C) as bytes, writes their embeddings (N, D) as little-endian `f32`s, and
//! answers each line `BATCH STEPS` on standard input with the least time of a batch, in seconds.

use std::io::{BufRead, stdin};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use siamese_core::candle::Device;
use siamese_core::{Body, ImageInput, Model, Resnet, Tower, TowerConfig};
use siamese_data::ImageSet;
use siamese_embed::Embedder;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", name, model] => make(name, model),
        [model, images, out] => play(model, images, out),
        _ => bail!("embed_rate make NAME MODEL, or embed_rate MODEL IMAGES OUT"),
    }
}

fn make(name: &str, path: &str) -> Result<()> {
    let config = match name {
        "stages" => TowerConfig::system_c(),
        "resnet18" => TowerConfig {
            input: ImageInput {
                height: 128,
                width: 128,
                ..ImageInput::imagenet()
            },
            body: Body::Resnet(Resnet::default()),
            ..TowerConfig::system_c()
        },
        _ => bail!("no network {name}: stages or resnet18"),
    };
    let model = Model::new(Tower::new(config, 1, &Device::Cpu)?, Default::default());
    Ok(model.save(path)?)
}

fn play(model: &str, images: &str, out: &str) -> Result<()> {
    let embedder = Embedder::load(model, &Device::Cpu)?;
    let input = embedder.model().tower.config().input.clone();
    let pixels = std::fs::read(images).with_context(|| format!("reading {images}"))?;
    let count = pixels.len() / input.image_len();
    let (height, width, channels) = (input.height, input.width, input.channels());
    let labels = vec![0; count];
    let set = ImageSet::new(height, width, channels, pixels, labels, vec!["a".into()])?;
    let all: Vec<u32> = (0..count as u32).collect();
    let values = embedder.set(&set, &all)?.values.flatten_all()?;
    let bytes = values.to_vec1::<f32>()?.into_iter();
    std::fs::write(out, bytes.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())?;
    println!("ready");
    for line in stdin().lock().lines() {
        let line = line?;
        let (batch, steps) = line.split_once(' ').context("BATCH STEPS")?;
        let (batch, steps): (usize, usize) = (batch.parse()?, steps.parse()?);
        ensure!(batch <= count, "{batch} of {count} images");
        let mut least = f64::INFINITY;
        for _ in 0..steps {
            let start = Instant::now();
            let values = embedder.set(&set, &all[..batch])?.values;
            std::hint::black_box(values.flatten_all()?.to_vec1::<f32>()?);
            least = least.min(start.elapsed().as_secs_f64());
        }
        println!("{least}");
    }
    Ok(())
}
