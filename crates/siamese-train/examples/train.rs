//! Trains on a folder of pictures, a class per subfolder, and prints what the run ended with:
//!
//! ```sh
//! cargo run --release -p siamese-train --example train -- photos/
//! ```

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};
use candle_core::Device;
use siamese_data::OpenOptions;
use siamese_train::{Draft, Event, Layer, Outcome, Request, RunFolder, RunRecord};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1);
    let source = folder.context("which folder of pictures?")?;

    // what is told; the rest is chosen from the pictures
    let mut told = Layer::default();
    told.set("epochs", "10")?;
    let options = OpenOptions::default();
    let draft = Draft::new(siamese_data::open(&source, &options)?, &source, &told)?;
    let (config, data, left_out) = draft.complete(&options)?;
    println!("{} pictures could not be read", left_out.len());

    let record = RunRecord::new(&config, &data.about, "CPU".into(), "an example".into());
    let folder = RunFolder::begin(Path::new("runs"), None, &record)?;
    let outcome = siamese_train::train(&Request {
        config: &config,
        data: &data,
        device: &Device::Cpu,
        folder: &folder,
        workers: 1,
        checkpoint_every: Duration::from_secs(120),
        interrupt: &AtomicBool::new(false), // set it to end after the step under way, with a checkpoint
        observe: &|event| {
            if let Event::Epoch { row, .. } = event {
                println!("epoch {}: loss {:.4}", row.epoch, row.train_loss);
            }
        },
    })?;
    if let Outcome::Finished(summary) = outcome {
        println!("{summary:#?}");
    }
    println!("{}", folder.path().display());
    Ok(())
}
