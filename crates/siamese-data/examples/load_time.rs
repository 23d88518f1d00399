//! How long a set with a training and a test part takes to load: the first time, and from the packed file.
//!
//! ```sh
//! cargo run --release -p siamese-data --example load_time -- PATH
//! ```

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use siamese_data::{Dataset, OpenOptions};

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let cache = tempfile::tempdir()?;
    let path = path.context("usage: load_time PATH")?;
    let options = OpenOptions {
        cache: Some(cache.path().into()),
        ..OpenOptions::default()
    };
    for start in ["first", "second", "third"] {
        let begun = Instant::now();
        let dataset = Dataset::open(&path, &options)?;
        let seconds = begun.elapsed().as_secs_f64();
        let images = dataset.train.len() + dataset.test.len();
        println!("{start} start: {images} images in {seconds:.3} s");
    }
    Ok(())
}
