//! N-way K-shot episodes.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::{SliceRandom, index};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use siamese_words::counted;

use super::logistic::logistic_classify;
use crate::classify::{centroid_classify, knn_classify};
use crate::embeddings::EmbeddingView;
use crate::error::{Error, Result};
use crate::figure::{Figure, Interval};
use crate::metric::Metric;

/// How a query is given its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Classifier {
    /// The nearest mean of a class's support, a *prototype* (Snell et al. 2017).
    #[default]
    Centroid,
    /// The class of the nearest support item.
    NearestNeighbour,
    /// A [logistic regression](logistic_classify) on the support, as Tian et al. (2020) judge; whatever the metric is.
    Logistic,
}

impl Classifier {
    /// What tells its figures from those of class means.
    fn suffix(self) -> &'static str {
        match self {
            Self::Centroid => "",
            Self::NearestNeighbour => "_nearest",
            Self::Logistic => "_logistic",
        }
    }
}

/// What episodes are like.
#[derive(Clone, Debug, PartialEq)]
pub struct FewShotConfig {
    /// N, the classes of an episode.
    pub ways: usize,
    /// K, the support items of each class.
    pub shots: usize,
    /// The queries of each class.
    pub queries: usize,
    /// Number of episodes.
    pub episodes: usize,
    /// How a query is given its class.
    pub classifier: Classifier,
    /// By what it is near.
    pub metric: Metric,
    /// Seed of the sampling: the same seed gives the same episodes to every model.
    pub seed: u64,
}

impl Default for FewShotConfig {
    fn default() -> Self {
        Self {
            ways: 5,
            shots: 1,
            queries: 15,
            episodes: 1000,
            classifier: Classifier::default(),
            metric: Metric::default(),
            seed: 0,
        }
    }
}

/// The outcome of many episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FewShot {
    /// `few_shot_Nway_Kshot`, with `_nearest` or `_logistic` where that is the classifier: the mean over episodes, with
    /// the interval `mean ± 1.96·s/√episodes` that the field reports.
    pub accuracy: Figure,
    /// The share of queries right in each episode.
    pub per_episode: Vec<f64>,
}

/// Draws episodes from `set` and classifies their queries.
///
/// An episode draws `ways` classes, and from each `shots` support items and `queries` others, all
/// without replacement.
///
/// ```
/// use siamese_metrics::EmbeddingView;
/// use siamese_metrics::fewshot::{FewShotConfig, few_shot};
///
/// let set = EmbeddingView::new(&[0.0, 0.1, 1.0, 1.1, 5.0, 5.1], 1, &[1, 1, 2, 2, 3, 3])?;
/// let config = FewShotConfig { ways: 2, queries: 1, ..Default::default() };
/// let result = few_shot(&set, &config)?;
/// assert_eq!(result.accuracy.name, "few_shot_2way_1shot");
/// assert_eq!(result.accuracy.value, 1.0);
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
///
/// # Errors
/// A count of 0, fewer than `ways` classes, or a class with fewer than `shots + queries` items.
pub fn few_shot(set: &EmbeddingView, config: &FewShotConfig) -> Result<FewShot> {
    let classes = classes_to_draw_from(set, config)?;
    let episode = |episode| {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        rng.set_stream(episode);
        play(set, &classes, config, &mut rng)
    };
    let per_episode = (0..config.episodes as u64)
        .into_par_iter()
        .map(episode)
        .collect::<Result<Vec<f64>>>()?;
    let suffix = config.classifier.suffix();
    let name = format!("few_shot_{}way_{}shot{suffix}", config.ways, config.shots);
    let (value, interval) = mean_and_normal_interval(&per_episode);
    Ok(FewShot {
        accuracy: Figure {
            name,
            value,
            interval,
        },
        per_episode,
    })
}

/// The rows of each class.
fn classes_to_draw_from(set: &EmbeddingView, config: &FewShotConfig) -> Result<Vec<Vec<usize>>> {
    let FewShotConfig {
        ways,
        shots,
        queries,
        episodes,
        ..
    } = config.clone();
    if ways < 2 || shots == 0 || queries == 0 || episodes == 0 {
        let why = format!(
            "{ways} ways, {shots} shots, {queries} queries, {episodes} episodes: at least 2 ways and 1 of each are needed"
        );
        return Err(Error::Invalid {
            what: "episodes",
            why,
        });
    }
    let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, label) in set.labels().iter().enumerate() {
        classes.entry(*label).or_default().push(row);
    }
    if classes.len() < ways {
        let why = format!(
            "{}, {ways} ways need as many",
            counted(classes.len(), "class")
        );
        return Err(Error::Invalid {
            what: "episodes",
            why,
        });
    }
    if let Some((label, rows)) = classes
        .iter()
        .find(|(_, rows)| rows.len() < shots + queries)
    {
        let (has, needs) = (rows.len(), shots + queries);
        let why = format!(
            "class {label} has {has} items, {shots} shots and {queries} queries need {needs}"
        );
        return Err(Error::Invalid {
            what: "episodes",
            why,
        });
    }
    Ok(classes.into_values().collect())
}

/// One episode: the share of its queries that are classified right.
fn play(
    set: &EmbeddingView,
    classes: &[Vec<usize>],
    config: &FewShotConfig,
    rng: &mut ChaCha8Rng,
) -> Result<f64> {
    let (mut support, mut queries) = (Rows::default(), Rows::default());
    let mut drawn = index::sample(rng, classes.len(), config.ways).into_vec();
    // Ties go to the smaller label: shuffled, no class gains by its place.
    drawn.shuffle(rng);
    for (label, class) in drawn.into_iter().enumerate() {
        let items = index::sample(rng, classes[class].len(), config.shots + config.queries);
        for (i, item) in items.iter().enumerate() {
            let side = if i < config.shots {
                &mut support
            } else {
                &mut queries
            };
            side.values.extend_from_slice(set.row(classes[class][item]));
            side.labels.push(label as u32);
        }
    }
    let support = EmbeddingView::new(&support.values, set.dim(), &support.labels)?;
    let asked = EmbeddingView::new(&queries.values, set.dim(), &queries.labels)?;
    let predicted = match config.classifier {
        Classifier::Centroid => centroid_classify(&asked, Some(&support), &config.metric)?,
        Classifier::NearestNeighbour => knn_classify(&asked, Some(&support), &config.metric, 1)?,
        Classifier::Logistic => logistic_classify(&asked, &support)?,
    };
    let right = predicted
        .iter()
        .zip(&queries.labels)
        .filter(|(p, t)| p == t)
        .count();
    Ok(right as f64 / predicted.len() as f64)
}

#[derive(Default)]
struct Rows {
    values: Vec<f32>,
    labels: Vec<u32>,
}

/// Mean and `mean ± 1.96·s/√n`, s being the sample standard deviation; no interval for one value.
fn mean_and_normal_interval(values: &[f64]) -> (f64, Option<Interval>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, None);
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = 1.96 * (variance / n).sqrt();
    (
        mean,
        Some(Interval {
            low: mean - half,
            high: mean + half,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_standard_error_times_1_96() {
        let (mean, interval) = mean_and_normal_interval(&[0.2, 0.4, 0.9]);
        assert!((mean - 0.5).abs() < 1e-12);
        // numpy: std([.2, .4, .9], ddof=1) = 0.36055512754639896
        let half = 1.96 * 0.36055512754639896 / 3f64.sqrt();
        assert!((interval.unwrap().high - 0.5 - half).abs() < 1e-12);
    }
}
