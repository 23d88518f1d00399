//! Images that are, or look, the same.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ImageSet;

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
pub(super) fn near_between(others: &ImageSet, set: &ImageSet) -> Vec<Duplicate> {
    if others.image_len() != set.image_len() {
        return Vec::new();
    }
    let hashes = hashes(others);
    near(others, &hashes, set, |_| hashes.len())
}

/// Each image of `set` with the one before it that it looks most like, if it looks like any.
pub(super) fn near_within(set: &ImageSet) -> Vec<Duplicate> {
    near(set, &hashes(set), set, |image| image)
}

/// Each image of `set` with the most alike of the first `until(image)` of `others`.
fn near(
    others: &ImageSet,
    other_hashes: &[u64],
    set: &ImageSet,
    until: impl Fn(usize) -> usize + Sync,
) -> Vec<Duplicate> {
    let nearest = |second: usize| {
        let hash = difference_hash(set, second);
        (0u32..)
            .zip(&other_hashes[..until(second)])
            .filter(|(_, other)| (hash ^ *other).count_ones() <= NEAR_BITS)
            .map(|(first, _)| duplicate(others, first, set, second as u32))
            .max_by(|a, b| a.correlation.total_cmp(&b.correlation))
            .filter(|near| near.correlation >= NEAR_CORRELATION)
    };
    let images = (0..set.len()).into_par_iter();
    images.filter_map(nearest).collect()
}

pub(super) fn duplicate(train: &ImageSet, first: u32, test: &ImageSet, second: u32) -> Duplicate {
    let (a, b) = (train.image(first as usize), test.image(second as usize));
    Duplicate {
        first,
        second,
        same_class: train.labels[first as usize] == test.labels[second as usize],
        correlation: correlation(a, b),
    }
}

/// Pearson's correlation; 0 where an image is of one value only, unless both are the same.
fn correlation(a: &[u8], b: &[u8]) -> f64 {
    if a == b {
        return 1.0;
    }
    // Integers: exact, and below 2^64 up to images of 2^48 values.
    let (mut sum_a, mut sum_b, mut aa, mut bb, mut ab) = (0u64, 0u64, 0u64, 0u64, 0u64);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (u64::from(a), u64::from(b));
        (sum_a, sum_b) = (sum_a + a, sum_b + b);
        (aa, bb, ab) = (aa + a * a, bb + b * b, ab + a * b);
    }
    let (n, sum_a, sum_b) = (a.len() as f64, sum_a as f64, sum_b as f64);
    let covariance = ab as f64 - sum_a * sum_b / n;
    let variances = (aa as f64 - sum_a * sum_a / n) * (bb as f64 - sum_b * sum_b / n);
    if variances > 0.0 {
        covariance / variances.sqrt()
    } else {
        0.0
    }
}

fn hashes(set: &ImageSet) -> Vec<u64> {
    let images = (0..set.len()).into_par_iter();
    images.map(|i| difference_hash(set, i)).collect()
}

/// dHash: for each of 8 rows of 9 grey cells, which of two neighbours is brighter.
fn difference_hash(set: &ImageSet, i: usize) -> u64 {
    let image = set.image(i);
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
