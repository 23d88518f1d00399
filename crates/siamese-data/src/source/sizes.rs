//! The sizes of a set's pictures, by their headers.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::pixels::{Header, header};
use super::store::Store;
use crate::picture::PictureLimits;

/// Of larger sets so many pictures are looked at.
const SAMPLE: usize = 400;

/// The sizes of a set's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// How many pictures were looked at: all, or some hundred of a large set.
    pub looked_at: usize,
    /// (height, width) that most of them have; of several, the smallest.
    pub most_common: (usize, usize),
    /// The middle of their heights, and the middle of their widths.
    pub median: (usize, usize),
    /// Whether all of them are of one size.
    pub alike: bool,
    /// Whether all of them are grey.
    pub grey: bool,
}

impl Sizes {
    /// Looks at the headers of all pictures, or of an even sample.
    pub(crate) fn of(store: &Store, limits: &PictureLimits) -> Self {
        let headers: Vec<Header> = store
            .sample(SAMPLE)
            .into_par_iter()
            .filter_map(|item| header(&store.picture(item, limits).ok()?))
            .collect();
        Self::of_headers(&headers)
    }

    fn of_headers(headers: &[Header]) -> Self {
        let mut counts = BTreeMap::new();
        for header in headers {
            *counts
                .entry((header.height, header.width))
                .or_insert(0usize) += 1;
        }
        let middle = |side: fn(&Header) -> usize| {
            let mut sides: Vec<usize> = headers.iter().map(side).collect();
            sides.sort_unstable();
            sides.get(sides.len() / 2).copied().unwrap_or(0)
        };
        let most = counts.iter().rev().max_by_key(|&(_, &count)| count);
        Self {
            looked_at: headers.len(),
            most_common: most.map_or((0, 0), |(&size, _)| size),
            median: (middle(|h| h.height), middle(|h| h.width)),
            alike: counts.len() == 1,
            grey: !headers.is_empty() && headers.iter().all(|header| header.grey),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_common_size_and_the_middle_one_are_told() {
        let header = |height, width| Header {
            height,
            width,
            grey: true,
        };
        let sizes = Sizes::of_headers(&[
            header(2, 3),
            header(9, 3),
            header(2, 3),
            header(4, 5),
            header(8, 1),
        ]);
        assert_eq!((sizes.most_common, sizes.median), ((2, 3), (4, 3)));
        assert!(sizes.grey && !sizes.alike && sizes.looked_at == 5);
        assert!(!Sizes::of_headers(&[]).grey);
    }
}
