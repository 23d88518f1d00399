//! Winners, differences, and text that stays text.

use super::*;

fn run(name: &str, auc: f64, margin: f64) -> ComparedRun {
    ComparedRun {
        name: name.into(),
        figures: vec![Figure::new("roc_auc", auc), Figure::new("eer", 1.0 - auc)],
        epochs: vec![EpochRow {
            epoch: 1,
            train_loss: auc,
            ..Default::default()
        }],
        config: serde_json::json!({ "seed": 7, "loss": { "margin": margin } }),
        ..Default::default()
    }
}

#[test]
fn the_best_of_a_row_goes_by_its_direction() {
    let runs = vec![run("a", 0.8, 1.0), run("b", 0.9, 1.0)];
    let html = CompareReport {
        runs,
        ..Default::default()
    }
    .to_html();
    // in the table that the page begins with, and in that of all figures
    for best in ["0.9000", "0.1000"] {
        let cell = format!("<td class=\"best\">{best}");
        assert_eq!(html.matches(&cell).count(), 2, "{best}");
    }
    assert_eq!(html.matches("class=\"best\"").count(), 4);
}

#[test]
fn figures_of_different_data_have_no_winner() {
    let judged = |data: [&str; 2]| {
        let runs = data.map(|data| ComparedRun {
            judged_on: "birds".into(),
            data: data.into(),
            ..run(data, 0.01 * data.len() as f64, 1.0)
        });
        CompareReport {
            runs: runs.to_vec(),
            ..Default::default()
        }
        .to_html()
    };
    let same = judged(["all 8 classes"; 2]);
    assert!(same.contains("<title>2 runs judged on birds</title>"));
    assert!(same.contains("class=\"best\"") && !same.contains("class=\"banner"));
    let other = judged(["1000 images", "10000 images"]);
    assert!(
        !other.contains("class=\"best\""),
        "a winner of different sets"
    );
    assert!(other.contains("Not judged on the same images"));
    assert!(other.contains("<th scope=\"row\">judged on</th><td>birds, 1000 images</td>"));
}

#[test]
fn only_settings_that_differ_are_listed() {
    let runs = vec![run("a", 0.8, 1.0), run("b", 0.9, 2.0)];
    let html = CompareReport {
        runs,
        ..Default::default()
    }
    .to_html();
    assert!(html.contains("loss.margin"));
    assert!(!html.contains(">seed<"));
}

#[test]
fn names_are_escaped_and_an_empty_comparison_is_a_page() {
    let runs = vec![run("<script>", 0.8, 1.0)];
    let html = CompareReport {
        runs,
        ..Default::default()
    }
    .to_html();
    assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
    assert!(CompareReport::default().to_html().ends_with("</html>\n"));
}

#[test]
fn runs_judged_on_different_images_of_one_set_have_no_winner_and_say_what_differs() {
    let judged = |name, auc, images: usize| ComparedRun {
        judged: serde_json::json!({ "data": "birds", "images": images }),
        ..run(name, auc, 1.0)
    };
    let runs = vec![judged("a", 0.8, 1000), judged("b", 0.9, 10_000)];
    let report = CompareReport {
        runs,
        ..Default::default()
    };
    assert!(!report.judged_alike());
    let html = report.to_html();
    assert!(!html.contains("class=\"best\""));
    assert!(html.contains("judged: images") && !html.contains("judged: data"));
}
