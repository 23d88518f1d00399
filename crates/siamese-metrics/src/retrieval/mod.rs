//! Retrieval, 1:N: are a probe's nearest neighbours of its class?
//!
//! | figure | of one probe, R gallery items being of its class |
//! |---|---|
//! | `recall_at_k` | 1 if some of the k nearest is of its class |
//! | `precision_at_k` | share of the k nearest of its class |
//! | `r_precision` | share of the R nearest of its class |
//! | `map_at_r` | `(1/R)·Σ_{i≤R} precision(i)·[i is of its class]` |
//!
//! Each is the mean over probes. After Musgrave, Belongie and Lim, *A Metric Learning Reality
//! Check* (ECCV 2020), and as pytorch-metric-learning's `AccuracyCalculator` has it:
//!
//! - A probe is never its own neighbour.
//! - A *lone* probe, with no other item of its label in the gallery, counts in no mean; it stays in
//!   the gallery, where it can only be in the way.
//! - Ties go to the smaller row, whatever the number of threads. (`AccuracyCalculator` leaves ties
//!   to its search library; faiss resolves them the same way.)
//!
//! Neighbours are exact: distances are summed in `f64` wherever rounding could change the order.

mod all_pairs;
mod coarse;
mod found;
mod index;
mod learned;
mod nearest;
mod scores;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::bootstrap::{BootstrapConfig, mean_interval};
use crate::embeddings::EmbeddingView;
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::metric::Metric;
pub(crate) use all_pairs::{like_distances, nearest_unlike};
pub use found::Neighbour;
pub use index::Index;
pub(crate) use nearest::map_nearest;
pub use nearest::nearest;

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrievalConfig {
    /// What neighbours are found by.
    pub metric: Metric,
    /// The k of recall@k and precision@k; those greater than the gallery are left out.
    pub ks: Vec<usize>,
    /// How many neighbours of each probe to hand back.
    pub neighbours: usize,
    /// Intervals, resampled by class.
    pub bootstrap: BootstrapConfig,
}

impl Default for RetrievalConfig {
    fn default() -> Self {
        Self {
            metric: Metric::default(),
            ks: vec![1, 5, 10],
            neighbours: 0,
            bootstrap: BootstrapConfig::default(),
        }
    }
}

/// Retrieval figures, and the neighbours that they rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// `precision_at_k` and `recall_at_k` of every k, `r_precision`, `map_at_r`.
    pub figures: Vec<Figure>,
    /// Number of probes that the means are over.
    pub probes: usize,
    /// Number of lone probes, left out.
    pub lone: usize,
    /// Rows of the probes that the means are over.
    pub counted: Vec<usize>,
    /// The nearest of each probe, lone ones included, as many as were asked for.
    pub neighbours: Vec<Vec<Neighbour>>,
}

/// Retrieval figures of `probes` searched in `gallery`, or, without one, among themselves.
///
/// ```
/// use siamese_metrics::{EmbeddingView, find};
/// use siamese_metrics::retrieval::{RetrievalConfig, retrieval};
///
/// let set = EmbeddingView::new(&[0.0, 0.1, 0.3, 0.9], 1, &[1, 1, 2, 2])?;
/// let result = retrieval(&set, None, &RetrievalConfig { ks: vec![1, 2], ..Default::default() })?;
/// assert_eq!(find(&result.figures, "precision_at_1").unwrap().value, 0.75);
/// assert_eq!(find(&result.figures, "recall_at_2").unwrap().value, 0.75);
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
///
/// # Errors
/// Probes and gallery of different dimension, a k of 0, or no probe at all that has another item
/// of its label to be found.
pub fn retrieval(
    probes: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    config: &RetrievalConfig,
) -> Result<Retrieval> {
    config.bootstrap.check()?;
    let reachable = gallery.map_or(probes.len() - 1, EmbeddingView::len);
    let ks = checked_ks(&config.ks, reachable)?;
    let relevant = relevant_per_probe(probes, gallery);
    if relevant.iter().all(|&r| r == 0) {
        let why = "no probe has another item of its label in the gallery".to_owned();
        return Err(Error::Invalid {
            what: "labels",
            why,
        });
    }
    let largest = ks.iter().copied().max().unwrap_or(0).max(config.neighbours);
    let shown = gallery.unwrap_or(probes).labels();
    let scored = map_nearest(
        probes,
        gallery,
        &config.metric,
        |probe| relevant[probe].max(largest),
        |probe, neighbours| {
            let label = probes.labels()[probe];
            let hits = neighbours.iter().map(|n| shown[n.index as usize] == label);
            let scores = score(&hits.collect::<Vec<_>>(), relevant[probe], &ks);
            (
                scores,
                neighbours[..config.neighbours.min(neighbours.len())].to_vec(),
            )
        },
    )?;
    let counted: Vec<usize> = (0..probes.len()).filter(|&i| relevant[i] > 0).collect();
    let classes: Vec<u32> = counted.iter().map(|&i| probes.labels()[i]).collect();
    let figure = |(position, name): (usize, String)| {
        let values: Vec<f64> = counted.iter().map(|&i| scored[i].0[position]).collect();
        let value = values.iter().sum::<f64>() / values.len() as f64;
        let interval = mean_interval(&values, &classes, &config.bootstrap)?;
        Ok(Figure {
            name,
            value,
            interval,
        })
    };
    let figures = names(&ks)
        .into_iter()
        .enumerate()
        .map(figure)
        .collect::<Result<_>>()?;
    Ok(Retrieval {
        figures,
        probes: counted.len(),
        lone: probes.len() - counted.len(),
        counted,
        neighbours: scored
            .into_iter()
            .map(|(_, neighbours)| neighbours)
            .collect(),
    })
}

fn checked_ks(ks: &[usize], reachable: usize) -> Result<Vec<usize>> {
    if ks.contains(&0) {
        return Err(Error::Invalid {
            what: "k",
            why: "0 neighbours have no recall".to_owned(),
        });
    }
    Ok(ks.iter().copied().filter(|&k| k <= reachable).collect())
}

/// R: how many gallery items, the probe aside, bear each probe's label.
fn relevant_per_probe(probes: &EmbeddingView, gallery: Option<&EmbeddingView>) -> Vec<usize> {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for label in gallery.unwrap_or(probes).labels() {
        *counts.entry(*label).or_default() += 1;
    }
    let itself = usize::from(gallery.is_none());
    let of = |label| counts.get(label).map_or(0, |count| count - itself);
    probes.labels().iter().map(of).collect()
}

fn names(ks: &[usize]) -> Vec<String> {
    let at_k = ks
        .iter()
        .flat_map(|k| [format!("precision_at_{k}"), format!("recall_at_{k}")]);
    at_k.chain(["r_precision".to_owned(), "map_at_r".to_owned()])
        .collect()
}

/// One probe's scores, in the order of [`names`].
fn score(hits: &[bool], relevant: usize, ks: &[usize]) -> Vec<f64> {
    let mut scores = Vec::with_capacity(2 * ks.len() + 2);
    for &k in ks {
        let found = hits.iter().take(k).filter(|hit| **hit).count();
        scores.push(found as f64 / k as f64);
        scores.push(f64::from(u8::from(found > 0)));
    }
    let (mut found, mut precisions) = (0.0, 0.0);
    for (i, _) in hits
        .iter()
        .take(relevant)
        .enumerate()
        .filter(|(_, hit)| **hit)
    {
        found += 1.0;
        precisions += found / (i + 1) as f64;
    }
    scores.push(found / relevant as f64);
    scores.push(precisions / relevant as f64);
    scores
}
