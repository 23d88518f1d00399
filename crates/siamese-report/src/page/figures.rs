//! The result: a table of figures with their intervals.

use std::fmt::Write as _;

use siamese_metrics::{Figure, Interval, find};

use super::shell::Section;
use crate::data::{Direction, RunReport, described};
use crate::text::{escape, px, significant};

pub(super) fn result(report: &RunReport) -> Option<Section> {
    if report.figures.iter().all(|set| set.figures.is_empty()) {
        return None;
    }
    let table = match &report.figures[..] {
        [only] => table(&only.figures),
        several => {
            let columns: Vec<(String, &[Figure])> = several
                .iter()
                .map(|column| (escape(&column.set), &column.figures[..]))
                .collect();
            comparison_table(&columns, false)
        }
    };
    let note = match report.figures_note.as_str() {
        "" => String::new(),
        note => format!("<p class=\"lead\">{}</p>\n", escape(note)),
    };
    Some(Section {
        id: "result",
        title: "Result",
        short: "Result",
        body: format!("{note}{table}"),
    })
}

/// One line made of the first set's figures: how well pairs are told apart.
pub(super) fn verdict(report: &RunReport) -> String {
    let find = |name: &str| first_set(report, name).filter(|figure| figure.value.is_finite());
    let with_interval = |figure: &Figure| match figure.interval {
        Some(Interval { low, high }) => format!(
            "{} (95% interval {} to {})",
            standing(figure.value),
            standing(low),
            standing(high)
        ),
        None => standing(figure.value),
    };
    let mut words = match find("roc_auc") {
        Some(auc) => {
            let how = match auc.value {
                v if v >= 0.95 => "tells like from unlike pairs very well",
                v if v >= 0.85 => "tells like from unlike pairs well",
                v if v >= 0.7 => "tells like from unlike pairs fairly",
                v if v >= 0.55 => "barely tells like from unlike pairs",
                _ => "does not tell like from unlike pairs: this is chance",
            };
            format!("The model {how}. ROC AUC is {}", with_interval(auc))
        }
        None => match find("accuracy") {
            Some(accuracy) => format!("Accuracy of balanced pairs is {}", with_interval(accuracy)),
            None => return String::new(),
        },
    };
    if let Some(eer) = find("eer") {
        let _ = write!(
            words,
            "; {:.1}% of pairs are wrong where both errors are equal",
            eer.value * 100.0
        );
    }
    words.push('.');
    words
}

/// A figure as text: four significant digits tell intervals apart.
fn standing(value: f64) -> String {
    if value.abs() <= 1.0 {
        crate::text::plain(value, 4)
    } else {
        significant(value, 5)
    }
}

/// The figure called `name` of the set that the page's charts are of.
pub(super) fn first_set<'a>(report: &'a RunReport, name: &str) -> Option<&'a Figure> {
    find(&report.figures.first()?.figures, name)
}

fn table(figures: &[Figure]) -> String {
    let mut html = String::from(
        "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">Figure</th>\
         <th scope=\"col\" class=\"n\">Value</th><th scope=\"col\">95% interval</th>\
         <th scope=\"col\" class=\"whisker-cell\">0 to 1</th></tr></thead>\n<tbody>\n",
    );
    for figure in figures {
        let (label, direction) = described(&figure.name);
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\" title=\"{}\">{}{}</th><td class=\"n\">{}</td><td class=\"interval\">{}</td><td class=\"whisker-cell\">{}</td></tr>",
            escape(&figure.name),
            escape(&label),
            arrow(direction),
            standing(figure.value),
            interval(figure),
            whisker(figure, direction)
        );
    }
    html.push_str(
        "</tbody></table></div>\n<p class=\"lead\"><small>↓ less is better.</small></p>\n",
    );
    html
}

/// Says so where less is better.
fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Lower => " <span class=\"interval\">↓</span>",
        Direction::Higher | Direction::Neither => "",
    }
}

fn interval(figure: &Figure) -> String {
    match figure.interval {
        Some(Interval { low, high }) => format!("{} – {}", standing(low), standing(high)),
        None => String::new(),
    }
}

/// The value as a dot and its interval as a bar, between 0 and 1.
fn whisker(figure: &Figure, direction: Direction) -> String {
    let share = |value: f64| (0.0..=1.0).contains(&value);
    if !share(figure.value) || direction == Direction::Neither {
        return String::new();
    }
    let x = |value: f64| px(5.0 + value.clamp(0.0, 1.0) * 160.0);
    let mut svg = String::from(
        r#"<svg class="whisker" viewBox="0 0 170 18" aria-hidden="true"><path class="track" d="M5 9H165M5 5v8M165 5v8M85 7v4"/>"#,
    );
    if let Some(span) = figure.interval.filter(|span| span.low <= span.high) {
        let (low, high) = (x(span.low), x(span.high));
        let _ = write!(svg, r#"<path class="span" d="M{low} 9H{high}"/>"#);
    }
    let _ = write!(
        svg,
        r#"<circle class="value" cx="{}" cy="9" r="3.2"/></svg>"#,
        x(figure.value)
    );
    svg
}

/// Figures side by side, one column per run or set (its head is HTML), one row per name. With
/// `mark_best` the best of each row is set in bold.
pub(crate) fn comparison_table(columns: &[(String, &[Figure])], mark_best: bool) -> String {
    let mut rows: Vec<&Figure> = Vec::new();
    for figure in columns.iter().flat_map(|(_, figures)| *figures) {
        if !rows.iter().any(|row| row.name == figure.name) {
            rows.push(figure);
        }
    }
    let mut html = String::from(
        "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">Figure</th>",
    );
    for (head, _) in columns {
        let _ = write!(html, "<th scope=\"col\">{head}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        let own: Vec<Option<&Figure>> = columns
            .iter()
            .map(|(_, figures)| find(figures, &row.name))
            .collect();
        let (label, direction) = described(&row.name);
        let best = if mark_best {
            best_of(&own, direction)
        } else {
            None
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\" title=\"{}\">{}{}</th>",
            escape(&row.name),
            escape(&label),
            arrow(direction)
        );
        for figure in &own {
            html.push_str(&match figure {
                None => "<td class=\"interval\">–</td>".into(),
                Some(figure) => format!(
                    "<td{}>{} <span class=\"interval\">{}</span></td>",
                    if best == Some(figure.value) {
                        " class=\"best\""
                    } else {
                        ""
                    },
                    standing(figure.value),
                    interval(figure)
                ),
            });
        }
        html.push_str("</tr>\n");
    }
    html.push_str(
        "</tbody></table></div>\n<p class=\"lead\"><small>↓ less is better.</small></p>\n",
    );
    html
}

fn best_of(figures: &[Option<&Figure>], direction: Direction) -> Option<f64> {
    let values = figures
        .iter()
        .flatten()
        .map(|figure| figure.value)
        .filter(|v| v.is_finite());
    let best = match direction {
        Direction::Higher => values.max_by(f64::total_cmp),
        Direction::Lower => values.min_by(f64::total_cmp),
        Direction::Neither => None,
    };
    best.filter(|_| figures.iter().flatten().count() > 1)
}
