//! Images that are, or look, the same.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{DataError, ImageSet};

/// Hashes that differ in at most this many of their 64 bits are looked at more closely.
const NEAR_BITS: u32 = 12;

/// The least correlation of the pixels of two near duplicates.
const NEAR_CORRELATION: f64 = 0.94;

/// Two images that are, or look, the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duplicate {
    /// The earlier image, or that of the training split.
    pub first: u32,
    /// The later image, or that of the test split.
    pub second: u32,
    /// Whether both have the same label.
    pub same_class: bool,
    /// The correlation (Pearson's) of their pixels: 1 for the same bytes.
    pub correlation: f64,
}

/// Each image of `set` with the one that it looks most like in `others`, if it looks like any.
pub(super) fn near_between(others: &ImageSet, set: &ImageSet) -> Result<Vec<Duplicate>, DataError> {
    if others.image_len() != set.image_len() {
        return Ok(Vec::new());
    }
    near(others, &looks(others)?, set, &looks(set)?, |_| others.len())
}

/// Each image of `set` with the one before it that it looks most like, if it looks like any.
pub(super) fn near_within(set: &ImageSet) -> Result<Vec<Duplicate>, DataError> {
    let looks = looks(set)?;
    near(set, &looks, set, &looks, |image| image)
}

/// Each image of `set` with the most alike of the first `until(image)` of `others`.
fn near(
    others: &ImageSet,
    other_looks: &[Look],
    set: &ImageSet,
    looks: &[Look],
    until: impl Fn(usize) -> usize + Sync,
) -> Result<Vec<Duplicate>, DataError> {
    let nearest = |second: usize| -> Result<Option<Duplicate>, DataError> {
        let (image, look) = (set.image(second)?, &looks[second]);
        let others_before = (0u32..).zip(&other_looks[..until(second)]);
        let mut nearest: Option<(u32, f64)> = None;
        for (first, other) in others_before {
            if (look.hash ^ other.hash).count_ones() > NEAR_BITS {
                continue;
            }
            let likeness = likeness(&others.image(first as usize)?, other, &image, look);
            if nearest.is_none_or(|(_, most)| likeness.total_cmp(&most).is_ge()) {
                nearest = Some((first, likeness));
            }
        }
        nearest
            .filter(|(_, likeness)| *likeness >= NEAR_CORRELATION)
            .map(|(first, _)| duplicate(others, first, set, second as u32))
            .transpose()
    };
    let images = (0..set.len()).into_par_iter();
    images
        .filter_map(|second| nearest(second).transpose())
        .collect()
}

/// What is computed once of each image.
struct Look {
    hash: u64,
    /// Of all values.
    sum: f64,
    /// Root of the sum of squared differences from the mean; 0 where all values are the same.
    spread: f64,
}

fn looks(set: &ImageSet) -> Result<Vec<Look>, DataError> {
    let images = (0..set.len()).into_par_iter();
    images.map(|i| look(set, i)).collect()
}

fn look(set: &ImageSet, i: usize) -> Result<Look, DataError> {
    let image = &*set.image(i)?;
    let sum = image.iter().map(|&value| u64::from(value)).sum::<u64>() as f64;
    let variance = product(image, image) - sum * sum / image.len() as f64;
    Ok(Look {
        hash: difference_hash(set, image),
        sum,
        spread: variance.max(0.0).sqrt(),
    })
}

/// Pearson's correlation; 0 where an image is of one value only.
fn likeness(a: &[u8], a_look: &Look, b: &[u8], b_look: &Look) -> f64 {
    let covariance = product(a, b) - a_look.sum * b_look.sum / a.len() as f64;
    let spreads = a_look.spread * b_look.spread;
    if spreads > 0.0 {
        covariance / spreads
    } else {
        0.0
    }
}

/// `Σ a·b`, exactly: line drawings are alike by their hashes, so that this runs for most pairs.
fn product(a: &[u8], b: &[u8]) -> f64 {
    // A chunk's sum is below 2^16 · 2^16.
    let chunk = |(a, b): (&[u8], &[u8])| {
        let products = a.iter().zip(b).map(|(&a, &b)| u32::from(a) * u32::from(b));
        u64::from(products.sum::<u32>())
    };
    let chunks = a.chunks(1 << 16).zip(b.chunks(1 << 16));
    chunks.map(chunk).sum::<u64>() as f64
}

pub(super) fn duplicate(
    train: &ImageSet,
    first: u32,
    test: &ImageSet,
    second: u32,
) -> Result<Duplicate, DataError> {
    let (a, b) = (train.image(first as usize)?, test.image(second as usize)?);
    let correlation = if a == b {
        1.0
    } else {
        likeness(
            &a,
            &look(train, first as usize)?,
            &b,
            &look(test, second as usize)?,
        )
    };
    Ok(Duplicate {
        first,
        second,
        same_class: train.labels[first as usize] == test.labels[second as usize],
        correlation,
    })
}

/// dHash: for each of 8 rows of 9 grey cells, which of two neighbours is brighter.
fn difference_hash(set: &ImageSet, image: &[u8]) -> u64 {
    // Cells of whole pixels; where there are fewer pixels than cells, some are seen twice.
    let span = |cell: usize, cells: usize, length: usize| {
        let start = cell * length / cells;
        start..((cell + 1) * length / cells).max(start + 1)
    };
    let brightness = |row: usize, column: usize| {
        let (rows, columns) = (span(row, 8, set.height), span(column, 9, set.width));
        let count = rows.len() * columns.len();
        let values = rows.flat_map(|y| {
            let pixels = (y * set.width + columns.start) * set.channels;
            &image[pixels..pixels + columns.len() * set.channels]
        });
        values.map(|&value| u64::from(value)).sum::<u64>() as f64 / count as f64
    };
    let mut hash = 0;
    for row in 0..8 {
        let mut left = brightness(row, 0);
        for column in 1..9 {
            let right = brightness(row, column);
            hash = hash << 1 | u64::from(right > left);
            left = right;
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(a: &[u8], b: &[u8]) -> ImageSet {
        let pixels = [a, b].concat();
        ImageSet::new(1, a.len(), 1, pixels, vec![0, 0], vec!["a".into()]).unwrap()
    }

    #[test]
    fn correlation_is_pearsons() {
        let correlation = |a: &[u8], b: &[u8]| {
            let set = pair(a, b);
            duplicate(&set, 0, &set, 1).unwrap().correlation
        };
        // by hand: covariance 3, variances 2 and 14/3, times n
        let by_hand = 3.0 / (2.0f64 * (14.0 / 3.0)).sqrt();
        assert!((correlation(&[1, 2, 3], &[10, 12, 13]) - by_hand).abs() < 1e-12);
        assert!((correlation(&[1, 2, 3], &[30, 20, 10]) + 1.0).abs() < 1e-12);
        assert_eq!(correlation(&[7, 7], &[1, 2]), 0.0, "of one value only");
        assert_eq!(correlation(&[7, 7], &[7, 7]), 1.0);
        assert_eq!(product(&[255; 70_000], &[255; 70_000]), 70_000.0 * 65_025.0);
    }
}
