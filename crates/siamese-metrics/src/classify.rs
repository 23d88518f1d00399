//! Classification by neighbours or by class centres, and the confusion of classes.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::{BootstrapConfig, mean_interval};
use crate::embeddings::{EmbeddingView, check_same_dim};
use crate::error::{Error, Result, check_same_length};
use crate::figure::Figure;
use crate::metric::Metric;
use crate::retrieval::{Neighbour, map_nearest};

/// The class of each probe by majority of its `k` nearest gallery items.
///
/// Classes with as many votes are told apart by whose nearest item is nearest. Without a gallery
/// the probes are their own, each left out for itself.
///
/// # Errors
/// Probes and gallery of different dimension, `k` of 0, or nothing in the gallery but the probe.
pub fn knn_classify(
    probes: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    metric: impl Into<Metric>,
    k: usize,
) -> Result<Vec<u32>> {
    if k == 0 {
        return Err(Error::Invalid {
            what: "k",
            why: "0 neighbours have no vote".to_owned(),
        });
    }
    if gallery.is_none() && probes.len() < 2 {
        return Err(Error::Empty {
            what: "gallery without the probe",
        });
    }
    let labels = gallery.unwrap_or(probes).labels();
    map_nearest(
        probes,
        gallery,
        &metric.into(),
        |_| k,
        |_, neighbours| vote(neighbours, labels),
    )
}

/// The most frequent label of some neighbours, nearest first; among equals the one met first. `labels` are the gallery's.
pub fn vote(neighbours: &[Neighbour], labels: &[u32]) -> u32 {
    let mut votes: Vec<(u32, usize)> = Vec::new();
    for label in neighbours.iter().map(|n| labels[n.index as usize]) {
        match votes.iter_mut().find(|(l, _)| *l == label) {
            Some((_, count)) => *count += 1,
            None => votes.push((label, 1)),
        }
    }
    let best = votes
        .into_iter()
        .reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(0, |(label, _)| label)
}

/// The class of each probe by the nearest class centre, the mean of the class's gallery items.
///
/// With [`Distance::Cosine`](crate::Distance::Cosine) items are scaled to length 1 before the mean. Without a gallery the
/// probes are their own, each left out of its own class's centre. Ties go to the smaller label.
///
/// # Errors
/// Probes and gallery of different dimension, or nothing in the gallery but the probe.
pub fn centroid_classify(
    probes: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    metric: impl Into<Metric>,
) -> Result<Vec<u32>> {
    let metric = &metric.into();
    let shown = gallery.unwrap_or(probes);
    check_same_dim(probes, shown)?;
    if gallery.is_none() && probes.len() < 2 {
        return Err(Error::Empty {
            what: "gallery without the probe",
        });
    }
    let sums = class_sums(shown, metric);
    let centre =
        |sum: &[f64], count: f64| -> Vec<f32> { sum.iter().map(|s| (s / count) as f32).collect() };
    let centres: Vec<(u32, Vec<f32>)> = sums
        .iter()
        .map(|(label, (sum, count))| (*label, centre(sum, *count)))
        .collect();
    let classify = |probe: usize| {
        let (row, own) = (probes.row(probe), &probes.labels()[probe]);
        // Where the probes are the gallery, the probe's own class is centred without it.
        let without = gallery.is_none().then(|| {
            let (sum, count) = &sums[own];
            let rest: Vec<f64> = sum
                .iter()
                .zip(unit_or_raw(row, metric))
                .map(|(s, x)| s - x)
                .collect();
            (*count > 1.0).then(|| centre(&rest, count - 1.0))
        });
        let mut best = (f64::INFINITY, *own);
        let candidates = || {
            centres.iter().filter_map(|(label, centre)| match &without {
                Some(None) if label == own => None,
                Some(Some(rest)) if label == own => Some((label, rest)),
                _ => Some((label, centre)),
            })
        };
        let keys = metric.keys(candidates().map(|(_, centre)| (row, centre.as_slice())));
        for ((label, _), key) in candidates().zip(keys) {
            if key < best.0 {
                best = (key, *label);
            }
        }
        best.1
    };
    Ok((0..probes.len()).into_par_iter().map(classify).collect())
}

fn class_sums(set: &EmbeddingView, metric: &Metric) -> BTreeMap<u32, (Vec<f64>, f64)> {
    let mut sums: BTreeMap<u32, (Vec<f64>, f64)> = BTreeMap::new();
    for (row, label) in set.rows().zip(set.labels()) {
        let (sum, count) = sums
            .entry(*label)
            .or_insert_with(|| (vec![0.0; set.dim()], 0.0));
        sum.iter_mut()
            .zip(unit_or_raw(row, metric))
            .for_each(|(s, x)| *s += x);
        *count += 1.0;
    }
    sums
}

/// A row, of unit length where only directions count; zeros stay zeros.
pub(crate) fn unit_or_raw<'a>(
    row: &'a [f32],
    metric: &Metric,
) -> impl Iterator<Item = f64> + use<'a> {
    let length = match metric.is_cosine() {
        true => row
            .iter()
            .map(|x| f64::from(*x).powi(2))
            .sum::<f64>()
            .sqrt(),
        false => 1.0,
    };
    let length = if length > 0.0 { length } else { 1.0 };
    row.iter().map(move |x| f64::from(*x) / length)
}

/// The share of probes classified right, under `name`, with an interval resampled by class.
///
/// # Errors
/// Nothing to count, lengths that differ, or a level outside 0 to 1.
pub fn accuracy_figure(
    name: &str,
    truth: &[u32],
    predicted: &[u32],
    bootstrap: &BootstrapConfig,
) -> Result<Figure> {
    check_same_length(("truth", truth.len()), ("predicted", predicted.len()))?;
    if truth.is_empty() {
        return Err(Error::Empty { what: "truth" });
    }
    let right: Vec<f64> = truth
        .iter()
        .zip(predicted)
        .map(|(t, p)| f64::from(u8::from(t == p)))
        .collect();
    let value = right.iter().sum::<f64>() / right.len() as f64;
    let interval = mean_interval(&right, truth, bootstrap)?;
    Ok(Figure {
        name: name.to_owned(),
        value,
        interval,
    })
}

/// How often each class was taken for each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The classes, ascending: those of truth and predictions together.
    pub classes: Vec<u32>,
    /// `(truth, predicted, count)` of all that happened, right answers too, ascending: thousands of classes cost no
    /// more than their items.
    pub counts: Vec<(u32, u32, u32)>,
}

impl Confusion {
    /// Counts `predicted` against `truth`.
    ///
    /// # Errors
    /// Lengths that differ.
    pub fn new(truth: &[u32], predicted: &[u32]) -> Result<Self> {
        check_same_length(("truth", truth.len()), ("predicted", predicted.len()))?;
        let classes: BTreeSet<u32> = truth.iter().chain(predicted).copied().collect();
        let mut counts = BTreeMap::new();
        for (&t, &p) in truth.iter().zip(predicted) {
            *counts.entry((t, p)).or_insert(0) += 1;
        }
        Ok(Self {
            classes: classes.into_iter().collect(),
            counts: counts.into_iter().map(|((t, p), n)| (t, p, n)).collect(),
        })
    }

    /// The pairs of classes `(truth, predicted, count)` mixed up most often, most first.
    pub fn most_confused(&self, count: usize) -> Vec<(u32, u32, u32)> {
        let mixed = self.counts.iter().filter(|(t, p, _)| t != p);
        let mut mixed: Vec<(u32, u32, u32)> = mixed.copied().collect();
        mixed.sort_by(|a, b| b.2.cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        mixed.truncate(count);
        mixed
    }
}
