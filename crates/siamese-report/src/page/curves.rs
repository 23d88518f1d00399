//! Curves over the epochs.

use std::fmt::Write as _;

use siamese_words::counted;

use super::shell::{Section, Stand, figure};
use crate::chart::{Axis, Canvas, Mark, Series, Tone, line};
use crate::data::{EpochRow, RunReport};
use crate::text::significant;

/// A curve of one of an epoch's numbers.
pub(crate) struct Curve {
    pub(crate) title: &'static str,
    axis: &'static str,
    from_zero: bool,
    value: fn(&EpochRow) -> Option<f64>,
}

impl Curve {
    pub(crate) const TRAIN_LOSS: Self =
        Self::new("Training loss", "mean loss in training", |row| {
            Some(row.train_loss)
        });
    pub(crate) const VALIDATION_LOSS: Self =
        Self::new("Validation loss", "mean loss of a pair", |row| {
            row.validation_loss
        });
    pub(crate) const AUC: Self = Self::new("ROC AUC", "on validation pairs", |row| row.roc_auc);
    pub(crate) const ACCURACY: Self =
        Self::new("Accuracy", "of balanced validation pairs", |row| {
            row.accuracy
        });
    pub(crate) const EER: Self =
        Self::new("Equal error rate", "on validation pairs", |row| row.eer).and_zero();
    pub(crate) const RATE: Self =
        Self::new("Learning rate", "learning rate", |row| row.learning_rate).and_zero();
    pub(crate) const SPREAD: Self =
        Self::new("Embedding spread", "r.m.s. distance from the mean", |row| {
            row.embedding_spread
        })
        .and_zero();
    pub(crate) const ACTIVE: Self =
        Self::new("Active share", "unlike pairs inside the margin", |row| {
            row.active_share
        })
        .and_zero();
    pub(crate) const SPEED: Self = Self::new("Speed", "training images per second", |row| {
        row.images_per_second
    })
    .and_zero();

    const fn new(
        title: &'static str,
        axis: &'static str,
        value: fn(&EpochRow) -> Option<f64>,
    ) -> Self {
        Self {
            title,
            axis,
            from_zero: false,
            value,
        }
    }

    /// The axis starts at 0, because nearness to 0 is what matters.
    const fn and_zero(self) -> Self {
        Self {
            from_zero: true,
            ..self
        }
    }

    pub(crate) fn points(&self, epochs: &[EpochRow]) -> Vec<(f64, f64)> {
        let point = |row: &EpochRow| (self.value)(row).map(|value| (row.epoch as f64, value));
        epochs.iter().filter_map(point).collect()
    }

    pub(crate) fn chart(&self, series: &[Series], marks: &[Mark]) -> String {
        let axis = Axis::new(self.axis);
        let y = if self.from_zero {
            axis.holding(0.0)
        } else {
            axis
        };
        line(
            &Canvas::new(self.title, Axis::new("epoch").whole(), y),
            series,
            marks,
        )
    }

    /// The number for a caption: at the best epoch, or at the last where none is known.
    fn number(&self, report: &RunReport) -> String {
        let at = |row: &EpochRow| {
            let value = (self.value)(row)?;
            Some(format!("{} in epoch {}", significant(value, 3), row.epoch))
        };
        let best = report.best_epoch;
        let best = best.and_then(|best| report.epochs.iter().find(|row| row.epoch == best));
        let last = || report.epochs.iter().rev().find_map(at);
        best.and_then(at).or_else(last).unwrap_or_default()
    }
}

/// The curve that shows most of a run without pairs.
pub(super) fn lead_curve(report: &RunReport) -> Option<String> {
    let measured = |curve: Curve| !curve.points(&report.epochs).is_empty();
    let curve = match (measured(Curve::AUC), measured(Curve::TRAIN_LOSS)) {
        (true, _) => Curve::AUC,
        (false, true) if report.losses_comparable => return Some(losses(report)),
        (false, true) => Curve::TRAIN_LOSS,
        (false, false) => return None,
    };
    Some(overlaid(report, curve.title, [("", Tone::LIKE, curve)]))
}

pub(super) fn curves(report: &RunReport) -> Option<Section> {
    if report.epochs.is_empty() {
        return None;
    }
    let colour = Tone::LIKE;
    let scores = [
        ("AUC", colour, Curve::AUC),
        ("accuracy", Tone::Colour(2), Curve::ACCURACY),
    ];
    let mut body = String::from("<div class=\"sheet\">\n");
    body.push_str(&losses(report));
    body.push_str(&overlaid(report, "ROC AUC and accuracy", scores));
    for curve in [Curve::EER, Curve::RATE, Curve::SPREAD, Curve::ACTIVE] {
        body.push_str(&overlaid(report, curve.title, [("", colour, curve)]));
    }
    body.push_str("</div>\n");
    body.push_str(&numbers(&report.epochs));
    let best = report
        .best_epoch
        .map_or_else(String::new, |best| format!(", the best {best}"));
    Some(Section {
        id: "curves".into(),
        title: "Training".into(),
        teaser: format!("{}{best}", counted(report.epochs.len(), "epoch")),
        stand: Stand::Folded,
        body,
    })
}

/// Both losses in one chart where they are the same thing, else a chart each; training alone where validation has none.
fn losses(report: &RunReport) -> String {
    let (validation, training) = (Curve::VALIDATION_LOSS, Curve::TRAIN_LOSS);
    let validated = !validation.points(&report.epochs).is_empty();
    if validated && report.losses_comparable {
        let both = [
            ("validation", Tone::LIKE, validation),
            ("train", Tone::Muted, training),
        ];
        return overlaid(report, "Loss", both);
    }
    [training, validation]
        .map(|curve| overlaid(report, curve.title, [("", Tone::LIKE, curve)]))
        .concat()
}

/// Curves of one unit in one chart, the first one's number in the caption; nothing where nothing
/// was measured.
fn overlaid<const N: usize>(
    report: &RunReport,
    title: &str,
    curves: [(&str, Tone, Curve); N],
) -> String {
    let mut series = Vec::new();
    let mut drawn = Vec::new();
    for (name, tone, curve) in curves {
        let points = curve.points(&report.epochs);
        if !points.is_empty() {
            series.push(Series::new(name, tone, points));
            drawn.push(curve);
        }
    }
    let Some(first) = drawn.first() else {
        return String::new();
    };
    let mark = |epoch: usize| Mark::At {
        x: epoch as f64,
        label: format!("best: {epoch}"),
    };
    let marks: Vec<Mark> = report.best_epoch.map(mark).into_iter().collect();
    figure(
        "",
        title,
        &first.number(report),
        &first.chart(&series, &marks),
    )
}

/// All numbers as a table, for those who do not read charts.
fn numbers(epochs: &[EpochRow]) -> String {
    type Column = (&'static str, fn(&EpochRow) -> Option<f64>);
    let columns: [Column; 11] = [
        ("train loss", Curve::TRAIN_LOSS.value),
        ("validation loss", Curve::VALIDATION_LOSS.value),
        ("ROC AUC", Curve::AUC.value),
        ("EER", Curve::EER.value),
        ("accuracy", Curve::ACCURACY.value),
        ("learning rate", Curve::RATE.value),
        ("spread", Curve::SPREAD.value),
        ("active", Curve::ACTIVE.value),
        ("seconds", |row| row.seconds),
        ("images/s", Curve::SPEED.value),
        ("data wait", |row| row.data_wait_share),
    ];
    let measured = |(_, value): &&Column| epochs.iter().any(|row| value(row).is_some());
    let shown: Vec<_> = columns.iter().filter(measured).collect();
    let mut html = String::from(
        "<details><summary>All numbers of all epochs</summary><div class=\"scroll\" tabindex=\"0\"><table>\
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
