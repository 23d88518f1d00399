//! Weights of 8 bits: a graph in which convolutions and linear layers take and hold whole numbers.
//!
//! Weights become `i8` with a scale for each output (symmetric), biases `i32`, what flows between layers `u8` with one scale and zero
//! point, whose range is that of pictures that pass the graph in f32 first (the mean over batches of the least and the largest
//! value, which a single odd picture moves little). Each is written as `QuantizeLinear` and `DequantizeLinear`, of which ONNX Runtime
//! makes layers of whole numbers. The last layer's output and the length of an embedding stay f32. After Jacob et al., *Quantization and Training of Neural
//! Networks for Efficient Integer-Arithmetic-Only Inference* (2018), and Krishnamoorthi, *Quantizing deep convolutional networks
//! for efficient inference* (2018), §3.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use prost::Message;
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use siamese_core::Model;

use crate::error::{Error, Result};
use crate::graph::int;
use crate::proto::{DataType, GraphProto, NodeProto, TensorProto};
use crate::{onnx_of, tower, write_onnx};

/// Pictures that pass at once.
const BATCH: usize = 16;
/// Layers whose weights are quantized, all by their first axis.
const LAYERS: [&str; 2] = ["Conv", "Gemm"];
/// What stands between them and takes whole numbers too.
const BETWEEN: [&str; 4] = ["Relu", "LeakyRelu", "Add", "MaxPool"];

/// The least and the largest value of a tensor.
type Range = (f32, f32);

/// Writes the model's tower as ONNX with weights of 8 bits; `images` are pictures like those that it will see, each `height · width ·
/// channels` bytes.
///
/// # Errors
/// As [`export`](crate::export); images that are none, or on which the graph gives no finite number.
pub fn export_int8(model: &Model, images: &[u8], path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let graph = tower::graph(&model.tower)?;
    let refused = |why: String| Error::Quantize { why };
    let input = &model.tower.config().input;
    let shape = [input.height, input.width, input.channels()];
    let bytes = onnx_of(graph.clone(), model)?.encode_to_vec();
    let mut ranges = ranges(bytes, &held(&graph), images, shape).map_err(refused)?;
    for pool in graph.node.iter().filter(|node| node.op_type == "MaxPool") {
        // a maximum is one of the numbers taken: of their steps it needs no rounding
        if let Some(taken) = ranges.get(&pool.input[0]).copied() {
            ranges.insert(pool.output[0].clone(), taken);
        }
    }
    write_onnx(onnx_of(quantized(graph, &ranges), model)?, path)
}

/// The range of each of these tensors while `images` pass the graph.
fn ranges(
    onnx: Vec<u8>,
    names: &BTreeSet<String>,
    images: &[u8],
    [height, width, channels]: [usize; 3],
) -> std::result::Result<BTreeMap<String, Range>, String> {
    let len = height * width * channels;
    if images.is_empty() || !images.len().is_multiple_of(len) {
        return Err(format!("{} bytes are no pictures of {len}", images.len()));
    }
    let mut options = rten::ModelOptions::with_all_ops();
    // what flows into a layer is to be had by its name
    options.enable_optimization(false);
    let model = options.load(onnx).map_err(|error| error.to_string())?;
    let ids = names.iter().map(|name| model.node_id(name));
    let ids: Vec<_> = ids
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let mut sums = vec![(0f64, 0f64); ids.len()];
    let batches = images.chunks(BATCH * len);
    let count = batches.len() as f64;
    for batch in batches {
        let shape = [batch.len() / len, height, width, channels];
        let image = NdTensor::from_data(shape, batch.to_vec());
        let inputs = vec![(model.input_ids()[0], image.into())];
        let found = model.run(inputs, &ids, None).map_err(|e| e.to_string())?;
        for (value, sum) in found.into_iter().zip(&mut sums) {
            let value: rten_tensor::Tensor<f32> =
                value.try_into().map_err(|_| "a layer takes no f32")?;
            let (mut least, mut most) = (0f32, 0f32);
            for &x in value.iter() {
                if !x.is_finite() {
                    return Err(
                        "on these pictures a layer takes a number that is not finite".into(),
                    );
                }
                (least, most) = (least.min(x), most.max(x));
            }
            *sum = (sum.0 + f64::from(least), sum.1 + f64::from(most));
        }
    }
    let mean = sums
        .iter()
        .map(|(least, most)| ((least / count) as f32, (most / count) as f32));
    Ok(names.iter().cloned().zip(mean).collect())
}

/// What is to be held in 8 bits: what layers and what stands between them take and give.
fn held(graph: &GraphProto) -> BTreeSet<String> {
    let constants: BTreeSet<&str> = graph.initializer.iter().map(|t| &*t.name).collect();
    let mut held = BTreeSet::new();
    for node in &graph.node {
        let takes = match &*node.op_type {
            layer if LAYERS.contains(&layer) => &node.input[..1],
            other if BETWEEN.contains(&other) => &node.input[..],
            _ => continue,
        };
        // the pixels' shift is none of the tower's sums
        if takes.iter().any(|name| constants.contains(&**name)) {
            continue;
        }
        held.extend(takes.iter().cloned());
        if node.op_type != "Gemm" {
            held.extend(node.output.iter().cloned());
        }
    }
    for node in &graph.node {
        // zero is the least number that it gives, so that its rounding does the same to what it takes
        let alone =
            |name: &String| graph.node.iter().filter(|n| n.input.contains(name)).count() == 1;
        if node.op_type == "Relu" && alone(&node.input[0]) {
            held.remove(&node.input[0]);
        }
    }
    held
}

/// The graph with weights of 8 bits, and 8 bits between its layers where ranges are told.
fn quantized(graph: GraphProto, ranges: &BTreeMap<String, Range>) -> GraphProto {
    let constants: HashMap<String, TensorProto> = graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.clone(), tensor.clone()))
        .collect();
    let mut out = GraphProto {
        node: Vec::new(),
        ..graph.clone()
    };
    let mut done: HashMap<String, String> = HashMap::new();
    let mut replaced = BTreeSet::new();
    for mut node in graph.node {
        let range = ranges
            .get(&node.input[0])
            .filter(|_| LAYERS.contains(&&*node.op_type));
        if let (Some(range), Some(weight)) =
            (range, node.input.get(1).and_then(|w| constants.get(w)))
        {
            let (name, mut scales) = weight_of_8_bits(&mut out, weight);
            node.input[1] = name;
            replaced.insert(weight.name.clone());
            if let Some(bias) = node.input.get(2).and_then(|bias| constants.get(bias)) {
                scales
                    .iter_mut()
                    .for_each(|scale| *scale *= step_of(*range));
                if let Some(name) = bias_of_32_bits(&mut out, bias, &scales) {
                    replaced.insert(bias.name.clone());
                    node.input[2] = name;
                }
            }
        }
        for input in &mut node.input {
            if let Some(name) = done.get(input) {
                input.clone_from(name);
            }
        }
        let given = node.output[0].clone();
        out.node.push(node);
        if let Some(range) = ranges.get(&given) {
            let back = activation(&mut out, &given, *range);
            done.insert(given, back);
        }
    }
    out.initializer
        .retain(|tensor| !replaced.contains(&tensor.name));
    out
}

/// What one step of 8 bits is worth.
fn step_of((least, most): Range) -> f32 {
    ((most - least) / 255.0).max(f32::MIN_POSITIVE)
}

/// A tensor as 8 bits and back; the name of the latter.
fn activation(graph: &mut GraphProto, name: &str, range: Range) -> String {
    let (scale, least) = (step_of(range), range.0);
    let zero = (-least / scale).round().clamp(0.0, 255.0) as u8;
    let scale = constant(
        graph,
        &format!("{name}_scale"),
        &[],
        DataType::Float,
        &scale.to_le_bytes(),
    );
    let zero = constant(
        graph,
        &format!("{name}_zero"),
        &[],
        DataType::Uint8,
        &[zero],
    );
    let whole = format!("{name}_whole");
    node(graph, "QuantizeLinear", [name, &scale, &zero], &whole, None);
    let back = format!("{name}_back");
    node(
        graph,
        "DequantizeLinear",
        [&whole, &scale, &zero],
        &back,
        None,
    );
    back
}

/// Weights as 8 bits, with a scale for each output; the name of what they stand for, and the scales.
fn weight_of_8_bits(graph: &mut GraphProto, weight: &TensorProto) -> (String, Vec<f32>) {
    let values = floats(weight);
    let outputs = weight
        .dims
        .first()
        .map_or(1, |&length| length.max(1) as usize);
    let mut whole = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(outputs);
    for of_output in values.chunks(values.len().div_ceil(outputs).max(1)) {
        let most = of_output.iter().fold(0f32, |most, w| most.max(w.abs()));
        let scale = if most > 0.0 { most / 127.0 } else { 1.0 };
        whole.extend(
            of_output
                .iter()
                .map(|w| (w / scale).round().clamp(-127.0, 127.0) as i8 as u8),
        );
        scales.push(scale);
    }
    let back = whole_and_back(graph, weight, (DataType::Int8, &whole), &scales);
    (back, scales)
}

/// A bias as whole numbers of the products' scales, one for each output; the name of what they stand for. `None` where one is
/// too large for that: so small a scale is that of a layer which gave nothing.
fn bias_of_32_bits(graph: &mut GraphProto, bias: &TensorProto, scales: &[f32]) -> Option<String> {
    let whole: Vec<f32> = floats(bias)
        .iter()
        .zip(scales)
        .map(|(bias, scale)| (bias / scale).round())
        .collect();
    if whole
        .iter()
        .any(|whole| whole.abs() > i32::MAX as f32 / 2.0)
    {
        return None;
    }
    let whole: Vec<u8> = whole
        .iter()
        .flat_map(|whole| (*whole as i32).to_le_bytes())
        .collect();
    let held = (DataType::Int32, &whole[..]);
    Some(whole_and_back(graph, bias, held, scales))
}

/// A constant as whole numbers with a scale for each output, and back; the name of the latter.
fn whole_and_back(
    graph: &mut GraphProto,
    tensor: &TensorProto,
    (of, whole): (DataType, &[u8]),
    scales: &[f32],
) -> String {
    let name = &tensor.name;
    let outputs = [scales.len() as i64];
    let mut add = |what: &str, dims: &[i64], of: DataType, bytes: &[u8]| {
        constant(graph, &format!("{name}_{what}"), dims, of, bytes)
    };
    let quantized = add("whole", &tensor.dims, of, whole);
    let bytes: Vec<u8> = scales
        .iter()
        .flat_map(|scale| scale.to_le_bytes())
        .collect();
    let scale = add("scale", &outputs, DataType::Float, &bytes);
    let each = if of == DataType::Int32 { 4 } else { 1 };
    let zero = add("zero", &outputs, of, &vec![0; each * scales.len()]);
    let back = format!("{name}_back");
    let inputs = [&*quantized, &scale, &zero];
    node(graph, "DequantizeLinear", inputs, &back, Some(0));
    back
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    let bytes = tensor.raw_data.as_chunks().0.iter();
    bytes.map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn constant(
    graph: &mut GraphProto,
    name: &str,
    dims: &[i64],
    of: DataType,
    bytes: &[u8],
) -> String {
    graph.initializer.push(TensorProto {
        dims: dims.to_vec(),
        data_type: of.into(),
        name: name.to_string(),
        raw_data: bytes.to_vec(),
    });
    name.to_string()
}

fn node(
    graph: &mut GraphProto,
    operator: &str,
    inputs: [&str; 3],
    output: &str,
    axis: Option<i64>,
) {
    graph.node.push(NodeProto {
        input: inputs.map(String::from).to_vec(),
        output: vec![output.to_string()],
        name: format!("/{output}"),
        op_type: operator.to_string(),
        attribute: axis.map(|axis| int("axis", axis)).into_iter().collect(),
    });
}

#[cfg(test)]
#[path = "quantize_tests.rs"]
mod tests;
