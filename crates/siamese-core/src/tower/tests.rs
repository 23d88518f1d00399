//! Claims about towers as a whole: shapes, gradients, parameters, what is frozen.

use super::*;
use crate::input::ImageInput;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn stages(count: usize) -> Body {
    let stage = Stage {
        channels: 8,
        convolutions: 1,
    };
    Body::Stages(Stages {
        stages: vec![stage; count],
        ..Stages::default()
    })
}

fn small() -> TowerConfig {
    TowerConfig {
        input: ImageInput {
            height: 4,
            width: 6,
            mean: vec![0.5],
            std: vec![0.25],
            fit: Default::default(),
        },
        body: stages(1),
        embedding: 5,
        ..TowerConfig::system_c()
    }
}

#[test]
fn the_default_tower_has_the_parameters_of_system_c() -> Result<()> {
    let tower = Tower::new(TowerConfig::system_c(), 0, &Device::Cpu)?;
    assert_eq!(tower.parameters().count(), 1_305_376);
    Ok(())
}

#[test]
fn embeddings_have_unit_length_unless_told_otherwise() -> Result<()> {
    let images = Tensor::ones((3, 1, 4, 6), candle_core::DType::F32, &Device::Cpu)?;
    let norm = |normalize| -> Result<Vec<f32>> {
        let config = TowerConfig {
            normalize,
            ..small()
        };
        let embeddings = Tower::new(config, 3, &Device::Cpu)?.embed(&images)?;
        assert_eq!(embeddings.dims(), [3, 5]);
        embeddings.sqr()?.sum(1)?.to_vec1::<f32>()
    };
    assert!(norm(true)?.iter().all(|n| (n - 1.0).abs() < 1e-5));
    assert!(norm(false)?.iter().all(|n| (n - 1.0).abs() > 1e-3));
    Ok(())
}

#[test]
fn every_weight_receives_a_gradient() -> Result<()> {
    let tower = Tower::new(small(), 3, &Device::Cpu)?;
    let pixels: Vec<u8> = (0..4 * 24u32).map(|i| (i * 37 % 251) as u8).collect();
    let images = tower.config().input.to_tensor(&pixels, &Device::Cpu)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let embeddings = tower.embed_training(&images, &mut rng)?;
    let target = Tensor::arange(0f32, 20.0, &Device::Cpu)?.reshape((4, 5))?;
    let grads = (embeddings * target)?.sum_all()?.backward()?;
    for (name, var) in tower.parameters().trainable() {
        let grad = grads
            .get(&var)
            .map(|grad| grad.abs()?.max_all()?.to_scalar::<f32>());
        let largest = grad.transpose()?.unwrap_or_default();
        // BatchNorm takes away what a bias before it adds
        let moves = name != "backbone.0.bias";
        assert_eq!(largest > 1e-6, moves, "{name}: {largest}");
    }
    Ok(())
}

#[test]
fn bf16_on_a_cpu_is_refused_before_anything_is_computed() -> Result<()> {
    let mut tower = Tower::new(small(), 1, &Device::Cpu)?;
    tower.set_precision(Precision::Tf32)?;
    let error = tower.set_precision(Precision::Bf16).unwrap_err();
    assert!(error.to_string().contains("choose f32"), "{error}");
    Ok(())
}

#[test]
fn wrong_images_and_impossible_towers_are_errors_that_name_the_shapes() -> Result<()> {
    let tower = Tower::new(small(), 3, &Device::Cpu)?;
    let images = Tensor::ones((3, 1, 6, 4), candle_core::DType::F32, &Device::Cpu)?;
    let error = tower.embed(&images).unwrap_err().to_string();
    assert!(error.contains("[3, 1, 6, 4]"), "{error}");
    let mut config = small();
    config.body = stages(3);
    let error = Tower::new(config, 3, &Device::Cpu)
        .err()
        .map(|e| e.to_string());
    assert!(error.is_some_and(|e| e.contains("4x6")));
    Ok(())
}

#[test]
fn an_embedding_keeps_nothing_of_the_way_there() -> Result<()> {
    let tower = Tower::new(small(), 3, &Device::Cpu)?;
    let images = Tensor::ones((2, 1, 4, 6), candle_core::DType::F32, &Device::Cpu)?;
    let grads = tower.embed(&images)?.sum_all()?.backward()?;
    for (name, var) in tower.parameters().all() {
        assert!(grads.get(&var).is_none(), "{name} is held on to");
    }
    Ok(())
}

/// Parameters without the head: torchvision's resnet18 and resnet34 without `fc`, and by hand.
#[test]
fn every_body_has_the_parameters_of_its_paper_and_trains() -> Result<()> {
    let bodies = [
        (Body::Resnet(Resnet::default()), 64, 11_176_512),
        (
            Body::Resnet(Resnet {
                depth: 34,
                ..Resnet::default()
            }),
            64,
            21_284_672,
        ),
        (
            Body::Resnet(Resnet {
                stem: Stem::Small,
                ..Resnet::default()
            }),
            16,
            11_168_832,
        ),
        (
            Body::Resnet(Resnet {
                depth: 50,
                ..Resnet::default()
            }),
            64,
            23_508_032,
        ),
        (Body::Resnet12(Resnet12::default()), 32, 12_424_320),
        (Body::Conv4(Conv4::default()), 32, 112_832),
        (Body::Resnet9(Resnet9 { width: 4 }), 16, 30_692),
    ];
    for (body, side, count) in bodies {
        let config = TowerConfig {
            input: ImageInput {
                height: side,
                width: side + 8,
                ..ImageInput::system_c()
            },
            body: body.clone(),
            dropout: 0.0,
            ..TowerConfig::system_c()
        };
        let tower = Tower::new(config, 1, &Device::Cpu)?;
        let of_body = tower.parameters().trainable().into_iter();
        let of_body = of_body.filter(|(name, _)| name.starts_with("backbone."));
        assert_eq!(
            of_body.map(|(_, v)| v.elem_count()).sum::<usize>(),
            count,
            "{body}"
        );
        let pixels: Vec<u8> = (0..2 * side * (side + 8) * 3)
            .map(|i| (i * 37 % 251) as u8)
            .collect();
        let images = tower.config().input.to_tensor(&pixels, &Device::Cpu)?;
        let embeddings = tower.embed_training(&images, &mut ChaCha8Rng::seed_from_u64(1))?;
        assert_eq!(embeddings.dims(), [2, 128]);
        let weights = Tensor::arange(0f32, 256.0, &Device::Cpu)?.reshape((2, 128))?;
        let grads = (embeddings * weights)?.sum_all()?.backward()?;
        for (name, var) in tower.parameters().trainable() {
            let grad = grads
                .get(&var)
                .map(|g| g.abs()?.max_all()?.to_scalar::<f32>());
            let grad = grad.transpose()?.unwrap_or_default();
            assert!(grad > 0.0 && grad.is_finite(), "{body}: {name} {grad}");
        }
        assert_eq!(tower.embed(&images)?.dims(), [2, 128]);
    }
    Ok(())
}

fn body(body: Body, (height, width): (usize, usize), channels: usize) -> TowerConfig {
    TowerConfig {
        input: ImageInput {
            height,
            width,
            mean: vec![0.5; channels],
            std: vec![0.25; channels],
            fit: Default::default(),
        },
        body,
        ..small()
    }
}

/// As published, with the 4,097 of the head that compares: 38,951,745.
#[test]
fn the_towers_of_the_papers_have_their_parameters() -> Result<()> {
    let mlp = |layers| Mlp {
        hidden: vec![128; layers],
        ..Mlp::default()
    };
    let cases = [
        (Body::Koch(Koch::default()), 105, 4096, 38_947_648),
        (Body::Lenet(Lenet::default()), 80, 50, 504_962),
        (Body::Mlp(mlp(3)), 28, 128, 784 * 128 + 2 * 128 * 128),
        (Body::Mlp(mlp(4)), 28, 128, 784 * 128 + 3 * 128 * 128),
    ];
    for (of, side, embedding, count) in cases {
        let mut config = body(of, (side, side), 1);
        config.projection = false;
        let error = Tower::new(config.clone(), 1, &Device::Cpu).err().unwrap();
        let error = error.to_string();
        assert!(
            error.contains(&format!("tower.embedding to {embedding}")),
            "{error}"
        );
        config.embedding = embedding;
        let tower = Tower::new(config, 1, &Device::Cpu)?;
        assert_eq!(tower.parameters().count(), count, "{}", tower.config().body);
    }
    Ok(())
}

#[test]
fn kochs_weights_are_drawn_as_published() -> Result<()> {
    let mut config = body(Body::Koch(Koch::default()), (65, 65), 1);
    (config.projection, config.embedding) = (false, 4096);
    let tower = Tower::new(config, 1, &Device::Cpu)?;
    let vars: std::collections::HashMap<_, _> = tower.parameters().all().into_iter().collect();
    for (name, mean, std) in [
        ("conv3.weight", 0.0, 0.01),
        ("conv3.bias", 0.5, 0.01),
        ("units.weight", 0.0, 0.2),
        ("units.bias", 0.5, 0.01),
    ] {
        let values = vars[&format!("backbone.{name}")]
            .flatten_all()?
            .to_vec1::<f32>()?;
        let n = values.len() as f32;
        let m = values.iter().sum::<f32>() / n;
        let s = (values.iter().map(|v| (v - m).powi(2)).sum::<f32>() / n).sqrt();
        let close = (m - mean).abs() < 4.0 * std / n.sqrt() && (s / std - 1.0).abs() < 0.2;
        assert!(close, "{name}: {m} {s}");
    }
    Ok(())
}

/// Gradients of a small ResNet frozen up to `name`, by parameter, beside its embeddings.
fn frozen(name: Option<&str>) -> Result<(Tower, candle_core::backprop::GradStore, Tensor)> {
    let mut config = body(Body::Resnet9(Resnet9 { width: 3 }), (16, 24), 3);
    config.frozen = name.map(String::from);
    let tower = Tower::new(config, 5, &Device::Cpu)?;
    let pixels: Vec<u8> = (0..4 * 16 * 24 * 3u32)
        .map(|i| (i * 37 % 251) as u8)
        .collect();
    let images = tower.config().input.to_tensor(&pixels, &Device::Cpu)?;
    let y = tower.embed_training(&images, &mut ChaCha8Rng::seed_from_u64(1))?;
    let weights = Tensor::arange(0f32, 20.0, &Device::Cpu)?.reshape((4, 5))?;
    let grads = (y * weights)?.sum_all()?.backward()?;
    Ok((tower, grads, images))
}

#[test]
fn what_is_frozen_has_no_gradient_and_keeps_its_statistics() -> Result<()> {
    let fresh: std::collections::BTreeMap<_, _> =
        Tower::new(frozen(None)?.0.config().clone(), 5, &Device::Cpu)?
            .parameters()
            .snapshot()
            .unwrap();
    for (name, still) in [
        ("stem", vec!["stem"]),
        ("stage2", vec!["stem", "stage1", "stage2"]),
        ("body", vec!["stem", "stage1", "stage2", "stage3"]),
    ] {
        let (tower, grads, _) = frozen(Some(name))?;
        let is_still = |of: &str| {
            still
                .iter()
                .any(|part| of.starts_with(&format!("backbone.{part}.")))
        };
        let trainable = tower.trainable();
        assert!(trainable.iter().all(|(of, _)| !is_still(of)), "{name}");
        for (of, var) in tower.parameters().trainable() {
            let has = grads.get(&var).is_some();
            assert_eq!(has, !is_still(&of), "{name}: {of}");
        }
        for (of, var) in tower.parameters().all() {
            let moved = (var.as_tensor() - &fresh[&of])?
                .abs()?
                .sum_all()?
                .to_scalar::<f32>()?;
            assert_eq!(
                moved > 0.0,
                of.contains("running") && !is_still(&of),
                "{name}: {of}"
            );
        }
    }
    Ok(())
}

#[test]
fn what_is_frozen_may_run_beforehand() -> Result<()> {
    let (tower, _, images) = frozen(Some("stage1"))?;
    let before = tower.freeze(&images)?;
    assert_eq!(before.dims(), [4, 6, 8, 12]);
    let train = |t: &Tensor| tower.embed_frozen_training(t, &mut ChaCha8Rng::seed_from_u64(1));
    let (a, b) = (
        train(&before)?,
        tower.embed_training(&images, &mut ChaCha8Rng::seed_from_u64(1))?,
    );
    assert_eq!(a.to_vec2::<f32>()?, b.to_vec2::<f32>()?);
    let (a, b) = (tower.embed_frozen(&before)?, tower.embed(&images)?);
    assert_eq!(a.to_vec2::<f32>()?, b.to_vec2::<f32>()?);
    Ok(())
}

#[test]
fn freezing_computes_what_the_whole_computes_in_use() -> Result<()> {
    let (whole, _, images) = frozen(None)?;
    let mut config = whole.config().clone();
    config.frozen = Some("stage2".into());
    let tensors = whole.parameters().snapshot().unwrap().into_iter().collect();
    let parameters = Parameters::from_tensors(tensors, &Device::Cpu);
    let part = Tower::with_parameters(config, parameters)?;
    let difference = (part.embed(&images)? - whole.embed(&images)?)?.abs()?;
    assert!(difference.max_all()?.to_scalar::<f32>()? < 1e-5);
    Ok(())
}

#[test]
fn a_part_that_is_none_and_an_option_that_means_nothing_are_refused_by_name() {
    let refused = |config: TowerConfig| {
        let error = Tower::new(config, 1, &Device::Cpu).err().unwrap();
        error.to_string()
    };
    let mut config = body(Body::Resnet9(Resnet9 { width: 3 }), (16, 24), 3);
    config.frozen = Some("layer4".into());
    let error = refused(config);
    assert!(
        error.contains("tower.frozen") && error.contains("stem, stage1"),
        "{error}"
    );
    let resnet = Resnet {
        stride: Stride::First,
        ..Resnet::default()
    };
    let error = refused(body(Body::Resnet(resnet), (64, 64), 3));
    assert!(error.contains("tower.body.stride"), "{error}");
    let resnet = Resnet {
        stages: 5,
        ..Resnet::default()
    };
    let error = refused(body(Body::Resnet(resnet), (64, 64), 3));
    assert!(error.contains("tower.body.stages"), "{error}");
}

/// torchvision counts 1.814 billion multiply-adds for ResNet-18 at 224 with its `fc` of 1000.
#[test]
fn a_tower_at_another_size_trains_the_same_weights() -> crate::error::Result<()> {
    let tower = Tower::new(
        body(Body::Resnet9(Resnet9 { width: 3 }), (16, 24), 3),
        1,
        &Device::Cpu,
    )?;
    let smaller = tower.at_size((8, 16))?;
    let before = tower.parameters().fingerprint()?;
    let images = Tensor::zeros((2, 3, 8, 16), DType::F32, &Device::Cpu)?;
    let embedding = smaller.embed(&images)?;
    assert_eq!(embedding.dims(), [2, tower.config().embedding]);
    assert!(tower.embed(&images).is_err());
    for (_, var) in smaller.trainable() {
        var.set(&(var.as_tensor() * 0.5)?)?;
    }
    assert_ne!(tower.parameters().fingerprint()?, before);

    let flat = Tower::new(body(stages(1), (16, 24), 3), 1, &Device::Cpu)?;
    let Err(error) = flat.at_size((8, 16)) else {
        panic!("no error")
    };
    let error = error.to_string();
    assert!(
        error.contains("8x16") && error.contains("global pooling"),
        "{error}"
    );
    Ok(())
}

#[test]
fn the_cost_is_the_published_one() -> Result<()> {
    let config = TowerConfig {
        input: ImageInput {
            height: 224,
            width: 224,
            ..ImageInput::system_c()
        },
        body: Body::Resnet(Resnet::default()),
        embedding: 1000,
        ..TowerConfig::system_c()
    };
    let cost = Tower::new(config, 1, &Device::Cpu)?.cost();
    assert_eq!(cost.multiply_adds, 1_814_073_344);
    Ok(())
}
