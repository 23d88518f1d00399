//! A gallery that is searched again and again: placed once, then exact neighbours in blocks.

use rayon::prelude::*;

use super::coarse::{Coarse, CoarseProbe};
use super::found::Neighbour;
use super::nearest::{PROBES_IN_A_BLOCK, SHOWN_IN_A_BLOCK, Search, Workspace};
use super::scores::{Placed, Scores};
use crate::embeddings::{Rows, check_rows};
use crate::error::{Error, Result, check_same_length};
use crate::metric::Metric;

/// Rows that one thread searches at a time.
const PART: usize = 1 << 14;
/// Probes up to which a pass is bound by memory, so that a quarter of the bytes is faster.
const FEW: usize = 12;
/// Rows from which on such a pass is worth its place.
const MANY: usize = 4096;
/// The longest embedding whose product of whole numbers fits.
const LONGEST: usize = 1 << 16;
/// A row may reach so far beyond those that the frame was made of.
const REACH: f64 = 2.0;

/// Embeddings to find the exact nearest among: as [`nearest`](super::nearest), but the rows are prepared once.
///
/// ```
/// use siamese_metrics::Distance;
/// use siamese_metrics::retrieval::Index;
///
/// let index = Index::new(vec![0.0, 0.0, 3.0, 4.0, 1.0, 0.0], 2, Distance::Euclidean)?;
/// let found = index.search(&[1.0, 0.5], 2)?;
/// assert_eq!((found[0][0].index, found[0][0].distance), (2, 0.5));
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Index {
    values: Vec<f32>,
    dim: usize,
    metric: Metric,
    /// `None` where there is no row, or the metric was learned: there is no bound to sieve by.
    placed: Option<Placed>,
    /// `None` where there are few rows, or for a distance that is no product.
    coarse: Option<Coarse>,
    /// How many rows the frame was made of.
    framed: usize,
}

impl Index {
    /// Takes rows of `dim` numbers.
    ///
    /// # Errors
    /// A `dim` of 0 or another than a learned comparison takes, a length that is no multiple of it, a number that is not
    /// finite, more than `u32::MAX` rows.
    pub fn new(values: Vec<f32>, dim: usize, metric: impl Into<Metric>) -> Result<Self> {
        check(&values, dim)?;
        let metric = metric.into();
        if let Metric::Learned(comparison) = &metric {
            check_same_length(
                ("an embedding", dim),
                ("one that the comparison takes", comparison.dim()),
            )?;
        }
        let mut index = Self {
            values,
            dim,
            metric,
            placed: None,
            coarse: None,
            framed: 0,
        };
        index.prepare();
        Ok(index)
    }

    fn prepare(&mut self) {
        let rows = Rows {
            values: &self.values,
            dim: self.dim,
        };
        self.framed = rows.len();
        let Metric::Distance(metric) = self.metric else {
            return;
        };
        self.placed = (self.framed > 0).then(|| Placed::new(rows, metric));
        let coarse = self.framed >= MANY && self.dim <= LONGEST;
        let placed = self
            .placed
            .as_ref()
            .filter(|placed| coarse && placed.frame.product);
        self.coarse = placed.map(|placed| Coarse::new(placed, self.dim));
    }

    /// Adds rows behind the others.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn push(&mut self, values: &[f32]) -> Result<()> {
        check(values, self.dim)?;
        if u32::try_from(self.len() + values.len() / self.dim).is_err() {
            return Err(too_many());
        }
        self.values.extend_from_slice(values);
        let rows = Rows {
            values,
            dim: self.dim,
        };
        let outgrown = self.len() > 2 * self.framed;
        let placed = self
            .placed
            .as_mut()
            .filter(|placed| !outgrown && rows.iter().all(|row| placed.frame.reach(row) <= REACH));
        let Some(placed) = placed else {
            self.prepare();
            return Ok(());
        };
        let first = placed.rows.len();
        placed.push(rows);
        let fits = |coarse: &mut Coarse| coarse.push(&placed.rows[first..]);
        if !self.coarse.as_mut().is_none_or(fits) {
            self.prepare();
        }
        Ok(())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Row `i`, as it was given.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dim..][..self.dim]
    }

    /// All rows, as they were given.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The `k` nearest rows of each probe `(P, D)`, nearest first; ties by row. The same for any number of threads.
    ///
    /// # Errors
    /// Probes of another length, a number that is not finite.
    pub fn search(&self, probes: &[f32], k: usize) -> Result<Vec<Vec<Neighbour>>> {
        check(probes, self.dim)?;
        let probes = Rows {
            values: probes,
            dim: self.dim,
        };
        let gallery = Rows {
            values: &self.values,
            dim: self.dim,
        };
        let wanted = k.min(self.len());
        let Metric::Distance(metric) = self.metric else {
            return Ok(self.one_by_one(probes, wanted));
        };
        let search = Search {
            probes,
            gallery,
            metric,
        };
        let Some(placed) = self.placed.as_ref().filter(|_| wanted > 0) else {
            return Ok(vec![Vec::new(); probes.len()]);
        };
        // one that is much longer than all rows would not fit the frame's f32
        if probes.iter().any(|row| placed.frame.reach(row) > 1e6) {
            return Ok(self.one_by_one(probes, wanted));
        }
        let scores = Scores::against(placed, probes);
        let found = match &self.coarse {
            Some(coarse) if probes.len() <= FEW => {
                self.pass_coarse(&search, (placed, coarse, &scores), wanted)
            }
            _ => self.pass_blocks(&search, &scores, wanted),
        };
        Ok(found
            .into_iter()
            .map(|found| self.merged(found, wanted))
            .collect())
    }

    /// For each probe the nearest of each part, by blocks of products.
    fn pass_blocks(&self, search: &Search, scores: &Scores, wanted: usize) -> Vec<Ranked> {
        let probes = search.probes.len();
        let starts = (0..probes).step_by(PROBES_IN_A_BLOCK);
        let parts = || (0..self.len()).step_by(PART);
        let tasks: Vec<(usize, usize)> = starts
            .flat_map(|probe| parts().map(move |part| (probe, part)))
            .collect();
        let run = |workspace: &mut Workspace, &(start, part): &(usize, usize)| {
            let end = (start + PROBES_IN_A_BLOCK).min(probes);
            workspace.lists.resize_with(end - start, Default::default);
            for (probe, list) in (start..end).zip(&mut workspace.lists) {
                list.reset(probe, None, wanted, scores.error(probe));
            }
            let part = part..(part + PART).min(self.len());
            search.scan(scores, start, part, workspace);
            let Workspace { lists, ranked, .. } = workspace;
            let found = lists.iter_mut().map(|list| {
                list.ranked(search, ranked);
                ranked.iter().map(|&(key, row, _)| (key, row)).collect()
            });
            (start, found.collect::<Vec<Ranked>>())
        };
        let found: Vec<_> = tasks.par_iter().map_init(Workspace::default, run).collect();
        let mut all = vec![Ranked::new(); probes];
        for (start, lists) in found {
            for (own, list) in all[start..].iter_mut().zip(lists) {
                own.extend(list);
            }
        }
        all
    }

    /// For each probe the nearest of each part, by whole numbers first.
    fn pass_coarse(
        &self,
        search: &Search,
        (placed, coarse, scores): (&Placed, &Coarse, &Scores),
        wanted: usize,
    ) -> Vec<Ranked> {
        let probes: Vec<CoarseProbe> = (0..search.probes.len())
            .map(|probe| {
                let (row, size) = scores.placed_probe(probe);
                coarse.probe(row, (size, placed.largest))
            })
            .collect();
        let parts: Vec<usize> = (0..self.len()).step_by(PART).collect();
        let run = |workspace: &mut Workspace, &part: &usize| {
            let end = (part + PART).min(self.len());
            workspace.lists.resize_with(probes.len(), Default::default);
            for (number, (probe, list)) in probes.iter().zip(&mut workspace.lists).enumerate() {
                list.reset(number, None, wanted, probe.error);
            }
            workspace.scores.resize(SHOWN_IN_A_BLOCK, 0.0);
            for first in (part..end).step_by(SHOWN_IN_A_BLOCK) {
                let shown = SHOWN_IN_A_BLOCK.min(end - first);
                for (probe, list) in probes.iter().zip(&mut workspace.lists) {
                    let out = &mut workspace.scores[..shown];
                    coarse.fill(probe, first, &placed.sizes[first..][..shown], out);
                    list.offer(search, first, out);
                }
            }
            let Workspace { lists, ranked, .. } = workspace;
            let found = lists.iter_mut().map(|list| {
                list.ranked(search, ranked);
                ranked.iter().map(|&(key, row, _)| (key, row)).collect()
            });
            found.collect::<Vec<Ranked>>()
        };
        let found: Vec<_> = parts.par_iter().map_init(Workspace::default, run).collect();
        let mut all = vec![Ranked::new(); probes.len()];
        for lists in found {
            for (own, list) in all.iter_mut().zip(lists) {
                own.extend(list);
            }
        }
        all
    }

    /// Every distance exactly, the nearest of each part kept.
    fn one_by_one(&self, probes: Rows, wanted: usize) -> Vec<Vec<Neighbour>> {
        let of_part = |probe: &[f32], (first, part): (usize, &[f32])| -> Ranked {
            let rows = part.chunks_exact(self.dim).map(|row| (probe, row));
            let keys = self.metric.keys(rows).into_iter();
            nearest_first(keys.zip((first * PART) as u32..).collect(), wanted)
        };
        let of = |probe: &[f32]| {
            let parts = self.values.par_chunks(PART * self.dim).enumerate();
            let found: Vec<Ranked> = parts.map(|part| of_part(probe, part)).collect();
            self.merged(found.concat(), wanted)
        };
        probes.iter().map(of).collect()
    }

    fn merged(&self, found: Ranked, wanted: usize) -> Vec<Neighbour> {
        let neighbour = |&(key, index): &(f64, u32)| Neighbour {
            index,
            distance: self.metric.distance_of(key),
        };
        let found = nearest_first(found, wanted);
        found.iter().map(neighbour).collect()
    }
}

/// The `wanted` least, in order; ties by row.
fn nearest_first(mut found: Ranked, wanted: usize) -> Ranked {
    let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if wanted < found.len() {
        found.select_nth_unstable_by(wanted, order);
        found.truncate(wanted);
    }
    found.sort_unstable_by(order);
    found
}

/// Rows by what ranks them.
type Ranked = Vec<(f64, u32)>;

fn check(values: &[f32], dim: usize) -> Result<()> {
    if dim == 0 {
        return Err(Error::Empty { what: "embeddings" });
    }
    check_same_length(
        ("embeddings", values.len()),
        ("rows × dimension", values.len() / dim * dim),
    )?;
    if u32::try_from(values.len() / dim).is_err() {
        return Err(too_many());
    }
    check_rows(values, dim)
}

fn too_many() -> Error {
    let why = format!("at most {} rows can be ranked", u32::MAX);
    Error::Invalid {
        what: "embeddings",
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::{Combine, Comparison, Dense};
    use crate::distance::Distance;

    /// Numbers from a 64-bit linear congruential generator, on a grid where `coarse`, so that ties abound.
    fn rows(n: usize, dim: usize, seed: u64, grid: bool) -> Vec<f32> {
        let mut state = seed;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let x = ((state >> 40) as f32) / (1u64 << 23) as f32 - 1.0;
            if grid { (2.0 * x).round() } else { x }
        };
        (0..n * dim).map(|_| draw()).collect()
    }

    fn naive(index: &Index, probe: &[f32], k: usize) -> Vec<(u32, f32)> {
        let key = |row: usize| (index.metric.key(probe, index.row(row)), row as u32);
        let mut all: Vec<(f64, u32)> = (0..index.len()).map(key).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let distance =
            |&(_, row): &(f64, u32)| (row, index.metric.of(probe, index.row(row as usize)));
        all.iter().take(k).map(distance).collect()
    }

    fn check_all(index: &Index, probes: &[f32], k: usize, what: &str) {
        let found = index.search(probes, k).unwrap();
        for (probe, found) in probes.chunks(index.dim).zip(found) {
            let found: Vec<_> = found.iter().map(|n| (n.index, n.distance)).collect();
            assert_eq!(found, naive(index, probe, k), "{what}");
        }
    }

    #[test]
    fn a_first_pass_in_whole_numbers_and_one_in_blocks_find_what_a_double_loop_does() {
        let (n, dim) = (2 * PART + 77, 19);
        for grid in [false, true] {
            let (values, probes) = (rows(n, dim, 1, grid), rows(FEW + 1, dim, 2, grid));
            for metric in Distance::ALL {
                let index = Index::new(values.clone(), dim, metric).unwrap();
                assert_eq!(index.coarse.is_some(), metric != Distance::Manhattan);
                let what = format!("{metric}, grid {grid}");
                check_all(&index, &probes, 7, &what);
                check_all(&index, &probes[..2 * dim], 7, &what);
            }
        }
    }

    #[test]
    fn a_learned_comparison_finds_what_a_double_loop_does_and_takes_rows_of_its_own_length() {
        let dim = 4;
        let layer = |outputs: usize, inputs: usize| Dense {
            weights: rows(outputs, inputs, 5, false),
            bias: rows(1, outputs, 6, false),
        };
        let layers = vec![layer(3, 2 * dim), layer(1, 3)];
        let combine = vec![Combine::AbsoluteDifference, Combine::Product];
        let comparison = Comparison::new(combine, dim, layers).unwrap();
        // on a grid, so that ties abound, within and across parts
        let mut index = Index::new(rows(PART + 9, dim, 1, true), dim, comparison.clone()).unwrap();
        let probes = rows(3, dim, 2, true);
        check_all(&index, &probes, 40, "learned");
        index.push(&rows(50, dim, 8, false)).unwrap();
        check_all(&index, &probes, 40, "learned, after a push");
        let error = Index::new(vec![0.0; 6], 3, comparison).unwrap_err();
        assert!(error.to_string().contains("comparison"), "{error}");
    }

    #[test]
    fn rows_that_are_added_are_found_whether_they_fit_the_frame_or_not() {
        let dim = 5;
        let mut index = Index::new(Vec::new(), dim, Distance::Euclidean).unwrap();
        assert!(index.search(&[0.0; 5], 3).unwrap()[0].is_empty());
        let probes = rows(3, dim, 9, false);
        for (seed, n, scale) in [
            (1, 3, 1.0),
            (2, MANY, 1.0),
            (3, 500, 0.5),
            (4, 9, 1.9),
            (5, 4, 1e4),
        ] {
            let more: Vec<f32> = rows(n, dim, seed, false)
                .iter()
                .map(|x| x * scale)
                .collect();
            index.push(&more).unwrap();
            check_all(&index, &probes, 6, &format!("after {seed}"));
            let far: Vec<f32> = probes.iter().map(|x| x * scale).collect();
            check_all(&index, &far, 6, &format!("far, after {seed}"));
        }
    }

    #[test]
    fn rows_all_alike_and_probes_without_measure_are_ranked_by_row() {
        let index = Index::new(vec![0.25; 3 * (PART + 9)], 3, Distance::Cosine).unwrap();
        for probe in [[1.0; 3], [0.0; 3], [1e30, -1e30, 3.0]] {
            let found = index.search(&probe, 4).unwrap();
            let found: Vec<u32> = found[0].iter().map(|n| n.index).collect();
            assert_eq!(found, [0, 1, 2, 3], "{probe:?}");
        }
        assert!(index.search(&[f32::NAN; 3], 1).is_err());
        assert!(index.search(&[1.0; 4], 1).is_err());
    }

    #[test]
    fn any_number_of_threads_finds_the_same() {
        let dim = 24;
        let index = Index::new(rows(3 * PART, dim, 3, false), dim, Distance::Cosine).unwrap();
        let probes = rows(40, dim, 4, false);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                (
                    index.search(&probes, 9).unwrap(),
                    index.search(&probes[..dim], 9).unwrap(),
                )
            })
        };
        assert_eq!(with(1), with(3));
    }
}
