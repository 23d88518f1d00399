//! Where the classes lie: maps of the embedding.

use super::shell::{Section, Stand, figure, scroll};
use crate::chart::{MapPoint, Picture, ScatterMap, scatter_map};
use crate::data::{EmbeddingMap, RunReport};
use crate::text::count;

pub(super) fn maps(report: &RunReport) -> Option<Section> {
    if report.embedding_maps.is_empty() {
        return None;
    }
    let methods = report.embedding_maps.iter().map(method);
    let maps: String = report.embedding_maps.iter().map(map_figure).collect();
    Some(Section {
        id: "map".into(),
        title: "Map of the embedding".into(),
        teaser: methods.collect::<Vec<_>>().join("; "),
        stand: Stand::Folded,
        body: format!(
            "<p class=\"lead\">Near means alike. Pictures are moved to a grid, and drawn where there \
             is room; each says its class when pointed at.</p>\n{maps}"
        ),
    })
}

fn method(map: &EmbeddingMap) -> &str {
    match map.method.as_str() {
        "" => "Projection",
        method => method,
    }
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
    let shown = count(map.points.len() as u64);
    let note = match map.of {
        all if all > map.points.len() => {
            format!("{shown} of {} embeddings", count(all as u64))
        }
        _ => format!("{shown} embeddings"),
    };
    let svg = scroll(&scatter_map(&scatter, picture));
    figure("full", method(map), &note, &svg)
}
