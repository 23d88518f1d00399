//! A map of points in the plane, with pictures where there is room for them.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::frame::text_width;
use crate::text::{escape, px, shorten};

/// A picture on a map.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Its address, `data:` or other.
    pub address: String,
    /// Width over height.
    pub aspect: f64,
}

/// A point of a map. Its picture is asked for only when there is room for it.
#[derive(Debug, Clone, Copy)]
pub struct MapPoint {
    /// Horizontal position, in any unit.
    pub x: f64,
    /// Vertical position, in the same unit.
    pub y: f64,
    /// Index of its class.
    pub class: usize,
}

/// A map of points by class; positions have no unit, so there are no axes.
#[derive(Debug, Clone)]
pub struct ScatterMap {
    /// What it shows, for readers who do not see it.
    pub title: String,
    /// The points.
    pub points: Vec<MapPoint>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

const MOST_WIDTH: f64 = 720.0;
const LEAST_WIDTH: f64 = 240.0;
const MOST_HEIGHT: f64 = 560.0;
const LEAST_HEIGHT: f64 = 200.0;
const EDGE: f64 = 24.0;
/// Side of a picture; one at most per cell of a grid of this size.
const PICTURE: f64 = 26.0;
/// Up to here each class has a colour of its own that colour-blind readers can tell.
const COLOURS: usize = 8;

/// Draws the map; `picture` gives the picture of a point, if it has one.
pub fn scatter_map(map: &ScatterMap, picture: impl Fn(usize) -> Option<Picture>) -> String {
    let Layout {
        placed,
        missing,
        width,
        height,
    } = place(map);
    let mut body = String::new();
    if placed.is_empty() {
        let _ = write!(
            body,
            r#"<text class="note" text-anchor="middle" x="{}" y="{}">no data</text>"#,
            px(width / 2.0),
            px(height / 2.0)
        );
    }
    for &(at, x, y) in &placed {
        let point = &map.points[at];
        let _ = write!(
            body,
            r#"<circle {} cx="{}" cy="{}" r="2.6"><title>{}</title></circle>"#,
            paint(point.class, map.classes.len()),
            px(x),
            px(y),
            escape(name_of(map, point.class))
        );
    }
    let names = class_names(map, &placed, (width, height));
    let mut cells = HashSet::new();
    for &(at, x, y) in &placed {
        let cell = ((x / PICTURE) as i64, (y / PICTURE) as i64);
        if cells.contains(&cell) || names.iter().any(|name| name.covers(cell)) {
            continue;
        }
        let Some(picture) = picture(at) else { continue };
        cells.insert(cell);
        draw_picture(&mut body, map, at, cell, &picture);
    }
    body.extend(names.iter().map(ClassName::svg));
    if missing > 0 {
        let _ = write!(
            body,
            r#"<text class="note small" text-anchor="end" x="{}" y="12">{missing} points not finite</text>"#,
            px(width - 4.0)
        );
    }
    format!(
        r#"<svg class="chart map width-{3:.0}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{body}</svg>"#,
        px(width),
        px(height),
        escape(&format!(
            "{}. Map of {} points of {} classes.",
            map.title,
            placed.len(),
            map.classes.len()
        )),
        width
    )
}

/// Where everything is on a map.
struct Layout {
    /// Index and pixels of each drawable point.
    placed: Vec<(usize, f64, f64)>,
    /// How many points are not drawable.
    missing: usize,
    /// As wide and as high as the points need.
    width: f64,
    height: f64,
}

/// One scale for both directions.
fn place(map: &ScatterMap) -> Layout {
    let drawable =
        |p: &MapPoint| p.x.is_finite() && p.y.is_finite() && p.x.abs().max(p.y.abs()) < 1e200;
    let inside = || map.points.iter().enumerate().filter(|(_, p)| drawable(p));
    let span = |pick: fn(&MapPoint) -> f64| {
        inside().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, p)| {
            (low.min(pick(p)), high.max(pick(p)))
        })
    };
    let ((left, right), (low, high)) = (span(|p| p.x), span(|p| p.y));
    let room = |extent: f64, pixels: f64| {
        if extent > 1e-200 {
            (pixels - 2.0 * EDGE) / extent
        } else {
            f64::INFINITY
        }
    };
    let scale = room(right - left, MOST_WIDTH).min(room(high - low, MOST_HEIGHT));
    let scale = if scale.is_finite() { scale } else { 0.0 };
    let needed = |extent: f64| match scale > 0.0 {
        true => extent * scale + 2.0 * EDGE,
        false => 0.0,
    };
    let width = needed(right - left).clamp(LEAST_WIDTH, MOST_WIDTH);
    let height = needed(high - low).clamp(LEAST_HEIGHT, MOST_HEIGHT);
    let placed: Vec<_> = inside()
        .map(|(at, p)| {
            let x = width / 2.0 + (p.x - (left + right) / 2.0) * scale;
            let y = height / 2.0 - (p.y - (low + high) / 2.0) * scale;
            (at, x, y)
        })
        .collect();
    let missing = map.points.len() - placed.len();
    Layout {
        placed,
        missing,
        width,
        height,
    }
}

fn name_of(map: &ScatterMap, class: usize) -> &str {
    map.classes.get(class).map_or("?", String::as_str)
}

/// Few classes have the palette's colours; many get hues around the wheel, as a hint only.
fn paint(class: usize, classes: usize) -> String {
    if classes <= COLOURS {
        return format!(r#"class="dot c{}""#, class % COLOURS);
    }
    let hue = class as f64 / classes as f64 * 360.0;
    format!(r#"class="dot hue-{hue:.0}""#)
}

fn draw_picture(
    body: &mut String,
    map: &ScatterMap,
    at: usize,
    cell: (i64, i64),
    picture: &Picture,
) {
    let aspect = if picture.aspect.is_finite() {
        picture.aspect.clamp(0.2, 5.0)
    } else {
        1.0
    };
    let side = PICTURE - 3.0;
    let (width, height) = if aspect > 1.0 {
        (side, side / aspect)
    } else {
        (side * aspect, side)
    };
    let x = cell.0 as f64 * PICTURE + (PICTURE - width) / 2.0;
    let y = cell.1 as f64 * PICTURE + (PICTURE - height) / 2.0;
    let class = map.points[at].class;
    let (x, y, width, height) = (px(x), px(y), px(width), px(height));
    let _ = write!(
        body,
        r#"<image href="{}" x="{x}" y="{y}" width="{width}" height="{height}"><title>{}</title></image><rect {} x="{x}" y="{y}" width="{width}" height="{height}"/>"#,
        escape(&picture.address),
        escape(name_of(map, class)),
        paint(class, map.classes.len()).replacen("dot", "frame", 1),
    );
}

/// A class's name on the map, in room of its own.
struct ClassName {
    text: String,
    x: f64,
    y: f64,
    /// Half of its width.
    half: f64,
}

/// Half of a name's height.
const HALF_LINE: f64 = 8.0;
/// Where a name may stand, in lines below the middle of its class; the nearest first.
const SHIFTS: [f64; 9] = [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0];

impl ClassName {
    fn svg(&self) -> String {
        format!(
            r#"<text class="class-name halo" text-anchor="middle" x="{}" y="{}">{}</text>"#,
            px(self.x),
            px(self.y + 4.0),
            escape(&self.text)
        )
    }

    fn meets(&self, other: &Self) -> bool {
        let near = (self.x - other.x).abs() < self.half + other.half + 6.0;
        near && (self.y - other.y).abs() < 2.0 * HALF_LINE
    }

    /// Whether an image at this point would lie under the name.
    fn hides(&self, x: f64, y: f64) -> bool {
        let side = PICTURE / 2.0;
        (self.x - x).abs() < self.half + side && (self.y - y).abs() < HALF_LINE + side
    }

    /// Whether a picture in this cell would lie under the name.
    fn covers(&self, (column, row): (i64, i64)) -> bool {
        let off = |middle: f64, cell: i64| ((cell as f64 + 0.5) * PICTURE - middle).abs();
        let side = PICTURE / 2.0 - 1.5;
        off(self.x, column) < self.half + side && off(self.y, row) < HALF_LINE + side - 2.0
    }
}

/// Names near the middle of each class, the most compact classes first, where none overlaps another.
fn class_names(
    map: &ScatterMap,
    placed: &[(usize, f64, f64)],
    (width, height): (f64, f64),
) -> Vec<ClassName> {
    let mut written: Vec<ClassName> = Vec::new();
    for (class, x, y) in middles(map, placed) {
        let text = shorten(&map.classes[class], 32);
        let half = text_width(&text) / 2.0;
        let x = x.clamp(half + 4.0, (width - half - 4.0).max(half + 4.0));
        let at = |shift: &f64| ClassName {
            text: text.clone(),
            x,
            y: y + shift * 2.0 * HALF_LINE,
            half,
        };
        let free = |name: &ClassName| {
            (HALF_LINE..height - HALF_LINE).contains(&name.y)
                && !written.iter().any(|own| own.meets(name))
        };
        let hidden =
            |name: &ClassName| placed.iter().filter(|(_, x, y)| name.hides(*x, *y)).count();
        // the nearest of those that hide fewest images
        if let Some(name) = SHIFTS.iter().map(at).filter(free).min_by_key(hidden) {
            written.push(name);
        }
    }
    written
}

/// The middle of each class, the most compact first.
fn middles(map: &ScatterMap, placed: &[(usize, f64, f64)]) -> Vec<(usize, f64, f64)> {
    let mut own: Vec<Vec<(f64, f64)>> = vec![Vec::new(); map.classes.len()];
    for &(at, x, y) in placed {
        if let Some(own) = own.get_mut(map.points[at].class) {
            own.push((x, y));
        }
    }
    let median = |own: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = own.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let classes = own.iter().enumerate().filter(|(_, own)| !own.is_empty());
    let mut middles: Vec<(f64, (usize, f64, f64))> = classes
        .map(|(class, own)| {
            let (x, y) = (median(own, |p| p.0), median(own, |p| p.1));
            let off = own.iter().map(|(a, b)| (a - x).hypot(b - y)).sum::<f64>();
            (off / own.len() as f64, (class, x, y))
        })
        .collect();
    middles.sort_by(|a, b| a.0.total_cmp(&b.0));
    middles.into_iter().map(|(_, middle)| middle).collect()
}
