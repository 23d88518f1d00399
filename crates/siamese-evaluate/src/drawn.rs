//! Pairs drawn from a set: distinct, counted, and low rates read from all that exist.

use anyhow::{Result, ensure};
use rand::seq::index;
use siamese_core::Distance;
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::metrics::verification::{LowRates, REPORTED_FARS, Target, unlike_pairs_for};
use siamese_core::metrics::{BootstrapConfig, Figure, find};
use siamese_data::{Pair, evaluation_pairs, stream};
use siamese_words::counted;

/// Pairs that fit into memory: all of ten thousand images.
const MOST: usize = 50_000_000;
/// Embeddings of which all pairs are looked at.
const LOOKED_AT: usize = 10_000;
/// Pairs that a threshold is fitted on at most, unless more were asked for.
const FITTED: usize = 4_000_000;
/// Errors from which on drawn pairs measure a rate well enough; a lower rate is read from all pairs there are.
const ENOUGH: f64 = 100.0;

/// `count` distinct pairs of the images `indices`, half of them like, or as many as exist.
///
/// # Errors
/// When there is no like or no unlike pair, or so many are asked for that they do not fit into memory.
pub fn drawn_pairs(labels: &[u32], indices: &[u32], count: usize, seed: u64) -> Result<Vec<Pair>> {
    let asked = count.min(all_pairs(indices.len()));
    ensure!(
        asked <= MOST,
        "{asked} pairs of {} are more than fit into memory: ask for at most {MOST}",
        counted(indices.len(), "image")
    );
    Ok(evaluation_pairs(labels, indices, count, seed)?)
}

fn all_pairs(images: usize) -> usize {
    images * images.saturating_sub(1) / 2
}

/// Low rates of all pairs of a set.
pub(crate) struct AllPairs {
    pub(crate) rates: LowRates,
    /// The embeddings that were looked at, where the set has more.
    part: Option<usize>,
}

impl AllPairs {
    /// Where more pairs exist than were drawn (so many, so many of them unlike): the rates that those are few for.
    pub(crate) fn of(
        table: &EmbeddingTable,
        (drawn, unlike): (usize, usize),
        distance: Distance,
        seed: u64,
    ) -> Result<Option<Self>> {
        if drawn >= all_pairs(table.labels.len()) {
            return Ok(None);
        }
        let rows = table.labels.len();
        let part = (rows > LOOKED_AT).then(|| some_rows(table, seed));
        let looked_at = part.as_ref().unwrap_or(table).view()?;
        let largest = ENOUGH * (1.0 - 1e-9) / unlike as f64;
        let rates = LowRates::new(&looked_at, distance, largest);
        Ok(rates.map(|rates| Self {
            rates,
            part: part.map(|_| LOOKED_AT),
        }))
    }

    /// Puts the low rates in place of those of the drawn pairs.
    pub(crate) fn replace(
        &self,
        figures: &mut Vec<Figure>,
        bootstrap: &BootstrapConfig,
    ) -> Result<()> {
        for figure in self.rates.figures(bootstrap)? {
            match figures.iter_mut().find(|known| known.name == figure.name) {
                Some(known) => *known = figure,
                None => figures.push(figure),
            }
        }
        Ok(())
    }

    /// Which figures are of them.
    pub(crate) fn note(&self, figures: &[Figure]) -> Option<String> {
        let choices = self.rates.choices().len();
        let names: Vec<&str> = REPORTED_FARS.iter().map(|(_, name)| *name).collect();
        let reported: Vec<&str> = names
            .into_iter()
            .filter(|n| find(figures, n).is_some())
            .collect();
        let low = &reported[reported.len().checked_sub(choices)?..];
        let of = match self.part {
            Some(part) => format!(" of {part} images drawn at random"),
            None => String::new(),
        };
        let (like, unlike) = (self.rates.like_pairs(), self.rates.unlike_pairs());
        let names = low.join(" and ");
        (!low.is_empty())
            .then(|| format!("{names}: of all {unlike} unlike and {like} like pairs{of}"))
    }
}

fn some_rows(table: &EmbeddingTable, seed: u64) -> EmbeddingTable {
    let mut rng = stream(seed, "low rates", &[]);
    let mut rows = index::sample(&mut rng, table.labels.len(), LOOKED_AT).into_vec();
    rows.sort_unstable();
    let row = |i: &usize| table.values[i * table.dim..][..table.dim].iter().copied();
    EmbeddingTable {
        values: rows.iter().flat_map(row).collect(),
        dim: table.dim,
        labels: rows.iter().map(|&i| table.labels[i]).collect(),
    }
}

/// How many pairs to fit a threshold on: `count`, or as many as a false accept rate takes.
pub fn fitting_pairs(count: usize, target: Target) -> usize {
    match target {
        Target::Far(far) => count.max(unlike_pairs_for(far).saturating_mul(2).min(FITTED)),
        Target::BestAccuracy | Target::Eer | Target::Distance(_) => count,
    }
}
