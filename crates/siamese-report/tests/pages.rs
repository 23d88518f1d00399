//! What a reader meets first, and what any number of classes looks like.

// Helpers of tests are tests: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use siamese_metrics::Figure;
use siamese_metrics::verification::RocPoint;
use siamese_report::{
    CalibrationBin, CalledAs, ConfusionMap, ExamplePair, PairDistances, RunReport, SetFigures,
    Thumbnail,
};

fn figures(names: &[&str]) -> Vec<SetFigures> {
    let figures = names.iter().enumerate();
    let figure = |(i, name): (usize, &&str)| {
        let value = 0.5 + 0.01 * i as f64;
        Figure::new(*name, value).with_interval(value - 0.1, value + 0.1)
    };
    vec![SetFigures::new(figures.map(figure).collect())]
}

fn page(report: RunReport) -> String {
    report.to_html()
}

/// The body before anything folded.
fn opening(html: &str) -> &str {
    let body = html.split_once("<body>").unwrap().1;
    body.split_once("<details").map_or(body, |(first, _)| first)
}

fn confused(classes: usize, name: impl Fn(usize) -> String) -> RunReport {
    let called = |class: usize| {
        let pair = |called: usize, images: u64| CalledAs {
            class,
            called: called % classes,
            images,
        };
        [pair(class, 7 + class as u64 % 100), pair(class + 1, 2)]
    };
    RunReport {
        confusion: Some(ConfusionMap {
            classes: (0..classes).map(name).collect(),
            counts: (0..classes).flat_map(called).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn a_page_begins_with_three_figures_and_one_chart_and_folds_the_rest() {
    let html = page(RunReport {
        figures: figures(&["f1", "eer", "accuracy", "recall_at_1", "frr", "roc_auc"]),
        distances: Some(PairDistances {
            like: vec![0.1, 0.2],
            unlike: vec![0.3, 0.4],
            ..Default::default()
        }),
        roc: vec![RocPoint {
            threshold: 0.2,
            far: 0.5,
            tar: 0.5,
        }],
        ..confused(3, |class| format!("class {class}"))
    });
    let first = opening(&html);
    assert_eq!(first.matches("class=\"key-figure\"").count(), 3);
    assert_eq!(first.matches("<svg class=\"chart\"").count(), 1);
    assert_eq!(
        first.matches("<table").count(),
        0,
        "a table before the first chart"
    );
    let label = |name: &str| first.find(&format!("<h3>{name}</h3>")).unwrap();
    assert!(label("ROC AUC") < label("Equal error rate"));
    assert!(label("Equal error rate") < label("Recall@1"));
    assert!(
        first.contains("95% interval 0.4500 – 0.6500"),
        "the AUC's interval"
    );
    let sections = html.matches("<section id=").count();
    assert_eq!(
        html.matches("<details class=\"fold\">").count(),
        sections - 1
    );
}

#[test]
fn the_title_names_the_model_and_the_data() {
    let html = page(RunReport {
        name: "birds-7".into(),
        judged_on: "CUB-200".into(),
        ..Default::default()
    });
    assert!(html.contains("<title>birds-7 judged on CUB-200</title>"));
    assert!(html.contains("<h1>birds-<wbr>7 judged on CUB-<wbr>200</h1>"));
}

#[test]
fn two_names_of_one_figure_are_one_row() {
    let html = page(RunReport {
        figures: figures(&[
            "precision",
            "precision_called_same",
            "recall_at_1",
            "precision_at_1",
        ]),
        ..Default::default()
    });
    assert_eq!(html.matches("<th scope=\"row\"").count(), 2);
    assert!(!html.contains("Precision@1"));
}

#[test]
fn like_and_unlike_the_wrong_way_round_are_no_chance() {
    let of = |value: f64, (low, high)| {
        let figure = Figure::new("roc_auc", value).with_interval(low, high);
        let figures = vec![SetFigures::new(vec![figure])];
        page(RunReport {
            figures,
            ..Default::default()
        })
    };
    let swapped = of(0.354, (0.34, 0.37));
    assert!(swapped.contains("like and unlike seem to be swapped"));
    assert!(!swapped.contains("this is chance"));
    assert!(of(0.49, (0.45, 0.53)).contains("this is chance"));
}

#[test]
fn three_classes_show_their_numbers() {
    let html = page(confused(3, |class| format!("class {class}")));
    for number in ["7", "8", "9"] {
        let cell = "class=\"cell strong\" text-anchor=\"middle\"";
        let cells: Vec<&str> = html.split(cell).skip(1).collect();
        let shown = |cell: &&str| {
            cell.split('<')
                .next()
                .unwrap()
                .ends_with(&format!(">{number}"))
        };
        assert_eq!(
            cells.iter().filter(|cell| shown(cell)).count(),
            1,
            "{number}"
        );
    }
}

#[test]
fn fifty_classes_are_all_named_whole_on_both_sides() {
    let name = |class: usize| format!("{class:02} great spotted woodpecker");
    let html = page(confused(50, name));
    for class in 0..50 {
        let label = format!(">{}</text>", name(class));
        assert_eq!(html.matches(&label).count(), 2, "{label}");
    }
    assert!(!html.contains('…'));
}

#[test]
fn thousands_of_classes_cost_no_more_than_what_is_drawn_of_them() {
    let few = page(confused(61, |class| format!("class {class}")));
    let many = page(confused(5_749, |class| format!("class {class}")));
    assert!(
        many.len() < few.len() + 2_000,
        "{} and {}",
        few.len(),
        many.len()
    );
    assert!(many.contains("the 40 classes most often confused, of 5\u{202f}749"));
    assert!(many.matches("h1v1h-1z").count() <= 40 * 40);
    assert_eq!(many.matches("<td class=\"name\">").count(), 2 * 12);
}

#[test]
fn many_classes_of_few_superclasses_are_drawn_by_these() {
    let mut report = confused(964, |class| format!("character {class}"));
    let groups = (0..964).map(|class| format!("alphabet {:02}", class % 30));
    report.confusion.as_mut().unwrap().groups = groups.collect();
    let html = page(report);
    assert!(html.contains("30 superclasses of 964 classes"));
    assert_eq!(html.matches(">alphabet 07</text>").count(), 2);
}

#[test]
fn long_class_names_break_where_they_have_a_separator() {
    let html = page(confused(3, |class| format!("n0210_Great_Dane-{class}")));
    assert!(html.contains("<td class=\"name\">n0210_<wbr>Great_<wbr>Dane-<wbr>0</td>"));
}

#[test]
fn pictures_stand_beside_the_names_of_their_files() {
    let pair = ExamplePair {
        left: Thumbnail::new(3, 2, 1, vec![0; 6]).unwrap(),
        left_label: "cat".into(),
        right_label: "dog".into(),
        left_file: "cat/tom_01.jpg".into(),
        right_file: "more/rex.jpg".into(),
        ..Default::default()
    };
    let html = page(RunReport {
        examples: vec![pair],
        ..Default::default()
    });
    assert!(html.contains("title=\"cat/tom_01.jpg\">tom_<wbr>01.jpg</span>"));
    assert!(html.contains("title=\"more/rex.jpg\">more/<wbr>rex.jpg</span>"));
}

#[test]
fn a_threshold_of_folds_is_not_called_the_models() {
    let html = page(RunReport {
        operating_point: Some(RocPoint {
            threshold: 0.25,
            far: 0.1,
            tar: 0.9,
        }),
        threshold_of: "mean of the 10 folds’ thresholds".into(),
        ..Default::default()
    });
    assert!(html.contains("<th scope=\"row\">mean of the 10 folds’ thresholds</th>"));
    assert!(!html.contains("this model’s"));
}

#[test]
fn the_calibration_error_is_the_figure_and_none_of_the_plots_own() {
    let calibrated = |figures| {
        page(RunReport {
            figures,
            calibration: vec![CalibrationBin {
                predicted: 0.5,
                observed: 0.4,
                count: 10,
            }],
            ..Default::default()
        })
    };
    let ece = vec![SetFigures::new(vec![Figure::new("ece", 0.0312)])];
    assert!(calibrated(ece).contains("mean error 3.12%"));
    assert!(!calibrated(Vec::new()).contains("mean error"));
}

/// The policy lets a browser take the one style whose sum it holds: an attribute, a script or another style it refuses.
#[test]
fn every_page_forbids_all_but_its_own_style_and_pictures() {
    let pages = [
        page(confused(40, |class| {
            format!("<style>*{{}}</style> hue-{class}")
        })),
        siamese_report::CompareReport::default().to_html(),
        siamese_report::DataReport::default().to_html(),
    ];
    for html in pages {
        let policy = html
            .split_once("Content-Security-Policy\" content=\"")
            .unwrap()
            .1;
        let policy = policy.split_once('"').unwrap().0;
        assert!(policy.starts_with("default-src 'none'; img-src data:; style-src 'sha256-"));
        let style = html
            .split_once("<style>")
            .unwrap()
            .1
            .split_once("</style>")
            .unwrap()
            .0;
        let sum = {
            use base64::Engine as _;
            use sha2::Digest as _;
            base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style))
        };
        assert!(policy.contains(&format!("'sha256-{sum}'")), "{policy}");
        assert_eq!(html.matches("<style").count(), 1);
        for forbidden in [" style=\"", "<script", " onclick", "unsafe-inline"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
    }
}
