//! The exact nearest neighbours of every probe, in blocks, with bounded memory.

use std::ops::Range;

use ndarray::{ArrayViewMut2, s};
use rayon::prelude::*;

use super::found::Neighbour;
use super::learned;
use super::scores::Scores;
use crate::distance::Distance;
use crate::embeddings::{EmbeddingView, Rows, check_same_dim};
use crate::error::{Result, check_same_length};
use crate::metric::Metric;

pub(super) const PROBES_IN_A_BLOCK: usize = 128;
pub(super) const SHOWN_IN_A_BLOCK: usize = 1024;
/// Scores looked at together.
const LANES: usize = 16;

/// The `k` nearest gallery items of every probe, nearest first; ties by row.
///
/// Without a gallery the probes are their own, and none is its own neighbour. Where fewer than
/// `k` items can be had, all of them come.
///
/// # Errors
/// Probes and gallery of different dimension, or a learned comparison that is of another.
pub fn nearest(
    probes: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    metric: impl Into<Metric>,
    k: usize,
) -> Result<Vec<Vec<Neighbour>>> {
    map_nearest(
        probes,
        gallery,
        &metric.into(),
        |_| k,
        |_, neighbours| neighbours.to_vec(),
    )
}

/// What `read` makes of each probe's `wanted(probe)` nearest neighbours, in the order of probes.
pub(crate) fn map_nearest<T: Send>(
    probes: &EmbeddingView,
    gallery: Option<&EmbeddingView>,
    metric: &Metric,
    wanted: impl Fn(usize) -> usize + Sync,
    read: impl Fn(usize, &[Neighbour]) -> T + Sync,
) -> Result<Vec<T>> {
    if let Some(gallery) = gallery {
        check_same_dim(probes, gallery)?;
    }
    let metric = match metric {
        Metric::Distance(distance) => *distance,
        Metric::Learned(comparison) => {
            check_same_length(
                ("an embedding", probes.dim()),
                ("one that the comparison takes", comparison.dim()),
            )?;
            return Ok(learned::map_nearest(probes, gallery, metric, wanted, read));
        }
    };
    let scores = Scores::new(probes, gallery, metric);
    let search = Search {
        probes: probes.plain(),
        gallery: gallery.unwrap_or(probes).plain(),
        metric,
    };
    let starts: Vec<usize> = (0..probes.len()).step_by(PROBES_IN_A_BLOCK).collect();
    let block = |workspace: &mut Workspace, start: usize| -> Vec<T> {
        let end = (start + PROBES_IN_A_BLOCK).min(probes.len());
        workspace.lists.resize_with(end - start, Shortlist::default);
        for (probe, list) in (start..end).zip(&mut workspace.lists) {
            let itself = gallery.is_none().then_some(probe as u32);
            let wanted = wanted(probe).min(search.gallery.len());
            list.reset(probe, itself, wanted, scores.error(probe));
        }
        search.scan(&scores, start, 0..search.gallery.len(), workspace);
        let Workspace {
            lists,
            ranked,
            neighbours,
            ..
        } = workspace;
        let finish = |list: &mut Shortlist| {
            list.finish(&search, ranked, neighbours);
            read(list.probe, neighbours)
        };
        lists.iter_mut().map(finish).collect()
    };
    let blocks: Vec<Vec<T>> = starts
        .into_par_iter()
        .map_init(Workspace::default, block)
        .collect();
    Ok(blocks.into_iter().flatten().collect())
}

/// What one block after another is worked out in, allocated once.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) scores: Vec<f32>,
    pub(super) lists: Vec<Shortlist>,
    pub(super) ranked: Vec<(f64, u32, f32)>,
    neighbours: Vec<Neighbour>,
}

pub(super) struct Search<'a> {
    pub(super) probes: Rows<'a>,
    pub(super) gallery: Rows<'a>,
    pub(super) metric: Distance,
}

impl Search<'_> {
    /// Passes a part of the gallery by the shortlists of one block of probes.
    pub(super) fn scan(
        &self,
        scores: &Scores,
        first_probe: usize,
        part: Range<usize>,
        workspace: &mut Workspace,
    ) {
        let Workspace {
            scores: buffer,
            lists,
            ..
        } = workspace;
        buffer.resize(lists.len() * SHOWN_IN_A_BLOCK, 0.0);
        for first_shown in part.clone().step_by(SHOWN_IN_A_BLOCK) {
            let shown = SHOWN_IN_A_BLOCK.min(part.end - first_shown);
            let Ok(mut block) =
                ArrayViewMut2::from_shape((lists.len(), SHOWN_IN_A_BLOCK), &mut buffer[..])
            else {
                return;
            };
            scores.fill(first_probe, first_shown, block.slice_mut(s![.., ..shown]));
            for (list, row) in lists.iter_mut().zip(buffer.chunks_exact(SHOWN_IN_A_BLOCK)) {
                list.offer(self, first_shown, &row[..shown]);
            }
        }
    }

    /// What ranks gallery item `index` exactly.
    fn key(&self, probe: usize, index: u32) -> f64 {
        self.metric
            .key(self.probes.row(probe), self.gallery.row(index as usize))
    }
}

/// Those gallery items that may still be among a probe's nearest.
#[derive(Default)]
pub(super) struct Shortlist {
    probe: usize,
    /// The probe's own row in the gallery, never its neighbour.
    itself: Option<u32>,
    wanted: usize,
    error: f32,
    /// Scores above this are out of reach.
    within: f32,
    candidates: Vec<(f32, u32)>,
}

impl Shortlist {
    pub(super) fn reset(&mut self, probe: usize, itself: Option<u32>, wanted: usize, error: f32) {
        self.candidates.clear();
        let candidates = std::mem::take(&mut self.candidates);
        *self = Self {
            probe,
            itself,
            wanted,
            error,
            within: f32::INFINITY,
            candidates,
        };
    }

    fn capacity(&self) -> usize {
        2 * self.wanted + 512
    }

    pub(super) fn offer(&mut self, search: &Search, first_shown: usize, scores: &[f32]) {
        if self.wanted == 0 {
            return;
        }
        let (blocks, rest) = scores.as_chunks::<LANES>();
        for (i, block) in blocks.iter().enumerate() {
            // Almost every block holds nothing near: a branch-free test first.
            let near = block
                .iter()
                .fold(0, |near, score| near | u32::from(*score <= self.within));
            if near != 0 {
                self.take(search, first_shown + i * LANES, block);
            }
        }
        self.take(search, first_shown + blocks.len() * LANES, rest);
    }

    fn take(&mut self, search: &Search, first_shown: usize, scores: &[f32]) {
        for (i, &score) in scores.iter().enumerate() {
            let index = (first_shown + i) as u32;
            if score <= self.within && Some(index) != self.itself {
                self.candidates.push((score, index));
            }
        }
        if self.candidates.len() >= self.capacity() {
            self.shorten(search);
        }
    }

    /// Drops what cannot be among the nearest any more.
    fn shorten(&mut self, search: &Search) {
        let kth = self.wanted - 1;
        let (_, &mut (score, _), _) = self
            .candidates
            .select_nth_unstable_by(kth, |a, b| a.0.total_cmp(&b.0));
        self.within = score + 2.0 * self.error;
        let within = self.within;
        self.candidates.retain(|(score, _)| *score <= within);
        // Ties, or an embedding that has collapsed: only exact distances can tell them apart.
        if self.candidates.len() > self.wanted + self.capacity() / 4 {
            let mut ranked = Vec::new();
            self.rank(search, &mut ranked);
            ranked.truncate(self.wanted);
            self.candidates.clear();
            self.candidates
                .extend(ranked.iter().map(|&(_, index, score)| (score, index)));
        }
    }

    /// The candidates `(key, row, score)` by exact distance, ties by row.
    fn rank(&self, search: &Search, ranked: &mut Vec<(f64, u32, f32)>) {
        let exact = |&(score, index)| (search.key(self.probe, index), index, score);
        ranked.clear();
        ranked.extend(self.candidates.iter().map(exact));
        ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }

    /// What is left `(key, row, score)`, by exact distance, ties by row; the nearest first, and no more than wanted.
    pub(super) fn ranked(&mut self, search: &Search, ranked: &mut Vec<(f64, u32, f32)>) {
        if self.wanted > 0 && self.candidates.len() > self.wanted {
            self.shorten(search);
        }
        self.rank(search, ranked);
        ranked.truncate(self.wanted);
    }

    fn finish(
        &mut self,
        search: &Search,
        ranked: &mut Vec<(f64, u32, f32)>,
        neighbours: &mut Vec<Neighbour>,
    ) {
        self.ranked(search, ranked);
        neighbours.clear();
        neighbours.extend(ranked.iter().map(|&(key, index, _)| Neighbour {
            index,
            distance: search.metric.distance_of(key),
        }));
    }
}
