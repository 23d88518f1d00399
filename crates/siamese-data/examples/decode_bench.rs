//! Pictures a second of a first pass: every file of a folder decoded and framed, on all cores.
//!
//! ```text
//! cargo run --release -p siamese-data --example decode_bench -- FOLDER [--size 128]
//! python crates/siamese-data/benches/peer.py FOLDER [--size 128]
//! ```
//!
//! The second is PyTorch's DataLoader with torchvision on two workers, doing the same.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use siamese_data::{Colour, Fit, Framing, PictureLimits, is_picture_name, read_picture};

fn main() -> Result<()> {
    let (folder, size) = arguments()?;
    let mut files = Vec::new();
    list(&folder, &mut files)?;
    files.sort();
    ensure!(!files.is_empty(), "{} holds no pictures", folder.display());
    let framing = Framing {
        height: size,
        width: size,
        colour: Colour::Rgb,
        fit: Fit::Crop,
    };
    let limits = PictureLimits::default();

    let started = Instant::now();
    let read = files
        .par_iter()
        .map(|file| read_picture(file, &framing, &limits));
    let failed: Vec<_> = read.filter_map(Result::err).collect();
    let seconds = started.elapsed().as_secs_f64();
    for error in failed.iter().take(5) {
        eprintln!("{error}");
    }
    println!(
        "siamese: {} pictures to {size}x{size} in {seconds:.2} s on {} threads, {:.1} a second, {} not read",
        files.len(),
        rayon::current_num_threads(),
        files.len() as f64 / seconds,
        failed.len()
    );
    Ok(())
}

fn arguments() -> Result<(PathBuf, usize)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] => Ok((folder.into(), 128)),
        [folder, "--size", size] => {
            let size = size.parse().context("--size takes a number of pixels")?;
            ensure!(size > 0, "--size is 0, expected at least 1");
            Ok((folder.into(), size))
        }
        _ => bail!("usage: decode_bench FOLDER [--size 128]"),
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let reading = || format!("reading {}", folder.display());
    for entry in folder.read_dir().with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if is_picture_name(&path) {
            files.push(path);
        }
    }
    Ok(())
}
