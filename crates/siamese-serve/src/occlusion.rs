//! Where two pictures agree, and where they differ: parts of one are covered, and the distance is measured anew.
//!
//! A square that slides over the picture is filled with the picture's mean colour. Where covering makes the two farther,
//! the pictures agreed there; where it makes them nearer, they differed (Zeiler and Fergus, 2014, section 4.2, of pairs).

use std::time::Duration;

use siamese_core::Metric;

/// The finest and the coarsest grid.
const GRID: (usize, usize) = (4, 14);
/// A square is so many cells wide.
const CELLS: f64 = 2.0;

/// Rows and columns of a grid that both pictures can be covered by within `budget`, at so much time an image.
pub(crate) fn grid(image: Duration, budget: Duration) -> usize {
    let images = budget.as_secs_f64() / image.as_secs_f64().max(1e-6);
    ((images / 2.0).sqrt() as usize).clamp(GRID.0, GRID.1)
}

/// The image (H, W, C) with each square of a `grid`×`grid` covered in turn, row by row.
pub(crate) fn covered(
    image: &[u8],
    (height, width, channels): (usize, usize, usize),
    grid: usize,
) -> Vec<Vec<u8>> {
    let mean = mean_colour(image, channels);
    let span = |cell: usize, side: usize| {
        let size = side as f64 / grid as f64;
        let middle = (cell as f64 + 0.5) * size;
        let edge = |at: f64| (at.round().max(0.0) as usize).min(side);
        let half = size * CELLS / 2.0;
        edge(middle - half)..edge(middle + half).max(edge(middle - half) + 1).min(side)
    };
    let one = |cell: usize| {
        let mut covered = image.to_vec();
        for y in span(cell / grid, height) {
            for x in span(cell % grid, width) {
                let at = (y * width + x) * channels;
                covered[at..at + channels].copy_from_slice(&mean);
            }
        }
        covered
    };
    (0..grid * grid).map(one).collect()
}

fn mean_colour(image: &[u8], channels: usize) -> Vec<u8> {
    let count = (image.len() / channels).max(1) as u64;
    let mean = |channel: usize| {
        let values = image.iter().skip(channel).step_by(channels);
        (values.map(|&value| u64::from(value)).sum::<u64>() / count) as u8
    };
    (0..channels).map(mean).collect()
}

/// By how much covering each cell moves the one picture from the other: above 0 they agree there, below they differ.
pub(crate) fn effects(
    metric: &Metric,
    covered: &[Vec<f32>],
    whole: &[f32],
    other: &[f32],
) -> Vec<f32> {
    let before = metric.of(whole, other);
    covered
        .iter()
        .map(|row| metric.of(row, other) - before)
        .collect()
}

#[cfg(test)]
mod tests {
    use siamese_core::Distance;

    use super::*;

    #[test]
    fn every_pixel_is_covered_and_no_image_wholly() {
        let shape = (6, 9, 2);
        let image: Vec<u8> = (0..6 * 9)
            .flat_map(|at| [at as u8 * 4, 200 - at as u8])
            .collect();
        let mut touched = vec![false; image.len()];
        for one in covered(&image, shape, 4) {
            let changed: Vec<usize> = (0..image.len()).filter(|&i| one[i] != image[i]).collect();
            assert!(changed.len() < image.len() / 2);
            changed.into_iter().for_each(|i| touched[i] = true);
        }
        let missed = touched.iter().filter(|touched| !**touched).count();
        assert!(
            missed <= 4,
            "those that have the mean colour already: {missed}"
        );
    }

    #[test]
    fn a_grid_finer_than_the_image_covers_it_too() {
        assert_eq!(covered(&[1, 2, 3], (1, 1, 3), 5), vec![vec![1, 2, 3]; 25]);
    }

    #[test]
    fn covering_where_two_agree_parts_them() {
        // embeddings that are the pictures themselves: they agree in the first number alone
        let (a, b) = ([9.0, 1.0], [9.0, 5.0]);
        let covered = [vec![5.0, 1.0], vec![9.0, 5.0]];
        let effects = effects(&Distance::Euclidean.into(), &covered, &a, &b);
        assert!(effects[0] > 0.0 && effects[1] < 0.0, "{effects:?}");
    }

    #[test]
    fn a_slow_model_gets_a_coarse_grid() {
        let budget = Duration::from_secs(1);
        let of = |ms| grid(Duration::from_millis(ms), budget);
        assert_eq!((of(1), of(10), of(100)), (14, 7, 4));
    }
}
