//! How long CIFAR-100 takes to load: the first time, and from the packed file.
//!
//! ```sh
//! cargo run --release -p siamese-data --example load_time -- PATH
//! ```

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use siamese_data::{LoadOptions, load_cifar100};

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let cache = tempfile::tempdir()?;
    let options = LoadOptions {
        data: Some(path.context("usage: load_time PATH")?),
        cache: Some(cache.path().into()),
        ..LoadOptions::default()
    };
    for start in ["first", "second", "third"] {
        let begun = Instant::now();
        let dataset = load_cifar100(&options)?;
        let seconds = begun.elapsed().as_secs_f64();
        let images = dataset.train.len() + dataset.test.len();
        let verified = dataset.provenance.verified;
        println!("{start} start: {images} images in {seconds:.3} s, verified: {verified}");
    }
    Ok(())
}
