//! Principal components: the plane that keeps most of the variance.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::embeddings::EmbeddingView;

/// Embeddings projected on their two principal axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pca {
    /// Each row's place.
    pub points: Vec<[f32; 2]>,
    /// The share of the total variance that each axis keeps; 0 where nothing varies.
    pub explained: [f64; 2],
}

/// Projects `set` on its first two principal axes, of its covariance in `f64`.
///
/// Deterministic; an axis points to where its largest coefficient is positive.
///
/// ```
/// use siamese_metrics::{EmbeddingView, projection::pca};
///
/// let set = EmbeddingView::new(&[0.0, 0.0, 1.0, 2.0, 2.0, 4.0], 2, &[0, 0, 0])?;
/// let plane = pca(&set);
/// assert!((plane.explained[0] - 1.0).abs() < 1e-12);
/// assert!((plane.points[2][0] - 5f32.sqrt()).abs() < 1e-6);
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
pub fn pca(set: &EmbeddingView) -> Pca {
    let (n, dim) = (set.len(), set.dim());
    let values = set.rows().flatten().map(|x| f64::from(*x)).collect();
    let mut rows =
        Array2::from_shape_vec((n, dim), values).unwrap_or_else(|_| Array2::zeros((n, dim)));
    let mean = rows
        .mean_axis(Axis(0))
        .unwrap_or_else(|| Array1::zeros(dim));
    rows -= &mean;
    let covariance = rows.t().dot(&rows) / n as f64;
    let total = covariance.diag().sum();
    let axes = leading_axes(&covariance);
    let places = rows.dot(&axes);
    let share = |axis: usize| {
        let kept = places.column(axis).iter().map(|x| x * x).sum::<f64>() / n as f64;
        if total > 0.0 { kept / total } else { 0.0 }
    };
    Pca {
        points: places
            .rows()
            .into_iter()
            .map(|p| [p[0] as f32, p[1] as f32])
            .collect(),
        explained: [share(0), share(1)],
    }
}

/// The two leading eigenvectors of a covariance, as columns `(D, 2)`; zero columns where there
/// are none.
///
/// Subspace iteration with a few axes to spare, each step finished by Rayleigh and Ritz.
fn leading_axes(covariance: &Array2<f64>) -> Array2<f64> {
    const SPARE: usize = 8;
    const STEPS: usize = 1000;
    let dim = covariance.nrows();
    let width = dim.min(2 + SPARE);
    // A start without symmetry: no axis of any data is orthogonal to all of it.
    let mut axes = Array2::from_shape_fn((dim, width), |(i, j)| {
        ((i * width + j) as f64 * 0.618_033_988_749_895 + 0.1).fract() - 0.5
    });
    orthonormalise(&mut axes);
    let mut before = f64::NEG_INFINITY;
    for _ in 0..STEPS {
        let image = covariance.dot(&axes);
        let (values, turn) = symmetric_eigen(axes.t().dot(&image));
        axes = image.dot(&turn);
        orthonormalise(&mut axes);
        let kept: f64 = values.iter().take(2).sum();
        if (kept - before).abs() <= 1e-15 * kept.abs() {
            break;
        }
        before = kept;
    }
    let mut leading = Array2::zeros((dim, 2));
    for (mut column, axis) in leading.columns_mut().into_iter().zip(axes.columns()) {
        let largest = axis
            .iter()
            .fold(0.0f64, |m, x| if x.abs() > m.abs() { *x } else { m });
        column.assign(&(&axis * if largest < 0.0 { -1.0 } else { 1.0 }));
    }
    leading
}

/// Gram–Schmidt, twice over for precision; columns without length become zero.
fn orthonormalise(columns: &mut Array2<f64>) {
    let scale = columns.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    for j in 0..columns.ncols() {
        let mut column = columns.column(j).to_owned();
        for _ in 0..2 {
            for i in 0..j {
                let other = columns.column(i);
                let along = other.dot(&column);
                column.scaled_add(-along, &other);
            }
        }
        let length = column.dot(&column).sqrt();
        column *= if length > 1e-14 * scale {
            1.0 / length
        } else {
            0.0
        };
        columns.column_mut(j).assign(&column);
    }
}

/// Eigenvalues, descending, and eigenvectors as columns, of a small symmetric matrix (Jacobi).
fn symmetric_eigen(mut a: Array2<f64>) -> (Vec<f64>, Array2<f64>) {
    let n = a.nrows();
    let mut vectors = Array2::eye(n);
    for _ in 0..50 {
        let mut off = 0.0;
        for p in 0..n {
            for q in p + 1..n {
                off += a[[p, q]] * a[[p, q]];
                rotate(&mut a, &mut vectors, p, q);
            }
        }
        if off <= 1e-30 * a.diag().dot(&a.diag()) {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[[j, j]].total_cmp(&a[[i, i]]));
    (
        order.iter().map(|&i| a[[i, i]]).collect(),
        vectors.select(Axis(1), &order),
    )
}

/// One Jacobi rotation, which makes `a[p, q]` zero.
fn rotate(a: &mut Array2<f64>, vectors: &mut Array2<f64>, p: usize, q: usize) {
    if a[[p, q]] == 0.0 {
        return;
    }
    let theta = (a[[q, q]] - a[[p, p]]) / (2.0 * a[[p, q]]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for k in 0..a.nrows() {
        let (x, y) = (a[[k, p]], a[[k, q]]);
        (a[[k, p]], a[[k, q]]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..a.nrows() {
        let (x, y) = (a[[p, k]], a[[q, k]]);
        (a[[p, k]], a[[q, k]]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (vectors[[k, p]], vectors[[k, q]]);
        (vectors[[k, p]], vectors[[k, q]]) = (c * x - s * y, s * x + c * y);
    }
}
