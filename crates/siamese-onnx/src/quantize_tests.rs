use siamese_core::candle::Device;
use siamese_core::{Body, Distance, Tower, TowerConfig};

use super::*;
use crate::{OnnxEmbedder, Told};

#[test]
fn weights_are_within_half_a_step_of_what_they_were() {
    let values = [0.5f32, -1.27, 0.003, 12.7, -0.2, 0.0];
    let weight = TensorProto {
        dims: vec![2, 3],
        data_type: DataType::Float.into(),
        name: "w".into(),
        raw_data: values.iter().flat_map(|w| w.to_le_bytes()).collect(),
    };
    let mut graph = GraphProto::default();
    let (name, scales) = weight_of_8_bits(&mut graph, &weight);
    assert_eq!((&*name, scales.len()), ("w_back", 2));
    let whole: Vec<i8> = graph.initializer[0]
        .raw_data
        .iter()
        .map(|b| *b as i8)
        .collect();
    assert_eq!(whole, [50, -127, 0, 127, -2, 0]);
    for (i, (w, q)) in values.iter().zip(&whole).enumerate() {
        let step = if i < 3 { 0.01 } else { 0.1 };
        assert!((w - f32::from(*q) * step).abs() <= step / 2.0 + 1e-6);
    }
}

#[test]
fn a_bias_is_within_half_a_step_or_left_as_it_was() {
    let bias = TensorProto {
        dims: vec![2],
        data_type: DataType::Float.into(),
        name: "b".into(),
        raw_data: [0.5f32, -1.26]
            .iter()
            .flat_map(|b| b.to_le_bytes())
            .collect(),
    };
    let mut graph = GraphProto::default();
    let name = bias_of_32_bits(&mut graph, &bias, &[0.01, 0.1]);
    assert_eq!(name.as_deref(), Some("b_back"));
    let whole = graph.initializer[0].raw_data.as_chunks().0.iter();
    let whole: Vec<i32> = whole.map(|bytes| i32::from_le_bytes(*bytes)).collect();
    assert_eq!(whole, [50, -13]);
    let tiny = [f32::MIN_POSITIVE, 0.1];
    assert_eq!(bias_of_32_bits(&mut graph, &bias, &tiny), None);
}

#[test]
fn zero_is_a_whole_number_and_a_range_of_nothing_is_no_division_by_it() {
    let mut graph = GraphProto::default();
    activation(&mut graph, "x", (-1.0, 3.0));
    assert_eq!(graph.initializer[1].raw_data, [64]);
    activation(&mut graph, "y", (0.0, 0.0));
    let scale = f32::from_le_bytes(graph.initializer[2].raw_data[..4].try_into().unwrap());
    assert!(scale > 0.0);
}

#[test]
fn every_convolution_takes_and_gives_whole_numbers_and_the_embedding_is_f32() {
    for body in [
        Body::Stages(Default::default()),
        Body::Resnet9(Default::default()),
    ] {
        let config = TowerConfig {
            body,
            ..TowerConfig::system_c()
        };
        let tower = Tower::new(config, 3, &Device::Cpu).unwrap();
        let graph = tower::graph(&tower).unwrap();
        let ranges = held(&graph).into_iter().map(|name| (name, (-1.0, 1.0)));
        let graph = quantized(graph, &ranges.collect());
        let made_by = |name: &String| graph.node.iter().find(|node| node.output[0] == *name);
        let users = |name: &String| {
            let users = graph.node.iter().filter(|node| node.input.contains(name));
            users.map(|node| &*node.op_type).collect::<Vec<_>>()
        };
        let mut convolutions = 0;
        for node in graph.node.iter().filter(|node| node.op_type == "Conv") {
            for input in &node.input {
                assert_eq!(made_by(input).unwrap().op_type, "DequantizeLinear");
            }
            // a ReLU between is one with the rounding, whose least number is zero
            assert!(
                matches!(&*users(&node.output[0]), ["QuantizeLinear"] | ["Relu"]),
                "{:?}",
                users(&node.output[0])
            );
            convolutions += 1;
        }
        assert!(convolutions >= 8);
        for node in graph.node.iter().filter(|node| node.op_type == "Gemm") {
            assert!(!users(&node.output[0]).contains(&"QuantizeLinear"));
        }
    }
}

#[test]
fn the_embeddings_are_nearly_those_of_f32_and_the_file_a_quarter() {
    let folder = tempfile::tempdir().unwrap();
    let tower = Tower::new(TowerConfig::system_c(), 3, &Device::Cpu).unwrap();
    let model = Model::new(tower, Distance::Cosine);
    let images: Vec<u8> = (0..20 * 3072u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let (plain, small) = (
        folder.path().join("f32.onnx"),
        folder.path().join("int8.onnx"),
    );
    crate::export(&model, &plain).unwrap();
    export_int8(&model, &images, &small).unwrap();
    let size = |path: &Path| path.metadata().unwrap().len() as f64;
    assert!(size(&small) < 0.3 * size(&plain));
    let embed = |path: &Path| {
        let embedder = OnnxEmbedder::load(path, Told::default()).unwrap();
        embedder.embed(&images[..4 * 3072]).unwrap()
    };
    let (ours, theirs) = (embed(&plain), embed(&small));
    let cosine = |n: usize| -> f32 {
        let (a, b) = (
            &ours[n * 128..(n + 1) * 128],
            &theirs[n * 128..(n + 1) * 128],
        );
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    };
    for n in 0..4 {
        assert!(cosine(n) > 0.99 && cosine(n) < 1.0 - 1e-7, "{}", cosine(n));
    }
    let error = export_int8(&model, &images[..5], &small)
        .unwrap_err()
        .to_string();
    assert!(error.contains("5 bytes"), "{error}");
}
