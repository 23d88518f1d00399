//! A learned comparison as nodes: two embeddings in, a distance out.

use siamese_core::metrics::{Combine, Comparison};

use crate::graph::{Graph, int};
use crate::proto::{DataType, GraphProto};

/// `1 − P(same)` of two embeddings, `(B, D)` each → `(B, 1)`.
pub(crate) fn graph(comparison: &Comparison) -> GraphProto {
    let mut graph = Graph::default();
    let axes = [comparison.dim()];
    let a = graph.input(
        "a",
        DataType::Float,
        &axes,
        "embeddings of the one picture of each pair",
    );
    let b = graph.input("b", DataType::Float, &axes, "embeddings of the other");
    let parts: Vec<String> = comparison
        .combine()
        .iter()
        .map(|&combine| combined(&mut graph, combine, &a, &b))
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let mut x = graph.node("Concat", &parts, vec![int("axis", 1)]);
    let layers = comparison.layers();
    for (i, layer) in layers.iter().enumerate() {
        let (outputs, inputs) = (layer.bias.len(), layer.weights.len() / layer.bias.len());
        let weight = graph.constant("weight", &[outputs, inputs], &layer.weights);
        let bias = graph.constant("bias", &[outputs], &layer.bias);
        x = graph.node("Gemm", &[&x, &weight, &bias], vec![int("transB", 1)]);
        if i + 1 < layers.len() {
            x = graph.node("Relu", &[&x], Vec::new());
        }
    }
    // 1 − σ(x) = σ(−x)
    let unlike = graph.node("Neg", &[&x], Vec::new());
    let distance = graph.node("Sigmoid", &[&unlike], Vec::new());
    let what = "1 less the probability that both show the same";
    graph.finish("head", &distance, ("distance", &[1], what))
}

fn combined(graph: &mut Graph, combine: Combine, a: &str, b: &str) -> String {
    let difference = |graph: &mut Graph| graph.node("Sub", &[a, b], Vec::new());
    match combine {
        Combine::AbsoluteDifference => {
            let difference = difference(graph);
            graph.node("Abs", &[&difference], Vec::new())
        }
        Combine::SquaredDifference => {
            let difference = difference(graph);
            graph.node("Mul", &[&difference, &difference], Vec::new())
        }
        Combine::Product => graph.node("Mul", &[a, b], Vec::new()),
        Combine::Sum => graph.node("Add", &[a, b], Vec::new()),
        Combine::Maximum => graph.node("Max", &[a, b], Vec::new()),
        Combine::Minimum => graph.node("Min", &[a, b], Vec::new()),
    }
}
