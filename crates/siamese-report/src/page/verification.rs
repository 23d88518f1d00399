//! Pairs told apart: distances, errors by threshold, ROC, DET, calibration.

use siamese_metrics::Figure;
use siamese_metrics::verification::Target;

use super::figures::first_set;
use super::shell::{Section, Stand, figure};
use crate::chart::{Axis, Canvas, Mark, Sample, Scale, Series, Tone, histogram, line};
use crate::data::{PairDistances, RunReport};
use crate::text::{breakable, count, plain, significant};

const FAR: &str = "unlike pairs called the same (FAR)";
const FRR: &str = "like pairs called different (FRR)";
const TAR: &str = "like pairs called the same (TAR)";
/// Ends of the DET curve's axes.
const DET_ENDS: (f64, f64) = (0.0005, 0.6);
/// Where a chart stands.
#[derive(Clone, Copy)]
struct Spot {
    class: &'static str,
    width: f64,
    height: f64,
}

const FIRST: Spot = Spot {
    class: "first",
    width: 440.0,
    height: 300.0,
};
const AMONG_OTHERS: Spot = Spot {
    class: "",
    width: 360.0,
    height: 290.0,
};

/// The one chart of pairs that shows most; none where there are no pairs.
pub(super) fn lead_chart(report: &RunReport) -> Option<String> {
    let pairs = report
        .distances
        .as_ref()
        .map(|pairs| distances(pairs, report));
    pairs.or_else(|| (!report.roc.is_empty()).then(|| roc(report, FIRST)))
}

/// What the page does not begin with.
pub(super) fn pairs(report: &RunReport) -> Option<Section> {
    let mut figures = String::new();
    if report.operating_point.is_some() || !report.choices.is_empty() {
        figures.push_str(&choose(report));
    }
    if !report.roc.is_empty() {
        figures.push_str(&errors_by_threshold(report));
        if report.distances.is_some() {
            figures.push_str(&roc(report, AMONG_OTHERS));
        }
        figures.push_str(&det(report));
    }
    if !report.calibration.is_empty() {
        figures.push_str(&calibration(report));
    }
    if figures.is_empty() {
        return None;
    }
    let teaser = report.operating_point.map_or_else(String::new, |point| {
        let threshold = threshold_label(f64::from(point.threshold));
        format!("{threshold}; others to choose from, ROC, DET, calibration")
    });
    Some(Section {
        id: "pairs".into(),
        title: "Thresholds and errors".into(),
        teaser,
        stand: Stand::Folded,
        body: format!(
            "<p class=\"lead\">Two images are called the same when the distance of their embeddings is \
             below the threshold.</p>\n<div class=\"sheet\">\n{figures}</div>\n"
        ),
    })
}

fn threshold(report: &RunReport) -> Option<f64> {
    report
        .operating_point
        .map(|point| f64::from(point.threshold))
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
    sized(title, x, y, AMONG_OTHERS)
}

fn sized(title: &str, x: Axis, y: Axis, spot: Spot) -> Canvas {
    Canvas::new(title, x, y).sized(spot.width, spot.height)
}

fn distances(pairs: &PairDistances, report: &RunReport) -> String {
    let threshold = threshold(report);
    let canvas = sized(
        "Distances of like and unlike pairs",
        distance_axis(&pairs.distance),
        Axis::new("share of pairs").percent(),
        FIRST,
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
    let label = threshold.map(threshold_label);
    let mark = threshold.zip(label.as_deref());
    let (like, unlike) = (
        count(pairs.like.len() as u64),
        count(pairs.unlike.len() as u64),
    );
    let note = format!("of {like} like and {unlike} unlike pairs");
    figure(
        FIRST.class,
        "Distances",
        &note,
        &histogram(&canvas, &samples, mark),
    )
}

fn threshold_label(threshold: f64) -> String {
    format!("threshold {}", significant(threshold, 3))
}

fn errors_by_threshold(report: &RunReport) -> String {
    let distance = report.distances.as_ref();
    let distance = distance.map_or("", |pairs| pairs.distance.as_str());
    let finite = || {
        report
            .roc
            .iter()
            .filter(|point| point.threshold.is_finite())
    };
    let series = [
        Series::new(
            "FAR",
            Tone::UNLIKE,
            finite().map(|p| (f64::from(p.threshold), p.far)).collect(),
        ),
        Series::new(
            "FRR",
            Tone::LIKE,
            finite()
                .map(|p| (f64::from(p.threshold), 1.0 - p.tar))
                .collect(),
        ),
    ];
    let mark = |x: f64| Mark::At {
        x,
        label: threshold_label(x),
    };
    let marks: Vec<Mark> = threshold(report).map(mark).into_iter().collect();
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
fn choose(report: &RunReport) -> String {
    let mut html = String::from(
        "<div class=\"choose\"><p class=\"caption\"><b>Choose a threshold</b> <span>by the error that costs more</span></p>\
         <div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">aim</th>\
         <th scope=\"col\" class=\"n\">threshold</th><th scope=\"col\" class=\"n\">FAR</th>\
         <th scope=\"col\" class=\"n\">TAR</th></tr></thead><tbody>\n",
    );
    if let Some(own) = report.operating_point {
        let whose = match report.threshold_of.as_str() {
            "" => "this model’s".into(),
            whose => breakable(whose),
        };
        html.push_str(&choice(&whose, own.threshold, own.far, own.tar));
    }
    for fitted in &report.choices {
        let aim = aim(fitted.target, report);
        html.push_str(&choice(&aim, fitted.value, fitted.far, 1.0 - fitted.frr));
    }
    html.push_str("</tbody></table></div>");
    if !report.choices.is_empty() {
        html.push_str(
            "<p class=\"lead small\">All that are named by an error are read off these very pairs: \
             fit your own on pairs that you do not report.</p>",
        );
    }
    html.push_str("</div>\n");
    html
}

fn choice(aim: &str, threshold: f32, far: f64, tar: f64) -> String {
    format!(
        "<tr><th scope=\"row\">{aim}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
        plain(f64::from(threshold), 3),
        share(far),
        share(tar)
    )
}

/// A rate in per cent, small ones with two digits that tell.
fn share(rate: f64) -> String {
    match rate * 100.0 {
        small if small.abs() < 1.0 => format!("{}%", significant(small, 2)),
        large => format!("{}%", plain(large, 1)),
    }
}

/// What a threshold was fitted to. Errors are equal between two thresholds rather than at one, so the rate at which
/// they are is the figure's, beside the errors at the nearest threshold that there is.
fn aim(target: Target, report: &RunReport) -> String {
    match target {
        Target::BestAccuracy => "fewest errors".into(),
        Target::Eer => match first_set(report, "eer") {
            Some(eer) => format!("equal errors ({})", equal_error_label(eer.value)),
            None => "equal errors".into(),
        },
        Target::Far(far) => format!("FAR ≤ {}%", far * 100.0),
        Target::Distance(at) => format!("a distance of {at}"),
    }
}

fn equal_error_label(rate: f64) -> String {
    format!("EER {}%", plain(rate * 100.0, 2))
}

/// Marks the equal error rate, as the figures have it, on a curve; `below` says on which side there is room.
fn equal_error_mark(report: &RunReport, y: fn(f64) -> f64, below: bool) -> Vec<Mark> {
    let mark = |eer: &Figure| Mark::Point {
        x: eer.value,
        y: y(eer.value),
        label: equal_error_label(eer.value),
        below,
    };
    first_set(report, "eer").map(mark).into_iter().collect()
}

fn roc(report: &RunReport, spot: Spot) -> String {
    let points = report
        .roc
        .iter()
        .map(|point| (point.far, point.tar))
        .collect();
    let series = [
        Series::new("", Tone::Muted, vec![(0.0, 0.0), (1.0, 1.0)]).dashed(),
        Series::new("", Tone::LIKE, points),
    ];
    let auc = first_set(report, "roc_auc");
    let area = auc.map_or_else(String::new, |auc| format!("area {}; ", plain(auc.value, 4)));
    let canvas = sized("ROC curve", percent_axis(FAR), percent_axis(TAR), spot);
    let svg = line(
        &canvas,
        &series,
        &equal_error_mark(report, |rate| 1.0 - rate, true),
    );
    figure(spot.class, "ROC", &format!("{area}dashed: chance"), &svg)
}

fn det(report: &RunReport) -> String {
    let (low, high) = DET_ENDS;
    let axis = |label: &str| Axis::new(label).scaled(Scale::Probit).range(low, high);
    let inside = |share: f64| (low..=high).contains(&share);
    let points = report.roc.iter().map(|point| (point.far, 1.0 - point.tar));
    let points = points
        .filter(|(far, frr)| inside(*far) && inside(*frr))
        .collect();
    let canvas = tall("Detection error trade-off", axis(FAR), axis(FRR));
    let series = [Series::new("", Tone::LIKE, points)];
    let svg = line(
        &canvas,
        &series,
        &equal_error_mark(report, |rate| rate, false),
    );
    figure("", "DET", "normal-deviate axes; lower left is better", &svg)
}

fn calibration(report: &RunReport) -> String {
    let filled = || report.calibration.iter().filter(|bin| bin.count > 0);
    let series = [
        Series::new("", Tone::Muted, vec![(0.0, 0.0), (1.0, 1.0)]).dashed(),
        Series::new(
            "",
            Tone::LIKE,
            filled().map(|bin| (bin.predicted, bin.observed)).collect(),
        )
        .dotted(),
    ];
    let error = first_set(report, "ece").map_or_else(String::new, |error| {
        format!("mean error {}%; ", plain(error.value * 100.0, 2))
    });
    let note = format!("{error}dashed: perfect");
    let canvas = tall(
        "Calibration",
        percent_axis("predicted probability of “same”"),
        percent_axis("pairs that are alike"),
    );
    figure("", "Calibration", &note, &line(&canvas, &series, &[]))
}
