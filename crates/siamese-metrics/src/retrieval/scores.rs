//! Fast approximate scores of probes against a gallery, with a bound on their error.
//!
//! Distances through a matrix product, `‖a‖² + ‖b‖² − 2a·b`, are fast but cancel: two rows that
//! are nearly alike drown in rounding. So the product only *sieves*. Rows are first centred (no
//! distance changes) and scaled so that the longest has length 1; every score is then within
//! [`Scores::error`] of the truth, and whoever is within twice that of the k-th is looked at
//! exactly. Cosine is the squared Euclidean distance of unit rows, halved.

use std::borrow::Cow;

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};
use rayon::prelude::*;

use crate::distance::Distance;
use crate::embeddings::{EmbeddingView, Rows};

/// Rows that are placed by one thread.
const PLACED_TOGETHER: usize = 4096;

/// Centred, scaled rows of probes and gallery.
pub(crate) struct Scores<'a> {
    dim: usize,
    product: bool,
    probes: Vec<f32>,
    probe_sizes: Vec<f32>,
    /// Empty where the probes are the gallery.
    gallery: Cow<'a, [f32]>,
    /// What to add to `−2a·b`: `‖b‖²`.
    gallery_sizes: Cow<'a, [f32]>,
    largest: f32,
}

/// A gallery's rows, centred and scaled once for many searches.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<f32>,
    pub(crate) sizes: Vec<f32>,
    pub(crate) largest: f32,
}

impl Placed {
    pub(crate) fn new(rows: Rows, metric: Distance) -> Self {
        let frame = Frame::of(rows, &[rows], metric);
        let mut placed = Self {
            frame,
            rows: Vec::new(),
            sizes: Vec::new(),
            largest: 0.0,
        };
        placed.push(rows);
        placed
    }

    /// Places further rows in the frame of the first ones.
    pub(crate) fn push(&mut self, rows: Rows) {
        let (placed, sizes) = self.frame.place(rows);
        self.largest = sizes.iter().copied().fold(self.largest, f32::max);
        self.rows.extend(placed);
        self.sizes.extend(sizes);
    }
}

impl Scores<'static> {
    pub(crate) fn new(
        probes: &EmbeddingView,
        gallery: Option<&EmbeddingView>,
        metric: Distance,
    ) -> Self {
        let shown = gallery.unwrap_or(probes).plain();
        let sets: Vec<Rows> = [Some(probes), gallery]
            .into_iter()
            .flatten()
            .map(EmbeddingView::plain)
            .collect();
        let frame = Frame::of(shown, &sets, metric);
        let (probe_rows, probe_sizes) = frame.place(probes.plain());
        let (gallery_rows, gallery_sizes) = match gallery {
            Some(gallery) => frame.place(gallery.plain()),
            None => (Vec::new(), probe_sizes.clone()),
        };
        Self {
            dim: probes.dim(),
            product: frame.product,
            largest: gallery_sizes.iter().copied().fold(0.0, f32::max),
            probes: probe_rows,
            probe_sizes,
            gallery: gallery_rows.into(),
            gallery_sizes: gallery_sizes.into(),
        }
    }
}

impl<'a> Scores<'a> {
    /// Scores of probes against a gallery that was placed before.
    pub(crate) fn against(placed: &'a Placed, probes: Rows) -> Self {
        let (probe_rows, probe_sizes) = placed.frame.place(probes);
        Self {
            dim: probes.dim,
            product: placed.frame.product,
            largest: placed.largest,
            probes: probe_rows,
            probe_sizes,
            gallery: placed.rows.as_slice().into(),
            gallery_sizes: placed.sizes.as_slice().into(),
        }
    }

    /// Probe `probe`, placed, and its `‖a‖²`.
    pub(crate) fn placed_probe(&self, probe: usize) -> (&[f32], f32) {
        (
            &self.probes[probe * self.dim..][..self.dim],
            self.probe_sizes[probe],
        )
    }

    /// How far a score of this probe can be from the true one.
    ///
    /// Rounding the rows, a dot product of `D` terms in any order (`γ_D ‖a‖‖b‖`, Higham §3.1) and
    /// the last two additions make up at most `(D + 8)·u·(‖a‖² + ‖b‖²)`; doubled for safety.
    pub(crate) fn error(&self, probe: usize) -> f32 {
        let unit_roundoff = f32::EPSILON / 2.0;
        2.0 * (self.dim + 8) as f32 * unit_roundoff * (self.probe_sizes[probe] + self.largest)
    }

    /// What a probe's scores lack of distances that are comparable between probes: `‖a‖²`, where a product is behind
    /// them.
    pub(crate) fn own_part(&self, probe: usize) -> f32 {
        if self.product {
            self.probe_sizes[probe]
        } else {
            0.0
        }
    }

    /// Scores of probes `first_probe..` (rows of `out`) against gallery rows `first_shown..`
    /// (columns of `out`): they order the gallery as the distance does.
    pub(crate) fn fill(&self, first_probe: usize, first_shown: usize, mut out: ArrayViewMut2<f32>) {
        let (probes, shown) = out.dim();
        let gallery: &[f32] = if self.gallery.is_empty() {
            &self.probes
        } else {
            &self.gallery
        };
        let a = &self.probes[first_probe * self.dim..][..probes * self.dim];
        let b = &gallery[first_shown * self.dim..][..shown * self.dim];
        if self.product {
            let sizes = &self.gallery_sizes[first_shown..][..shown];
            for mut row in out.rows_mut() {
                row.iter_mut().zip(sizes).for_each(|(o, s)| *o = *s);
            }
            if let (Ok(a), Ok(b)) = (
                ArrayView2::from_shape((probes, self.dim), a),
                ArrayView2::from_shape((shown, self.dim), b),
            ) {
                general_mat_mul(-2.0, &a, &b.t(), 1.0, &mut out);
            }
        } else {
            for (mut row, a) in out.rows_mut().into_iter().zip(a.chunks_exact(self.dim)) {
                for (o, b) in row.iter_mut().zip(b.chunks_exact(self.dim)) {
                    *o = manhattan(a, b);
                }
            }
        }
    }
}

fn manhattan(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += (a[lane] - b[lane]).abs();
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b).abs()).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Where rows are moved to before they are rounded to `f32`.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Squared Euclidean through a matrix product; else Manhattan.
    pub(crate) product: bool,
    /// Rows are scaled to length 1 first.
    unit: bool,
    mean: Vec<f64>,
    scale: f64,
}

impl Frame {
    /// Centred on `shown`, and such that the longest row of all `sets` has length 1.
    fn of(shown: Rows, sets: &[Rows], metric: Distance) -> Self {
        let mut frame = Self {
            product: metric != Distance::Manhattan,
            unit: metric == Distance::Cosine,
            mean: vec![0.0; shown.dim],
            scale: 1.0,
        };
        frame.mean = frame.mean_of(shown);
        let longest = |rows: &Rows| {
            let parts = rows.values.par_chunks(PLACED_TOGETHER * rows.dim);
            let of_part = |part: &[f32]| {
                let rows = part.chunks_exact(rows.dim);
                rows.map(|row| frame.length_of(row)).fold(0.0, f64::max)
            };
            parts.map(of_part).reduce(|| 0.0, f64::max)
        };
        let longest = sets.iter().map(longest).fold(0.0, f64::max);
        frame.scale = if longest > 0.0 { 1.0 / longest } else { 1.0 };
        frame
    }

    /// Summed part by part, so that it is the same for any number of threads.
    fn mean_of(&self, set: Rows) -> Vec<f64> {
        let sum_of = |part: &[f32]| {
            let mut sum = vec![0.0; set.dim];
            for row in part.chunks_exact(set.dim) {
                sum.iter_mut()
                    .zip(self.shaped(row))
                    .for_each(|(m, x)| *m += x);
            }
            sum
        };
        let parts = set.values.par_chunks(PLACED_TOGETHER * set.dim);
        let sums: Vec<Vec<f64>> = parts.map(sum_of).collect();
        let mut mean = vec![0.0; set.dim];
        for sum in sums {
            mean.iter_mut().zip(sum).for_each(|(m, x)| *m += x);
        }
        mean.iter_mut().for_each(|m| *m /= set.len().max(1) as f64);
        mean
    }

    /// The row itself, or scaled to length 1; a zero vector, which has no direction, stays.
    fn shaped<'a>(&self, row: &'a [f32]) -> impl Iterator<Item = f64> + use<'a> {
        let mut length = 1.0;
        if self.unit {
            length = row
                .iter()
                .map(|x| f64::from(*x).powi(2))
                .sum::<f64>()
                .sqrt();
        }
        let length = if length > 0.0 { length } else { 1.0 };
        row.iter().map(move |x| f64::from(*x) / length)
    }

    fn centred(&self, row: &[f32]) -> impl Iterator<Item = f64> {
        self.shaped(row).zip(&self.mean).map(|(x, m)| x - m)
    }

    /// How long a row is before it is scaled.
    fn length_of(&self, row: &[f32]) -> f64 {
        if self.product {
            self.centred(row).map(|x| x * x).sum::<f64>().sqrt()
        } else {
            self.centred(row).map(f64::abs).sum()
        }
    }

    /// How long a row is where it is placed; 1 is the longest that the frame was made of.
    pub(crate) fn reach(&self, row: &[f32]) -> f64 {
        self.length_of(row) * self.scale
    }

    /// All rows centred, scaled and rounded, and the size of each: `‖b‖²`, or `Σ|bᵢ|`.
    fn place(&self, set: Rows) -> (Vec<f32>, Vec<f32>) {
        let mut rows = vec![0.0; set.values.len()];
        let mut sizes = vec![0.0; set.len()];
        let part = PLACED_TOGETHER * set.dim;
        let parts = set.values.par_chunks(part).zip(rows.par_chunks_mut(part));
        let parts = parts.zip(sizes.par_chunks_mut(PLACED_TOGETHER));
        parts.for_each(|((values, rows), sizes)| {
            let own = values
                .chunks_exact(set.dim)
                .zip(rows.chunks_exact_mut(set.dim));
            for ((row, placed), size) in own.zip(sizes) {
                placed
                    .iter_mut()
                    .zip(self.centred(row))
                    .for_each(|(to, x)| *to = (x * self.scale) as f32);
                *size = self.size_of(row, placed);
            }
        });
        (rows, sizes)
    }

    fn size_of(&self, row: &[f32], placed: &[f32]) -> f32 {
        let placed = placed.iter().map(|&x| f64::from(x));
        let mut size: f64 = if self.product {
            placed.map(|x| x * x).sum()
        } else {
            placed.map(f64::abs).sum()
        };
        // A zero vector is at cosine distance 1 from everything: as a "unit row" at the
        // origin it would be at ½.
        if self.unit && row.iter().all(|x| *x == 0.0) {
            size += self.scale * self.scale;
        }
        size as f32
    }
}
