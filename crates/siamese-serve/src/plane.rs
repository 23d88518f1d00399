//! A gallery laid out in the plane: near means alike.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::Serialize;
use siamese_core::Distance;
use siamese_core::metrics::EmbeddingView;
use siamese_core::metrics::projection::{TsneConfig, pca, tsne};
use siamese_gallery::Gallery;
use utoipa::ToSchema;

use crate::problem::Problem;

/// Entries on a map at most: more take t-SNE longer than one waits, and more cannot be told apart.
const POINTS: usize = 1000;
/// Fewer than this make no t-SNE.
const LEAST: usize = 8;

/// A map, and what it is of.
#[derive(Clone)]
pub(crate) struct Plane {
    print: u64,
    pub(crate) map: Arc<Map>,
}

/// A map of a gallery.
#[derive(Serialize, ToSchema)]
pub(crate) struct Map {
    /// How the places were found.
    method: String,
    /// Entries of the gallery; a large gallery is shown in part, at even steps.
    of: usize,
    /// The entries that are shown.
    points: Vec<Point>,
}

/// An entry on a map.
#[derive(Serialize, ToSchema)]
struct Point {
    id: i64,
    class: String,
    /// From 0 to 1, as `y`; the map's proportions are kept.
    x: f32,
    y: f32,
}

/// Entries of a gallery, at even steps where it has many.
pub(crate) struct Copied {
    dim: usize,
    distance: Distance,
    step: usize,
    ids: Vec<i64>,
    classes: Vec<String>,
    values: Vec<f32>,
    print: DefaultHasher,
    seen: usize,
}

impl Plane {
    /// The map of these entries: the one that was `kept`, unless they have changed since.
    pub(crate) fn of(copied: Copied, kept: Option<Self>) -> Result<Self, Problem> {
        let print = copied.print.finish();
        match kept.filter(|plane| plane.print == print) {
            Some(plane) => Ok(plane),
            None => Ok(Self {
                print,
                map: Arc::new(copied.draw()?),
            }),
        }
    }
}

impl Copied {
    pub(crate) fn of(gallery: &mut Gallery) -> siamese_gallery::Result<Self> {
        let entries: usize = gallery.classes()?.values().sum();
        let model = &gallery.about().model;
        let mut copied = Self {
            dim: model.dim,
            distance: model.distance,
            step: entries.div_ceil(POINTS).max(1),
            ids: Vec::new(),
            classes: Vec::new(),
            values: Vec::new(),
            print: DefaultHasher::new(),
            seen: 0,
        };
        gallery.embeddings(|id, class, row| copied.see(id, class, row))?;
        Ok(copied)
    }

    fn see(&mut self, id: i64, class: &str, row: &[f32]) {
        (id, class).hash(&mut self.print);
        row.first().map(|x| x.to_bits()).hash(&mut self.print);
        if self.seen.is_multiple_of(self.step) {
            self.ids.push(id);
            self.classes.push(class.to_string());
            self.values.extend_from_slice(row);
        }
        self.seen += 1;
    }

    fn draw(self) -> Result<Map, Problem> {
        let labels = vec![0; self.ids.len()];
        let (method, places) = match self.ids.len() {
            0 => (String::new(), Vec::new()),
            count => {
                let rows = EmbeddingView::new(&self.values, self.dim, &labels);
                let rows = rows.map_err(Problem::fault)?;
                let config = TsneConfig {
                    metric: self.distance,
                    ..TsneConfig::default()
                };
                match count < LEAST {
                    true => ("principal components".into(), pca(&rows).points),
                    false => (
                        "t-SNE".into(),
                        tsne(&rows, &config).map_err(Problem::fault)?,
                    ),
                }
            }
        };
        let points = unit(&places).into_iter().zip(self.ids).zip(self.classes);
        let point = |(([x, y], id), class): (([f32; 2], i64), String)| Point { id, class, x, y };
        Ok(Map {
            method,
            of: self.seen,
            points: points.map(point).collect(),
        })
    }
}

/// Places moved and scaled into the unit square, both sides alike; the middle where there is no extent.
fn unit(places: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let ends = |axis: usize| {
        let values = places.iter().map(|place| place[axis]);
        let ends = (f32::INFINITY, f32::NEG_INFINITY);
        values.fold(ends, |(low, high), x| (low.min(x), high.max(x)))
    };
    let (x, y) = (ends(0), ends(1));
    let extent = (x.1 - x.0).max(y.1 - y.0).max(f32::MIN_POSITIVE);
    let to = |value: f32, (low, high): (f32, f32)| (value - (low + high) / 2.0) / extent + 0.5;
    places.iter().map(|p| [to(p[0], x), to(p[1], y)]).collect()
}

#[cfg(test)]
mod tests {
    use super::unit;

    #[test]
    fn places_fill_the_unit_square_and_keep_their_proportions() {
        let places = unit(&[[-2.0, 1.0], [2.0, 1.0], [0.0, 3.0]]);
        assert_eq!(places, [[0.0, 0.25], [1.0, 0.25], [0.5, 0.75]]);
        assert_eq!(unit(&[[7.0, 7.0]]), [[0.5, 0.5]]);
        assert!(unit(&[]).is_empty());
    }
}
