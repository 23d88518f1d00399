//! Classes: which are confused, and where they lie.

use std::fmt::Write as _;

use super::shell::{Section, figure};
use crate::chart::{HeatGroup, HeatMap, MapPoint, Picture, ScatterMap, heat_map, scatter_map};
use crate::data::{ConfusionMap, EmbeddingMap, RunReport};
use crate::text::{count, escape, plain};

const CONFUSIONS_LISTED: usize = 14;

pub(super) fn confusion(report: &RunReport) -> Option<Section> {
    let confusion = report.confusion.as_ref()?;
    let order = order_of(confusion);
    let cells: Vec<Vec<f64>> = order
        .iter()
        .map(|&row| {
            let total: u64 = (0..order.len())
                .map(|column| cell(confusion, row, column))
                .sum();
            let share = |&column: &usize| cell(confusion, row, column) as f64 / total.max(1) as f64;
            order.iter().map(share).collect()
        })
        .collect();
    let map = HeatMap {
        title: "Confusion of classes".into(),
        names: order
            .iter()
            .map(|&class| confusion.classes[class].clone())
            .collect(),
        groups: groups_of(confusion, &order),
        cells,
        row_label: "true class".into(),
        column_label: "called".into(),
    };
    let method = match confusion.method.as_str() {
        "" => String::new(),
        method => format!("by {method}; "),
    };
    let note = format!("{method}stronger: larger share of the true class");
    let body = format!(
        "<div class=\"split\">{}<div>{}</div></div>\n",
        figure("wide", "Confusion map", &note, &heat_map(&map)),
        most_confused(confusion)
    );
    Some(Section {
        id: "confusion",
        title: "Classes taken for one another",
        short: "Confusions",
        body,
    })
}

fn cell(confusion: &ConfusionMap, row: usize, column: usize) -> u64 {
    confusion
        .counts
        .get(row)
        .and_then(|cells| cells.get(column))
        .copied()
        .unwrap_or(0)
}

fn group(confusion: &ConfusionMap, class: usize) -> &str {
    confusion.groups.get(class).map_or("", String::as_str)
}

/// Classes in the order in which they are drawn: superclass by superclass, as they first appear.
fn order_of(confusion: &ConfusionMap) -> Vec<usize> {
    let mut order: Vec<usize> = (0..confusion.classes.len()).collect();
    order.sort_by_key(|&class| (group(confusion, class), class));
    order
}

fn groups_of(confusion: &ConfusionMap, order: &[usize]) -> Vec<HeatGroup> {
    let mut groups: Vec<HeatGroup> = Vec::new();
    if confusion.groups.is_empty() {
        return groups;
    }
    for &class in order {
        let name = group(confusion, class);
        match groups.last_mut() {
            Some(last) if last.name == name => last.size += 1,
            _ => groups.push(HeatGroup {
                name: name.into(),
                size: 1,
            }),
        }
    }
    groups
}

fn most_confused(confusion: &ConfusionMap) -> String {
    let size = confusion.classes.len();
    let mut list: Vec<(u64, u64, usize, usize)> = Vec::new();
    let mut right = 0;
    let mut all = 0;
    for row in 0..size {
        let total: u64 = (0..size).map(|column| cell(confusion, row, column)).sum();
        all += total;
        right += cell(confusion, row, row);
        let others = (0..size).filter(|&column| column != row);
        list.extend(others.map(|column| (cell(confusion, row, column), total, row, column)));
    }
    list.retain(|(number, ..)| *number > 0);
    list.sort_by(|a, b| b.0.cmp(&a.0).then(a.2.cmp(&b.2)));
    let mut html = format!(
        "<p><b>{} of {} images</b> ({}%) got their own class.</p>\n",
        count(right),
        count(all),
        plain(right as f64 / all.max(1) as f64 * 100.0, 1)
    );
    if list.is_empty() {
        return html;
    }
    html.push_str(
        "<table class=\"small\"><thead><tr><th scope=\"col\">Most often confused</th><th scope=\"col\">called</th>\
         <th scope=\"col\" class=\"n\">times</th></tr></thead><tbody>\n",
    );
    for (number, total, row, column) in list.into_iter().take(CONFUSIONS_LISTED) {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{} ({}%)</td></tr>",
            escape(&confusion.classes[row]),
            escape(&confusion.classes[column]),
            count(number),
            plain(number as f64 / total as f64 * 100.0, 0)
        );
    }
    html.push_str("</tbody></table>\n");
    html
}

pub(super) fn maps(report: &RunReport) -> Option<Section> {
    if report.embedding_maps.is_empty() {
        return None;
    }
    let maps: String = report.embedding_maps.iter().map(map_figure).collect();
    Some(Section {
        id: "map",
        title: "Map of the embedding",
        short: "Map",
        body: format!(
            "<p class=\"lead\">Near means alike. Pictures are moved to a grid, and drawn where there \
             is room.</p>\n{maps}"
        ),
    })
}

fn map_figure(map: &EmbeddingMap) -> String {
    let points = map.points.iter().enumerate().map(|(at, &[x, y])| MapPoint {
        x,
        y,
        class: map.classes.get(at).copied().unwrap_or(usize::MAX),
    });
    let scatter = ScatterMap {
        title: "Map of the embedding".into(),
        points: points.collect(),
        classes: map.class_names.clone(),
    };
    let picture = |at: usize| {
        let thumbnail = map.thumbnails.get(at)?;
        let aspect = f64::from(thumbnail.width) / f64::from(thumbnail.height.max(1));
        thumbnail
            .to_data_uri()
            .map(|address| Picture { address, aspect })
    };
    let method = if map.method.is_empty() {
        "Projection"
    } else {
        &map.method
    };
    let shown = count(map.points.len() as u64);
    let note = match map.of {
        all if all > map.points.len() => {
            format!("{shown} of {} embeddings", count(all as u64))
        }
        _ => format!("{shown} embeddings"),
    };
    let svg = format!(
        "<div class=\"scroll\" tabindex=\"0\">{}</div>",
        scatter_map(&scatter, picture)
    );
    figure("full", method, &note, &svg)
}
