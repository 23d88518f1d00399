//! A DINOv2 by its name on the hub, against a server on the loopback.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

#[path = "../../siamese-data/tests/hub_server/mod.rs"]
mod hub_server;

use std::collections::BTreeMap;
use std::fs;

use hub_server::{Faults, HubServer};
use siamese_core::candle::{Device, Tensor};
use siamese_core::{Body, DinoV2, ImageInput, Tower, TowerConfig, VitSize, tensor_file};
use siamese_data::{HubOptions, Progress};
use siamese_embed::{Backbone, Embedder};

const NAME: &str = "timm/vit_small_patch14_dinov2.lvd142m";

/// What lies on the hub: tensors in timm's names, and its settings, which ask for 518 pixels.
fn published() -> Vec<(&'static str, Vec<u8>)> {
    let config = TowerConfig {
        input: ImageInput::imagenet(),
        body: Body::DinoV2(DinoV2 {
            size: VitSize::Tiny,
            ..DinoV2::default()
        }),
        frozen: Some("body".into()),
        projection: false,
        embedding: 32,
        ..TowerConfig::system_c()
    };
    let tower = Tower::new(config, 1, &Device::Cpu).unwrap();
    let named = |(name, tensor): (String, Tensor)| (name.replace("backbone.", ""), tensor);
    let tensors = tower.parameters().snapshot().unwrap().into_iter();
    let tensors: BTreeMap<String, Tensor> = tensors.map(named).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    tensor_file::write(&path, &tensors, &BTreeMap::new()).unwrap();
    let settings = r#"{"architecture": "vit_small_patch14_dinov2", "pretrained_cfg": {"input_size": [3, 518, 518],
        "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.125], "crop_pct": 1.0, "interpolation": "bicubic"}}"#;
    vec![
        ("config.json", settings.as_bytes().to_vec()),
        ("model.safetensors", fs::read(path).unwrap()),
    ]
}

#[test]
fn a_dino_v2_comes_by_its_name_and_embeds_pictures_of_224_pixels() {
    let server = HubServer::start(published(), Faults::default());
    let folder = tempfile::tempdir().unwrap();
    let hub = HubOptions::new(&server.endpoint, folder.path());
    let find = || Backbone::find(NAME, &hub, Progress::Silent, &Device::Cpu).unwrap();
    let model = find().model(&Device::Cpu).unwrap();
    let input = &model.tower.config().input;
    assert_eq!((input.height, input.width), (224, 224));
    assert_eq!((input.mean[1], input.std[2]), (0.4, 0.125));
    assert_eq!(model.tower.config().pretrained.as_deref(), Some(NAME));

    // a second time from the cache, and its file alone is a model too
    let before = server.seen().len();
    let again = find();
    assert_eq!(server.seen().len(), before);
    let weights = siamese_data::cached_weights(NAME, &hub).unwrap();
    let picture = folder.path().join("a.png");
    image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([6 * x as u8, 8 * y as u8, 9]))
        .save(&picture)
        .unwrap();
    let embedder = Embedder::load(&weights, &Device::Cpu).unwrap();
    let by_file = embedder.file(&picture).unwrap();
    let model = again.model(&Device::Cpu).unwrap();
    let path = folder.path().join("ours.safetensors");
    model.save(&path).unwrap();
    let by_name = Embedder::load(&path, &Device::Cpu).unwrap();
    assert_eq!(by_file.len(), 32);
    assert_eq!(by_name.file(&picture).unwrap(), by_file);
}
