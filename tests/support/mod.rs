//! What the end-to-end tests share: the binary, kept from the network, and small things to give it.

// Each test binary uses its own part of this.
#![allow(dead_code)]

mod untrained;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};
use serde_json::Value;
use siamese_core::{FaceCrop, Model};
use untrained::untrained;

/// The binary, in a folder of its own with a cache of its own, and no hub to be reached.
pub(crate) fn siamese(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siamese"));
    command
        .current_dir(folder)
        .env("SIAMESE_CACHE", folder.join("cache"))
        .env("SIAMESE_DATASETS", workspace().join("datasets"))
        .env("HF_HOME", folder.join("hf"))
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env_remove("HF_HUB_OFFLINE");
    command
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A configuration that trains within seconds.
pub(crate) fn small_config(folder: &Path, epochs: usize) -> Result<PathBuf> {
    let config = format!(
        "preset = 'quick'
        epochs = {epochs}
        data.source = 'cifar100'
        progressive = []
        tower.embedding = 16
        tower.body.kind = 'stages'
        tower.body.stages = [{{ channels = 8, convolutions = 1 }}, {{ channels = 16, convolutions = 1 }}]
        judge = {{ validation_pairs = 2000, test_pairs = 2000 }}
        "
    );
    let path = folder.join("small.toml");
    std::fs::write(&path, config)?;
    Ok(path)
}

/// Four classes of twelve pictures of 8×8 pixels in `pictures/`, each class a bright bar at its own place in noise, and
/// `tiny.toml`, which trains on them within a fraction of a second.
pub(crate) fn tiny_set(folder: &Path) -> Result<()> {
    let mut noise = 1u32;
    for (class, name) in (0u32..).zip(["a", "b", "c", "d"]) {
        let place = folder.join("pictures").join(name);
        std::fs::create_dir_all(&place)?;
        for i in 0..12 {
            let pixel = |x, _| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let dark = (noise >> 26) as u8;
                image::Luma([dark + if x / 2 == class { 180 } else { 40 }])
            };
            image::GrayImage::from_fn(8, 8, pixel).save(place.join(format!("{i}.png")))?;
        }
    }
    let config = "
        epochs = 2
        learning_rate = 0.01
        data.source = 'pictures'
        data.split.by = 'images'
        tower.embedding = 4
        tower.input = { height = 8, width = 8 }
        tower.body = { kind = 'stages', stages = [{ channels = 4, convolutions = 1 }] }
        sampler = { kind = 'pairs', pairs_per_batch = 4 }
        judge = { validation_pairs = 40, test_pairs = 40 }
    ";
    std::fs::write(folder.join("tiny.toml"), config)?;
    Ok(())
}

/// All that a command said.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub(crate) fn json(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// A picture of one colour, 40×30 pixels.
pub(crate) fn picture(path: &Path, colour: [u8; 3]) -> Result<()> {
    image::RgbImage::from_pixel(40, 30, image::Rgb(colour)).save(path)?;
    Ok(())
}

/// A tower that nobody trained, with a threshold: enough to tell colours apart.
pub(crate) fn untrained_model(path: &Path) -> Result<()> {
    untrained_model_of(path, 7)
}

/// As [`untrained_model`], of this seed.
pub(crate) fn untrained_model_of(path: &Path, seed: u64) -> Result<()> {
    untrained_model_with(path, seed, None)
}

/// As [`untrained_model_of`], of faces where that is said.
pub(crate) fn untrained_model_with(path: &Path, seed: u64, faces: Option<FaceCrop>) -> Result<()> {
    let model = Model {
        faces,
        ..untrained(seed)?
    };
    Ok(model.save(path)?)
}
