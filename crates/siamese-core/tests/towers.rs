//! The towers' bodies against PyTorch's and torchvision's: `golden/towers.py` wrote the numbers.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, which clippy cannot know

use std::collections::{BTreeMap, HashMap};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use siamese_core::candle::{Device, Tensor};
use siamese_core::{
    Body, Conv4, Fit, Hidden, ImageInput, Koch, Lenet, Mlp, Pool, Resnet, Resnet9, Resnet12, Stem,
    Stride, Tower, TowerConfig,
};

#[derive(Deserialize)]
struct Golden {
    shape: [usize; 4],
    eval: Vec<f64>,
    train: Vec<f64>,
    gradients: BTreeMap<String, [f64; 2]>,
    running: BTreeMap<String, [f64; 2]>,
}

/// As `values` in `towers.py`.
fn values(name: &str, count: usize, low: f64, high: f64) -> Vec<f32> {
    let fnv = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    let start = u64::from(name.bytes().fold(2_166_136_261, fnv));
    let value = |place: u64| {
        let hash = ((start + place) as u32).wrapping_mul(2_654_435_761);
        let hash = (hash ^ (hash >> 15)).wrapping_mul(2_246_822_519);
        (low + (high - low) * (f64::from(hash >> 8) / f64::from(1 << 24))) as f32
    };
    (0..count as u64).map(value).collect()
}

/// The tower's name of what torchvision calls `name`.
fn ours(name: &str) -> String {
    match name.strip_prefix("fc.") {
        Some(rest) => format!("head.{rest}"),
        None if name.starts_with("hidden.") => name.to_string(),
        None => format!("backbone.{name}"),
    }
}

fn tower((body, hidden): (Body, Vec<Hidden>), shape: [usize; 4], golden: &Golden) -> Tower {
    let config = TowerConfig {
        input: ImageInput {
            height: shape[2],
            width: shape[3],
            mean: vec![0.0; shape[1]],
            std: vec![1.0; shape[1]],
            fit: Fit::default(),
        },
        body,
        hidden,
        dropout: 0.0,
        embedding: 5,
        normalize: false,
        ..TowerConfig::system_c()
    };
    let tower = Tower::new(config, 1, &Device::Cpu).unwrap();
    let mut shapes: HashMap<String, Vec<usize>> = HashMap::new();
    for (name, var) in tower.parameters().all() {
        shapes.insert(name, var.dims().to_vec());
    }
    let names = golden.gradients.keys().chain(golden.running.keys());
    let fill = |name: &String| {
        let dims = &shapes[&ours(name)];
        let count = dims.iter().product();
        let (low, high) = match dims.len() {
            1 if name == "pool.p" => (2.0, 4.0),
            1 if name.ends_with("weight") || name.ends_with("running_var") => (0.5, 1.5),
            1 => (-0.5, 0.5),
            _ => {
                let bound = (3.0 / (count / dims[0]) as f64).sqrt();
                (-bound, bound)
            }
        };
        let values = values(name, count, low, high);
        let tensor = Tensor::from_vec(values, dims.as_slice(), &Device::Cpu).unwrap();
        (ours(name), tensor)
    };
    tower.parameters().load(&names.map(fill).collect()).unwrap();
    tower
}

fn close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0f64, |m, x| m.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let error = (f64::from(*found) - expected).abs() / scale;
        assert!(error < 2e-4, "{what}: {found} instead of {expected}");
    }
}

/// Norm and product with the formula's values, each within so much of the norm.
fn same_digest(
    (what, within): (&str, f64),
    name: &str,
    tensor: &Tensor,
    [norm, product]: [f64; 2],
) {
    let found = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let other = values(&format!("{name}/digest"), found.len(), -1.0, 1.0);
    let pairs = || found.iter().map(|&x| f64::from(x)).zip(&other);
    let found_norm = pairs().map(|(x, _)| x * x).sum::<f64>().sqrt();
    let found_product = pairs().map(|(x, &o)| x * f64::from(o)).sum::<f64>();
    assert!(
        (found_norm - norm).abs() < within * norm
            && (found_product - product).abs() < within * norm,
        "{what}: {name} has norm {found_norm} and product {found_product}, expected {norm} and {product}"
    );
}

/// The body of a case, and what follows it.
fn body(case: &str) -> (Body, Vec<Hidden>) {
    let resnet = |depth| Resnet {
        depth,
        ..Resnet::default()
    };
    let body = match case {
        "resnet18" => Body::Resnet(resnet(18)),
        "resnet18_small" => Body::Resnet(Resnet {
            stem: Stem::Small,
            ..resnet(18)
        }),
        "resnet18_gem" => Body::Resnet(Resnet {
            pool: Pool::Gem,
            ..resnet(18)
        }),
        "resnet34" => Body::Resnet(resnet(34)),
        "resnet50" => Body::Resnet(resnet(50)),
        "resnet50_keras" => Body::Resnet(Resnet {
            stride: Stride::First,
            ..resnet(50)
        }),
        "resnet12" => Body::Resnet12(Resnet12 {
            channels: [6, 7, 8, 9],
            drop: 0.0,
            ..Resnet12::default()
        }),
        "koch" => Body::Koch(Koch::default()),
        "lenet" => Body::Lenet(Lenet {
            hidden: vec![16, 9],
            pool_dropout: 0.0,
            hidden_dropout: 0.0,
            ..Lenet::default()
        }),
        "mlp" => Body::Mlp(Mlp {
            hidden: vec![16, 12],
            dropout: 0.0,
        }),
        "conv4" | "conv4_hidden" => Body::Conv4(Conv4 {
            channels: [6, 7, 8, 9],
            ..Conv4::default()
        }),
        "resnet9" => Body::Resnet9(Resnet9 { width: 4 }),
        other => panic!("no body for {other}"),
    };
    let hidden = Hidden {
        width: 7,
        norm: true,
    };
    (body, vec![hidden; usize::from(case == "conv4_hidden")])
}

#[test]
fn every_body_computes_what_pytorch_does_forward_and_backward() {
    let all: BTreeMap<String, Golden> =
        serde_json::from_str(include_str!("golden/towers.json")).unwrap();
    assert_eq!(all.len(), 13);
    for (what, golden) in &all {
        let tower = tower(body(what), golden.shape, golden);
        let pixels = values(what, golden.shape.iter().product(), -1.0, 1.0);
        let images = Tensor::from_vec(pixels, golden.shape.as_slice(), &Device::Cpu).unwrap();
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        close(
            &format!("{what} in evaluation"),
            &flat(&tower.embed(&images).unwrap()),
            &golden.eval,
        );
        let y = tower
            .embed_training(&images, &mut ChaCha8Rng::seed_from_u64(0))
            .unwrap();
        close(&format!("{what} in training"), &flat(&y), &golden.train);
        let dy = values(&format!("{what}/dy"), golden.train.len(), -1.0, 1.0);
        let dy = Tensor::from_vec(dy, y.shape(), &Device::Cpu).unwrap();
        let grads = (y * dy).unwrap().sum_all().unwrap().backward().unwrap();
        let vars: HashMap<_, _> = tower.parameters().all().into_iter().collect();
        // through 50 layers of random weights rounding grows: PyTorch's own f32 lies up to 2.6 % from its f64 here
        // (1.3 % in the first norm), 1.7 % with the strides of Keras
        let within = if what.starts_with("resnet50") {
            5e-2
        } else {
            1e-3
        };
        for (name, &digest) in &golden.gradients {
            let grad = grads.get(&vars[&ours(name)]).unwrap();
            same_digest((&format!("{what}'s gradients"), within), name, grad, digest);
        }
        for (name, &digest) in &golden.running {
            same_digest((what, 1e-3), name, &vars[&ours(name)], digest);
        }
    }
}
