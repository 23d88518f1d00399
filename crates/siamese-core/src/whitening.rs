//! Within-class whitening: the linear map after which images of a class differ alike in every direction.

use candle_core::{Device, Result, Tensor, bail};

/// `z = M (x − μ)` with `MᵀM = (W + s·w̄·I)⁻¹`, where μ is the mean of the features, W the mean of their covariances
/// within the classes, w̄ the mean of its diagonal, and s how much of it is added, since few images say little of W.
///
/// Directions in which images of one class differ count less, whatever the class: cosines of z tell new classes apart
/// better than those of x (WCCN: Hatch, Kajarekar and Stolcke 2006; by the lower triangle `M = L⁻¹`, `LLᵀ = W + s·w̄·I`).
/// It is found without a step of training, which makes it the last layer for a pretrained body and few classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitening {
    /// F, the number of features.
    features: usize,
    /// M `(F, F)`, row by row.
    map: Vec<f64>,
    /// μ `(F)`
    mean: Vec<f64>,
}

impl Whitening {
    /// Features `(B, F)`, row by row, and the class of each row → the map.
    ///
    /// ```
    /// use siamese_core::Whitening;
    /// // the two classes differ upwards by 1, and their images by 4 sideways
    /// let features = [0., 0., 4., 0., 0., 1., 4., 1.];
    /// let whitening = Whitening::of(&features, 2, &[0, 0, 1, 1], 0.5)?;
    /// // W is 4 sideways and 0 upwards, its mean diagonal is 2: 5 and 1 with half of that
    /// let z = whitening.apply(&[4., 1.]);
    /// assert!((z[0] - 2. / 5f64.sqrt()).abs() < 1e-9 && (z[1] - 0.5).abs() < 1e-9);
    /// # Ok::<(), siamese_core::candle::Error>(())
    /// ```
    ///
    /// # Errors
    /// When no class has two images that differ, a feature is not finite, or the shrinkage is not above 0.
    pub fn of(features: &[f32], width: usize, labels: &[u32], shrinkage: f64) -> Result<Self> {
        if width == 0 || labels.is_empty() || features.len() != width * labels.len() {
            bail!(
                "whitening takes features (B, F) and B labels, got {} values of width {width} and {} labels",
                features.len(),
                labels.len()
            )
        }
        if !(shrinkage.is_finite() && shrinkage > 0.0) {
            bail!("a whitening's shrinkage must be above 0, got {shrinkage}")
        }
        let rows: Vec<&[f32]> = features.chunks_exact(width).collect();
        let mut covariance = within_classes(&rows, labels, width);
        let diagonal = (0..width).map(|i| covariance[i * width + i]);
        let level = diagonal.sum::<f64>() / width as f64;
        if !(level.is_finite() && level > 0.0) {
            bail!("whitening needs a class whose images differ, and finite features")
        }
        for i in 0..width {
            covariance[i * width + i] += shrinkage * level;
        }
        cholesky(&mut covariance, width);
        Ok(Self {
            features: width,
            map: inverse_of_lower(&covariance, width),
            mean: mean(rows.iter().copied(), width),
        })
    }

    /// Features `(F)` of one image → z `(F)`.
    ///
    /// # Panics
    /// When there are not F of them.
    pub fn apply(&self, features: &[f32]) -> Vec<f64> {
        assert_eq!(features.len(), self.features);
        let centred = features.iter().zip(&self.mean);
        let centred: Vec<f64> = centred.map(|(&x, mean)| f64::from(x) - mean).collect();
        let rows = self.map.chunks_exact(self.features);
        rows.map(|row| dot(row, &centred)).collect()
    }

    /// The map as a connected layer: its weight `(F, F)` and bias `(F)`.
    ///
    /// # Errors
    /// When there is no room on the device.
    pub fn layer(&self, device: &Device) -> Result<(Tensor, Tensor)> {
        let f = self.features;
        let weight: Vec<f32> = self.map.iter().map(|&value| value as f32).collect();
        let rows = self.map.chunks_exact(f);
        let bias: Vec<f32> = rows.map(|row| -dot(row, &self.mean) as f32).collect();
        Ok((
            Tensor::from_vec(weight, (f, f), device)?,
            Tensor::from_vec(bias, f, device)?,
        ))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `to += by · from`
fn add(to: &mut [f64], by: f64, from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += by * from;
    }
}

fn mean<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]>, width: usize) -> Vec<f64> {
    let count = rows.len() as f64;
    let mut sum = vec![0.0; width];
    for row in rows {
        for (sum, &x) in sum.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    sum.iter().map(|sum| sum / count).collect()
}

/// W `(F, F)`: each image counts once, and its distance is from the mean of its class.
fn within_classes(rows: &[&[f32]], labels: &[u32], width: usize) -> Vec<f64> {
    let mut classes = std::collections::BTreeMap::<u32, Vec<&[f32]>>::new();
    for (&label, &row) in labels.iter().zip(rows) {
        classes.entry(label).or_default().push(row);
    }
    let mut covariance = vec![0.0; width * width];
    for rows in classes.values() {
        let mean = mean(rows.iter().copied(), width);
        for row in rows {
            let off = row.iter().zip(&mean);
            let off: Vec<f64> = off.map(|(&x, mean)| f64::from(x) - mean).collect();
            for (i, &x) in off.iter().enumerate() {
                // the lower triangle is all that is asked for
                let to = &mut covariance[i * width..][..=i];
                add(to, x / labels.len() as f64, &off);
            }
        }
    }
    covariance
}

/// The lower triangle of a positive definite matrix → L with `LLᵀ` that matrix, in its place.
fn cholesky(a: &mut [f64], n: usize) {
    // by rows of Lᵀ, so that what is subtracted lies side by side
    let mut upper = vec![0.0; n * n];
    for (i, j) in (0..n).flat_map(|i| (0..=i).map(move |j| (i, j))) {
        upper[j * n + i] = a[i * n + j];
    }
    for k in 0..n {
        let (above, below) = upper.split_at_mut((k + 1) * n);
        let row = &mut above[k * n + k..];
        let scale = row[0].sqrt();
        row.iter_mut().for_each(|x| *x /= scale);
        for (i, rest) in below.chunks_exact_mut(n).enumerate() {
            let by = -row[i + 1];
            add(&mut rest[k + 1 + i..], by, &row[i + 1..]);
        }
    }
    for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
        a[i * n + j] = upper[j * n + i];
    }
}

/// The inverse of a lower triangle, row by row from the first.
fn inverse_of_lower(lower: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * n];
    for i in 0..n {
        let (before, rest) = inverse.split_at_mut(i * n);
        let row = &mut rest[..n];
        row[i] = 1.0;
        for (k, known) in before.chunks_exact(n).enumerate() {
            add(&mut row[..=k], -lower[i * n + k], &known[..=k]);
        }
        let scale = lower[i * n + i];
        row[..=i].iter_mut().for_each(|x| *x /= scale);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes of seven images whose features depend on each other.
    fn features() -> (Vec<f32>, Vec<u32>) {
        let noise = |i: u32| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let row = |i: u32| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|k| noise(4 * i + k));
            let class = (i % 3) as f32;
            [
                3.0 * a + class,
                a + 0.5 * b - class,
                0.2 * c + b,
                5.0 + c + d,
            ]
        };
        (
            (0..21).flat_map(row).collect(),
            (0..21).map(|i| i % 3).collect(),
        )
    }

    #[test]
    fn images_of_a_class_differ_alike_in_every_direction_afterwards() -> Result<()> {
        let (features, labels) = features();
        // so little is added that it does not show
        let whitening = Whitening::of(&features, 4, &labels, 1e-9)?;
        let z: Vec<f32> = features
            .chunks_exact(4)
            .flat_map(|row| whitening.apply(row))
            .map(|z| z as f32)
            .collect();
        let rows: Vec<&[f32]> = z.chunks_exact(4).collect();
        let covariance = within_classes(&rows, &labels, 4);
        for (i, j) in (0..4).flat_map(|i| (0..=i).map(move |j| (i, j))) {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((covariance[i * 4 + j] - expected).abs() < 1e-4, "{i} {j}");
        }
        let mean = mean(rows.iter().copied(), 4);
        assert!(mean.iter().all(|mean| mean.abs() < 1e-5), "{mean:?}");
        Ok(())
    }

    #[test]
    fn the_layer_does_what_the_map_does() -> Result<()> {
        let (features, labels) = features();
        let whitening = Whitening::of(&features, 4, &labels, 1.0)?;
        let (weight, bias) = whitening.layer(&Device::Cpu)?;
        let x = Tensor::from_slice(&features, (21, 4), &Device::Cpu)?;
        let z = x.matmul(&weight.t()?)?.broadcast_add(&bias)?;
        for (row, z) in features.chunks_exact(4).zip(z.to_vec2::<f32>()?) {
            let expected = whitening.apply(row);
            assert!(
                z.iter()
                    .zip(expected)
                    .all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5)
            );
        }
        Ok(())
    }

    #[test]
    fn classes_of_one_image_and_what_is_no_number_are_refused() {
        for (features, labels, shrinkage, word) in [
            (vec![1.0, 2.0, 3.0, 4.0], vec![0, 1], 1.0, "differ"),
            (vec![1.0, f32::NAN, 3.0, 4.0], vec![0, 0], 1.0, "finite"),
            (vec![1.0, 2.0, 3.0, 4.0], vec![0, 0], 0.0, "shrinkage"),
            (vec![1.0, 2.0, 3.0], vec![0, 0], 1.0, "labels"),
        ] {
            let error = Whitening::of(&features, 2, &labels, shrinkage).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
