//! A tower as nodes: bytes in, embeddings out.

use candle_core::Tensor;
use siamese_core::{ImageInput, Tower, TowerStep};
use siamese_kernels::{Activation, AvgPool2d, BatchNorm2d, Conv2d, Layer, MaxPool2d, Residual};

use crate::error::{Error, Result};
use crate::graph::{Graph, float, int, ints};
use crate::proto::{DataType, GraphProto};

/// ‖x‖² + this stands under the root, as in `siamese-core`.
const EPSILON: f32 = 1e-12;

/// The whole way from an image's bytes to its embedding.
pub(crate) fn graph(tower: &Tower) -> Result<GraphProto> {
    let config = tower.config();
    let mut graph = Graph::default();
    let mut x = pixels(&mut graph, &config.input);
    for step in tower.steps() {
        x = match step {
            TowerStep::Chain(layers) => chain(&mut graph, layers, x)?,
            TowerStep::Linear { weight, bias } => linear(&mut graph, weight, bias, &x)?,
            TowerStep::Sigmoid => graph.node("Sigmoid", &[&x], Vec::new()),
            TowerStep::GeneralisedMean(p) => generalised_mean(&mut graph, p, &x)?,
            TowerStep::Whole(what) => return Err(Error::NoForm { what }),
        };
    }
    x = flat(&mut graph, &x);
    if config.normalize {
        x = normalised(&mut graph, &x);
    }
    let what = match config.normalize {
        true => "embeddings of length 1",
        false => "embeddings",
    };
    Ok(graph.finish("tower", &x, ("embedding", &[config.embedding], what)))
}

/// Bytes `(B, H, W, C)` → normalised values `(B, C, H, W)`.
fn pixels(graph: &mut Graph, input: &ImageInput) -> String {
    let channels = input.channels();
    let axes = [input.height, input.width, channels];
    let what = "pixels of RGB or grey pictures, resized to this size by the caller";
    let bytes = graph.input("image", DataType::Uint8, &axes, what);
    // byte / 255, less the mean, over the deviation
    let each = |of: fn(f64, f64) -> f64| -> Vec<f32> {
        let both = input.mean.iter().zip(&input.std);
        both.map(|(&mean, &std)| of(mean.into(), std.into()) as f32)
            .collect()
    };
    let scale = graph.constant(
        "scale",
        &[1, channels, 1, 1],
        &each(|_, std| 1.0 / (255.0 * std)),
    );
    let shift = graph.constant(
        "shift",
        &[1, channels, 1, 1],
        &each(|mean, std| -mean / std),
    );
    let values = graph.node("Cast", &[&bytes], vec![int("to", DataType::Float as i64)]);
    let planes = graph.node("Transpose", &[&values], vec![ints("perm", &[0, 3, 1, 2])]);
    let scaled = graph.node("Mul", &[&planes, &scale], Vec::new());
    graph.node("Add", &[&scaled, &shift], Vec::new())
}

fn chain(graph: &mut Graph, layers: &[Layer], mut x: String) -> Result<String> {
    let mut layers = layers.iter().peekable();
    while let Some(layer) = layers.next() {
        x = match layer {
            Layer::Conv2d(conv) => {
                let norm = layers.next_if(|next| matches!(next, Layer::BatchNorm2d(_)));
                convolution(graph, conv, norm, &x)?
            }
            Layer::BatchNorm2d(norm) => batch_norm(graph, norm, &x)?,
            Layer::Activation(activation) => activated(graph, *activation, &x),
            Layer::MaxPool2d(pool) => max_pool(graph, *pool, &x),
            Layer::AvgPool2d(pool) => average_pool(graph, *pool, &x),
            Layer::GlobalAvgPool(_) => graph.node("GlobalAveragePool", &[&x], Vec::new()),
            Layer::GlobalMaxPool(_) => {
                let over = vec![ints("axes", &[2, 3]), int("keepdims", 1)];
                graph.node("ReduceMax", &[&x], over)
            }
            Layer::Residual(residual) => two_paths(graph, residual, x)?,
        };
    }
    Ok(x)
}

/// A convolution, with the BatchNorm that follows it folded into its weights.
fn convolution(graph: &mut Graph, conv: &Conv2d, norm: Option<&Layer>, x: &str) -> Result<String> {
    let (mut weight, mut bias) = (values(conv.weight())?, conv.bias().map(values).transpose()?);
    let dims = conv.weight().dims().to_vec();
    if let Some(Layer::BatchNorm2d(norm)) = norm {
        let (scale, shift) = affine(norm)?;
        let of_a_channel = weight.len() / scale.len();
        for (weights, scale) in weight.chunks_mut(of_a_channel).zip(&scale) {
            weights
                .iter_mut()
                .for_each(|w| *w = (f64::from(*w) * scale) as f32);
        }
        let old = bias.unwrap_or_else(|| vec![0.0; scale.len()]);
        let folded = old.iter().zip(scale.iter().zip(&shift));
        bias = Some(
            folded
                .map(|(b, (scale, shift))| (f64::from(*b) * scale + shift) as f32)
                .collect(),
        );
    }
    let weight = graph.constant("weight", &dims, &weight);
    let bias = bias.map(|bias| graph.constant("bias", &[bias.len()], &bias));
    let inputs: Vec<&str> = [x, &weight].into_iter().chain(bias.as_deref()).collect();
    let config = conv.config();
    let window = window(config.kernel_size, config.stride, config.padding);
    Ok(graph.node("Conv", &inputs, window))
}

fn window(kernel: usize, stride: usize, padding: usize) -> Vec<crate::proto::AttributeProto> {
    let [kernel, stride, padding] = [kernel, stride, padding].map(|n| n as i64);
    vec![
        ints("kernel_shape", &[kernel; 2]),
        ints("strides", &[stride; 2]),
        ints("pads", &[padding; 4]),
    ]
}

/// What a BatchNorm does to a channel once it is trained: `x · scale + shift`.
fn affine(norm: &BatchNorm2d) -> Result<(Vec<f64>, Vec<f64>)> {
    let [weight, bias, mean, var] = [
        norm.weight(),
        norm.bias(),
        norm.running_mean(),
        norm.running_var(),
    ]
    .map(values);
    let (weight, bias, mean, var) = (weight?, bias?, mean?, var?);
    let eps = norm.config().eps;
    let scale: Vec<f64> = weight
        .iter()
        .zip(&var)
        .map(|(w, var)| f64::from(*w) / (f64::from(*var) + eps).sqrt())
        .collect();
    let at = bias.iter().zip(&mean).zip(&scale);
    let shift = at
        .map(|((b, mean), scale)| f64::from(*b) - f64::from(*mean) * scale)
        .collect();
    Ok((scale, shift))
}

/// One that follows no convolution.
fn batch_norm(graph: &mut Graph, norm: &BatchNorm2d, x: &str) -> Result<String> {
    let mut inputs = vec![x.to_string()];
    for (name, tensor) in [
        ("weight", norm.weight()),
        ("bias", norm.bias()),
        ("mean", norm.running_mean()),
        ("variance", norm.running_var()),
    ] {
        let values = values(tensor)?;
        inputs.push(graph.constant(name, &[values.len()], &values));
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let epsilon = float("epsilon", norm.config().eps as f32);
    Ok(graph.node("BatchNormalization", &inputs, vec![epsilon]))
}

fn activated(graph: &mut Graph, activation: Activation, x: &str) -> String {
    match activation {
        Activation::Relu => graph.node("Relu", &[x], Vec::new()),
        Activation::LeakyRelu(slope) => graph.node("LeakyRelu", &[x], vec![float("alpha", slope)]),
    }
}

fn max_pool(graph: &mut Graph, pool: MaxPool2d, x: &str) -> String {
    graph.node(
        "MaxPool",
        &[x],
        window(pool.kernel_size, pool.stride, pool.padding),
    )
}

fn average_pool(graph: &mut Graph, pool: AvgPool2d, x: &str) -> String {
    let mut attributes = window(pool.kernel_size, pool.stride, pool.padding);
    attributes.push(int("count_include_pad", 1));
    graph.node("AveragePool", &[x], attributes)
}

fn two_paths(graph: &mut Graph, residual: &Residual, x: String) -> Result<String> {
    let body = chain(graph, residual.body.layers(), x.clone())?;
    let shortcut = match &residual.shortcut {
        Some(shortcut) => chain(graph, shortcut.layers(), x)?,
        None => x,
    };
    let sum = graph.node("Add", &[&body, &shortcut], Vec::new());
    Ok(match residual.activation {
        Some(activation) => activated(graph, activation, &sum),
        None => sum,
    })
}

/// All values of an image, `(B, F)`.
fn flat(graph: &mut Graph, x: &str) -> String {
    graph.node("Flatten", &[x], vec![int("axis", 1)])
}

pub(crate) fn linear(
    graph: &mut Graph,
    weight: &Tensor,
    bias: Option<&Tensor>,
    x: &str,
) -> Result<String> {
    let x = flat(graph, x);
    let weight = graph.constant("weight", weight.dims(), &values(weight)?);
    let mut inputs = vec![x, weight];
    if let Some(bias) = bias {
        inputs.push(graph.constant("bias", bias.dims(), &values(bias)?));
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    Ok(graph.node("Gemm", &inputs, vec![int("transB", 1)]))
}

/// `(mean (x + 1e-6)ᵖ)^(1/p)` over all pixels.
fn generalised_mean(graph: &mut Graph, p: &Tensor, x: &str) -> Result<String> {
    let p = graph.number("p", values(p)?[0]);
    let little = graph.number("little", 1e-6);
    let positive = graph.node("Add", &[x, &little], Vec::new());
    let powers = graph.node("Pow", &[&positive, &p], Vec::new());
    let mean = graph.node("GlobalAveragePool", &[&powers], Vec::new());
    let log = graph.node("Log", &[&mean], Vec::new());
    let root = graph.node("Div", &[&log, &p], Vec::new());
    Ok(graph.node("Exp", &[&root], Vec::new()))
}

/// `x / √(‖x‖² + ε)`
fn normalised(graph: &mut Graph, x: &str) -> String {
    let epsilon = graph.number("epsilon", EPSILON);
    let over = vec![ints("axes", &[1]), int("keepdims", 1)];
    let square = graph.node("ReduceSumSquare", &[x], over);
    let more = graph.node("Add", &[&square, &epsilon], Vec::new());
    let norm = graph.node("Sqrt", &[&more], Vec::new());
    graph.node("Div", &[x, &norm], Vec::new())
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}
