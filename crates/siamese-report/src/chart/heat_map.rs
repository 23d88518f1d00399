//! Heat maps of square tables: one cell per row and column, shaded by share.

use std::fmt::Write as _;

use super::frame::text_width;
use crate::text::{count, escape, px, shorten};

/// Neighbouring rows that belong together.
#[derive(Debug, Clone)]
pub struct HeatGroup {
    /// Written beside the rows where these have no names.
    pub name: String,
    /// How many rows.
    pub size: usize,
}

/// A cell that is not empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeatCell {
    /// Its row, from the top.
    pub row: usize,
    /// Its column, from the left.
    pub column: usize,
    /// 0 to 1: how strongly it is shaded.
    pub share: f64,
    /// Written into it where there is room.
    pub count: u64,
}

/// A square table of shares.
#[derive(Debug, Clone, Default)]
pub struct HeatMap {
    /// What it shows, for readers who do not see it.
    pub title: String,
    /// The cells that are not empty, each once.
    pub cells: Vec<HeatCell>,
    /// Names of rows and columns: as many as there are.
    pub names: Vec<String>,
    /// Rows that belong together, in order; may be empty.
    pub groups: Vec<HeatGroup>,
    /// Meaning of rows: "true class".
    pub row_label: String,
    /// Meaning of columns: "called".
    pub column_label: String,
}

const SIDE: f64 = 560.0;
/// A cell is at most this wide, and where rows are named no lower than a line of text.
const MOST_CELL: f64 = 64.0;
const LEAST_NAMED_CELL: f64 = 13.0;
/// Steps of shading; the style sheet has one opacity for each.
const SHADES: usize = 8;
/// From this shade on, text is light.
const STRONG: usize = 5;
const MOST_NAMED: usize = 60;
const MOST_NUMBERED: usize = 15;
/// Letters of a name; a longer one is cut and said in full when pointed at.
const LETTERS: usize = 40;

/// Where everything lies.
struct Layout {
    size: usize,
    cell: f64,
    left: f64,
    top: f64,
    side: f64,
}

/// Draws a heat map: rows and columns are named and counted where there is room for it, and cells of one shade are
/// one path, so that 200 classes stay a small file.
pub fn heat_map(map: &HeatMap) -> String {
    let size = map.names.len();
    let named = (1..=MOST_NAMED).contains(&size);
    let rows = row_names(map);
    let widest = rows
        .iter()
        .map(|(_, name)| text_width(&shorten(name, LETTERS)));
    let aside = widest.fold(0.0, f64::max) + 10.0;
    let least = if named { LEAST_NAMED_CELL } else { 1.0 };
    let cell = (SIDE / size.max(1) as f64).clamp(least, MOST_CELL);
    let layout = Layout {
        size,
        cell,
        left: aside,
        top: if named { aside + 20.0 } else { 26.0 },
        side: cell * size.max(1) as f64,
    };
    let (width, height) = (aside + layout.side + 6.0, layout.top + layout.side + 8.0);
    let mut body = ground(map, &layout);
    body.push_str(&group_lines(map, &layout));
    body.push_str(&names(&rows, named, &layout));
    if size <= MOST_NUMBERED {
        body.push_str(&numbers(map, &layout));
    }
    body.push_str(&axis_names(map, named, &layout));
    format!(
        r#"<svg class="chart heat-map width-{3:.0}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{body}</svg>"#,
        px(width),
        px(height),
        escape(&format!(
            "{}. Heat map of {size} rows and columns.",
            map.title
        )),
        width
    )
}

/// What rows and columns mean: beside the names where there are any, else over the corners.
fn axis_names(map: &HeatMap, named: bool, layout: &Layout) -> String {
    let (left, right) = (layout.left, layout.left + layout.side);
    let above = layout.top - 10.0;
    let (row, column) = match named {
        true => (
            ("end", left - 6.0, layout.top - 6.0),
            ("end", left - 6.0, 12.0),
        ),
        false => (("start", left, above), ("end", right, above)),
    };
    let rows = format!("↓ {}", map.row_label);
    let columns = format!("{} →", map.column_label);
    let text = |((anchor, x, y), label): ((&str, f64, f64), String)| {
        format!(
            r#"<text class="name" text-anchor="{anchor}" x="{}" y="{}">{}</text>"#,
            px(x),
            px(y),
            escape(&label)
        )
    };
    [(row, rows), (column, columns)].map(text).concat()
}

/// Row position (in cells) and name: of each row, or of each group where rows are too many.
fn row_names(map: &HeatMap) -> Vec<(f64, &str)> {
    if map.names.len() <= MOST_NAMED {
        let names = map.names.iter().enumerate();
        return names
            .map(|(row, name)| (row as f64 + 0.5, name.as_str()))
            .collect();
    }
    let mut start = 0.0;
    let middle = |group: &HeatGroup| {
        start += group.size as f64;
        start - group.size as f64 / 2.0
    };
    let middles: Vec<f64> = map.groups.iter().map(middle).collect();
    let groups = map.groups.iter().map(|group| group.name.as_str());
    middles.into_iter().zip(groups).collect()
}

fn ground(map: &HeatMap, layout: &Layout) -> String {
    let (left, top, side) = (px(layout.left), px(layout.top), px(layout.side));
    let mut body = format!(
        r#"<rect class="heat-ground" x="{left}" y="{top}" width="{side}" height="{side}"/>"#
    );
    if layout.size == 0 {
        let _ = write!(
            body,
            r#"<text class="note" text-anchor="middle" x="{}" y="{}">no data</text>"#,
            px(layout.left + layout.side / 2.0),
            px(layout.top + layout.side / 2.0)
        );
        return body;
    }
    let _ = write!(
        body,
        r#"<g transform="translate({left} {top}) scale({:.4})">"#,
        layout.cell
    );
    let mut paths = vec![String::new(); SHADES];
    for cell in inside(map) {
        if let Some(shade) = shade(cell.share) {
            let _ = write!(paths[shade], "M{} {}h1v1h-1z", cell.column, cell.row);
        }
    }
    let paths = paths
        .iter()
        .enumerate()
        .filter(|(_, path)| !path.is_empty());
    for (shade, path) in paths {
        let _ = write!(
            body,
            r#"<path class="heat s{shade}" shape-rendering="crispEdges" d="{path}"/>"#
        );
    }
    body + "</g>"
}

fn inside(map: &HeatMap) -> impl Iterator<Item = &HeatCell> {
    let size = map.names.len();
    map.cells
        .iter()
        .filter(move |cell| cell.row.max(cell.column) < size)
}

/// The square root shows rare confusions, which are the ones to look for.
fn shade(share: f64) -> Option<usize> {
    let drawn = share.is_finite() && share > 0.0;
    drawn.then(|| ((share.min(1.0).sqrt() * SHADES as f64) as usize).min(SHADES - 1))
}

/// Names of rows, and where each has one of columns too, on their side.
fn names(rows: &[(f64, &str)], columns: bool, layout: &Layout) -> String {
    let mut body = String::new();
    let mut free_from = f64::NEG_INFINITY;
    for (row, name) in rows {
        let middle = row * layout.cell + 3.5;
        if middle < free_from {
            continue;
        }
        free_from = middle + 11.0;
        let text = escape(&shorten(name, LETTERS));
        let title = match name.chars().count() > LETTERS {
            true => format!("<title>{}</title>", escape(name)),
            false => String::new(),
        };
        let (x, y) = (px(layout.left - 6.0), px(layout.top + middle));
        let _ = write!(
            body,
            r#"<text class="tick" text-anchor="end" x="{x}" y="{y}">{text}{title}</text>"#
        );
        if columns {
            let (x, y) = (px(layout.left + middle), px(layout.top - 6.0));
            let _ = write!(
                body,
                r#"<text class="tick" transform="translate({x} {y}) rotate(-90)">{text}{title}</text>"#
            );
        }
    }
    body
}

fn numbers(map: &HeatMap, layout: &Layout) -> String {
    let number = |cell: &HeatCell| {
        let class = match shade(cell.share) {
            Some(shade) if shade >= STRONG => "cell strong",
            _ => "cell",
        };
        let middle = |at: usize| (at as f64 + 0.5) * layout.cell;
        format!(
            r#"<text class="{class}" text-anchor="middle" x="{}" y="{}">{}</text>"#,
            px(layout.left + middle(cell.column)),
            px(layout.top + middle(cell.row) + 4.0),
            count(cell.count)
        )
    };
    inside(map).map(number).collect()
}

fn group_lines(map: &HeatMap, layout: &Layout) -> String {
    let mut path = String::new();
    let mut start = 0;
    for group in &map.groups {
        let from = start as f64 * layout.cell;
        let length = px(group.size as f64 * layout.cell);
        let (x, y) = (px(layout.left + from), px(layout.top + from));
        let _ = write!(path, "M{x} {y}h{length}v{length}h-{length}z");
        start += group.size;
    }
    match path.as_str() {
        "" => path,
        path => format!(r#"<path class="heat-group" d="{path}"/>"#),
    }
}
