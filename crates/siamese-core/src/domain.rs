//! What a model was trained on, so that it can say when an image is unlike all of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Height, width and channels.
type Shape = (usize, usize, usize);

/// Halvings of an image at which its detail is measured.
const SCALES: usize = 3;
/// What is added before a logarithm: a quarter of a grey level.
const LEAST: f64 = 1e-3;
/// A colour image whose channels differ by less than this on average is grey.
const GREY: f64 = 1.0 / 255.0;
/// A model has learned from colour where fewer of its training images than this are grey.
const FEW: f64 = 0.05;

/// Held-out images that a share can be told from.
const ENOUGH: usize = 1000;
/// Parts of the classes that are left out in turn.
const FOLDS: usize = 10;

/// How images that a model was trained on look, in a few numbers: the brightness and contrast of each channel, how
/// colourful they are, and their detail at three scales.
///
/// An image is *strange* where these numbers lie farther (by Mahalanobis' distance) from those of the training images
/// than those of all but a small share of held-out images, or where it is grey and nearly all training images are in
/// colour. By construction that share of images like those trained on is called strange, too.
///
/// The embeddings themselves do not tell: a tower maps faces and clothes right among the things that it knows. Nor do
/// these numbers know what is *in* an image: they tell drawings, scans, inverted, grey or blurred images from photos, and
/// not one photo from another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    mean: Vec<f64>,
    /// The lower triangle of the covariance's Cholesky factor, row by row.
    factor: Vec<f64>,
    limit: f64,
    share: f64,
    grey_share: f64,
    channels: usize,
}

/// Why an image is strange to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strange {
    /// It is grey, and nearly all of what was trained on is in colour.
    Grey,
    /// Its brightness, contrast, colours or detail are unlike those trained on.
    Unusual,
}

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grey => "it is grey, and nearly all of the training pictures are in colour",
            Self::Unusual => "its brightness, contrast, colours or detail are unlike those of the training pictures",
        })
    }
}

impl Domain {
    /// The domain of training images of this shape, each (H, W, C), such that a share of the images `held_out` is called
    /// strange by their numbers.
    ///
    /// `classes` has the class of each training image. Where few images are held out, those of a few classes say little of
    /// others: training images count as held out too, each laid beside the images of other classes alone.
    ///
    /// ```
    /// use siamese_core::{Domain, Strange};
    ///
    /// let image = |seed: usize, contrast: usize| -> Vec<u8> {
    ///     (0..8 * 8).map(|at| (100 + (at * at * (seed + 3) + 7 * at) % 31 * contrast / 8) as u8).collect()
    /// };
    /// let training: Vec<Vec<u8>> = (0..60).map(|seed| image(seed, 8)).collect();
    /// let classes: Vec<u32> = (0..60).map(|seed| seed / 10).collect();
    /// let held_out: Vec<Vec<u8>> = (60..90).map(|seed| image(seed, 8)).collect();
    /// let domain = Domain::fit((&training, &classes), &held_out, (8, 8, 1), 0.0)?;
    /// assert_eq!(domain.judge(&image(100, 8), (8, 8, 1)), None);
    /// assert_eq!(domain.judge(&image(100, 40), (8, 8, 1)), Some(Strange::Unusual));
    /// # Ok::<(), siamese_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no training image or no held-out one, or not as many classes as training images.
    pub fn fit<P: AsRef<[u8]>>(
        (training, classes): (&[P], &[u32]),
        held_out: &[P],
        shape: Shape,
        share: f64,
    ) -> Result<Self> {
        if training.is_empty() || held_out.is_empty() {
            return Err(Error::Contradiction(
                "a domain needs training and held-out images".into(),
            ));
        }
        if training.len() != classes.len() {
            return Err(Error::Contradiction(format!(
                "{} training images of {} classes: each has one",
                training.len(),
                classes.len()
            )));
        }
        let numbers = |p: &P| numbers(p.as_ref(), shape);
        let rows: Vec<Vec<f64>> = training.iter().map(numbers).collect();
        let grey = training
            .iter()
            .filter(|p| is_grey(p.as_ref(), shape))
            .count();
        let (mean, factor) = spread(&rows.iter().collect::<Vec<_>>());
        let distances = held_out
            .iter()
            .map(|p| distance(&numbers(p), &mean, &factor));
        let mut distances: Vec<f64> = distances.collect();
        if distances.len() < ENOUGH {
            distances.extend(beside_other_classes(&rows, classes));
        }
        distances.sort_by(|a, b| b.total_cmp(a));
        let beyond = (distances.len() as f64 * share) as usize;
        Ok(Self {
            limit: distances[beyond.min(distances.len() - 1)],
            mean,
            factor,
            share,
            grey_share: grey as f64 / training.len() as f64,
            channels: shape.2,
        })
    }

    /// Why an image (H, W, C) is strange to the model, if it is.
    pub fn judge(&self, image: &[u8], shape: Shape) -> Option<Strange> {
        let numbers = numbers(image, shape);
        if numbers.len() != self.mean.len() {
            return None;
        }
        if shape.2 == 3 && self.grey_share < FEW && is_grey(image, shape) {
            return Some(Strange::Grey);
        }
        (distance(&numbers, &self.mean, &self.factor) > self.limit).then_some(Strange::Unusual)
    }

    /// The share of images like those trained on that is called strange as well.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Refuses a domain that is of another tower, or no domain.
    pub(crate) fn check(&self, channels: usize) -> Result<()> {
        let sides = self.mean.len();
        let whole = self.factor.len() == sides * (sides + 1) / 2
            && (0..sides).all(|i| self.factor[i * (i + 1) / 2 + i] > 0.0);
        if self.channels == channels && whole {
            return Ok(());
        }
        Err(Error::Contradiction(format!(
            "what it says of the images that it was trained on is of {} channels and {sides} numbers, and does not fit a \
             tower of {channels} channels",
            self.channels
        )))
    }
}

/// Mean and Cholesky factor of the covariance.
fn spread(rows: &[&Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let mean: Vec<f64> = (0..rows[0].len())
        .map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64)
        .collect();
    let factor = cholesky(&covariance(rows, &mean), mean.len());
    (mean, factor)
}

/// Mahalanobis' distance, squared: the length of L⁻¹ (x − μ).
fn distance(numbers: &[f64], mean: &[f64], factor: &[f64]) -> f64 {
    let mut solved = Vec::with_capacity(numbers.len());
    for (i, (x, mean)) in numbers.iter().zip(mean).enumerate() {
        let row = &factor[i * (i + 1) / 2..][..=i];
        let known: f64 = row
            .iter()
            .zip(&solved)
            .map(|(l, y): (&f64, &f64)| l * y)
            .sum();
        solved.push((x - mean - known) / row[i]);
    }
    solved.iter().map(|y| y * y).sum()
}

/// How far each row is from those of other classes, which are left out a fold at a time.
fn beside_other_classes(rows: &[Vec<f64>], classes: &[u32]) -> Vec<f64> {
    let mut all = classes.to_vec();
    all.sort_unstable();
    all.dedup();
    let folds = all.len().min(FOLDS);
    let mut distances = Vec::new();
    for fold in (0..folds).filter(|_| folds > 1) {
        let place = |class| all.binary_search(class).unwrap_or_default() % folds;
        let (out, others): (Vec<_>, Vec<_>) =
            (0..rows.len()).partition(|&row| place(&classes[row]) == fold);
        let others: Vec<_> = others.iter().map(|&row| &rows[row]).collect();
        let (mean, factor) = spread(&others);
        distances.extend(out.iter().map(|&row| distance(&rows[row], &mean, &factor)));
    }
    distances
}

/// The numbers of an image: mean and log deviation of each channel, log colourfulness, log detail at each scale.
fn numbers(image: &[u8], (height, width, channels): Shape) -> Vec<f64> {
    let count = (height * width).max(1) as f64;
    let mut numbers = Vec::new();
    for channel in 0..channels {
        let values = || {
            image
                .iter()
                .skip(channel)
                .step_by(channels)
                .map(|&v| f64::from(v) / 255.0)
        };
        let mean = values().sum::<f64>() / count;
        let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        numbers.extend([mean, (variance.sqrt() + LEAST).ln()]);
    }
    if channels == 3 {
        numbers.push((colourfulness(image) + LEAST).ln());
    }
    let of_pixel =
        |pixel: &[u8]| pixel.iter().map(|&v| f64::from(v)).sum::<f64>() / (255 * channels) as f64;
    let mut plane: Vec<f64> = image.chunks_exact(channels.max(1)).map(of_pixel).collect();
    let (mut height, mut width) = (height, width);
    for _ in 0..SCALES {
        numbers.extend(detail(&plane, height, width).map(|mean| (mean + LEAST).ln()));
        (plane, height, width) = halved(&plane, height, width);
    }
    numbers
}

/// The mean difference of neighbours along rows and along columns.
fn detail(plane: &[f64], height: usize, width: usize) -> [f64; 2] {
    let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
    let along = plane
        .chunks_exact(width.max(1))
        .flat_map(|row| row.windows(2));
    let along = along.map(|two| (two[0] - two[1]).abs()).sum();
    let down = plane.iter().zip(plane.iter().skip(width));
    let down = down.map(|(a, b)| (a - b).abs()).sum();
    [
        mean(along, height * width.saturating_sub(1)),
        mean(down, height.saturating_sub(1) * width),
    ]
}

/// A plane of half the size, each value the mean of four; one that is too small stays.
fn halved(plane: &[f64], height: usize, width: usize) -> (Vec<f64>, usize, usize) {
    let (rows, columns) = (height / 2, width / 2);
    if rows == 0 || columns == 0 {
        return (plane.to_vec(), height, width);
    }
    let at = |y: usize, x: usize| plane[y * width + x];
    let four = |y: usize, x: usize| at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1);
    let half = (0..rows * columns).map(|i| four(i / columns * 2, i % columns * 2) / 4.0);
    (half.collect(), rows, columns)
}

/// How far the channels of a pixel lie apart, on average, of an RGB image.
fn colourfulness(image: &[u8]) -> f64 {
    let spread = |p: &[u8]| f64::from(p[0].max(p[1]).max(p[2]) - p[0].min(p[1]).min(p[2]));
    let pixels = image.chunks_exact(3);
    let count = pixels.len().max(1) as f64;
    pixels.map(spread).sum::<f64>() / (255.0 * count)
}

fn is_grey(image: &[u8], shape: Shape) -> bool {
    shape.2 == 3 && colourfulness(image) < GREY
}

/// The covariance of `rows`, with a little on its diagonal, so that numbers which never vary have a scale too.
fn covariance(rows: &[&Vec<f64>], mean: &[f64]) -> Vec<f64> {
    let sides = mean.len();
    let mut sums = vec![0.0; sides * sides];
    for row in rows {
        for i in 0..sides {
            for j in 0..=i {
                sums[i * sides + j] += (row[i] - mean[i]) * (row[j] - mean[j]);
            }
        }
    }
    for (at, sum) in sums.iter_mut().enumerate() {
        *sum /= rows.len() as f64;
        if at % (sides + 1) == 0 {
            *sum += 1e-4;
        }
    }
    sums
}

/// The lower triangle of L with L·Lᵀ = `matrix`, of which the lower triangle is read.
fn cholesky(matrix: &[f64], sides: usize) -> Vec<f64> {
    let mut factor = vec![0.0; sides * (sides + 1) / 2];
    let place = |i: usize, j: usize| i * (i + 1) / 2 + j;
    for i in 0..sides {
        for j in 0..=i {
            let known: f64 = (0..j)
                .map(|k| factor[place(i, k)] * factor[place(j, k)])
                .sum();
            let rest = matrix[i * sides + j] - known;
            factor[place(i, j)] = match i == j {
                true => rest.max(1e-12).sqrt(),
                false => rest / factor[place(j, j)],
            };
        }
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_times_itself_is_the_matrix() {
        let matrix = [4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 1.0, 3.0, 6.0];
        let l = cholesky(&matrix, 3);
        let at = |i: usize, j: usize| if j <= i { l[i * (i + 1) / 2 + j] } else { 0.0 };
        for i in 0..3 {
            for j in 0..=i {
                let product: f64 = (0..3).map(|k| at(i, k) * at(j, k)).sum();
                assert!((product - matrix[i * 3 + j]).abs() < 1e-12, "{i} {j}");
            }
        }
    }

    /// A coloured texture of 6×8 pixels.
    fn image(seed: u32) -> Vec<u8> {
        let mut noise = seed;
        let mut next = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 25) as u8
        };
        (0..6 * 8 * 3).map(|_| 60 + next()).collect()
    }

    #[test]
    fn grey_inverted_flat_and_tiny_images_are_judged_and_like_ones_pass() {
        let shape = (6, 8, 3);
        let training: Vec<Vec<u8>> = (0..200).map(image).collect();
        let held_out: Vec<Vec<u8>> = (200..300).map(image).collect();
        let classes: Vec<u32> = (0..200).map(|i| i / 10).collect();
        let domain = Domain::fit((&training, &classes), &held_out, shape, 0.01).unwrap();
        let strange = (300..400)
            .filter(|&s| domain.judge(&image(s), shape).is_some())
            .count();
        assert!(strange < 15, "{strange}");
        let grey: Vec<u8> = image(7).chunks(3).flat_map(|p| [p[0]; 3]).collect();
        assert_eq!(domain.judge(&grey, shape), Some(Strange::Grey));
        assert_eq!(
            domain.judge(&[250, 10, 10].repeat(48), shape),
            Some(Strange::Unusual)
        );
        assert_eq!(
            domain.judge(&[7; 4], (2, 2, 1)),
            None,
            "of other channels nothing is said"
        );
        let one = Domain::fit((&[vec![1, 2, 3]], &[0]), &[vec![1, 2, 3]], (1, 1, 3), 0.0).unwrap();
        assert_eq!(one.judge(&[1, 2, 3], (1, 1, 3)), None);
    }

    #[test]
    fn no_images_make_no_domain() {
        assert!(Domain::fit::<Vec<u8>>((&[], &[]), &[], (1, 1, 1), 0.1).is_err());
        assert!(Domain::fit((&[vec![1]], &[]), &[vec![1]], (1, 1, 1), 0.1).is_err());
    }

    #[test]
    fn another_class_is_not_strange_because_few_were_held_out() {
        // classes differ in brightness more than the images of one do
        let of_class = |class: u32| -> Vec<Vec<u8>> {
            let bright = (class * 37 % 20) as u8;
            let image = |seed| -> Vec<u8> {
                image(class * 10 + seed)
                    .iter()
                    .map(|v| v / 2 + 6 * bright)
                    .collect()
            };
            (0..10).map(image).collect()
        };
        let training: Vec<Vec<u8>> = (0..12).flat_map(of_class).collect();
        let classes: Vec<u32> = (0..120).map(|i| i / 10).collect();
        let one = vec![0; classes.len()];
        let held_out = of_class(0);
        let strange = |classes: &[u32]| {
            let domain = Domain::fit((&training, classes), &held_out, (6, 8, 3), 0.01).unwrap();
            let others = (12..20).flat_map(of_class);
            others
                .filter(|p| domain.judge(p, (6, 8, 3)).is_some())
                .count()
        };
        let (known, unknown) = (strange(&classes), strange(&one));
        assert!(known * 3 < unknown, "{known} and {unknown} of 80");
    }
}
