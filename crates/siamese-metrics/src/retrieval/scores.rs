//! Fast approximate scores of probes against a gallery, with a bound on their error.
//!
//! Distances through a matrix product, `‖a‖² + ‖b‖² − 2a·b`, are fast but cancel: two rows that
//! are nearly alike drown in rounding. So the product only *sieves*. Rows are first centred (no
//! distance changes) and scaled so that the longest has length 1; every score is then within
//! [`Scores::error`] of the truth, and whoever is within twice that of the k-th is looked at
//! exactly. Cosine is the squared Euclidean distance of unit rows, halved.

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};

use crate::embeddings::Embeddings;
use crate::metric::Metric;

/// Centred, scaled rows of probes and gallery.
pub(crate) struct Scores {
    dim: usize,
    product: bool,
    probes: Vec<f32>,
    probe_sizes: Vec<f32>,
    /// Empty where the probes are the gallery.
    gallery: Vec<f32>,
    /// What to add to `−2a·b`: `‖b‖²`.
    gallery_sizes: Vec<f32>,
    largest: f32,
}

impl Scores {
    pub(crate) fn new(probes: &Embeddings, gallery: Option<&Embeddings>, metric: Metric) -> Self {
        let dim = probes.dim();
        let product = metric != Metric::Manhattan;
        let unit = metric == Metric::Cosine;
        let shown = gallery.unwrap_or(probes);
        let mean = mean_row(shown, unit);
        let longest = [Some(probes), gallery]
            .into_iter()
            .flatten()
            .flat_map(|set| set.rows())
            .map(|row| size(product, &centred(row, &mean, unit)))
            .fold(0.0, f64::max);
        let scale = if longest > 0.0 { 1.0 / longest } else { 1.0 };
        let shrink = |set: &Embeddings| -> (Vec<f32>, Vec<f32>) {
            let mut rows = Vec::with_capacity(set.len() * dim);
            let mut sizes = Vec::with_capacity(set.len());
            for row in set.rows() {
                let start = rows.len();
                rows.extend(centred(row, &mean, unit).iter().map(|x| (x * scale) as f32));
                let scaled = rows[start..].iter().map(|&x| f64::from(x));
                let size: f64 = if product {
                    scaled.map(|x| x * x).sum()
                } else {
                    scaled.map(f64::abs).sum()
                };
                // A zero vector is at cosine distance 1 from everything: as a "unit row" at the
                // origin it would be at ½.
                let zero = unit && row.iter().all(|x| *x == 0.0);
                sizes.push(if zero { size + scale * scale } else { size } as f32);
            }
            (rows, sizes)
        };
        let (probe_rows, probe_sizes) = shrink(probes);
        let (gallery_rows, gallery_sizes) = match gallery {
            Some(gallery) => shrink(gallery),
            None => (Vec::new(), probe_sizes.clone()),
        };
        let largest = gallery_sizes.iter().copied().fold(0.0, f32::max);
        Self {
            dim,
            product,
            largest,
            probes: probe_rows,
            probe_sizes,
            gallery: gallery_rows,
            gallery_sizes,
        }
    }

    /// How far a score of this probe can be from the true one.
    ///
    /// Rounding the rows, a dot product of `D` terms in any order (`γ_D ‖a‖‖b‖`, Higham §3.1) and
    /// the last two additions make up at most `(D + 8)·u·(‖a‖² + ‖b‖²)`; doubled for safety.
    pub(crate) fn error(&self, probe: usize) -> f32 {
        let unit_roundoff = f32::EPSILON / 2.0;
        2.0 * (self.dim + 8) as f32 * unit_roundoff * (self.probe_sizes[probe] + self.largest)
    }

    /// Scores of probes `first_probe..` (rows of `out`) against gallery rows `first_shown..`
    /// (columns of `out`): they order the gallery as the distance does.
    pub(crate) fn fill(&self, first_probe: usize, first_shown: usize, mut out: ArrayViewMut2<f32>) {
        let (probes, shown) = out.dim();
        let gallery = if self.gallery.is_empty() {
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

/// The mean of all rows, each scaled to length 1 first where `unit` says so.
fn mean_row(set: &Embeddings, unit: bool) -> Vec<f64> {
    let mut mean = vec![0.0; set.dim()];
    for row in set.rows() {
        let length = if unit { length(row) } else { 1.0 };
        mean.iter_mut()
            .zip(row)
            .for_each(|(m, x)| *m += f64::from(*x) / length);
    }
    mean.iter_mut().for_each(|m| *m /= set.len() as f64);
    mean
}

fn centred(row: &[f32], mean: &[f64], unit: bool) -> Vec<f64> {
    let length = if unit { length(row) } else { 1.0 };
    row.iter()
        .zip(mean)
        .map(|(x, m)| f64::from(*x) / length - m)
        .collect()
}

/// Euclidean length of a row; 1 for a zero vector, which has no direction.
fn length(row: &[f32]) -> f64 {
    let length = row
        .iter()
        .map(|x| f64::from(*x).powi(2))
        .sum::<f64>()
        .sqrt();
    if length > 0.0 { length } else { 1.0 }
}

fn size(product: bool, row: &[f64]) -> f64 {
    if product {
        row.iter().map(|x| x * x).sum::<f64>().sqrt()
    } else {
        row.iter().map(|x| x.abs()).sum()
    }
}
