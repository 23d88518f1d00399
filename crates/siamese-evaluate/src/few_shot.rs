//! Few-shot episodes of embedded images.

use anyhow::{Context, Result};
use siamese_core::metrics::fewshot::{FewShotConfig, few_shot};
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::metrics::{EmbeddingView, Figure};
use siamese_core::{Metric, Model};
use siamese_data::{ImageSet, Turned};
use siamese_embed::{Embeddings, embed};

/// Which episodes are played: N-way K-shot, for several K.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpisodeConfig {
    /// N, the classes of an episode.
    pub ways: usize,
    /// Each K, the support images of a class.
    pub shots: Vec<usize>,
    /// The queries of each class.
    pub queries: usize,
    /// Episodes for each K.
    pub episodes: usize,
    /// Decides the episodes: the same for every model.
    pub seed: u64,
}

impl Default for EpisodeConfig {
    /// What the field reports: 5-way, 1-shot and 5-shot, 15 queries; 1,000 episodes.
    fn default() -> Self {
        Self {
            ways: 5,
            shots: vec![1, 5],
            queries: 15,
            episodes: 1000,
            seed: 0,
        }
    }
}

impl EpisodeConfig {
    /// Images that a class needs for the most demanding episode.
    pub fn images_of_a_class(&self) -> usize {
        self.shots.iter().max().unwrap_or(&0) + self.queries
    }
}

/// `few_shot_5way_1shot`, `few_shot_5way_5shot`, …: accuracy of queries given to the nearest class mean of the
/// support, with the interval `mean ± 1.96·s/√episodes` that the field reports.
///
/// # Errors
/// When there are fewer classes than ways, or a class has fewer images than an episode takes.
pub fn few_shot_figures(
    set: &EmbeddingView,
    metric: &Metric,
    config: &EpisodeConfig,
) -> Result<Vec<Figure>> {
    let play = |&shots: &usize| {
        let episodes = FewShotConfig {
            ways: config.ways,
            shots,
            queries: config.queries,
            episodes: config.episodes,
            metric: metric.clone(),
            seed: config.seed,
            ..Default::default()
        };
        let played = few_shot(set, &episodes)
            .context("few-shot episodes (fewer: --way, --shot, --queries)")?;
        Ok(played.accuracy)
    };
    config.shots.iter().map(play).collect()
}

/// The same episodes, each image being represented by the mean of its embedding and its mirror image's, as some papers
/// have it: a figure of its own name, `few_shot_5way_1shot_mirrored`. `own` are the embeddings of the images as they are.
///
/// # Errors
/// Those of [`few_shot_figures`], or images that do not fit the model.
pub fn mirrored_few_shot_figures(
    model: &Model,
    images: &ImageSet,
    own: &Embeddings,
    config: &EpisodeConfig,
) -> Result<Vec<Figure>> {
    let table = with_mirror_images(model, images, own)?;
    let mut figures = few_shot_figures(&table.view()?, &model.metric()?, config)?;
    for figure in &mut figures {
        figure.name += "_mirrored";
    }
    Ok(figures)
}

/// The mean of each image's embedding and its mirror image's, of unit length where the model's embeddings are.
fn with_mirror_images(
    model: &Model,
    images: &ImageSet,
    own: &Embeddings,
) -> Result<EmbeddingTable> {
    let both = images.turned(Turned::Mirrored)?;
    let count = images.len() as u32;
    let mirror_images: Vec<u32> = (count..2 * count).collect();
    let mirrored = embed(&model.tower, &both, &mirror_images)?.table(&images.labels)?;
    let mut table = own.table(&images.labels)?;
    for (value, other) in table.values.iter_mut().zip(mirrored.values) {
        *value = (*value + other) / 2.0;
    }
    if model.tower.config().normalize {
        for row in table.values.chunks_exact_mut(table.dim) {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter_mut()
                .for_each(|v| *v /= length.max(f32::MIN_POSITIVE));
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use siamese_core::{Distance, ImageInput, Provenance, Tower, TowerConfig};

    #[test]
    fn an_image_and_its_mirror_image_are_the_same_when_both_are_averaged() -> Result<()> {
        let config = TowerConfig {
            input: ImageInput {
                height: 16,
                width: 16,
                ..ImageInput::system_c()
            },
            ..TowerConfig::system_c()
        };
        let model = Model {
            tower: Tower::new(config, 3, &Device::Cpu)?,
            head: None,
            distance: Distance::Euclidean,
            threshold: None,
            domain: None,
            faces: None,
            provenance: Provenance::default(),
        };
        let pixels: Vec<u8> = (0..16 * 16 * 3u32).map(|i| (i * 37 % 251) as u8).collect();
        let one = ImageSet::new(16, 16, 3, pixels, vec![0], vec!["a".into()])?;
        let both = one.turned(Turned::Mirrored)?;
        let all = |set: &ImageSet| -> Result<_> {
            let indices: Vec<u32> = (0..set.len() as u32).collect();
            Ok(embed(&model.tower, set, &indices)?)
        };
        let apart = all(&both)?.table(&both.labels)?;
        let length = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>();
        let between = |rows: &[f32]| {
            let (a, b) = rows.split_at(rows.len() / 2);
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>()
        };
        assert!(
            between(&apart.values) > 1e-6,
            "the tower sees no difference"
        );
        let image = with_mirror_images(&model, &one, &all(&one)?)?;
        assert!((length(&image.values) - 1.0).abs() < 1e-5);
        let mirror_image = both.subset(&[1]);
        // its pixels as a set of its own: what is turned already is not turned again
        let pixels = mirror_image.image(0)?.into_owned();
        let mirror_image = ImageSet::new(16, 16, 3, pixels, vec![0], vec!["a".into()])?;
        let other = with_mirror_images(&model, &mirror_image, &all(&mirror_image)?)?;
        assert!(between(&[image.values, other.values].concat()) < 1e-10);
        Ok(())
    }

    #[test]
    fn each_shot_is_a_figure_and_classes_too_small_are_refused_with_advice() -> Result<()> {
        let labels: Vec<u32> = (0..60).map(|i| i / 10).collect();
        let values: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
        let set = EmbeddingView::new(&values, 1, &labels)?;
        let config = EpisodeConfig {
            queries: 5,
            episodes: 20,
            ..Default::default()
        };
        let figures = few_shot_figures(&set, &Distance::Euclidean.into(), &config)?;
        let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, ["few_shot_5way_1shot", "few_shot_5way_5shot"]);
        assert!(figures.iter().all(|figure| figure.value == 1.0));
        let more = EpisodeConfig::default();
        assert_eq!(more.images_of_a_class(), 20);
        let error = few_shot_figures(&set, &Distance::Euclidean.into(), &more).unwrap_err();
        assert!(format!("{error:#}").contains("--queries): episodes: class 0 has 10 items"));
        Ok(())
    }
}
