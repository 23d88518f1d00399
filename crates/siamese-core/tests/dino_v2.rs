//! DINOv2 against timm's: `golden/dino_v2.py` wrote the numbers.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, which clippy cannot know

use std::collections::{BTreeMap, HashMap};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use siamese_core::candle::{DType, Device, Tensor};
use siamese_core::{
    Body, DinoV2, ImageInput, Model, Pretrained, Tokens, Tower, TowerConfig, VitSize,
};

#[derive(Deserialize)]
struct Golden {
    /// With the GELU of the published model.
    published: Vec<f64>,
    /// With the approximation of it that candle-transformers computes.
    tanh: Vec<f64>,
}

/// As `values` in `dino_v2.py`.
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

const TINY: DinoV2 = DinoV2 {
    size: VitSize::Tiny,
    tokens: Tokens::Class,
    positions: 5,
};

fn config(body: DinoV2, side: usize) -> TowerConfig {
    TowerConfig {
        input: ImageInput {
            height: side,
            width: side,
            ..ImageInput::imagenet()
        },
        body: Body::DinoV2(body),
        frozen: Some("body".into()),
        dropout: 0.0,
        embedding: match body.tokens {
            Tokens::Class => 32,
            Tokens::ClassAndMean => 64,
        },
        projection: false,
        normalize: false,
        ..TowerConfig::system_c()
    }
}

/// The tensors of a file in timm's names, as `fill` in `dino_v2.py` makes them.
fn file() -> Pretrained {
    let tower = Tower::new(config(TINY, 70), 1, &Device::Cpu).unwrap();
    let fill = |(name, var): (String, siamese_core::candle::Var)| {
        let name = name.strip_prefix("backbone.").unwrap().to_string();
        let (dims, count) = (var.dims(), var.elem_count());
        let bound = match dims.len() {
            _ if name == "cls_token" || name == "pos_embed" => 1.0,
            1 => 0.5,
            _ => (3.0 / (count / dims[0]) as f64).sqrt(),
        };
        let scale = dims.len() == 1 && (name.ends_with("weight") || name.ends_with("gamma"));
        let (low, high) = if scale { (0.5, 1.5) } else { (-bound, bound) };
        let filled = Tensor::from_vec(values(&name, count, low, high), dims, &Device::Cpu);
        (name, filled.unwrap())
    };
    Pretrained {
        tensors: tower.parameters().all().into_iter().map(fill).collect(),
        words: HashMap::new(),
    }
}

fn tower(body: DinoV2, side: usize) -> Tower {
    let tower = Tower::new(config(body, side), 2, &Device::Cpu).unwrap();
    let loaded = tower.start_from(&file(), "tiny").unwrap();
    assert!(loaded.fresh.is_empty() && loaded.unused.is_empty() && loaded.misshapen.is_empty());
    tower
}

fn images(side: usize) -> Tensor {
    let pixels = values(&format!("dino_v2_{side}"), 9 * side * side, -1.0, 1.0);
    Tensor::from_vec(pixels, (3, 3, side, side), &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference, as a share of the largest value.
fn difference(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0f64, |m, x| m.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(0f64, |m, (f, e)| m.max((f64::from(*f) - e).abs())) / scale
}

#[test]
fn its_tokens_are_timms_at_the_size_of_its_positions_below_and_above() {
    let golden: BTreeMap<usize, Golden> =
        serde_json::from_str(include_str!("golden/dino_v2.json")).unwrap();
    assert_eq!(golden.len(), 3);
    for (&side, golden) in &golden {
        let both = DinoV2 {
            tokens: Tokens::ClassAndMean,
            ..TINY
        };
        let found = tower(both, side).embed(&images(side)).unwrap();
        let of_tanh = difference(&flat(&found), &golden.tanh);
        let of_published = difference(&flat(&found), &golden.published);
        println!("{side} pixels: {of_tanh:.1e} with its GELU, {of_published:.1e} as published");
        assert!(of_tanh < 2e-6, "{side}: {of_tanh}");
        assert!(of_published < 3e-4, "{side}: {of_published}");
        let class = tower(TINY, side).embed(&images(side)).unwrap();
        assert_eq!(flat(&class), flat(&found.narrow(1, 0, 32).unwrap()));
    }
}

#[test]
fn an_image_has_the_same_bits_in_any_company_and_when_the_weights_are_kept() {
    let mut tower = tower(TINY, 42);
    let batch = images(42);
    let together = flat(&tower.embed(&batch).unwrap());
    let alone: Vec<f32> = (0..3)
        .flat_map(|i| flat(&tower.embed(&batch.narrow(0, i, 1).unwrap()).unwrap()))
        .collect();
    assert_eq!(together, alone);
    tower.prepack();
    for _ in 0..2 {
        assert_eq!(flat(&tower.embed(&batch).unwrap()), together);
    }
    // other weights in place of these: what is kept is of the clone that was told so
    let other = tower.at_size((56, 56)).unwrap();
    assert_ne!(flat(&other.embed(&images(56)).unwrap()), together);
}

#[test]
fn a_head_after_it_is_trained_and_it_is_not() {
    let config = TowerConfig {
        embedding: 4,
        projection: true,
        ..config(TINY, 42)
    };
    let tower = Tower::new(config, 2, &Device::Cpu).unwrap();
    tower.start_from(&file(), "tiny").unwrap();
    let trained = tower.trainable();
    let names: Vec<&str> = trained.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["head.bias", "head.weight"]);
    let embeddings = tower.embed_training(&images(42), &mut ChaCha8Rng::seed_from_u64(0));
    let grads = embeddings.unwrap().sqr().unwrap().sum_all().unwrap();
    let grads = grads.backward().unwrap();
    for (name, var) in tower.parameters().all() {
        let has = grads.get(&var).is_some();
        assert_eq!(has, name.starts_with("head."), "{name}");
    }
}

#[test]
fn a_file_of_timms_is_a_model_that_is_written_and_read_again() {
    let mut file = file();
    let mask = Tensor::zeros((1, 32), DType::F32, &Device::Cpu).unwrap();
    file.tensors.insert("mask_token".into(), mask);
    assert_eq!(file.body(), Some(Body::DinoV2(TINY)));
    let input = config(TINY, 42).input;
    let model = file.clone().model(input, "tiny", &Device::Cpu).unwrap();
    assert_eq!(model.tower.config().embedding, 32);
    let embed = |model: &Model| flat(&model.tower.embed(&images(42)).unwrap());
    let lengths = embed(&model)
        .chunks(32)
        .map(|e| e.iter().map(|x| x * x).sum())
        .collect::<Vec<f32>>();
    assert!(
        lengths.iter().all(|l| (l - 1.0).abs() < 1e-5),
        "{lengths:?}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let again = Model::load(&path, &Device::Cpu).unwrap();
    assert_eq!(again.tower.config(), model.tower.config());
    assert_eq!(embed(&again), embed(&model));

    let registers = Tensor::zeros((1, 4, 32), DType::F32, &Device::Cpu).unwrap();
    file.tensors.insert("reg_token".into(), registers);
    assert_eq!(file.body(), None);
    let error = file.model(ImageInput::imagenet(), "r4", &Device::Cpu);
    let error = error.err().unwrap().to_string();
    assert!(error.contains("without registers"), "{error}");
}

#[test]
fn what_it_cannot_do_is_refused_with_what_to_say_instead() {
    let refused = |config: TowerConfig| {
        let error = Tower::new(config, 1, &Device::Cpu).err().unwrap();
        error.to_string()
    };
    let usual = || config(TINY, 42);
    for frozen in [None, Some("blocks".to_string())] {
        let error = refused(TowerConfig { frozen, ..usual() });
        assert!(error.contains("tower.frozen = \"body\""), "{error}");
    }
    let error = refused(config(TINY, 50));
    assert!(
        error.contains("multiple of") && error.contains("50 and 50"),
        "{error}"
    );
    let mut oblong = usual();
    oblong.input.width = 56;
    let error = refused(oblong);
    assert!(
        error.contains("square") && error.contains("42 and 56"),
        "{error}"
    );
    let mut grey = usual();
    (grey.input.mean, grey.input.std) = (vec![0.5], vec![0.5]);
    let error = refused(grey);
    assert!(error.contains("data.colour = \"rgb\""), "{error}");
}
