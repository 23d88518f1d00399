//! What is written is read by another's program, which gives the same embeddings.

#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

use std::path::Path;

use rten::{Model as Onnx, NodeId, Value};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use siamese_core::candle::{Device, Tensor};
use siamese_core::{
    Body, Combine, ComparisonConfig, Conv4, Distance, Head, Hidden, ImageInput, Koch, Lenet, Mlp,
    Model, Pool, Resnet, Resnet9, Resnet12, Tower, TowerConfig,
};

fn input(side: usize, channels: usize) -> ImageInput {
    ImageInput {
        height: side,
        width: side,
        mean: [0.5, 0.45, 0.4][..channels].to_vec(),
        std: [0.27, 0.25, 0.28][..channels].to_vec(),
        ..ImageInput::system_c()
    }
}

/// A tower whose running statistics are not those that it was made with.
fn tower(config: TowerConfig) -> Tower {
    let tower = Tower::new(config, 7, &Device::Cpu).unwrap();
    for (name, var) in tower.parameters().all() {
        if name.ends_with("running_mean") || name.ends_with("running_var") {
            let shape = var.shape().clone();
            let drawn = Tensor::rand(0.5f32, 1.5, shape, &Device::Cpu).unwrap();
            var.set(&drawn).unwrap();
        }
    }
    tower
}

fn model(tower: Tower, head: Option<Head>) -> Model {
    Model {
        head,
        ..Model::new(tower, Distance::Euclidean)
    }
}

fn pixels(input: &ImageInput, count: usize) -> Vec<u8> {
    (0..count * input.image_len())
        .map(|i| (i * 37 % 251) as u8)
        .collect()
}

fn read(path: &Path) -> Onnx {
    Onnx::load_file(path).unwrap()
}

fn run(onnx: &Onnx, inputs: Vec<(NodeId, Value)>) -> Vec<f32> {
    let inputs = inputs.into_iter().map(|(id, value)| (id, value.into()));
    let outputs = onnx.run(inputs.collect(), onnx.output_ids(), None).unwrap();
    let output = outputs.into_iter().next().unwrap();
    let output: NdTensor<f32, 2> = output.try_into().unwrap();
    output.iter().copied().collect()
}

/// The largest difference between ours and theirs over a batch, in units of an embedding's largest number.
fn difference(config: TowerConfig) -> f32 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let model = model(tower(config), None);
    siamese_onnx::export(&model, &path).unwrap();
    let (onnx, input) = (read(&path), &model.tower.config().input);
    let mut worst = 0f32;
    for count in [1, 3] {
        let bytes = pixels(input, count);
        let images = input.to_tensor(&bytes, &Device::Cpu).unwrap();
        let ours = model
            .tower
            .embed(&images)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        let shape = [count, input.height, input.width, input.channels()];
        let image = NdTensor::from_data(shape, bytes);
        let theirs = run(&onnx, vec![(onnx.input_ids()[0], image.into())]);
        assert_eq!(ours.len(), theirs.len());
        let largest = ours.iter().fold(0f32, |most, value| most.max(value.abs()));
        assert!(largest > 1e-3, "the embeddings are all but zero");
        let differences = ours
            .iter()
            .zip(&theirs)
            .map(|(a, b)| (a - b).abs() / largest);
        worst = worst.max(differences.fold(0.0, f32::max));
    }
    worst
}

#[test]
fn every_tower_gives_the_same_embeddings() {
    let of = |body, side, channels, embedding| TowerConfig {
        input: input(side, channels),
        body,
        embedding,
        ..TowerConfig::system_c()
    };
    let towers = [
        ("stages", TowerConfig::system_c()),
        ("conv4", of(Body::Conv4(Conv4::default()), 20, 3, 16)),
        ("resnet9", of(Body::Resnet9(Resnet9::default()), 32, 3, 16)),
        (
            "resnet12",
            of(Body::Resnet12(Resnet12::default()), 24, 3, 16),
        ),
        ("koch", of(Body::Koch(Koch::default()), 105, 1, 32)),
        ("lenet", of(Body::Lenet(Lenet::default()), 40, 1, 8)),
        ("mlp", of(Body::Mlp(Mlp::default()), 12, 1, 8)),
        (
            "resnet 18, generalised mean",
            of(
                Body::Resnet(Resnet {
                    pool: Pool::Gem,
                    ..Resnet::default()
                }),
                40,
                3,
                16,
            ),
        ),
        (
            "hidden layers, no unit length",
            TowerConfig {
                hidden: vec![Hidden {
                    width: 12,
                    norm: true,
                }],
                normalize: false,
                ..of(Body::Conv4(Conv4::default()), 20, 3, 16)
            },
        ),
    ];
    for (name, config) in towers {
        let difference = difference(config);
        assert!(difference < 1e-5, "{name}: {difference}");
    }
}

#[test]
fn a_head_gives_the_same_distances() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.onnx");
    let config = ComparisonConfig {
        combine: Combine::ALL.to_vec(),
        hidden: vec![5],
    };
    let head = Head::new(config, 128, 3, &Device::Cpu).unwrap();
    let model = model(tower(TowerConfig::system_c()), Some(head));
    assert!(siamese_onnx::export_head(&model, &path).unwrap());
    let onnx = read(&path);
    let embedding = |seed: usize| -> Vec<f32> {
        (0..128)
            .map(|i| ((i * seed % 97) as f32 / 97.0) - 0.5)
            .collect()
    };
    let (a, b) = (embedding(13), embedding(29));
    let ours = model.metric().unwrap().of(&a, &b);
    let value = |v: &[f32]| -> Value { NdTensor::from_data([1, 128], v.to_vec()).into() };
    let inputs = onnx.input_ids().to_vec();
    let theirs = run(&onnx, vec![(inputs[0], value(&a)), (inputs[1], value(&b))]);
    assert!((ours - theirs[0]).abs() < 1e-6, "{ours} {theirs:?}");
    let plain = self::model(tower(TowerConfig::system_c()), None);
    assert!(!siamese_onnx::export_head(&plain, &path).unwrap());
}

#[test]
fn what_its_use_needs_stands_beside_the_graph() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    siamese_onnx::export(&model(tower(TowerConfig::system_c()), None), &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for word in [
        "siamese.distance",
        "euclidean",
        "siamese.height",
        "siamese.fit",
    ] {
        let found = bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes());
        assert!(found, "{word}");
    }
}
