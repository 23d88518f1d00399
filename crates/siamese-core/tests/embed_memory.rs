//! What embeddings keep alive, measured: alone in its process, so that no other test's memory is counted.

#![cfg(target_os = "linux")]

use anyhow::{Context, Result};
use siamese_core::candle::{DType, Device, Tensor};
use siamese_core::{Body, ImageInput, Stage, Stages, Tower, TowerConfig};

/// Bytes of this process in memory.
fn resident() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().next());
    Ok(kib.context("no VmRSS")?.parse::<usize>()? * 1024)
}

#[test]
fn embeddings_of_many_batches_need_the_memory_of_one() -> Result<()> {
    let stage = Stage {
        channels: 4,
        convolutions: 1,
    };
    let config = TowerConfig {
        input: ImageInput {
            height: 64,
            width: 96,
            ..ImageInput::system_c()
        },
        body: Body::Stages(Stages {
            stages: vec![stage],
            ..Stages::default()
        }),
        ..TowerConfig::system_c()
    };
    let tower = Tower::new(config, 1, &Device::Cpu)?;
    let batch = || Tensor::ones((64, 3, 64, 96), DType::F32, &Device::Cpu);
    let bytes = batch()?.elem_count() * size_of::<f32>();
    let mut kept = Vec::new();
    for _ in 0..4 {
        kept.push(tower.embed(&batch()?)?);
    }
    let before = resident()?;
    for _ in 0..40 {
        kept.push(tower.embed(&batch()?)?);
    }
    let grown = resident()?.saturating_sub(before);
    assert!(
        grown < 10 * bytes,
        "40 batches of {bytes} bytes left {grown} behind"
    );
    assert_eq!(kept.len(), 44);
    Ok(())
}
