//! A model to test with.

use anyhow::Result;
use siamese_core::candle::Device;
use siamese_core::{Body, Distance, Model, Stage, Stages, Threshold, Tower, TowerConfig};

/// A tower that nobody trained, of this seed, with a threshold: enough to tell colours apart.
pub(crate) fn untrained(seed: u64) -> Result<Model> {
    let stage = Stage {
        channels: 8,
        convolutions: 1,
    };
    let config = TowerConfig {
        body: Body::Stages(Stages {
            stages: vec![stage, stage],
            ..Stages::default()
        }),
        embedding: 16,
        ..TowerConfig::system_c()
    };
    let tower = Tower::new(config, seed, &Device::Cpu)?;
    let threshold = Threshold {
        value: 0.2,
        target: "best accuracy".into(),
        fitted_on: "nothing".into(),
        calibration: None,
        unlike: None,
        distance: Distance::Euclidean,
        weights: tower.parameters().fingerprint()?,
    };
    Ok(Model {
        threshold: Some(threshold),
        ..Model::new(tower, Distance::Euclidean)
    })
}
