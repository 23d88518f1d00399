//! Few-shot episodes of embedded images.

use anyhow::{Context, Result};
use siamese_core::Metric;
use siamese_core::metrics::fewshot::{Classifier, FewShotConfig, few_shot};
use siamese_core::metrics::{EmbeddingView, Figure};

/// Support images of an episode up to which a logistic regression is fitted to them: its time grows with their square.
const FITTED: usize = 128;

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
/// support, with the interval `mean ± 1.96·s/√episodes` that the field reports. Then `few_shot_5way_1shot_logistic`, …: of the same
/// queries by a logistic regression on the support, as RFS (Tian et al. 2020) judges; not where a learned comparison judges, which
/// knows no directions, and not for more than 128 support images, to which it is fitted too slowly.
///
/// # Errors
/// When there are fewer classes than ways, or a class has fewer images than an episode takes.
pub fn few_shot_figures(
    set: &EmbeddingView,
    metric: &Metric,
    config: &EpisodeConfig,
) -> Result<Vec<Figure>> {
    let fits = |shots: usize| !metric.is_learned() && config.ways.saturating_mul(shots) <= FITTED;
    let by_means = config.shots.iter().map(|&k| (Classifier::Centroid, k));
    let fitted = config.shots.iter().filter(|&&shots| fits(shots));
    let fitted = fitted.map(|&k| (Classifier::Logistic, k));
    let play = |(classifier, shots)| {
        let episodes = FewShotConfig {
            ways: config.ways,
            shots,
            queries: config.queries,
            episodes: config.episodes,
            metric: metric.clone(),
            seed: config.seed,
            classifier,
        };
        let played = few_shot(set, &episodes)
            .context("few-shot episodes (fewer: --way, --shot, --queries)")?;
        Ok(played.accuracy)
    };
    by_means.chain(fitted).map(play).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use siamese_core::Distance;

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
        let wanted = ["1shot", "5shot", "1shot_logistic", "5shot_logistic"];
        assert_eq!(names, wanted.map(|name| format!("few_shot_5way_{name}")));
        assert!(figures[..2].iter().all(|figure| figure.value == 1.0));
        let many = EpisodeConfig {
            ways: 6,
            shots: vec![22],
            queries: 1,
            episodes: 2,
            ..Default::default()
        };
        let labels: Vec<u32> = (0..138).map(|i| i / 23).collect();
        let values: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
        let large = EmbeddingView::new(&values, 1, &labels)?;
        let figures = few_shot_figures(&large, &Distance::Euclidean.into(), &many)?;
        assert_eq!(figures.len(), 1, "132 support images are too many to fit");
        let more = EpisodeConfig::default();
        assert_eq!(more.images_of_a_class(), 20);
        let error = few_shot_figures(&set, &Distance::Euclidean.into(), &more).unwrap_err();
        assert!(format!("{error:#}").contains("--queries): episodes: class 0 has 10 items"));
        Ok(())
    }
}
