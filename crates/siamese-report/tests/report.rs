//! A run's report holds what it was given, and nothing that it was not.

// Helpers of tests are tests: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use siamese_metrics::Figure;
use siamese_metrics::verification::{FittedThreshold, RocPoint, Target};
use siamese_report::{
    Banner, CalibrationBin, CalledAs, ConfusionMap, EmbeddingMap, EpochRow, ExamplePair, Neighbour,
    Neighbours, PairDistances, RunReport, SetFigures, Thumbnail,
};

/// Markup in every text: none of it may arrive as markup.
const HOSTILE: &str = "<script>alert('x')</script>\" onload=\"&amp;";

fn text() -> String {
    HOSTILE.into()
}

fn thumbnail() -> Thumbnail {
    Thumbnail::new(3, 2, 3, (0..18).collect()).unwrap()
}

fn fitted(target: Target, value: f32, far: f64, tar: f64) -> FittedThreshold {
    FittedThreshold {
        value,
        target,
        far,
        frr: 1.0 - tar,
        accuracy: 0.5,
        pairs: 100,
    }
}

fn called(class: usize, called: usize, images: u64) -> CalledAs {
    CalledAs {
        class,
        called,
        images,
    }
}

/// Every section, every text hostile, every number odd where it may be.
fn full() -> RunReport {
    let pair = |like, called_same| ExamplePair {
        left: thumbnail(),
        right: Thumbnail::default(),
        left_label: text(),
        right_label: "b".into(),
        left_file: text(),
        right_file: text(),
        like,
        called_same,
        distance: f64::NAN,
        probability: Some(0.25),
    };
    let neighbour = |right| Neighbour {
        image: thumbnail(),
        label: text(),
        file: text(),
        distance: 0.5,
        right,
    };
    RunReport {
        name: text(),
        judged_on: text(),
        data: text(),
        verdict: text(),
        banners: vec![
            Banner::bundled_sample(),
            Banner::collapse(1, HOSTILE),
            Banner::interrupted(2, HOSTILE),
        ],
        figures: vec![SetFigures::new(vec![
            Figure::new(HOSTILE, f64::NAN),
            Figure::new("eer", 0.1).with_interval(0.2, 0.0),
        ])],
        figures_note: text(),
        epochs: vec![EpochRow {
            epoch: 1,
            train_loss: f64::INFINITY,
            eer: Some(0.5),
            ..Default::default()
        }],
        losses_comparable: true,
        best_epoch: Some(7),
        distances: Some(PairDistances {
            distance: text(),
            like: vec![0.1, 0.2, f32::NAN],
            unlike: vec![],
        }),
        roc: vec![
            RocPoint {
                threshold: f32::NEG_INFINITY,
                far: 0.0,
                tar: 0.0,
            },
            RocPoint {
                threshold: 0.3,
                far: 0.1,
                tar: 0.8,
            },
            RocPoint {
                threshold: f32::NAN,
                far: 1.0,
                tar: f64::NAN,
            },
        ],
        operating_point: Some(RocPoint {
            threshold: 0.3,
            far: f64::NAN,
            tar: 0.8,
        }),
        threshold_of: text(),
        choices: vec![fitted(Target::Far(0.1), f32::NAN, 0.1, 0.2)],
        calibration: vec![CalibrationBin {
            predicted: 0.5,
            observed: 0.4,
            count: 0,
        }],
        examples: vec![
            pair(true, true),
            pair(true, false),
            pair(false, true),
            pair(false, false),
        ],
        neighbours: vec![Neighbours {
            probe: thumbnail(),
            label: text(),
            file: text(),
            nearest: vec![neighbour(true), neighbour(false)],
        }],
        confusion: Some(ConfusionMap {
            classes: vec![text(), "b".into(), "c".into()],
            groups: vec![text()],
            counts: vec![
                called(0, 0, 1),
                called(0, 1, 2),
                called(2, 2, 3),
                called(2, 3, 4),
            ],
            method: text(),
        }),
        embedding_maps: vec![EmbeddingMap {
            method: text(),
            of: 7,
            points: vec![[0.0, 0.0], [f64::NAN, 1.0], [1.0, 2.0]],
            classes: vec![0, 9],
            class_names: vec![text()],
            thumbnails: vec![thumbnail()],
        }],
        config: serde_json::json!({ HOSTILE: HOSTILE, "model": { "channels": [1, 2], HOSTILE: null } }),
        environment: vec![(text(), text())],
        timing: vec![(text(), text())],
        reproduce: vec![text()],
    }
}

const SECTIONS: [&str; 10] = [
    "result",
    "figures",
    "curves",
    "pairs",
    "examples",
    "neighbours",
    "confusion",
    "map",
    "reproduce",
    "settings",
];

fn has_section(html: &str, id: &str) -> bool {
    html.contains(&format!("<section id=\"{id}\">"))
}

/// Fails unless every element that is opened is closed, in order.
fn assert_nested(html: &str) {
    const VOID: [&str; 6] = ["!doctype", "meta", "img", "br", "wbr", "hr"];
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    let mut open = Vec::new();
    for part in format!("{head}{body}").split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag ends");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/', '\n'])
            .next()
            .unwrap()
            .to_string();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "at </{tag}>");
        } else if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn every_section_appears_with_its_data() {
    let html = full().to_html();
    for id in SECTIONS {
        assert!(has_section(&html, id), "{id}");
    }
    assert_nested(&html);
}

#[test]
fn a_report_of_nothing_is_a_page_without_sections() {
    let html = RunReport::default().to_html();
    assert!(SECTIONS.iter().all(|id| !has_section(&html, id)));
    assert_nested(&html);
}

#[test]
fn a_section_stays_out_without_its_data() {
    type Removal = (&'static str, fn(&mut RunReport));
    let without: [Removal; 9] = [
        ("figures", |r| r.figures.clear()),
        ("curves", |r| r.epochs.clear()),
        ("pairs", |r| {
            (r.roc, r.calibration) = Default::default();
            (r.operating_point, r.choices) = Default::default()
        }),
        ("examples", |r| r.examples.clear()),
        ("neighbours", |r| r.neighbours.clear()),
        ("confusion", |r| r.confusion = None),
        ("map", |r| r.embedding_maps.clear()),
        ("reproduce", |r| r.reproduce.clear()),
        ("settings", |r| {
            (r.environment, r.timing, r.config) = Default::default()
        }),
    ];
    for (missing, remove) in without {
        let mut report = full();
        remove(&mut report);
        let html = report.to_html();
        for id in SECTIONS {
            assert_eq!(
                has_section(&html, id),
                id != missing,
                "{id} without {missing}"
            );
        }
    }
}

#[test]
fn text_never_becomes_markup() {
    let html = full().to_html();
    assert!(!html.contains("<script"));
    assert!(!html.contains("\" onload"));
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let html = full().to_html();
    for attribute in ["src=\"", "href=\""] {
        for address in html.split(attribute).skip(1) {
            assert!(address.starts_with("data:image/png;base64,") || address.starts_with('#'));
        }
    }
    assert!(!html.contains("url(") && !html.contains("@import") && !html.contains("://"));
}

#[test]
fn odd_numbers_stay_out_of_the_drawings() {
    let html = full().to_html();
    for svg in html.split("<svg").skip(1) {
        let svg = svg.split("</svg>").next().unwrap();
        assert!(
            !svg.contains("NaN") && !svg.contains("\"inf") && !svg.contains("-inf"),
            "{svg}"
        );
    }
}

#[test]
fn warnings_stand_before_the_verdict() {
    let html = full().to_html();
    let verdict = html.find("class=\"verdict\"").unwrap();
    for words in [
        "Trained on the bundled sample",
        "Collapse: seen in epoch 1",
        "Interrupted in epoch 2",
    ] {
        assert!(html.find(words).unwrap() < verdict, "{words}");
    }
}

#[test]
fn the_verdict_says_chance_when_it_is_chance() {
    let verdict = |auc: f64| {
        let report = RunReport {
            figures: vec![SetFigures::new(vec![Figure::new("roc_auc", auc)])],
            ..Default::default()
        };
        report.to_html()
    };
    assert!(verdict(0.502).contains("this is chance"));
    assert!(!verdict(0.93).contains("this is chance"));
    assert!(!verdict(f64::NAN).contains("class=\"verdict\""));
}

#[test]
fn sets_stand_side_by_side() {
    let figures = vec![
        SetFigures::on("seen classes", vec![Figure::new("roc_auc", 0.95)]),
        SetFigures::on("unseen classes", vec![Figure::new("roc_auc", 0.85)]),
    ];
    let html = RunReport {
        figures,
        ..Default::default()
    }
    .to_html();
    assert!(
        html.contains("<th scope=\"col\">seen classes</th><th scope=\"col\">unseen classes</th>")
    );
    assert_eq!(html.matches("<th scope=\"row\"").count(), 1);
}

#[test]
fn the_threshold_table_says_what_it_was_given_and_reads_nothing_off_the_drawn_curve() {
    let html = RunReport {
        figures: vec![SetFigures::new(vec![Figure::new("eer", 0.1725)])],
        roc: vec![
            RocPoint {
                threshold: 0.25,
                far: 0.9,
                tar: 0.99,
            };
            2
        ],
        operating_point: Some(RocPoint {
            threshold: 0.25,
            far: 0.0625,
            tar: 0.5,
        }),
        choices: vec![
            fitted(Target::Eer, 0.4, 0.17, 0.83),
            fitted(Target::Far(0.1), 0.31, 0.0961, 0.557),
            fitted(Target::Far(0.001), 0.1, 0.001, 0.316),
        ],
        ..Default::default()
    }
    .to_html();
    for (aim, threshold, far, tar) in [
        ("this model’s", "0.250", "6.2%", "50.0%"),
        ("equal errors (EER 17.25%)", "0.400", "17.0%", "83.0%"),
        ("FAR ≤ 10%", "0.310", "9.6%", "55.7%"),
        ("FAR ≤ 0.1%", "0.100", "0.10%", "31.6%"),
    ] {
        let [threshold, far, tar] =
            [threshold, far, tar].map(|cell| format!("<td class=\"n\">{cell}</td>"));
        let row = format!("<tr><th scope=\"row\">{aim}</th>{threshold}{far}{tar}</tr>");
        assert!(html.contains(&row), "{row}");
    }
    // the table, and both curves that mark it: the ROC stands first where there are no distances
    assert_eq!(html.matches("EER 17.25%").count(), 3);
}

#[test]
fn losses_share_an_axis_only_where_they_are_the_same_thing() {
    let titles = |validation_loss, losses_comparable| {
        let epochs = (1..=2).map(|epoch| EpochRow {
            epoch,
            train_loss: 0.5,
            validation_loss,
            ..Default::default()
        });
        let html = RunReport {
            epochs: epochs.collect(),
            losses_comparable,
            ..Default::default()
        }
        .to_html();
        ["Loss", "Training loss", "Validation loss"]
            .map(|title| html.contains(&format!("<b>{title}</b>")))
    };
    assert_eq!(titles(Some(0.4), true), [true, false, false]);
    assert_eq!(titles(Some(0.4), false), [false, true, true]);
    assert_eq!(titles(None, true), [false, true, false]);
    assert_eq!(titles(None, false), [false, true, false]);
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_a_written_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    full().write(&path).unwrap();
    RunReport::default().write(&path).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        RunReport::default().to_html()
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = full()
        .write(folder.path().join("missing/report.html"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn a_report_survives_serialisation() {
    let mut report = full();
    // JSON has no NaN: such numbers do not come back.
    report.examples.clear();
    report.figures[0].figures.remove(0);
    (report.operating_point, report.choices) = Default::default();
    report.roc.truncate(1);
    report.roc[0].threshold = 0.0;
    report.epochs[0].train_loss = 0.5;
    report.distances = None;
    report.embedding_maps.clear();
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<RunReport>(&json).unwrap(), report);
}
