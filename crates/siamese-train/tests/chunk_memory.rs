//! What a large batch needs, measured: alone in its process, so that no other test's memory is counted.

#![cfg(target_os = "linux")]

mod support;

use std::path::Path;

use anyhow::{Context, Result};
use siamese_data::ImageSet;

use support::{config, data_of, run};

const SIDE: usize = 64;
/// Images in the batch; an epoch is one of it.
const BATCH: usize = 512;

/// Mebibytes that this process had in memory at most.
fn peak() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next());
    Ok(kib.context("no VmHWM")?.parse::<usize>()? / 1024)
}

/// By how much a run of one step raises the peak.
fn raised(parent: &Path, name: &str, chunk: usize) -> Result<usize> {
    let pixel = |i: usize| (i * 37 % 251) as u8;
    let pixels = (0..240 * SIDE * SIDE).map(pixel).collect();
    let labels = (0..240u32).map(|i| i % 4).collect();
    let classes = ["a", "b", "c", "d"].map(String::from).to_vec();
    let data = data_of(ImageSet::new(SIDE, SIDE, 1, pixels, labels, classes)?);
    let (side, chunk) = (SIDE.to_string(), chunk.to_string());
    let sampler = format!(
        "{{ kind = 'per_class', classes = 4, images = {} }}",
        BATCH / 4
    );
    let config = config(&[
        ("epochs", "1"),
        ("chunk", &chunk),
        ("tower.input.height", &side),
        ("tower.input.width", &side),
        ("objective", "{ kind = 'sup_con' }"),
        ("sampler", &sampler),
    ])?;
    let before = peak()?;
    run(parent, name, &config, &data, 0)?;
    Ok(peak()? - before)
}

#[test]
fn a_batch_in_chunks_needs_the_memory_of_a_chunk() -> Result<()> {
    let parent = tempfile::tempdir()?;
    // the judging embeds images too: the least that any run needs
    raised(parent.path(), "least", 16)?;
    let in_chunks = raised(parent.path(), "chunks", 32)?;
    let whole = raised(parent.path(), "whole", BATCH)?;
    assert!(
        whole > 64 && in_chunks < whole / 4,
        "chunks of 32 raised the peak by {in_chunks} MiB, {BATCH} at once by {whole} MiB"
    );
    println!("{in_chunks} MiB and {whole} MiB");
    Ok(())
}
