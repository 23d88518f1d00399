//! What a report begins with: a verdict, three figures, one chart.

use std::fmt::Write as _;

use siamese_metrics::{Figure, Interval};

use super::curves::lead_curve;
use super::figures::{first_set, interval, standing, whisker};
use super::shell::{Section, Stand};
use super::verification::lead_chart;
use crate::data::{RunReport, described, in_words, leading};
use crate::text::{breakable, escape};

/// Figures that a page begins with.
const KEY_FIGURES: usize = 3;

/// A number that a page begins with.
pub(crate) struct KeyFigure {
    pub(crate) label: String,
    /// Text.
    pub(crate) value: String,
    /// HTML that stands below it, line by line.
    pub(crate) below: Vec<String>,
}

/// The figures that matter beside the chart that shows most.
pub(super) fn lead(report: &RunReport) -> Option<Section> {
    let figures = report.figures.first();
    let figures = figures.map_or(Vec::new(), |set| leading(&set.figures, KEY_FIGURES));
    let chart = lead_chart(report).or_else(|| lead_curve(report));
    if figures.is_empty() && chart.is_none() {
        return None;
    }
    let shown: Vec<KeyFigure> = figures.into_iter().map(|of| key(report, of)).collect();
    let note = match report.figures_note.as_str() {
        "" => String::new(),
        note => format!("<p class=\"lead small\">{}</p>\n", escape(note)),
    };
    let chart = chart.unwrap_or_default();
    let body = match shown.as_slice() {
        [] => chart,
        shown => format!(
            "<div class=\"opening\">\n{}{chart}</div>\n{note}",
            key_figures(shown)
        ),
    };
    Some(Section {
        id: "result".into(),
        title: "Result".into(),
        teaser: String::new(),
        stand: Stand::Lead,
        body,
    })
}

/// Numbers with their names, large.
pub(crate) fn key_figures(figures: &[KeyFigure]) -> String {
    let mut html = String::from("<div class=\"keys\">\n");
    for KeyFigure {
        label,
        value,
        below,
    } in figures
    {
        let below: String = below.iter().map(|line| format!("<p>{line}</p>")).collect();
        let _ = writeln!(
            html,
            "<div class=\"key-figure\"><h3>{}</h3><p class=\"value\">{}</p>{below}</div>",
            escape(label),
            escape(value)
        );
    }
    html.push_str("</div>\n");
    html
}

/// A figure of the first set, with what the other sets say of it.
fn key(report: &RunReport, figure: &Figure) -> KeyFigure {
    let (label, direction) = described(&figure.name);
    let mut below = Vec::new();
    if figure.interval.is_some() {
        let span = interval(figure);
        below.push(format!(
            "<span class=\"interval\">95% interval {span}</span>"
        ));
    }
    below.push(whisker(figure, direction));
    below.push(escape(in_words(&figure.name)));
    if let [first, others @ ..] = &report.figures[..] {
        if !first.set.is_empty() && !others.is_empty() {
            below.insert(0, format!("<b>{}</b>", breakable(&first.set)));
        }
        for set in others {
            if let Some(other) = siamese_metrics::find(&set.figures, &figure.name) {
                let (name, value) = (breakable(&set.set), standing(other.value));
                below.push(format!(
                    "<b>{value}</b> {name} <span class=\"interval\">{}</span>",
                    interval(other)
                ));
            }
        }
    }
    below.retain(|line| !line.is_empty());
    KeyFigure {
        label,
        value: standing(figure.value),
        below,
    }
}

/// One line made of the first set's figures: how well pairs are told apart.
pub(super) fn verdict(report: &RunReport) -> String {
    let finite = |figure: &&Figure| figure.value.is_finite();
    let Some(auc) = first_set(report, "roc_auc").filter(finite) else {
        return String::new();
    };
    let below_chance = |Interval { high, .. }: Interval| high < 0.5;
    let swapped = auc.interval.map_or(auc.value < 0.4, below_chance);
    match auc.value {
        _ if swapped => {
            "Like pairs lie further apart than unlike ones: like and unlike seem to be swapped in what was given, \
             or a similarity was taken for a distance."
        }
        v if v >= 0.95 => "The model tells like from unlike pairs very well.",
        v if v >= 0.85 => "The model tells like from unlike pairs well.",
        v if v >= 0.7 => "The model tells like from unlike pairs fairly.",
        v if v >= 0.55 => "The model barely tells like from unlike pairs.",
        _ => "The model does not tell like from unlike pairs: this is chance.",
    }
    .into()
}
