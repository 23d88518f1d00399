//! The frame of a chart: size, grid, ticks, axis names.

use super::Canvas;
use super::scale::Ruler;
use crate::text::{escape, px};

/// Width of a letter at the charts' font size, on the wide side.
const LETTER: f64 = 6.6;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 38.0;

/// A chart being drawn: both rulers, and the SVG so far.
pub(super) struct Frame {
    pub(super) x: Ruler,
    pub(super) y: Ruler,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    width: f64,
    height: f64,
    title: String,
    body: String,
}

pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

impl Frame {
    /// Lays out both axes for the values to be drawn; `aside` pixels stay free on the right.
    pub(super) fn new(
        canvas: &Canvas,
        xs: impl Iterator<Item = f64>,
        ys: impl Iterator<Item = f64>,
        aside: f64,
    ) -> Self {
        let (top, bottom) = (TOP, canvas.height - BOTTOM);
        let y = Ruler::new(&canvas.y, ys, 5, true).between(bottom, top);
        let widest = y
            .ticks
            .iter()
            .map(|(_, text)| text_width(text))
            .fold(12.0, f64::max);
        let left = widest + 10.0;
        let right = (canvas.width - aside.max(12.0)).max(left + 40.0);
        let count = ((right - left) / 52.0) as usize;
        let x = Ruler::new(&canvas.x, xs, count.clamp(2, 10), false).between(left, right);
        let mut frame = Self {
            x,
            y,
            left,
            right,
            top,
            bottom,
            width: canvas.width,
            height: canvas.height,
            title: canvas.title.clone(),
            body: String::new(),
        };
        frame.axes();
        frame
    }

    /// Adds SVG; every number in it must have gone through [`px`], every text through [`escape`].
    pub(super) fn push(&mut self, svg: &str) {
        self.body.push_str(svg);
    }

    /// Adds text whose `anchor` is `start`, `middle` or `end`.
    pub(super) fn text(&mut self, class: &str, anchor: &str, x: f64, y: f64, text: &str) {
        self.body.push_str(&format!(
            r#"<text class="{class}" text-anchor="{anchor}" x="{}" y="{}">{}</text>"#,
            px(x),
            px(y),
            escape(text)
        ));
    }

    /// Says in the middle of the chart why nothing is drawn.
    pub(super) fn note(&mut self, text: &str) {
        let (x, y) = (
            (self.left + self.right) / 2.0,
            (self.top + self.bottom) / 2.0,
        );
        self.text("note", "middle", x, y, text);
    }

    /// Says in the upper right corner how much was left out.
    pub(super) fn aside_missing(&mut self, number: usize) {
        let values = if number == 1 { "value" } else { "values" };
        let text = format!("{number} {values} not finite");
        self.text("note small", "end", self.width - 2.0, 11.0, &text);
    }

    pub(super) fn finish(self, description: &str) -> String {
        format!(
            r#"<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>"#,
            px(self.width),
            px(self.height),
            escape(&format!("{}. {description}", self.title)),
            self.body
        )
    }

    fn axes(&mut self) {
        let (left, right, bottom) = (px(self.left), px(self.right), px(self.bottom));
        for (value, label) in self.y.ticks.clone() {
            let Some(y) = self.y.place(value) else {
                continue;
            };
            self.push(&format!(
                r#"<path class="grid" d="M{left} {}H{right}"/>"#,
                px(y.round() + 0.5)
            ));
            self.text("tick", "end", self.left - 6.0, y + 3.5, &label);
        }
        self.push(&format!(
            r#"<path class="axis" d="M{left} {bottom}H{right}"/>"#
        ));
        let mut free_from = f64::NEG_INFINITY;
        for (value, label) in self.x.ticks.clone() {
            let Some(x) = self.x.place(value) else {
                continue;
            };
            self.push(&format!(
                r#"<path class="axis" d="M{} {bottom}v4"/>"#,
                px(x)
            ));
            let half = text_width(&label) / 2.0;
            if x - half >= free_from {
                self.text("tick", "middle", x, self.bottom + 16.0, &label);
                free_from = x + half + 4.0;
            }
        }
        let (x_label, y_label) = (self.x.label.clone(), self.y.label.clone());
        if !y_label.is_empty() {
            self.text("name", "start", 2.0, 11.0, &format!("↑ {y_label}"));
        }
        if !x_label.is_empty() {
            self.text(
                "name",
                "end",
                self.right,
                self.height - 5.0,
                &format!("{x_label} →"),
            );
        }
    }
}
