//! Fast approximate scores of probes against a gallery, with a bound on their error.
//!
//! Distances through a matrix product, `‖a‖² + ‖b‖² − 2a·b`, are fast but cancel: two rows that
//! are nearly alike drown in rounding. So the product only *sieves*. Rows are first centred (no
//! distance changes) and scaled so that the longest has length 1; every score is then within
//! [`Scores::error`] of the truth, and whoever is within twice that of the k-th is looked at
//! exactly. Cosine is the squared Euclidean distance of unit rows, halved.

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};

use crate::distance::Distance;
use crate::embeddings::EmbeddingView;

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
    pub(crate) fn new(
        probes: &EmbeddingView,
        gallery: Option<&EmbeddingView>,
        metric: Distance,
    ) -> Self {
        let mut frame = Frame {
            product: metric != Distance::Manhattan,
            unit: metric == Distance::Cosine,
            mean: vec![0.0; probes.dim()],
            scale: 1.0,
        };
        frame.mean = frame.mean_of(gallery.unwrap_or(probes));
        let sets = [Some(probes), gallery].into_iter().flatten();
        let rows = sets.flat_map(|set| set.rows());
        let longest = rows.map(|row| frame.length_of(row)).fold(0.0, f64::max);
        frame.scale = if longest > 0.0 { 1.0 / longest } else { 1.0 };

        let (probe_rows, probe_sizes) = frame.place(probes);
        let (gallery_rows, gallery_sizes) = match gallery {
            Some(gallery) => frame.place(gallery),
            None => (Vec::new(), probe_sizes.clone()),
        };
        Self {
            dim: probes.dim(),
            product: frame.product,
            largest: gallery_sizes.iter().copied().fold(0.0, f32::max),
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

/// Where rows are moved to before they are rounded to `f32`.
struct Frame {
    /// Squared Euclidean through a matrix product; else Manhattan.
    product: bool,
    /// Rows are scaled to length 1 first.
    unit: bool,
    mean: Vec<f64>,
    scale: f64,
}

impl Frame {
    fn mean_of(&self, set: &EmbeddingView) -> Vec<f64> {
        let mut mean = vec![0.0; set.dim()];
        for row in set.rows() {
            mean.iter_mut()
                .zip(self.shaped(row))
                .for_each(|(m, x)| *m += x);
        }
        mean.iter_mut().for_each(|m| *m /= set.len() as f64);
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

    fn length_of(&self, row: &[f32]) -> f64 {
        if self.product {
            self.centred(row).map(|x| x * x).sum::<f64>().sqrt()
        } else {
            self.centred(row).map(f64::abs).sum()
        }
    }

    /// All rows centred, scaled and rounded, and the size of each: `‖b‖²`, or `Σ|bᵢ|`.
    fn place(&self, set: &EmbeddingView) -> (Vec<f32>, Vec<f32>) {
        let mut rows = Vec::with_capacity(set.len() * set.dim());
        let mut sizes = Vec::with_capacity(set.len());
        for row in set.rows() {
            let start = rows.len();
            rows.extend(self.centred(row).map(|x| (x * self.scale) as f32));
            let placed = rows[start..].iter().map(|&x| f64::from(x));
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
            sizes.push(size as f32);
        }
        (rows, sizes)
    }
}
