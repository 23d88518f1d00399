//! Heat maps of square tables: one cell per row and column, shaded by share.

use std::fmt::Write as _;

use super::frame::text_width;
use crate::text::{escape, px, shorten};

/// Neighbouring rows that belong together.
#[derive(Debug, Clone)]
pub struct HeatGroup {
    /// Written beside the rows.
    pub name: String,
    /// How many rows.
    pub size: usize,
}

/// A square table of shares.
#[derive(Debug, Clone)]
pub struct HeatMap {
    /// What it shows, for readers who do not see it.
    pub title: String,
    /// `cells[row][column]`, each 0 to 1.
    pub cells: Vec<Vec<f64>>,
    /// Names of rows and columns.
    pub names: Vec<String>,
    /// Rows that belong together, in order; may be empty.
    pub groups: Vec<HeatGroup>,
    /// Meaning of rows: "true class".
    pub row_label: String,
    /// Meaning of columns: "called".
    pub column_label: String,
}

const SIDE: f64 = 520.0;
const TOP: f64 = 26.0;
/// Steps of shading; the style sheet has one opacity for each.
const SHADES: usize = 8;
const MOST_NAMED: usize = 30;

/// Draws a heat map. Cells of one shade are one path, so that 100 classes stay a small file.
pub fn heat_map(map: &HeatMap) -> String {
    let size = map.cells.len();
    let labels = row_labels(map);
    let left = labels
        .iter()
        .map(|(_, text)| text_width(text))
        .fold(0.0, f64::max)
        + 10.0;
    let (width, height) = (left + SIDE + 4.0, TOP + SIDE + 26.0);
    let mut body = String::new();
    if size == 0 {
        let _ = write!(
            body,
            r#"<text class="note" text-anchor="middle" x="{}" y="{}">no data</text>"#,
            px(width / 2.0),
            px(height / 2.0)
        );
    }
    let cell = SIDE / size.max(1) as f64;
    let _ = write!(
        body,
        r#"<rect class="heat-ground" x="{}" y="{TOP}" width="{SIDE}" height="{SIDE}"/><g transform="translate({} {TOP}) scale({cell:.4})">"#,
        px(left),
        px(left)
    );
    for (shade, path) in shade_paths(map)
        .into_iter()
        .enumerate()
        .filter(|(_, p)| !p.is_empty())
    {
        let _ = write!(
            body,
            r#"<path class="heat s{shade}" shape-rendering="crispEdges" d="{path}"/>"#
        );
    }
    body.push_str("</g>");
    body.push_str(&group_lines(map, left, cell));
    let mut free_from = f64::NEG_INFINITY;
    for (row, text) in &labels {
        let y = TOP + row * cell + 3.5;
        if y < free_from {
            continue;
        }
        free_from = y + 11.0;
        let _ = write!(
            body,
            r#"<text class="tick" text-anchor="end" x="{}" y="{}">{}</text>"#,
            px(left - 6.0),
            px(y),
            escape(text)
        );
    }
    let _ = write!(
        body,
        r#"<text class="name" x="{}" y="14">↓ {}</text><text class="name" text-anchor="end" x="{}" y="{}">{} →</text>"#,
        px(left),
        escape(&map.row_label),
        px(left + SIDE),
        px(height - 8.0),
        escape(&map.column_label)
    );
    format!(
        r#"<svg class="chart heat-map" style="--names:{:.4}" viewBox="0 0 {} {}" role="img" aria-label="{}">{body}</svg>"#,
        // The share that the names take, which a narrow page leaves out.
        (left - 2.0) / width,
        px(width),
        px(height),
        escape(&format!(
            "{}. Heat map of {size} rows and columns.",
            map.title
        ))
    )
}

/// Row position (in cells) and text: groups where there are any, else the names if they fit.
fn row_labels(map: &HeatMap) -> Vec<(f64, String)> {
    let size = map.cells.len();
    if !map.groups.is_empty() {
        let mut start = 0;
        return map
            .groups
            .iter()
            .map(|group| {
                let middle = start as f64 + group.size as f64 / 2.0;
                start += group.size;
                (middle, shorten(&group.name, 26))
            })
            .collect();
    }
    if size > MOST_NAMED {
        return Vec::new();
    }
    let named = map.names.iter().take(size).enumerate();
    named
        .map(|(row, name)| (row as f64 + 0.5, shorten(name, 20)))
        .collect()
}

fn shade_paths(map: &HeatMap) -> Vec<String> {
    let mut paths = vec![String::new(); SHADES];
    for (row, cells) in map.cells.iter().enumerate() {
        for (column, &share) in cells.iter().take(map.cells.len()).enumerate() {
            if share.is_finite() && share > 0.0 {
                // The square root shows rare confusions, which are the ones to look for.
                let shade = (share.min(1.0).sqrt() * SHADES as f64) as usize;
                let _ = write!(paths[shade.min(SHADES - 1)], "M{column} {row}h1v1h-1z");
            }
        }
    }
    paths
}

fn group_lines(map: &HeatMap, left: f64, cell: f64) -> String {
    let mut path = String::new();
    let mut start = 0;
    for group in &map.groups {
        let (from, to) = (start as f64 * cell, (start + group.size) as f64 * cell);
        let length = px(to - from);
        let _ = write!(
            path,
            "M{} {}h{length}v{length}h-{length}z",
            px(left + from),
            px(TOP + from)
        );
        start += group.size;
    }
    format!(r#"<path class="heat-group" d="{path}"/>"#)
}
