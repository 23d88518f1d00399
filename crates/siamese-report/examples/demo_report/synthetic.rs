//! Made-up results: shapes for pictures, bell curves for distances.

use std::collections::BTreeMap;

use siamese_metrics::Figure;
use siamese_metrics::verification::RocCurve;
use siamese_report::{
    Banner, CalibrationBin, CalledAs, ConfusionMap, EmbeddingMap, EpochRow, ExamplePair, Level,
    Neighbour, Neighbours, PairDistances, RunReport, SetFigures, Thumbnail,
};

const SUPERCLASSES: [&str; 20] = [
    "aquatic mammals",
    "fish",
    "flowers",
    "food containers",
    "fruit and vegetables",
    "household electrical devices",
    "household furniture",
    "insects",
    "large carnivores",
    "large man-made outdoor things",
    "large natural outdoor scenes",
    "large omnivores and herbivores",
    "medium-sized mammals",
    "non-insect invertebrates",
    "people",
    "reptiles",
    "small mammals",
    "trees",
    "vehicles 1",
    "vehicles 2",
];
const THRESHOLD: f64 = 0.62;

/// A small generator of even numbers (SplitMix64).
struct Chance(u64);

impl Chance {
    fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.even()).sum::<f64>() - 6.0
    }

    fn below(&mut self, number: usize) -> usize {
        (self.even() * number as f64) as usize
    }
}

/// A whole report whose every number is made up. `skill` 0 is chance, 1 is very good.
pub(crate) fn run(name: &str, seed: u64, skill: f64) -> anyhow::Result<RunReport> {
    let chance = &mut Chance(seed);
    let distances = distances(chance, skill);
    let curve = curve(&distances)?;
    Ok(RunReport {
        name: name.into(),
        judged_on: "coloured shapes".into(),
        data: "10,000 test images of 100 classes; every number and picture on this page is made up"
            .into(),
        banners: vec![Banner {
            level: Level::Note,
            title: "Synthetic data".into(),
            text: "This page shows what a report looks like. No model was trained.".into(),
        }],
        figures: vec![SetFigures::new(figures(&curve, skill))],
        figures_note: "5,000 like and 5,000 unlike pairs of the test split; the threshold was \
                       fitted on validation; intervals by 1,000 bootstraps over classes."
            .into(),
        epochs: epochs(chance, skill),
        best_epoch: Some(23),
        calibration: calibration(chance),
        examples: examples(chance),
        neighbours: neighbours(chance),
        confusion: Some(confusion(chance)),
        embedding_maps: vec![map(chance, skill)],
        config: serde_json::json!({
            "seed": seed, "device": "cpu", "preset": "demo",
            "model": { "channels": [32, 64, 128, 256], "embedding": 128, "normalise": true, "dropout": 0.5 },
            "loss": { "kind": "contrastive", "distance": "euclidean", "margin": 1.0 },
            "optimizer": { "kind": "adamw", "learning_rate": 1e-3, "weight_decay": 1e-4 },
            "sampler": { "batch": 256, "hard_share": 0.25, "class_weights": null },
        }),
        environment: pairs(&[
            ("CPU", "made up, 2 cores"),
            ("siamese", "0.1.0"),
            ("candle", "0.11.1"),
        ]),
        timing: pairs(&[
            ("training", "12 min 3 s"),
            ("an epoch", "24.1 s"),
            ("images per second", "623"),
        ]),
        reproduce: vec!["siamese train shapes/ --seed 7".into()],
        roc: curve.thinned(400),
        operating_point: Some(curve.at(THRESHOLD as f32)),
        choices: curve.choices(),
        distances: Some(distances),
        losses_comparable: true,
        ..Default::default()
    })
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn figures(curve: &RocCurve, skill: f64) -> Vec<Figure> {
    let figure = |name: &str, value: f64, half: f64| {
        Figure::new(name, value).with_interval(value - half, value + half)
    };
    let eer = curve.eer();
    vec![
        figure("precision", 0.5 + 0.4 * skill, 0.01),
        figure("precision_called_same", 0.5 + 0.4 * skill, 0.01),
        figure("precision_at_1", 0.01 + 0.6 * skill, 0.012),
        figure("roc_auc", curve.roc_auc(), 0.006),
        figure("accuracy", 1.0 - eer, 0.008),
        figure("eer", eer, 0.007),
        figure("recall_at_1", 0.01 + 0.6 * skill, 0.012),
        figure("map_at_r", 0.01 + 0.35 * skill, 0.009),
        figure(
            "tar_at_far_1e-2",
            curve.tar_at_far(1e-2).unwrap_or(0.0),
            0.03,
        ),
        Figure::new("threshold", THRESHOLD),
    ]
}

fn epochs(chance: &mut Chance, skill: f64) -> Vec<EpochRow> {
    (1..=30)
        .map(|epoch| {
            let done = 1.0 - (-(epoch as f64) / 7.0).exp();
            let auc = 0.5 + 0.47 * skill * done + 0.006 * chance.normal();
            let warm = (epoch as f64 / 3.0).min(1.0);
            EpochRow {
                skipped_steps: 0,
                epoch,
                train_loss: 0.25 - 0.2 * skill * done + 0.002 * chance.normal(),
                validation_loss: Some(
                    0.25 - 0.17 * skill * done
                        + 0.0008 * skill * (epoch as f64 - 20.0).max(0.0)
                        + 0.004 * chance.normal(),
                ),
                roc_auc: Some(auc),
                eer: Some(1.0 - auc + 0.02),
                accuracy: Some(auc - 0.05),
                learning_rate: Some(
                    1e-3 * warm * 0.5 * (1.0 + (std::f64::consts::PI * epoch as f64 / 30.0).cos()),
                ),
                embedding_spread: Some(0.085 * skill * (0.4 + 0.6 * done) + 0.0004),
                active_share: Some(1.0 - 0.85 * skill * done),
                seconds: Some(24.0 + chance.even()),
                images_per_second: Some(620.0 + 10.0 * chance.even()),
                data_wait_share: Some(0.002),
            }
        })
        .collect()
}

fn distances(chance: &mut Chance, skill: f64) -> PairDistances {
    let mut draw = |middle: f64, width: f64| -> Vec<f32> {
        (0..5000)
            .map(|_| (middle + width * chance.normal()).abs() as f32)
            .collect()
    };
    PairDistances {
        distance: "Euclidean".into(),
        like: draw(0.62 - 0.25 * skill, 0.16),
        unlike: draw(0.62 + 0.35 * skill, 0.2),
    }
}

fn curve(pairs: &PairDistances) -> anyhow::Result<RocCurve> {
    let like = pairs.like.iter().map(|&distance| (distance, true));
    let unlike = pairs.unlike.iter().map(|&distance| (distance, false));
    let (distances, kinds): (Vec<f32>, Vec<bool>) = like.chain(unlike).unzip();
    Ok(RocCurve::new(&distances, &kinds)?)
}

fn calibration(chance: &mut Chance) -> Vec<CalibrationBin> {
    (0..10)
        .map(|bin| {
            let predicted = (bin as f64 + 0.5) / 10.0;
            let observed = (predicted + 0.04 * chance.normal()).clamp(0.0, 1.0);
            CalibrationBin {
                predicted,
                observed,
                count: 200 + chance.below(900),
            }
        })
        .collect()
}

fn class_name(class: usize) -> String {
    format!(
        "{} {}",
        SUPERCLASSES[class / 5],
        ["a", "b", "c", "d", "e"][class % 5]
    )
}

/// A shape on a ground: the superclass gives the hue, the class the shape.
fn picture(chance: &mut Chance, class: usize) -> Thumbnail {
    let turn = (class / 5) as f64 / 20.0 * std::f64::consts::TAU;
    let colour = |offset: f64, light: f64| -> [u8; 3] {
        [0.0, 2.1, 4.2].map(|phase| (light * (150.0 + 100.0 * (turn + offset + phase).cos())) as u8)
    };
    let (ground, shape) = (colour(0.6, 0.45 + 0.3 * chance.even()), colour(0.0, 1.0));
    let (x0, y0) = (16.0 + 3.0 * chance.normal(), 16.0 + 2.0 * chance.normal());
    let size = 8.0 + 2.0 * chance.even();
    let mut pixels = Vec::new();
    for at in 0..32 * 32 {
        let (x, y) = ((at % 32) as f64 - x0, (at / 32) as f64 - y0);
        let inside = match class % 5 {
            0 => x.hypot(y) < size,
            1 => x.abs().max(y.abs()) < size,
            2 => x.abs() + y.abs() < size * 1.2,
            3 => y < size && y > 2.0 * x.abs() - size,
            _ => x.hypot(y) < size && x.hypot(y) > size * 0.5,
        };
        let noise = 10.0 * chance.normal();
        let base = if inside { shape } else { ground };
        pixels.extend(base.map(|byte| (f64::from(byte) + noise).clamp(0.0, 255.0) as u8));
    }
    Thumbnail {
        width: 32,
        height: 32,
        channels: 3,
        pixels,
    }
}

fn examples(chance: &mut Chance) -> Vec<ExamplePair> {
    let kinds = [(false, true), (true, false), (true, true), (false, false)];
    let mut all = Vec::new();
    for (like, called_same) in kinds {
        for _ in 0..6 {
            let left = chance.below(100);
            let other = (left / 5 * 5 + (left + 1) % 5) % 100;
            let right = if like { left } else { other };
            let distance = THRESHOLD + if called_same { -0.5 } else { 0.5 } * chance.even();
            all.push(ExamplePair {
                left: picture(chance, left),
                right: picture(chance, right),
                left_label: class_name(left),
                right_label: class_name(right),
                left_file: format!("{}/{:04}.png", class_name(left), chance.below(600)),
                right_file: format!("{}/{:04}.png", class_name(right), chance.below(600)),
                like,
                called_same,
                distance,
                probability: Some(1.0 / (1.0 + ((distance - THRESHOLD) * 9.0).exp())),
            });
        }
    }
    all
}

fn neighbours(chance: &mut Chance) -> Vec<Neighbours> {
    (0..8)
        .map(|_| {
            let class = chance.below(100);
            let nearest = (0..5)
                .map(|rank| {
                    let right = chance.even() < 0.65;
                    let own = if right {
                        class
                    } else {
                        (class + 1 + chance.below(98)) % 100
                    };
                    Neighbour {
                        image: picture(chance, own),
                        label: class_name(own),
                        file: format!("{}/{:04}.png", class_name(own), chance.below(600)),
                        distance: 0.15 + 0.06 * rank as f64 + 0.03 * chance.even(),
                        right,
                    }
                })
                .collect();
            Neighbours {
                probe: picture(chance, class),
                label: class_name(class),
                file: format!("{}/{:04}.png", class_name(class), chance.below(600)),
                nearest,
            }
        })
        .collect()
}

fn confusion(chance: &mut Chance) -> ConfusionMap {
    ConfusionMap {
        classes: (0..100).map(class_name).collect(),
        groups: (0..100)
            .map(|class| SUPERCLASSES[class / 5].to_string())
            .collect(),
        counts: counts(chance, 100, 100),
        method: "nearest neighbour".into(),
    }
}

/// `images` of each class, most called their own class or one near it.
fn counts(chance: &mut Chance, classes: usize, images: usize) -> Vec<CalledAs> {
    let mut counts = BTreeMap::new();
    for class in 0..classes {
        for _ in 0..images {
            let called = match chance.even() {
                v if v < 0.55 => class,
                v if v < 0.85 => class / 5 * 5 + chance.below(5),
                _ => chance.below(classes),
            };
            *counts.entry((class, called.min(classes - 1))).or_insert(0) += 1;
        }
    }
    let called = |((class, called), images)| CalledAs {
        class,
        called,
        images,
    };
    counts.into_iter().map(called).collect()
}

/// The same report of another number of classes, with names as people give them.
pub(crate) fn of_classes(run: &RunReport, classes: usize, images: usize) -> RunReport {
    const KINDS: [&str; 7] = [
        "woodpecker",
        "Red-winged_Blackbird",
        "warbler (first winter)",
        "Müller's shearwater of the open sea",
        "n02106662",
        "Straßenbahnhaltestelle",
        "a/b test",
    ];
    let name = |class: usize| format!("{:03} {}", class + 1, KINDS[class % KINDS.len()]);
    let confusion = ConfusionMap {
        classes: (0..classes).map(name).collect(),
        counts: counts(&mut Chance(classes as u64), classes, images),
        method: "vote of the 5 nearest neighbours".into(),
        ..Default::default()
    };
    RunReport {
        data: format!(
            "{} test images of {classes} classes; made up",
            classes * images
        ),
        confusion: Some(confusion),
        embedding_maps: run
            .embedding_maps
            .iter()
            .map(|map| renamed(map, classes, name))
            .collect(),
        ..run.clone()
    }
}

fn renamed(map: &EmbeddingMap, classes: usize, name: impl Fn(usize) -> String) -> EmbeddingMap {
    EmbeddingMap {
        classes: map.classes.iter().map(|class| class % classes).collect(),
        class_names: (0..classes.min(20)).map(name).collect(),
        ..map.clone()
    }
}

fn map(chance: &mut Chance, skill: f64) -> EmbeddingMap {
    let centres: Vec<[f64; 2]> = (0..20)
        .map(|at| {
            let (row, column) = ((at / 5) as f64, (at % 5) as f64);
            [
                column * 10.0 * skill + chance.normal(),
                row * 9.0 * skill + chance.normal(),
            ]
        })
        .collect();
    let classes: Vec<usize> = (0..1200).map(|at| at % 20).collect();
    let points = classes
        .iter()
        .map(|&class| centres[class].map(|middle| middle + 2.2 * chance.normal()))
        .collect();
    EmbeddingMap {
        method: "PCA".into(),
        of: 10_000,
        points,
        thumbnails: classes
            .iter()
            .map(|&class| picture(chance, class * 5))
            .collect(),
        class_names: SUPERCLASSES.map(String::from).to_vec(),
        classes,
    }
}
