//! Curves over the epochs.

use std::fmt::Write as _;

use super::shell::{Section, figure};
use crate::chart::{Axis, Canvas, Mark, Series, Tone, line};
use crate::data::EpochRow;
use crate::run::RunReport;
use crate::text::significant;

/// A curve of an epoch's figure: what it is called and where it stands in the row.
pub(crate) struct Curve {
    pub(crate) title: &'static str,
    pub(crate) axis: &'static str,
    pub(crate) value: fn(&EpochRow) -> Option<f64>,
}

impl Curve {
    /// All curves besides the losses, in the order in which they are drawn.
    pub(crate) const ALL: [Self; 6] = [
        Self {
            title: "ROC AUC",
            axis: "validation ROC AUC",
            value: |row| row.roc_auc,
        },
        Self {
            title: "Equal error rate",
            axis: "validation EER",
            value: |row| row.eer,
        },
        Self {
            title: "Accuracy",
            axis: "accuracy of validation pairs",
            value: |row| row.accuracy,
        },
        Self {
            title: "Learning rate",
            axis: "learning rate",
            value: |row| row.learning_rate,
        },
        Self {
            title: "Embedding spread",
            axis: "mean deviation of a coordinate",
            value: |row| row.embedding_spread,
        },
        Self {
            title: "Active share",
            axis: "unlike pairs inside the margin",
            value: |row| row.active_share,
        },
    ];

    pub(crate) fn points(&self, epochs: &[EpochRow]) -> Vec<(f64, f64)> {
        let point = |row: &EpochRow| (self.value)(row).map(|value| (row.epoch as f64, value));
        epochs.iter().filter_map(point).collect()
    }
}

/// A chart over the epochs.
pub(crate) fn curve_chart(title: &str, axis: &str, series: &[Series], marks: &[Mark]) -> String {
    let canvas = Canvas::new(title, Axis::new("epoch").whole(), Axis::new(axis));
    line(&canvas, series, marks)
}

pub(super) fn curves(report: &RunReport) -> Option<Section> {
    let epochs = &report.epochs;
    if epochs.is_empty() {
        return None;
    }
    let best: Vec<Mark> = report
        .best_epoch
        .map(|epoch| Mark::At {
            x: epoch as f64,
            label: format!("best: {epoch}"),
        })
        .into_iter()
        .collect();
    let train = epochs
        .iter()
        .map(|row| (row.epoch as f64, row.train_loss))
        .collect();
    let validation = |row: &EpochRow| row.validation_loss.map(|loss| (row.epoch as f64, loss));
    let validation: Vec<_> = epochs.iter().filter_map(validation).collect();
    let mut losses = vec![Series::new("train", Tone::Muted, train)];
    if !validation.is_empty() {
        losses.push(Series::new("validation", Tone::LIKE, validation));
    }
    let mut body = String::from("<div class=\"sheet\">\n");
    body.push_str(&figure(
        "",
        "Loss",
        "",
        &curve_chart("Loss", "mean loss of a pair", &losses, &best),
    ));
    for curve in Curve::ALL {
        let points = curve.points(epochs);
        if !points.is_empty() {
            let series = [Series::new("", Tone::LIKE, points)];
            let svg = curve_chart(curve.title, curve.axis, &series, &best);
            body.push_str(&figure(
                "",
                curve.title,
                &last_and_best(&curve, report),
                &svg,
            ));
        }
    }
    body.push_str("</div>\n");
    body.push_str(&numbers(epochs));
    Some(Section {
        id: "curves",
        title: "Training",
        body,
    })
}

/// The caption's numbers: at the best epoch, or at the last where none is known.
fn last_and_best(curve: &Curve, report: &RunReport) -> String {
    let best = report
        .best_epoch
        .and_then(|best| report.epochs.iter().find(|row| row.epoch == best))
        .and_then(curve.value)
        .map(|value| format!("{} at the best epoch", significant(value, 3)));
    let last = || report.epochs.iter().rev().find_map(curve.value);
    best.or_else(|| last().map(|value| format!("{} at last", significant(value, 3))))
        .unwrap_or_default()
}

/// All numbers as a table, for those who do not read charts.
fn numbers(epochs: &[EpochRow]) -> String {
    type Column = (&'static str, fn(&EpochRow) -> Option<f64>);
    let columns: [Column; 10] = [
        ("train loss", |row| Some(row.train_loss)),
        ("validation loss", |row| row.validation_loss),
        ("ROC AUC", |row| row.roc_auc),
        ("EER", |row| row.eer),
        ("accuracy", |row| row.accuracy),
        ("learning rate", |row| row.learning_rate),
        ("spread", |row| row.embedding_spread),
        ("active", |row| row.active_share),
        ("seconds", |row| row.seconds),
        ("images/s", |row| row.images_per_second),
    ];
    let shown: Vec<_> = columns
        .iter()
        .filter(|(_, value)| epochs.iter().any(|row| value(row).is_some()))
        .collect();
    let mut html = String::from(
        "<details><summary>All numbers of all epochs</summary><div class=\"scroll\"><table>\
         <thead><tr><th scope=\"col\" class=\"n\">epoch</th>",
    );
    for (name, _) in &shown {
        let _ = write!(html, "<th scope=\"col\" class=\"n\">{name}</th>");
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in epochs {
        let _ = write!(html, "<tr><td class=\"n\">{}</td>", row.epoch);
        for (_, value) in &shown {
            let text = value(row).map_or_else(String::new, |value| significant(value, 4));
            let _ = write!(html, "<td class=\"n\">{text}</td>");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div></details>\n");
    html
}
