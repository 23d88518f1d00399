//! Line charts: series over a common axis, named at their ends.

use std::fmt::Write as _;

use super::frame::{Frame, text_width};
use super::{Canvas, Tone};
use crate::text::{escape, px, shorten, significant};

/// A line through points. Points that are not finite interrupt it.
#[derive(Debug, Clone)]
pub struct Series {
    /// Written beside the line; empty for references.
    pub name: String,
    /// In the order in which they are joined.
    pub points: Vec<(f64, f64)>,
    /// Its colour.
    pub tone: Tone,
    /// Broken line.
    pub dashed: bool,
    /// Draw a dot at each point.
    pub dots: bool,
    /// The point beside which the name is written; the last by default.
    pub named_at: Option<usize>,
}

impl Series {
    /// A solid line.
    pub fn new(name: &str, tone: Tone, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            tone,
            dashed: false,
            dots: false,
            named_at: None,
        }
    }

    /// The same, broken.
    pub fn dashed(self) -> Self {
        Self {
            dashed: true,
            ..self
        }
    }

    /// The same, with a dot at each point.
    pub fn dotted(self) -> Self {
        Self { dots: true, ..self }
    }

    /// The same, named beside one of its points.
    pub fn named_at(self, index: usize) -> Self {
        Self {
            named_at: Some(index),
            ..self
        }
    }

    fn drawable(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> + Clone + '_ {
        self.points
            .iter()
            .copied()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
    }
}

/// Something that a chart points out.
#[derive(Debug, Clone)]
pub enum Mark {
    /// A vertical line: best epoch, threshold.
    At {
        /// Where.
        x: f64,
        /// What it is.
        label: String,
    },
    /// A point with its name.
    Point {
        /// Where.
        x: f64,
        /// Where.
        y: f64,
        /// What it is.
        label: String,
        /// Whether there is room below it rather than above.
        below: bool,
    },
}

/// More columns than this are not worth a tooltip each.
const MOST_TOOLTIPS: usize = 400;
const LINE_HEIGHT: f64 = 13.0;

/// Draws a line chart.
pub fn line(canvas: &Canvas, series: &[Series], marks: &[Mark]) -> String {
    let ends = series
        .iter()
        .filter(|s| s.named_at.is_none() && !s.name.is_empty());
    let aside = ends
        .map(|s| text_width(&short_name(s)) + 10.0)
        .fold(12.0, f64::max);
    let points = || series.iter().flat_map(Series::drawable);
    let mut frame = Frame::new(canvas, points().map(|p| p.0), points().map(|p| p.1), aside);
    if points().next().is_none() {
        frame.note("no data");
        return frame.finish("No data.");
    }
    for mark in marks {
        draw_mark(&mut frame, mark);
    }
    for one in series {
        draw_series(&mut frame, one);
    }
    name_series(&mut frame, series);
    tooltips(&mut frame, series);
    let missing: usize = series
        .iter()
        .map(|s| s.points.len() - s.drawable().count())
        .sum();
    if missing > 0 {
        frame.aside_missing(missing);
    }
    let description = describe(series, marks);
    frame.finish(&description)
}

fn short_name(series: &Series) -> String {
    shorten(&series.name, 14)
}

pub(super) fn draw_mark(frame: &mut Frame, mark: &Mark) {
    match mark {
        Mark::At { x, label } => {
            let Some(x) = frame.x.place(*x) else { return };
            frame.push(&format!(
                r#"<path class="mark" d="M{} {}V{}"/>"#,
                px(x),
                px(frame.top),
                px(frame.bottom)
            ));
            let half = text_width(label) / 2.0;
            let middle = x.min(frame.right - half).max(frame.left + half);
            // Above the plot, where no line passes.
            frame.text("mark-name", "middle", middle, frame.top - 5.0, label);
        }
        Mark::Point { x, y, label, below } => {
            let (Some(x), Some(y)) = (frame.x.place(*x), frame.y.place(*y)) else {
                return;
            };
            frame.push(&format!(
                r#"<circle class="spot" cx="{}" cy="{}" r="4"/>"#,
                px(x),
                px(y)
            ));
            let fits_right = x + text_width(label) + 12.0 < frame.right;
            let (anchor, offset) = if fits_right {
                ("start", 9.0)
            } else {
                ("end", -9.0)
            };
            // On the left of a curve, room is on its other side.
            let below = *below == fits_right;
            frame.text(
                "mark-name halo",
                anchor,
                x + offset,
                y + if below { 14.0 } else { -5.0 },
                label,
            );
        }
    }
}

fn draw_series(frame: &mut Frame, series: &Series) {
    let class = series.tone.class();
    let dash = if series.dashed { " dashed" } else { "" };
    let mut path = String::new();
    let mut dots = String::new();
    let mut last: Option<(f64, f64)> = None;
    let mut runs = 0;
    for (at, &(x, y)) in series.points.iter().enumerate() {
        let placed = frame.x.place(x).zip(frame.y.place(y));
        let Some((x, y)) = placed else {
            last = None;
            continue;
        };
        let near = last.is_some_and(|(a, b)| (a - x).abs() < 0.3 && (b - y).abs() < 0.3);
        if near && at + 1 < series.points.len() {
            continue;
        }
        let command = if last.is_some() { 'L' } else { 'M' };
        runs += usize::from(last.is_none());
        let _ = write!(path, "{command}{} {}", px(x), px(y));
        if series.dots {
            let _ = write!(
                dots,
                r#"<circle class="{class}" cx="{}" cy="{}" r="3"/>"#,
                px(x),
                px(y)
            );
        }
        last = Some((x, y));
    }
    frame.push(&format!(r#"<path class="line {class}{dash}" d="{path}"/>"#));
    frame.push(&dots);
    // A lone point has no line: a dot makes it visible.
    if runs == 1
        && !path.contains('L')
        && let Some((x, y)) = last
    {
        frame.push(&format!(
            r#"<circle class="{class}" cx="{}" cy="{}" r="3"/>"#,
            px(x),
            px(y)
        ));
    }
}

fn name_series(frame: &mut Frame, series: &[Series]) {
    let mut at_end = Vec::new();
    for one in series.iter().filter(|s| !s.name.is_empty()) {
        let point = match one.named_at {
            Some(index) => one.points.get(index).copied(),
            None => one.drawable().next_back(),
        };
        let placed = point.and_then(|(x, y)| frame.x.place(x).zip(frame.y.place(y)));
        let Some((x, y)) = placed else { continue };
        if one.named_at.is_some() {
            let class = format!("series-name halo {}", one.tone.class());
            frame.text(&class, "middle", x, y + 4.0, &short_name(one));
        } else {
            at_end.push((y, x, one));
        }
    }
    at_end.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted: Vec<f64> = at_end.iter().map(|(y, ..)| *y).collect();
    let placed = apart(&wanted, frame.top + 4.0, frame.bottom);
    for ((_, x, one), y) in at_end.into_iter().zip(placed) {
        let class = format!("series-name {}", one.tone.class());
        frame.text(&class, "start", x + 6.0, y + 4.0, &short_name(one));
    }
}

/// Moves sorted label positions apart, as little as a pass down and a pass up need.
fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut placed = wanted.to_vec();
    let mut least = top;
    for y in &mut placed {
        *y = y.max(least);
        least = *y + LINE_HEIGHT;
    }
    let mut most = bottom;
    for y in placed.iter_mut().rev() {
        *y = y.min(most);
        most = *y - LINE_HEIGHT;
    }
    placed
}

/// A column per distinct x that says all values there; it needs no script.
fn tooltips(frame: &mut Frame, series: &[Series]) {
    let mut xs: Vec<f64> = series
        .iter()
        .flat_map(Series::drawable)
        .map(|p| p.0)
        .collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    if xs.len() > MOST_TOOLTIPS {
        return;
    }
    let name = frame.x.label.clone();
    for (at, &x) in xs.iter().enumerate() {
        let edge = |other: Option<&f64>, end: f64| match (other, frame.x.place(x)) {
            (Some(&other), Some(here)) => frame
                .x
                .place(other)
                .map_or(end, |there| (here + there) / 2.0),
            _ => end,
        };
        let from = edge(
            at.checked_sub(1).and_then(|before| xs.get(before)),
            frame.left,
        );
        let to = edge(xs.get(at + 1), frame.right);
        let mut words = format!("{name} {}", significant(x, 4).trim_end_matches(".000"));
        for one in series.iter().filter(|s| !s.name.is_empty()) {
            for (_, y) in one.drawable().filter(|p| p.0 == x) {
                let _ = write!(words, "\n{} {}", one.name, significant(y, 4));
            }
        }
        frame.push(&format!(
            r#"<rect class="hit" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>"#,
            px(from),
            px(frame.top),
            px((to - from).max(0.5)),
            px(frame.bottom - frame.top),
            escape(&words)
        ));
    }
}

fn describe(series: &[Series], marks: &[Mark]) -> String {
    let mut words = String::from("Line chart.");
    for one in series.iter().filter(|s| !s.name.is_empty()) {
        if let (Some(first), Some(last)) = (one.drawable().next(), one.drawable().next_back()) {
            let _ = write!(
                words,
                " {}: from {} to {}.",
                one.name,
                significant(first.1, 3),
                significant(last.1, 3)
            );
        }
    }
    for mark in marks {
        let (Mark::At { label, .. } | Mark::Point { label, .. }) = mark;
        let _ = write!(words, " Marked: {label}.");
    }
    words
}
