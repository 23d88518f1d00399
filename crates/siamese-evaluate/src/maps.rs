//! The embedding as maps to look at: t-SNE and PCA.

use std::collections::BTreeSet;

use anyhow::Result;
use siamese_core::Distance;
use siamese_core::metrics;
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::metrics::projection::{TsneConfig, pca, tsne};
use siamese_data::ImageSet;
use siamese_report::{EmbeddingMap, Thumbnail};

use crate::evaluation::Evaluation;
use crate::pictures::as_judged;

/// Most images on a map: as many as a few seconds allow, and more than can be told apart.
const POINTS: usize = 1500;
/// Fewer than this make no t-SNE.
const LEAST: usize = 4;
/// Longest side of a map's pictures, in pixels.
const PICTURE: u32 = 40;

/// Some images, at even steps through the set, as t-SNE and as PCA place them.
pub(crate) fn maps(evaluation: &Evaluation, images: &ImageSet) -> Result<Vec<EmbeddingMap>> {
    let table = evaluation.embeddings.table(&images.labels)?;
    let name = |label: u32| match images.classes.get(label as usize) {
        Some(name) => name.clone(),
        None => label.to_string(),
    };
    let how = (evaluation.distance, evaluation.seed);
    maps_of(&table, how, name, |i| {
        Ok(Some(as_judged(images, i, PICTURE)?))
    })
}

/// Some embeddings, at even steps, with the names of their classes and, where there are, their pictures.
pub(crate) fn maps_of(
    table: &EmbeddingTable,
    (metric, seed): (Distance, u64),
    name: impl Fn(u32) -> String,
    picture: impl Fn(u32) -> Result<Option<Thumbnail>>,
) -> Result<Vec<EmbeddingMap>> {
    let shown = even_steps(table.labels.len(), POINTS);
    if shown.len() < LEAST {
        return Ok(Vec::new());
    }
    let row = |&i: &u32| {
        table.values[i as usize * table.dim..][..table.dim]
            .iter()
            .copied()
    };
    let values: Vec<f32> = shown.iter().flat_map(row).collect();
    let labels: Vec<u32> = shown.iter().map(|&i| table.labels[i as usize]).collect();
    let rows = metrics::EmbeddingView::new(&values, table.dim, &labels)?;
    let (classes, class_names) = present_classes(&labels, name);
    let config = TsneConfig {
        metric,
        seed,
        ..Default::default()
    };
    let plane = pca(&rows);
    let kept = plane.explained.iter().sum::<f64>() * 100.0;
    let pictures: Vec<Option<Thumbnail>> =
        shown.iter().map(|&i| picture(i)).collect::<Result<_>>()?;
    let pictures: Vec<Thumbnail> = pictures.into_iter().flatten().collect();
    let map = |method: String, points: &[[f32; 2]]| EmbeddingMap {
        method,
        of: table.labels.len(),
        points: points.iter().map(|point| point.map(f64::from)).collect(),
        classes: classes.clone(),
        class_names: class_names.clone(),
        thumbnails: pictures.clone(),
    };
    Ok(vec![
        map("t-SNE".into(), &tsne(&rows, &config)?),
        map(format!("PCA, {kept:.0}% of the variance"), &plane.points),
    ])
}

/// The class of each embedding that is shown, and the names of those classes.
fn present_classes(labels: &[u32], name: impl Fn(u32) -> String) -> (Vec<usize>, Vec<String>) {
    let present: Vec<u32> = labels
        .iter()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let place = |label: &u32| present.partition_point(|other| other < label);
    (
        labels.iter().map(place).collect(),
        present.iter().map(|&label| name(label)).collect(),
    )
}

/// At most `most` of `0..all`, evenly.
fn even_steps(all: usize, most: usize) -> Vec<u32> {
    let number = all.min(most);
    (0..number).map(|at| (at * all / number) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::even_steps;

    #[test]
    fn steps_reach_through_the_whole_set_without_repeating() {
        assert_eq!(even_steps(3, 5), [0, 1, 2]);
        assert_eq!(even_steps(10, 4), [0, 2, 5, 7]);
        assert!(even_steps(0, 4).is_empty());
        let many = even_steps(1501, 1500);
        assert_eq!((many.len(), many[1499]), (1500, 1499));
        assert!(many.windows(2).all(|two| two[0] < two[1]));
    }
}
