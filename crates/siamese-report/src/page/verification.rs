//! Pairs told apart: distances, ROC, DET, calibration.

use super::shell::{Section, figure};
use crate::chart::{Axis, Canvas, Mark, Sample, Scale, Series, Tone, histogram, line};
use crate::data::{CalibrationBin, PairDistances, RocPoint};
use crate::run::RunReport;
use crate::text::{count, plain, significant};

pub(super) fn pairs(report: &RunReport) -> Option<Section> {
    let distances = report.distances.as_ref().map(distances);
    let roc = (!report.roc.is_empty()).then(|| roc(report));
    let det = (!report.roc.is_empty()).then(|| det(&report.roc));
    let calibration = (!report.calibration.is_empty()).then(|| calibration(&report.calibration));
    let figures: String = [distances, roc, det, calibration]
        .into_iter()
        .flatten()
        .collect();
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
        body,
    })
}

/// An axis of shares from 0 to 1, written in per cent.
pub(crate) fn percent_axis(label: &str) -> Axis {
    Axis::new(label).range(0.0, 1.0).percent()
}

/// The point of a ROC curve where false accepts and false rejects are closest.
fn equal_error(roc: &[RocPoint]) -> Option<&RocPoint> {
    let gap = |point: &&RocPoint| (point.far - (1.0 - point.tar)).abs();
    roc.iter()
        .filter(|point| gap(point).is_finite())
        .min_by(|a, b| gap(a).total_cmp(&gap(b)))
}

fn distances(pairs: &PairDistances) -> String {
    let label = match pairs.distance.as_str() {
        "" => "distance".to_string(),
        name => format!("{name} distance"),
    };
    let canvas = Canvas::new(
        "Distances of like and unlike pairs",
        Axis::new(&label),
        Axis::new("share of pairs").percent(),
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
    let threshold = pairs
        .threshold
        .map(|value| (value, format!("threshold {}", significant(value, 3))));
    let mark = threshold
        .as_ref()
        .map(|(value, label)| (*value, label.as_str()));
    let note = format!(
        "{} like and {} unlike pairs",
        count(pairs.like.len() as u64),
        count(pairs.unlike.len() as u64)
    );
    figure("", "Distances", &note, &histogram(&canvas, &samples, mark))
}

fn roc(report: &RunReport) -> String {
    let canvas = Canvas::new(
        "ROC curve",
        percent_axis("unlike pairs called the same (FAR)"),
        percent_axis("like pairs called the same (TAR)"),
    )
    .sized(360.0, 300.0);
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
    let note = auc.map_or_else(String::new, |auc| {
        format!("area {}; dashed: chance", plain(auc.value, 3))
    });
    figure(
        "",
        "ROC",
        &note,
        &line(&canvas, &series, &equal_error_mark(&report.roc, |p| p.tar)),
    )
}

fn det(roc: &[RocPoint]) -> String {
    let axis = |label: &str| Axis::new(label).scaled(Scale::Probit).range(0.0005, 0.6);
    let canvas = Canvas::new(
        "Detection error trade-off",
        axis("unlike pairs called the same (FAR)"),
        axis("like pairs called different (FRR)"),
    )
    .sized(360.0, 300.0);
    let points: Vec<_> = roc
        .iter()
        .map(|point| (point.far, 1.0 - point.tar))
        .filter(|(far, frr)| !(*far < 0.0005 && *frr > 0.6 || *frr < 0.0005 && *far > 0.6))
        .collect();
    let series = [Series::new("", Tone::LIKE, points)];
    let svg = line(&canvas, &series, &equal_error_mark(roc, |p| 1.0 - p.tar));
    figure(
        "",
        "DET",
        "both errors by their normal deviate; lower left is better",
        &svg,
    )
}

fn equal_error_mark(roc: &[RocPoint], y: fn(&RocPoint) -> f64) -> Vec<Mark> {
    let mark = |point: &RocPoint| {
        let rate = (point.far + 1.0 - point.tar) / 2.0;
        Mark::Point {
            x: point.far,
            y: y(point),
            label: format!("EER {}%", plain(rate * 100.0, 1)),
        }
    };
    equal_error(roc).map(mark).into_iter().collect()
}

fn calibration(bins: &[CalibrationBin]) -> String {
    let canvas = Canvas::new(
        "Calibration",
        percent_axis("predicted probability of “same”"),
        percent_axis("pairs that are alike"),
    )
    .sized(360.0, 300.0);
    let points = bins
        .iter()
        .filter(|b| b.count > 0)
        .map(|b| (b.predicted, b.observed))
        .collect();
    let series = [
        Series::new("", Tone::Muted, vec![(0.0, 0.0), (1.0, 1.0)]).dashed(),
        Series::new("", Tone::LIKE, points).dotted(),
    ];
    let total: usize = bins.iter().map(|bin| bin.count).sum();
    let error: f64 = bins
        .iter()
        .filter(|bin| bin.count > 0)
        .map(|bin| (bin.predicted - bin.observed).abs() * bin.count as f64 / total as f64)
        .sum();
    let note = format!("mean error {}%; dashed: perfect", plain(error * 100.0, 1));
    figure("", "Calibration", &note, &line(&canvas, &series, &[]))
}
