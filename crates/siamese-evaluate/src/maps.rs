//! The embedding as maps to look at: t-SNE and PCA.

use std::collections::BTreeMap;

use anyhow::Result;
use siamese_core::metrics;
use siamese_core::metrics::projection::{TsneConfig, pca, tsne};
use siamese_data::ImageSet;
use siamese_report::EmbeddingMap;

use crate::evaluation::Evaluation;
use crate::pictures::{as_judged, class_name};

/// Most images on a map: as many as a few seconds allow, and more than can be told apart.
const POINTS: usize = 1500;
/// Fewer than this make no t-SNE.
const LEAST: usize = 4;
/// Longest side of a map's pictures, in pixels.
const PICTURE: u32 = 40;

/// Some images, at even steps through the set, as t-SNE and as PCA place them.
pub(crate) fn maps(evaluation: &Evaluation, images: &ImageSet) -> Result<Vec<EmbeddingMap>> {
    let shown = even_steps(images.len(), POINTS);
    if shown.len() < LEAST {
        return Ok(Vec::new());
    }
    let dim = evaluation.embeddings.values.dim(1)?;
    let all = evaluation
        .embeddings
        .values
        .flatten_all()?
        .to_vec1::<f32>()?;
    let row = |&i: &u32| all[i as usize * dim..][..dim].iter().copied();
    let values: Vec<f32> = shown.iter().flat_map(row).collect();
    let labels: Vec<u32> = shown.iter().map(|&i| images.labels[i as usize]).collect();
    let rows = metrics::Embeddings::new(&values, dim, &labels)?;
    let (classes, class_names) = present_classes(&shown, images);
    let config = TsneConfig {
        metric: evaluation.distance,
        seed: evaluation.seed,
        ..Default::default()
    };
    let plane = pca(&rows);
    let kept = plane.explained.iter().sum::<f64>() * 100.0;
    let pictures = shown
        .iter()
        .map(|&i| as_judged(images, i, PICTURE))
        .collect::<Result<Vec<_>>>()?;
    let map = |method: String, points: &[[f32; 2]]| EmbeddingMap {
        method,
        of: images.len(),
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

/// The class of each image that is shown, and the names of those classes.
fn present_classes(shown: &[u32], images: &ImageSet) -> (Vec<usize>, Vec<String>) {
    let mut number = BTreeMap::new();
    for &i in shown {
        number.insert(images.labels[i as usize], (0, class_name(images, i)));
    }
    number
        .values_mut()
        .enumerate()
        .for_each(|(at, class)| class.0 = at);
    let class = |&i: &u32| number[&images.labels[i as usize]].0;
    (
        shown.iter().map(class).collect(),
        number.values().map(|(_, name)| name.clone()).collect(),
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
