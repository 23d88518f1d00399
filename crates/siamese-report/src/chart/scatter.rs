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
    let mut cells = HashSet::new();
    for &(at, x, y) in &placed {
        let cell = ((x / PICTURE) as i64, (y / PICTURE) as i64);
        if cells.contains(&cell) {
            continue;
        }
        let Some(picture) = picture(at) else { continue };
        cells.insert(cell);
        draw_picture(&mut body, map, at, cell, &picture);
    }
    body.push_str(&class_names(map, &placed, width));
    if missing > 0 {
        let _ = write!(
            body,
            r#"<text class="note small" text-anchor="end" x="{}" y="12">{missing} points not finite</text>"#,
            px(width - 4.0)
        );
    }
    format!(
        r#"<svg class="chart map" style="--width:{0}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{body}</svg>"#,
        px(width),
        px(height),
        escape(&format!(
            "{}. Map of {} points of {} classes.",
            map.title,
            placed.len(),
            map.classes.len()
        ))
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
    format!(r#"class="dot" style="--hue:{hue:.0}""#)
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

/// Names at the middle of each class, the most compact classes first, where none overlaps another.
fn class_names(map: &ScatterMap, placed: &[(usize, f64, f64)], width: f64) -> String {
    let mut middles: Vec<(f64, usize, f64, f64)> = Vec::new();
    for class in 0..map.classes.len() {
        let own: Vec<_> = placed
            .iter()
            .filter(|(at, ..)| map.points[*at].class == class)
            .collect();
        if own.is_empty() {
            continue;
        }
        let mut xs: Vec<f64> = own.iter().map(|(_, x, _)| *x).collect();
        let mut ys: Vec<f64> = own.iter().map(|(_, _, y)| *y).collect();
        xs.sort_by(f64::total_cmp);
        ys.sort_by(f64::total_cmp);
        let (x, y) = (xs[xs.len() / 2], ys[ys.len() / 2]);
        let distance = |&&(_, a, b): &&(usize, f64, f64)| (a - x).hypot(b - y);
        let spread = own.iter().map(distance).sum::<f64>() / own.len() as f64;
        middles.push((spread, class, x, y));
    }
    middles.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut written: Vec<(f64, f64, f64)> = Vec::new();
    let mut body = String::new();
    for (_, class, x, y) in middles {
        let name = shorten(&map.classes[class], 18);
        let half = text_width(&name) / 2.0;
        let x = x.clamp(half + 4.0, (width - half - 4.0).max(half + 4.0));
        let overlaps = |&(a, b, other): &(f64, f64, f64)| {
            (a - x).abs() < half + other + 6.0 && (b - y).abs() < 15.0
        };
        if written.iter().any(overlaps) {
            continue;
        }
        written.push((x, y, half));
        let _ = write!(
            body,
            r#"<text class="class-name halo" text-anchor="middle" x="{}" y="{}">{}</text>"#,
            px(x),
            px(y + 4.0),
            escape(&name)
        );
    }
    body
}
