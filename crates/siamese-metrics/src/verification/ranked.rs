//! Pairs sorted once by distance, and weighed anew for each resample.

use std::collections::HashMap;

use super::roc::{Accepted, rank};
use super::threshold::is_same;
use crate::error::Result;

/// Pairs of nodes (classes or images) in the order of ascending distance.
pub(super) struct RankedPairs {
    pairs: Vec<RankedPair>,
    /// The distinct distances, ascending.
    distances: Vec<f32>,
    nodes: usize,
}

struct RankedPair {
    a: u32,
    b: u32,
    like: bool,
    /// The first at its distance.
    opens_group: bool,
}

impl RankedPairs {
    pub(super) fn new(distances: &[f32], like: &[bool], nodes: &[(u32, u32)]) -> Result<Self> {
        let order = rank(distances, like)?;
        let numbers = numbers(nodes);
        let mut distinct = Vec::new();
        let ranked = |i: usize| {
            let opens_group = distinct.last() != Some(&distances[i]);
            if opens_group {
                distinct.push(distances[i]);
            }
            let (a, b) = nodes[i];
            RankedPair {
                a: numbers[&a],
                b: numbers[&b],
                like: like[i],
                opens_group,
            }
        };
        let pairs = order.into_iter().map(ranked).collect();
        Ok(Self {
            pairs,
            distances: distinct,
            nodes: numbers.len(),
        })
    }

    /// Number of nodes to draw from.
    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    /// About `most` of these pairs: of either kind every so manieth by distance, so that the curve hardly changes.
    pub(super) fn thinned(&self, most: usize) -> Self {
        let likes = self.pairs.iter().filter(|pair| pair.like).count();
        let step = |count: usize| count.div_ceil(most / 2).max(1);
        let steps = [step(self.pairs.len() - likes), step(likes)];
        let (mut seen, mut group, mut kept_group) = ([0, 0], 0, None);
        let mut thinned = Self {
            pairs: Vec::new(),
            distances: Vec::new(),
            nodes: self.nodes,
        };
        for pair in &self.pairs {
            group += usize::from(pair.opens_group);
            let kind = usize::from(pair.like);
            seen[kind] += 1;
            // The middle one of each step stands for it.
            if seen[kind] % steps[kind] != steps[kind] / 2 {
                continue;
            }
            let opens_group = kept_group != Some(group);
            if opens_group {
                thinned.distances.push(self.distances[group - 1]);
                kept_group = Some(group);
            }
            thinned.pairs.push(RankedPair {
                opens_group,
                ..*pair
            });
        }
        thinned
    }

    /// The operating point that a threshold stands for.
    pub(super) fn operating_point(&self, threshold: f32) -> usize {
        self.distances
            .partition_point(|&distance| is_same(distance, threshold))
    }

    /// The accepted weights when node `c` is drawn `drawn[c]` times: `W_a` for a pair within one
    /// node, `W_a·W_b` for a pair of two.
    pub(super) fn accepted(&self, drawn: &[u32]) -> Accepted {
        let mut accepted = Accepted::starting();
        let (mut like, mut unlike) = (0.0, 0.0);
        for pair in &self.pairs {
            if pair.opens_group {
                accepted.set_last(like, unlike);
                accepted.open_group();
            }
            let mut weight = f64::from(drawn[pair.a as usize]);
            if pair.a != pair.b {
                weight *= f64::from(drawn[pair.b as usize]);
            }
            *(if pair.like { &mut like } else { &mut unlike }) += weight;
        }
        accepted.set_last(like, unlike);
        accepted
    }
}

/// Numbers the nodes from 0 in ascending order, whatever their distances: two models judged on
/// the same pairs with the same seed are then judged on the same resamples.
fn numbers(nodes: &[(u32, u32)]) -> HashMap<u32, u32> {
    let mut all: Vec<u32> = nodes.iter().flat_map(|(a, b)| [*a, *b]).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().zip(0..).collect()
}

impl Accepted {
    fn set_last(&mut self, like: f64, unlike: f64) {
        let last = self.like.len() - 1;
        (self.like[last], self.unlike[last]) = (like, unlike);
    }

    /// The same curve with these totals; `None` when no like or no unlike pair was drawn.
    pub(super) fn scaled_to(mut self, (like, unlike): (f64, f64)) -> Option<Self> {
        let (drawn_like, drawn_unlike) = self.totals();
        if drawn_like == 0.0 || drawn_unlike == 0.0 {
            return None;
        }
        self.like.iter_mut().for_each(|w| *w *= like / drawn_like);
        self.unlike
            .iter_mut()
            .for_each(|w| *w *= unlike / drawn_unlike);
        Some(self)
    }
}
