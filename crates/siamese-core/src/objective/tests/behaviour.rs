//! What objectives do at their edges, and what they say of themselves.

use super::*;
use crate::distance::TensorDistance;

#[test]
fn degenerate_batches_have_a_finite_loss_and_gradient() -> Result<()> {
    let same = [[0.6f32, -0.8, 0.0]; 4];
    let zero = [[0f32; 3]; 4];
    let apart = [[1f32, 0., 0.], [0., 1., 0.], [0., 0., 1.], [-1., 0., 0.]];
    // extreme temperatures and scales must not overflow
    let mut configs = all();
    configs.extend([sup_con(1e-3), nt_xent(1e-3), triplets(9e5, Miner::All)]);
    configs.push(ObjectiveConfig::NormalizedSoftmax(NormalizedSoftmax {
        scale: 9e5,
        ..NormalizedSoftmax::default()
    }));
    configs.push(ObjectiveConfig::Circle(Circle {
        scale: 9e5,
        ..Circle::default()
    }));
    configs.push(ObjectiveConfig::MultiSimilarity(MultiSimilarity {
        alpha: 9e5,
        beta: 9e5,
        ..MultiSimilarity::default()
    }));
    for config in configs {
        for x in [same, zero, apart] {
            // ordinary, of one class, without a like pair
            for labels in [[0, 1, 0, 1], [2, 2, 2, 2], [0, 1, 2, 0]] {
                for images in [4, 3, 2, 1] {
                    if config.needs() == Arrangement::Pairs && images % 2 == 1 {
                        continue;
                    }
                    let x = Var::from_vec(x[..images].concat(), (images, 3), &Device::Cpu)?;
                    let labels = &labels[..images];
                    let (loss, gradient) =
                        value_and_gradient(&config, Distance::Euclidean, &x, labels)?;
                    assert!(loss.is_finite(), "{config:?} {x} {labels:?}");
                    assert!(
                        gradient.iter().all(|g| g.is_finite()),
                        "{config:?} {x} {labels:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_collapsed_tower_stands_at_the_loss_that_is_told() -> anyhow::Result<()> {
    // of the four pairs that the halves make two are like
    let x = Tensor::new(&[[0.6f32, -0.8, 0.0]; 8], &Device::Cpu)?;
    let labels = Tensor::new(&[0u32, 0, 1, 1, 0, 1, 1, 0], &Device::Cpu)?;
    let mut told = 0;
    for config in all() {
        let objective = Objective::new(config.clone(), Distance::Euclidean, 3, 2, 7, &Device::Cpu)?;
        for (name, var) in objective.parameters().all() {
            if name.ends_with("proxies") {
                // one point is no guess of a class where all proxies are the same
                var.set(&var.ones_like()?)?;
            }
        }
        let scored = objective.score(&x, &labels)?;
        let Some(collapsed) = objective.collapsed(8) else {
            continue;
        };
        // these look for a difference, and here nothing differs
        let differs = [Miner::SemiHard, Miner::Angular].map(|miner| triplets(0.5, miner));
        if !differs.contains(&config) {
            let loss = f64::from(scored.loss.to_scalar::<f32>()?);
            assert_close(&[loss], &[collapsed], 1e-4, &config.to_string());
        }
        let active = scored.active.to_scalar::<f32>()?;
        assert_eq!(active, 1.0, "{config}");
        told += 1;
    }
    assert_eq!(told, 17);
    Ok(())
}

#[test]
fn the_validation_loss_takes_the_training_losss_average() -> anyhow::Result<()> {
    let x = Tensor::new(&X, &Device::Cpu)?.to_dtype(DType::F32)?;
    let matrix = Distance::Euclidean.pairwise(&x, &x)?.to_vec2::<f32>()?;
    let of = |pairs: &[(usize, usize)]| -> (Vec<f32>, Vec<bool>) {
        let pair = |&(i, j): &(usize, usize)| (matrix[i][j], LABELS[i] == LABELS[j]);
        pairs.iter().map(pair).unzip()
    };
    let every: Vec<(usize, usize)> = (0..7).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    let sampled = [(0, 3), (1, 4), (2, 5)];
    let cases = [
        (in_batch(1.5, 0.0, Averaging::All), &every[..], 7),
        (in_batch(1.5, 0.3, Averaging::Active), &every[..], 7),
        (ObjectiveConfig::default(), &sampled[..], 6),
    ];
    for (config, pairs, images) in cases {
        let trained = score(
            &config,
            Distance::Euclidean,
            &x.narrow(0, 0, images)?,
            &LABELS[..images],
        )?;
        let objective = Objective::new(config, Distance::Euclidean, 3, 3, 0, &Device::Cpu)?;
        let (distances, like) = of(pairs);
        let judged = objective.validation_loss(&distances, &like).unwrap();
        let trained = f64::from(trained.loss.to_scalar::<f32>()?);
        assert_close(&[judged], &[trained], 1e-6, &objective.config().to_string());
        assert_eq!(objective.validation_loss(&[], &[]), None);
    }
    let objective = Objective::new(sup_con(0.1), Distance::Cosine, 3, 3, 0, &Device::Cpu)?;
    assert_eq!(objective.validation_loss(&[0.5], &[true]), None);
    Ok(())
}

#[test]
fn what_an_objective_learns_is_drawn_from_the_seed_and_moves() -> anyhow::Result<()> {
    let x = Tensor::new(&X, &Device::Cpu)?.to_dtype(DType::F32)?;
    let mut learned = 0;
    for config in all() {
        let new = |seed| Objective::new(config.clone(), Distance::Cosine, 3, 3, seed, &Device::Cpu);
        let (one, again, other) = (new(1)?, new(1)?, new(2)?);
        let drawn = |objective: &Objective| objective.parameters().fingerprint();
        assert_eq!(drawn(&one)?, drawn(&again)?);
        if one.parameters().count() == 0 {
            continue;
        }
        let constant = one
            .parameters()
            .all()
            .iter()
            .all(|(name, _)| name == "beta");
        assert_eq!(drawn(&one)? == drawn(&other)?, constant, "{config}");
        let rows = rows(&config);
        let labels = Tensor::new(&LABELS[..rows], &Device::Cpu)?;
        let loss = one.score(&x.narrow(0, 0, rows)?, &labels)?.loss;
        let grads = loss.backward()?;
        for (name, var) in one.parameters().all() {
            let moved = gradient(&grads, &var)?;
            assert!(moved.iter().any(|&g| g != 0.0), "{config} {name}");
        }
        learned += 1;
    }
    assert_eq!(learned, 13);
    Ok(())
}

#[test]
fn the_terms_of_a_sum_have_parameters_and_rates_of_their_own() -> anyhow::Result<()> {
    let config = sum(&[
        (1.0, proxy_nca()),
        (2.0, proxy_anchor()),
        (0.1, sup_con(0.1)),
    ]);
    let objective = objective(&config, Distance::Cosine)?;
    let own = objective.parameters().all().into_iter();
    let names: Vec<String> = own.map(|(name, _)| name).collect();
    assert_eq!(names, ["0.proxies", "1.proxies"]);
    let rates = names.iter().map(|name| objective.rate(name));
    assert_eq!(rates.collect::<Vec<_>>(), [1.0, 5.0]);
    assert_eq!(config.needs(), Arrangement::SeveralPerClass);
    let pairs = sum(&[(1.0, sup_con(0.1)), (1.0, ObjectiveConfig::default())]);
    assert_eq!(pairs.needs(), Arrangement::Pairs);
    Ok(())
}

#[test]
fn shapes_and_labels_that_do_not_fit_are_named() -> anyhow::Result<()> {
    let x = Tensor::ones((3, 2), DType::F32, &Device::Cpu)?;
    let said = |config: ObjectiveConfig, labels: &[u32]| -> anyhow::Result<String> {
        let objective = Objective::new(config, Distance::Euclidean, 2, 2, 0, &Device::Cpu)?;
        let scored = objective.score(&x, &Tensor::new(labels, &Device::Cpu)?);
        Ok(scored.err().map(|e| e.to_string()).unwrap_or_default())
    };
    for config in all() {
        let error = said(config, &[0, 1])?;
        assert!(error.contains("[3, 2]") && error.contains("[2]"), "{error}");
    }
    assert!(said(ObjectiveConfig::default(), &[0, 1, 0])?.contains("even number"));
    assert!(said(softmax(0.0, 0.0), &[0, 1, 2])?.contains("label 2"));
    let pairs = Tensor::new(&[0.5f32, 0.6], &Device::Cpu)?;
    let error = contrastive(&pairs, &pairs.narrow(0, 0, 1)?, &Contrastive::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("[2]") && error.contains("[1]"), "{error}");
    Ok(())
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let contrastive = |change: fn(&mut Contrastive)| {
        let mut config = Contrastive::default();
        change(&mut config);
        ObjectiveConfig::Contrastive(config)
    };
    let cases = [
        (contrastive(|c| c.margin = 0.0), "margin"),
        (contrastive(|c| c.margin = 1e6), "margin"),
        (contrastive(|c| c.positive_margin = 1.0), "positive_margin"),
        (contrastive(|c| c.positive_margin = -0.1), "positive_margin"),
        (
            contrastive(|c| c.averaging = Averaging::Active),
            "averaging",
        ),
        (triplets(f64::NAN, Miner::All), "margin"),
        (sup_con(0.0), "temperature"),
        (nt_xent(f64::INFINITY), "temperature"),
        (softmax(2.0, 0.0), "margin"),
        (softmax(0.0, 1.0), "label_smoothing"),
        (n_pairs(-1.0), "penalty"),
        (arc_face(0), "centers"),
        (multi_similarity(f64::NAN), "epsilon"),
        (sum(&[]), "terms"),
        (sum(&[(0.0, sup_con(0.1))]), "weight"),
        (sum(&[(1.0, sup_con(0.0))]), "temperature"),
        (contrastive(|c| c.memory = 8), "memory"),
    ];
    for (config, field) in cases {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(field), "{config:?}: {error}");
        assert!(Objective::new(config, Distance::Cosine, 3, 3, 0, &Device::Cpu).is_err());
    }
    let one_class = Objective::new(softmax(0.0, 0.0), Distance::Cosine, 3, 1, 0, &Device::Cpu);
    assert!(one_class.is_err_and(|e| e.to_string().contains("2 classes")));
}

#[test]
fn files_name_the_kind_and_may_leave_out_the_rest() -> anyhow::Result<()> {
    for name in ObjectiveConfig::NAMES {
        let config: ObjectiveConfig = serde_json::from_value(serde_json::json!({ "kind": name }))?;
        assert_eq!(config.name(), name);
        assert_eq!(
            config.validate().is_ok(),
            !["sum", "matryoshka"].contains(&name)
        );
        let copy: ObjectiveConfig = serde_json::from_str(&serde_json::to_string(&config)?)?;
        assert_eq!(copy, config);
        let typo = serde_json::json!({ "kind": name, "margine": 1.0 });
        let error = serde_json::from_value::<ObjectiveConfig>(typo)
            .unwrap_err()
            .to_string();
        assert!(error.contains("margine"), "{error}");
    }
    let said = in_batch(1.0, 0.0, Averaging::All).to_string();
    assert_eq!(
        said,
        "contrastive loss, margin 1, over all pairs of each batch"
    );
    Ok(())
}

#[test]
fn every_kind_that_files_may_name_is_listed() {
    let unknown = serde_json::json!({ "kind": "none" });
    let error = serde_json::from_value::<ObjectiveConfig>(unknown)
        .unwrap_err()
        .to_string();
    let mut known: Vec<&str> = error.split('`').skip(1).step_by(2).skip(1).collect();
    let mut listed = ObjectiveConfig::NAMES;
    known.sort_unstable();
    listed.sort_unstable();
    assert_eq!(known, listed);
}

#[test]
fn the_terms_of_a_sum_are_written_with_their_weights() -> anyhow::Result<()> {
    let text = r#"{"kind": "sum", "terms": [
        {"kind": "normalized_softmax", "scale": 8.0},
        {"kind": "contrastive", "pairs": "in_batch", "margin": 1.5, "weight": 4.0}
    ]}"#;
    let config: ObjectiveConfig = serde_json::from_str(text)?;
    let wanted = [
        (1.0, softmax(0.0, 0.0)),
        (4.0, in_batch(1.5, 0.0, Averaging::All)),
    ];
    assert_eq!(config, sum(&wanted));
    let copy: ObjectiveConfig = serde_json::from_str(&serde_json::to_string(&config)?)?;
    assert_eq!(copy, config);
    let typo = text.replace("scale", "scala");
    let error = serde_json::from_str::<ObjectiveConfig>(&typo)
        .unwrap_err()
        .to_string();
    assert!(error.contains("scala"), "{error}");
    assert_eq!(
        config.to_string(),
        "normalised softmax loss, scale 8; plus 4 × contrastive loss, margin 1.5, over all pairs of each batch"
    );
    Ok(())
}
