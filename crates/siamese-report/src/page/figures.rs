//! Tables of figures with their intervals.

use std::fmt::Write as _;

use siamese_metrics::{Figure, Interval, find};

use super::shell::{Section, Stand, scroll};
use crate::data::{Direction, FAMILIES, RunReport, described, distinct, family};
use crate::text::{breakable, escape, plain, px, significant};

/// All figures in one table, or side by side where there are several sets.
pub(super) fn all(report: &RunReport) -> Option<Section> {
    let rows = report
        .figures
        .iter()
        .map(|set| distinct(&set.figures).len());
    let rows = rows.max().filter(|&rows| rows > 0)?;
    let table = match &report.figures[..] {
        [only] => table(&only.figures),
        several => {
            let columns: Vec<(String, &[Figure])> = several
                .iter()
                .map(|column| (breakable(&column.set), &column.figures[..]))
                .collect();
            comparison_table(&columns, Mark::Nothing)
        }
    };
    Some(Section {
        id: "figures".into(),
        title: "All figures".into(),
        teaser: format!("{rows} figures with their intervals"),
        stand: Stand::Folded,
        body: table,
    })
}

/// A figure as text: four significant digits tell intervals apart.
pub(crate) fn standing(value: f64) -> String {
    if value.abs() <= 1.0 {
        plain(value, 4)
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
        "<table>\n<thead><tr><th scope=\"col\">Figure</th>\
         <th scope=\"col\" class=\"n\">Value</th><th scope=\"col\">95% interval</th>\
         <th scope=\"col\" class=\"whisker-cell\">0 to 1</th></tr></thead>\n",
    );
    for (title, rows) in by_family(distinct(figures)) {
        html.push_str(&family_head(title, 4));
        for figure in rows {
            let direction = described(&figure.name).1;
            let _ = writeln!(
                html,
                "<tr>{}<td class=\"n\">{}</td><td class=\"interval\">{}</td><td class=\"whisker-cell\">{}</td></tr>",
                row_head(figure),
                standing(figure.value),
                interval(figure),
                whisker(figure, direction)
            );
        }
        html.push_str("</tbody>\n");
    }
    html.push_str("</table>");
    scroll(&html) + LESS
}

pub(crate) const LESS: &str = "<p class=\"lead small\">↓ less is better.</p>\n";

/// The figures of each family, in the order of families; those without a figure are left out.
fn by_family(figures: Vec<&Figure>) -> Vec<(&'static str, Vec<&Figure>)> {
    let of = |number: usize| -> Vec<&Figure> {
        let own = figures
            .iter()
            .filter(|figure| family(&figure.name) == number);
        own.copied().collect()
    };
    let families = FAMILIES.into_iter().enumerate();
    let families = families.map(|(number, title)| (title, of(number)));
    families.filter(|(_, rows)| !rows.is_empty()).collect()
}

fn family_head(title: &str, columns: usize) -> String {
    format!(
        "<tbody><tr class=\"family\"><th scope=\"colgroup\" colspan=\"{columns}\">{title}</th></tr>\n"
    )
}

/// The head of a figure's row.
fn row_head(figure: &Figure) -> String {
    let (name, label) = (escape(&figure.name), name_of(figure));
    format!("<th scope=\"row\" title=\"{name}\">{label}</th>")
}

/// A figure's name as HTML; says so where less is better.
pub(crate) fn name_of(figure: &Figure) -> String {
    let (label, direction) = described(&figure.name);
    let arrow = match direction {
        Direction::Lower => " <span class=\"interval\">↓</span>",
        Direction::Higher | Direction::Neither => "",
    };
    breakable(&label) + arrow
}

/// The interval as text; empty where there is none.
pub(crate) fn interval(figure: &Figure) -> String {
    match figure.interval {
        Some(Interval { low, high }) => format!("{} – {}", standing(low), standing(high)),
        None => String::new(),
    }
}

/// The value as a dot and its interval as a bar, between 0 and 1.
pub(super) fn whisker(figure: &Figure, direction: Direction) -> String {
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

/// What a table of several columns sets in bold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The best of each row: all columns were judged on the same.
    Best,
    /// Nothing: what is best cannot be said.
    Nothing,
}

/// Figures side by side, one column per run or set (its head is HTML), one row per figure.
pub(crate) fn comparison_table(columns: &[(String, &[Figure])], mark: Mark) -> String {
    let mut rows: Vec<&Figure> = Vec::new();
    for figure in columns.iter().flat_map(|(_, figures)| distinct(figures)) {
        if !rows.iter().any(|row| row.name == figure.name) {
            rows.push(figure);
        }
    }
    let mut html = String::from("<table>\n<thead><tr><th scope=\"col\">Figure</th>");
    for (head, _) in columns {
        let _ = write!(html, "<th scope=\"col\">{head}</th>");
    }
    html.push_str("</tr></thead>\n");
    for (title, rows) in by_family(rows) {
        html.push_str(&family_head(title, columns.len() + 1));
        for row in rows {
            let own = columns.iter().map(|(_, figures)| find(figures, &row.name));
            let own: Vec<Option<&Figure>> = own.collect();
            let cells = compared_cells(&own, described(&row.name).1, mark).concat();
            let _ = writeln!(html, "<tr>{}{cells}</tr>", row_head(row));
        }
        html.push_str("</tbody>\n");
    }
    html.push_str("</table>");
    scroll(&html) + LESS
}

/// The cells of one figure, a column each.
pub(crate) fn compared_cells(
    figures: &[Option<&Figure>],
    direction: Direction,
    mark: Mark,
) -> Vec<String> {
    let best = match mark {
        Mark::Best => best_of(figures, direction),
        Mark::Nothing => None,
    };
    let cell = |figure: &Option<&Figure>| match figure {
        None => "<td class=\"interval\">–</td>".to_string(),
        Some(figure) => {
            let class = match best == Some(figure.value) {
                true => " class=\"best\"",
                false => "",
            };
            let (value, span) = (standing(figure.value), interval(figure));
            format!("<td{class}>{value} <span class=\"interval\">{span}</span></td>")
        }
    };
    figures.iter().map(cell).collect()
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
