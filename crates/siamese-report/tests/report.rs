//! A run's report holds what it was given, and nothing that it was not.

// Helpers of tests are tests: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use siamese_report::{
    Banner, CalibrationBin, ConfusionMap, EmbeddingMap, EpochRow, ExamplePair, Figure, Neighbour,
    Neighbours, PairDistances, RocPoint, RunReport, Thumbnail,
};

/// Markup in every text: none of it may arrive as markup.
const HOSTILE: &str = "<script>alert('x')</script>\" onload=\"&amp;";

fn text() -> String {
    HOSTILE.into()
}

fn thumbnail() -> Thumbnail {
    Thumbnail::new(3, 2, 3, (0..18).collect()).unwrap()
}

/// Every section, every text hostile, every number odd where it may be.
fn full() -> RunReport {
    let pair = |like, called_same| ExamplePair {
        left: thumbnail(),
        right: Thumbnail::default(),
        left_label: text(),
        right_label: "b".into(),
        like,
        called_same,
        distance: f64::NAN,
        probability: Some(0.25),
    };
    let neighbour = |right| Neighbour {
        image: thumbnail(),
        label: text(),
        distance: 0.5,
        right,
    };
    RunReport {
        name: text(),
        data: text(),
        verdict: text(),
        banners: vec![
            Banner::bundled_sample(),
            Banner::collapse(1, HOSTILE),
            Banner::interrupted(2, HOSTILE),
        ],
        figures: vec![
            Figure::new(HOSTILE, f64::NAN),
            Figure::new("eer", 0.1).with_interval(0.2, 0.0),
        ],
        figures_note: text(),
        epochs: vec![EpochRow {
            epoch: 1,
            train_loss: f64::INFINITY,
            eer: Some(0.5),
            ..Default::default()
        }],
        best_epoch: Some(7),
        distances: Some(PairDistances {
            distance: text(),
            like: vec![0.1, 0.2, f32::NAN],
            unlike: vec![],
            threshold: Some(0.3),
        }),
        roc: vec![
            RocPoint {
                threshold: f64::NEG_INFINITY,
                far: 0.0,
                tar: 0.0,
            },
            RocPoint {
                threshold: 0.3,
                far: 0.1,
                tar: 0.8,
            },
            RocPoint {
                threshold: f64::NAN,
                far: 1.0,
                tar: f64::NAN,
            },
        ],
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
            nearest: vec![neighbour(true), neighbour(false)],
        }],
        confusion: Some(ConfusionMap {
            classes: vec![text(), "b".into(), "c".into()],
            groups: vec![text()],
            counts: vec![vec![1, 2], vec![], vec![0, 0, 3, 4]],
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

const SECTIONS: [&str; 9] = [
    "result",
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
        assert!(html.contains(&format!("href=\"#{id}\"")), "{id}");
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
        ("result", |r| r.figures.clear()),
        ("curves", |r| r.epochs.clear()),
        ("pairs", |r| {
            (r.distances, r.roc, r.calibration) = Default::default()
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
            figures: vec![Figure::new("roc_auc", auc)],
            ..Default::default()
        };
        report.to_html()
    };
    assert!(verdict(0.502).contains("this is chance"));
    assert!(!verdict(0.93).contains("chance"));
    assert!(!verdict(f64::NAN).contains("class=\"verdict\""));
}

#[test]
fn splits_stand_side_by_side() {
    let figures = vec![
        Figure::new("roc_auc", 0.95).on("seen classes"),
        Figure::new("roc_auc", 0.85).on("unseen classes"),
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
fn the_threshold_table_names_errors_at_the_models_threshold() {
    let roc = (0..=100u32)
        .map(|step| RocPoint {
            threshold: f64::from(step) / 100.0,
            far: f64::from(step * step) / 10_000.0,
            tar: (f64::from(step) / 100.0).sqrt(),
        })
        .collect();
    let distances = PairDistances {
        threshold: Some(0.25),
        ..Default::default()
    };
    let html = RunReport {
        roc,
        distances: Some(distances),
        ..Default::default()
    }
    .to_html();
    let row = |aim: &str| {
        let row = html
            .split(&format!("<th scope=\"row\">{aim}</th>"))
            .nth(1)
            .unwrap();
        row.split("</tr>").next().unwrap().to_string()
    };
    let cells = |a, b, c| {
        format!("<td class=\"n\">{a}</td><td class=\"n\">{b}</td><td class=\"n\">{c}</td>")
    };
    assert_eq!(row("this model’s"), cells("0.250", "6.2%", "50.0%"));
    assert_eq!(row("FAR ≤ 10%"), cells("0.310", "9.6%", "55.7%"));
    assert_eq!(row("FAR ≤ 1%"), cells("0.100", "1.0%", "31.6%"));
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
    report.figures.remove(0);
    report.roc.truncate(1);
    report.roc[0].threshold = 0.0;
    report.epochs[0].train_loss = 0.5;
    report.distances = None;
    report.embedding_maps.clear();
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<RunReport>(&json).unwrap(), report);
}
