//! Pairs told apart: distances, errors by threshold, ROC, DET, calibration.

use std::fmt::Write as _;

use super::shell::{Section, figure};
use crate::chart::{Axis, Canvas, Mark, Sample, Scale, Series, Tone, histogram, line};
use crate::data::{CalibrationBin, PairDistances, RocPoint};
use crate::run::RunReport;
use crate::text::{count, plain, significant};

const FAR: &str = "unlike pairs called the same (FAR)";
const FRR: &str = "like pairs called different (FRR)";
const TAR: &str = "like pairs called the same (TAR)";
/// Ends of the DET curve's axes.
const DET_ENDS: (f64, f64) = (0.0005, 0.6);

pub(super) fn pairs(report: &RunReport) -> Option<Section> {
    let threshold = report.distances.as_ref().and_then(|pairs| pairs.threshold);
    let mut figures = String::new();
    if let Some(pairs) = &report.distances {
        figures.push_str(&distances(pairs));
    }
    if !report.roc.is_empty() {
        let name = report
            .distances
            .as_ref()
            .map_or("", |pairs| pairs.distance.as_str());
        figures.push_str(&errors_by_threshold(&report.roc, name, threshold));
        figures.push_str(&choose(&report.roc, threshold));
        figures.push_str(&roc(report));
        figures.push_str(&det(&report.roc));
    }
    if !report.calibration.is_empty() {
        figures.push_str(&calibration(&report.calibration));
    }
    if figures.is_empty() {
        return None;
    }
    let body = format!(
        "<p class=\"lead\">Two images are called the same when the distance of their embeddings is \
         below the threshold.</p>\n<div class=\"sheet\">\n{figures}</div>\n"
    );
    Some(Section {
        id: "pairs",
        title: "Like and unlike pairs",
        short: "Pairs",
        body,
    })
}

/// An axis of shares from 0 to 1, written in per cent.
pub(crate) fn percent_axis(label: &str) -> Axis {
    Axis::new(label).range(0.0, 1.0).percent()
}

fn distance_axis(name: &str) -> Axis {
    match name {
        "" => Axis::new("distance"),
        name => Axis::new(&format!("{name} distance")),
    }
}

fn tall(title: &str, x: Axis, y: Axis) -> Canvas {
    Canvas::new(title, x, y).sized(360.0, 290.0)
}

fn distances(pairs: &PairDistances) -> String {
    let y = Axis::new("share of pairs").percent();
    let canvas = tall(
        "Distances of like and unlike pairs",
        distance_axis(&pairs.distance),
        y,
    );
    let samples = [
        Sample {
            name: "like".into(),
            values: &pairs.like,
            tone: Tone::LIKE,
        },
        Sample {
            name: "unlike".into(),
            values: &pairs.unlike,
            tone: Tone::UNLIKE,
        },
    ];
    let label = pairs.threshold.map(threshold_label);
    let mark = pairs.threshold.zip(label.as_deref());
    let (like, unlike) = (
        count(pairs.like.len() as u64),
        count(pairs.unlike.len() as u64),
    );
    let note = format!("{like} like, {unlike} unlike pairs");
    figure("", "Distances", &note, &histogram(&canvas, &samples, mark))
}

fn threshold_label(threshold: f64) -> String {
    format!("threshold {}", significant(threshold, 3))
}

fn errors_by_threshold(roc: &[RocPoint], distance: &str, threshold: Option<f64>) -> String {
    let finite = || roc.iter().filter(|point| point.threshold.is_finite());
    let series = [
        Series::new(
            "FAR",
            Tone::UNLIKE,
            finite().map(|p| (p.threshold, p.far)).collect(),
        ),
        Series::new(
            "FRR",
            Tone::LIKE,
            finite().map(|p| (p.threshold, 1.0 - p.tar)).collect(),
        ),
    ];
    let mark = |x: f64| Mark::At {
        x,
        label: threshold_label(x),
    };
    let marks: Vec<Mark> = threshold.map(mark).into_iter().collect();
    let canvas = tall(
        "Errors by threshold",
        distance_axis(distance),
        percent_axis("wrong pairs"),
    );
    figure(
        "",
        "Errors by threshold",
        "",
        &line(&canvas, &series, &marks),
    )
}

/// A table to choose a threshold from.
fn choose(roc: &[RocPoint], threshold: Option<f64>) -> String {
    let within = |most: f64| {
        let points = roc
            .iter()
            .filter(|point| point.far <= most && point.threshold.is_finite());
        points.max_by(|a, b| {
            a.tar
                .total_cmp(&b.tar)
                .then(a.threshold.total_cmp(&b.threshold))
        })
    };
    let own = threshold.and_then(|threshold| {
        let below = roc.iter().filter(|point| point.threshold <= threshold);
        below
            .max_by(|a, b| a.threshold.total_cmp(&b.threshold))
            .map(|p| RocPoint { threshold, ..*p })
    });
    let rows = [
        ("this model’s", own),
        ("equal errors", equal_error(roc).copied()),
        ("FAR ≤ 10%", within(0.1).copied()),
        ("FAR ≤ 1%", within(0.01).copied()),
        ("FAR ≤ 0.1%", within(0.001).copied()),
    ];
    let mut html = String::from(
        "<div class=\"choose\"><p class=\"caption\"><b>Choose a threshold</b> <span>by the error that costs more</span></p><table><thead><tr><th scope=\"col\">aim</th>\
         <th scope=\"col\" class=\"n\">threshold</th><th scope=\"col\" class=\"n\">FAR</th>\
         <th scope=\"col\" class=\"n\">TAR</th></tr></thead><tbody>\n",
    );
    for (aim, point) in rows {
        let Some(point) = point.filter(|point| point.threshold.is_finite()) else {
            continue;
        };
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{aim}</th><td class=\"n\">{}</td><td class=\"n\">{}%</td><td class=\"n\">{}%</td></tr>",
            plain(point.threshold, 3),
            significant(point.far * 100.0, 2),
            plain(point.tar * 100.0, 1)
        );
    }
    html.push_str(
        "</tbody></table><p class=\"lead\"><small>All but the first are read off these very pairs: \
         fit your own on pairs that you do not report.</small></p></div>\n",
    );
    html
}

/// The point of a ROC curve where false accepts and false rejects are closest.
fn equal_error(roc: &[RocPoint]) -> Option<&RocPoint> {
    let gap = |point: &RocPoint| (point.far - (1.0 - point.tar)).abs();
    let finite = roc.iter().filter(|point| gap(point).is_finite());
    finite.min_by(|a, b| gap(a).total_cmp(&gap(b)))
}

/// Marks the equal error rate on a curve; `below` says on which side there is room.
fn equal_error_mark(roc: &[RocPoint], y: fn(&RocPoint) -> f64, below: bool) -> Vec<Mark> {
    let mark = |point: &RocPoint| {
        let rate = (point.far + 1.0 - point.tar) / 2.0;
        Mark::Point {
            x: point.far,
            y: y(point),
            label: format!("EER {}%", plain(rate * 100.0, 1)),
            below,
        }
    };
    equal_error(roc).map(mark).into_iter().collect()
}

fn roc(report: &RunReport) -> String {
    let points = report
        .roc
        .iter()
        .map(|point| (point.far, point.tar))
        .collect();
    let series = [
        Series::new("", Tone::Muted, vec![(0.0, 0.0), (1.0, 1.0)]).dashed(),
        Series::new("", Tone::LIKE, points),
    ];
    let auc = report
        .figures
        .iter()
        .find(|figure| figure.name == "roc_auc");
    let area = auc.map_or_else(String::new, |auc| format!("area {}; ", plain(auc.value, 3)));
    let canvas = tall("ROC curve", percent_axis(FAR), percent_axis(TAR));
    let svg = line(
        &canvas,
        &series,
        &equal_error_mark(&report.roc, |point| point.tar, true),
    );
    figure("", "ROC", &format!("{area}dashed: chance"), &svg)
}

fn det(roc: &[RocPoint]) -> String {
    let (low, high) = DET_ENDS;
    let axis = |label: &str| Axis::new(label).scaled(Scale::Probit).range(low, high);
    let inside = |share: f64| (low..=high).contains(&share);
    let points = roc.iter().map(|point| (point.far, 1.0 - point.tar));
    let points = points
        .filter(|(far, frr)| inside(*far) && inside(*frr))
        .collect();
    let canvas = tall("Detection error trade-off", axis(FAR), axis(FRR));
    let series = [Series::new("", Tone::LIKE, points)];
    let svg = line(
        &canvas,
        &series,
        &equal_error_mark(roc, |point| 1.0 - point.tar, false),
    );
    figure("", "DET", "normal-deviate axes; lower left is better", &svg)
}

fn calibration(bins: &[CalibrationBin]) -> String {
    let filled = || bins.iter().filter(|bin| bin.count > 0);
    let series = [
        Series::new("", Tone::Muted, vec![(0.0, 0.0), (1.0, 1.0)]).dashed(),
        Series::new(
            "",
            Tone::LIKE,
            filled().map(|bin| (bin.predicted, bin.observed)).collect(),
        )
        .dotted(),
    ];
    let total: usize = filled().map(|bin| bin.count).sum();
    let error = filled().map(|bin| (bin.predicted - bin.observed).abs() * bin.count as f64);
    let error = error.sum::<f64>() / total.max(1) as f64;
    let note = format!("mean error {}%; dashed: perfect", plain(error * 100.0, 1));
    let canvas = tall(
        "Calibration",
        percent_axis("predicted probability of “same”"),
        percent_axis("pairs that are alike"),
    );
    figure("", "Calibration", &note, &line(&canvas, &series, &[]))
}
