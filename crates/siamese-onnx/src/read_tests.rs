use std::path::{Path, PathBuf};

use prost::Message;
use siamese_core::candle::Device;
use siamese_core::{Distance, ImageInput, Model, Tower, TowerConfig};

use super::*;
use crate::proto::{
    DataType, Dimension as Dim, GraphProto, IR_VERSION, Length, ModelProto, NodeProto, OPSET,
    OperatorSetIdProto, TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};

fn value(name: &str, of: DataType, lengths: &[i64]) -> ValueInfoProto {
    let length = |&length: &i64| Dim {
        value: Some(match length {
            0 => Length::Param("open".into()),
            told => Length::Value(told),
        }),
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorType {
                elem_type: of as i32,
                shape: Some(TensorShapeProto {
                    dim: lengths.iter().map(length).collect(),
                }),
            }),
        }),
        ..Default::default()
    }
}

/// A graph of one operator in a file, its input of this shape; 0 is an open length.
fn one(folder: &Path, op: &str, of: DataType, shape: &[i64]) -> PathBuf {
    let node = NodeProto {
        input: vec!["x".into()],
        output: vec!["y".into()],
        name: "only".into(),
        op_type: op.into(),
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: IR_VERSION,
        graph: Some(GraphProto {
            node: vec![node],
            name: "g".into(),
            input: vec![value("x", of, shape)],
            output: vec![value("y", DataType::Float, &[shape[0], 0])],
            ..Default::default()
        }),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        ..Default::default()
    };
    let path = folder.join("theirs.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    path
}

fn told(mean: f32, std: f32) -> Told {
    Told {
        normalization: Some((vec![mean], vec![std])),
        ..Told::default()
    }
}

fn why(loaded: Result<OnnxEmbedder>) -> String {
    loaded.err().unwrap().to_string()
}

#[test]
fn what_we_write_is_read_without_being_told_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.onnx");
    let tower = Tower::new(TowerConfig::system_c(), 3, &Device::Cpu).unwrap();
    crate::export(&Model::new(tower.clone(), Distance::Manhattan), &path).unwrap();
    let embedder = OnnxEmbedder::load(&path, Told::default()).unwrap();
    assert_eq!(embedder.distance(), Distance::Manhattan);
    assert!(embedder.assumed().is_empty(), "{:?}", embedder.assumed());
    let input = embedder.input().clone();
    assert_eq!((input.height, input.width, input.channels()), (32, 32, 3));
    let pixels: Vec<u8> = (0..2 * input.image_len())
        .map(|i| (i * 37 % 251) as u8)
        .collect();
    let own = &tower.config().input;
    let images = own.to_tensor(&pixels, &Device::Cpu).unwrap();
    let ours = tower.embed(&images).unwrap().flatten_all().unwrap();
    let ours = ours.to_vec1::<f32>().unwrap();
    let theirs = embedder.embed(&pixels).unwrap();
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    assert!(worst.fold(0.0, f32::max) < 1e-5);
}

#[test]
fn planes_are_put_apart_and_pixels_made_numbers_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = one(folder.path(), "Flatten", DataType::Float, &[0, 3, 1, 2]);
    let embedder = OnnxEmbedder::load(&path, told(0.0, 1.0 / 255.0)).unwrap();
    // two pictures of two pixels, red green blue each
    let pixels = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16];
    let rows = embedder.embed(&pixels).unwrap();
    let wanted = [1, 4, 2, 5, 3, 6, 11, 14, 12, 15, 13, 16];
    for (found, wanted) in rows.iter().zip(wanted) {
        assert!((found - wanted as f32).abs() < 1e-4, "{rows:?}");
    }
    let path = one(folder.path(), "Flatten", DataType::Float, &[0, 1, 2, 3]);
    let embedder = OnnxEmbedder::load(&path, told(0.5, 0.5)).unwrap();
    let rows = embedder.embed(&[0, 255, 0, 255, 0, 255]).unwrap();
    assert_eq!(rows, [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]);
}

#[test]
fn a_fixed_batch_is_filled_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = one(folder.path(), "Flatten", DataType::Float, &[2, 1, 1, 1]);
    let embedder = OnnxEmbedder::load(&path, told(0.0, 1.0)).unwrap();
    assert_eq!(
        embedder.embed(&[0, 255, 0, 255, 255]).unwrap(),
        [0.0, 1.0, 0.0, 1.0, 1.0]
    );
}

#[test]
fn what_is_not_said_is_assumed_aloud_or_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = one(folder.path(), "Flatten", DataType::Float, &[0, 3, 0, 0]);
    let message = why(OnnxEmbedder::load(&path, Told::default()));
    assert!(
        message.contains("theirs.onnx") && message.contains("--size"),
        "{message}"
    );
    let sized = Told {
        size: Some((4, 6)),
        ..Told::default()
    };
    let embedder = OnnxEmbedder::load(&path, sized.clone()).unwrap();
    assert_eq!(embedder.input().mean, ImageInput::imagenet().mean);
    assert_eq!(embedder.distance(), Distance::Cosine);
    assert_eq!(embedder.assumed().len(), 2, "{:?}", embedder.assumed());
    let path = one(folder.path(), "Flatten", DataType::Float, &[0, 3, 8, 8]);
    let message = why(OnnxEmbedder::load(&path, sized));
    assert!(message.contains("not of 4x6"), "{message}");
}

#[test]
fn what_is_no_embedder_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &Path| OnnxEmbedder::load(path, told(0.0, 1.0));
    let none = folder.path().join("none.onnx");
    assert!(why(load(&none)).contains("none.onnx"));
    std::fs::write(&none, b"\x89PNG\r\n\x1a\n and no more").unwrap();
    assert!(why(load(&none)).contains("none.onnx"));
    std::fs::write(&none, b"").unwrap();
    assert!(why(load(&none)).contains("none.onnx"));
    let message = why(load(&one(
        folder.path(),
        "NoSuchOperator",
        DataType::Float,
        &[0, 3, 2, 2],
    )));
    assert!(message.contains("NoSuchOperator"), "{message}");
    let message = why(load(&one(
        folder.path(),
        "Flatten",
        DataType::Float,
        &[0, 12],
    )));
    assert!(
        message.contains("(batch, channels, height, width)"),
        "{message}"
    );
    // a map of features is no row
    let path = one(folder.path(), "Relu", DataType::Float, &[0, 3, 2, 2]);
    let message = load(&path)
        .unwrap()
        .embed(&[7; 12])
        .unwrap_err()
        .to_string();
    assert!(message.contains("[1, 3, 2, 2]"), "{message}");
    // the logarithm of a black pixel is no number
    let path = one(folder.path(), "Log", DataType::Float, &[0, 3, 1, 1]);
    let message = load(&path).unwrap().embed(&[0; 3]).unwrap_err().to_string();
    assert!(message.contains("not finite"), "{message}");
    let message = load(&path).unwrap().embed(&[0; 4]).unwrap_err().to_string();
    assert!(message.contains("4 bytes"), "{message}");
}
