//! Neighbours and pairs by a learned comparison: every pair is compared, there being no bound to sieve by.

use rayon::prelude::*;

use super::found::{Neighbour, UnlikePair};
use crate::embeddings::EmbeddingView;
use crate::metric::Metric;

/// What `read` makes of each probe's `wanted(probe)` nearest neighbours, in the order of probes; ties by row.
pub(super) fn map_nearest<T: Send>(
    probes: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    metric: &Metric,
    wanted: impl Fn(usize) -> usize + Sync,
    read: impl Fn(usize, &[Neighbour]) -> T + Sync,
) -> Vec<T> {
    let shown = gallery.unwrap_or(probes);
    let of_probe = |probe: usize| {
        let row = probes.row(probe);
        let keys = metric.keys(shown.rows().map(|other| (row, other)));
        let mut ranked: Vec<(f64, u32)> = keys.into_iter().zip(0..).collect();
        if gallery.is_none() {
            ranked.remove(probe);
        }
        let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let wanted = wanted(probe).min(ranked.len());
        if wanted < ranked.len() {
            ranked.select_nth_unstable_by(wanted, order);
            ranked.truncate(wanted);
        }
        ranked.sort_unstable_by(order);
        let neighbour = |(key, index)| Neighbour {
            index,
            distance: metric.distance_of(key),
        };
        let neighbours: Vec<Neighbour> = ranked.into_iter().map(neighbour).collect();
        read(probe, &neighbours)
    };
    (0..probes.len()).into_par_iter().map(of_probe).collect()
}

/// All unlike pairs, in no order.
pub(super) fn unlike_pairs(set: &EmbeddingView, metric: &Metric) -> Vec<UnlikePair> {
    let labels = set.labels();
    let of_row = |a: usize| {
        let others: Vec<usize> = (a + 1..set.len())
            .filter(|&b| labels[b] != labels[a])
            .collect();
        let keys = metric.keys(others.iter().map(|&b| (set.row(a), set.row(b))));
        let pair = move |(key, b): (f64, usize)| UnlikePair {
            distance: metric.distance_of(key),
            a: a as u32,
            b: b as u32,
        };
        keys.into_iter().zip(others).map(pair).collect::<Vec<_>>()
    };
    (0..set.len())
        .into_par_iter()
        .flat_map_iter(of_row)
        .collect()
}
