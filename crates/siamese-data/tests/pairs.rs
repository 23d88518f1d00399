//! The fixed pairs that a model is judged by.

use std::collections::HashMap;

use proptest::prelude::*;
use siamese_data::{Pair, SamplerError, evaluation_pairs};

/// How often each pair occurs, whichever image comes first.
fn multiplicities(pairs: &[Pair]) -> HashMap<(u32, u32), usize> {
    let mut counts = HashMap::new();
    for pair in pairs {
        *counts
            .entry((pair.a.min(pair.b), pair.a.max(pair.b)))
            .or_default() += 1;
    }
    counts
}

/// All pairs of one kind, by a double loop.
fn all_pairs(labels: &[u32], indices: &[u32], like: bool) -> Vec<(u32, u32)> {
    let mut all = Vec::new();
    for &a in indices {
        for &b in indices {
            if a < b && (labels[a as usize] == labels[b as usize]) == like {
                all.push((a, b));
            }
        }
    }
    all
}

proptest! {
    #[test]
    fn pairs_are_true_distinct_and_as_balanced_as_can_be(
        images in prop::collection::vec((0..5u32, any::<bool>()), 0..25),
        count in 0..300usize,
        seed in any::<u64>(),
    ) {
        let labels: Vec<u32> = images.iter().map(|image| image.0).collect();
        let in_play = (0..images.len() as u32).zip(&images).filter(|(_, image)| image.1);
        let indices: Vec<u32> = in_play.map(|(i, _)| i).rev().collect();
        let available = [false, true].map(|like| all_pairs(&labels, &indices, like));
        let pairs = match evaluation_pairs(&labels, &indices, count, seed) {
            Ok(pairs) => pairs,
            Err(error) => {
                let is_true = match error {
                    SamplerError::Empty => indices.is_empty(),
                    SamplerError::OneClass { .. } => available[0].is_empty(),
                    SamplerError::NoLikePair { .. } => available[1].is_empty(),
                    _ => false,
                };
                prop_assert!(is_true, "{}", error);
                return Ok(());
            }
        };
        let [unlike, like] = [available[0].len(), available[1].len()];
        prop_assert_eq!(pairs.len(), count.min(like + unlike));
        prop_assert_eq!(multiplicities(&pairs).len(), pairs.len(), "a pair comes twice");
        for pair in &pairs {
            let wanted = (pair.a.min(pair.b), pair.a.max(pair.b));
            prop_assert!(available[usize::from(pair.like)].contains(&wanted), "{:?}", pair);
        }
        let likes = pairs.iter().filter(|pair| pair.like).count();
        // One kind has its half, or all there are while the other fills the rest.
        prop_assert!(likes == count / 2 || likes == like || pairs.len() - likes == unlike);
        if like >= count / 2 && unlike >= count.div_ceil(2) {
            prop_assert_eq!(likes, count / 2);
        }
        prop_assert_eq!(pairs, evaluation_pairs(&labels, &indices, count, seed).unwrap());
    }
}

#[test]
fn every_pair_of_a_kind_is_equally_probable() {
    let labels = [0, 0, 0, 1, 1, 2];
    let indices = [0, 1, 2, 3, 4, 5];
    let draws = 20_000;
    let mut counts: HashMap<(u32, u32), usize> = HashMap::new();
    let mut first_is_smaller = [0, 0];
    for seed in 0..draws {
        for pair in evaluation_pairs(&labels, &indices, 2, seed).unwrap() {
            *counts
                .entry((pair.a.min(pair.b), pair.a.max(pair.b)))
                .or_default() += 1;
            first_is_smaller[usize::from(pair.like)] += usize::from(pair.a < pair.b);
        }
    }
    for like in [true, false] {
        let all = all_pairs(&labels, &indices, like);
        let expected = draws as f64 / all.len() as f64;
        for pair in &all {
            // Five standard deviations.
            assert!(
                (counts[pair] as f64 - expected).abs() < 5.0 * expected.sqrt(),
                "{counts:?}"
            );
        }
    }
    for smaller in first_is_smaller {
        assert!((9_600..10_400).contains(&smaller), "{first_is_smaller:?}");
    }
}

#[test]
fn many_pairs_of_a_large_set_are_distinct() {
    let labels: Vec<u32> = (0..10_000).map(|i| i % 100).collect();
    let indices: Vec<u32> = (0..10_000).collect();
    let pairs = evaluation_pairs(&labels, &indices, 20_000, 1).unwrap();
    assert_eq!(multiplicities(&pairs).len(), 20_000);
    assert_eq!(pairs.iter().filter(|pair| pair.like).count(), 10_000);
    assert_ne!(
        pairs,
        evaluation_pairs(&labels, &indices, 20_000, 2).unwrap()
    );
    // Like and unlike come mixed, so that a batch of them is a sample of both.
    let like_at_first = pairs[..1000].iter().filter(|pair| pair.like).count();
    assert!((400..600).contains(&like_at_first), "{like_at_first}");
}

#[test]
fn two_classes_of_three_have_fifteen_pairs_and_no_more() {
    let indices = [0, 1, 2, 3, 4, 5];
    let pairs = evaluation_pairs(&[0, 0, 0, 1, 1, 1], &indices, 20_000, 0).unwrap();
    assert_eq!((pairs.len(), multiplicities(&pairs).len()), (15, 15));
    assert_eq!(pairs.iter().filter(|pair| pair.like).count(), 6);
    assert_eq!(
        evaluation_pairs(&[0, 0, 0, 1, 1, 1], &indices, usize::MAX, 0)
            .unwrap()
            .len(),
        15
    );
    // Two like pairs exist: the unlike ones fill the ten that were asked for.
    let few = evaluation_pairs(&[0, 0, 1, 1, 2, 3], &indices, 10, 0).unwrap();
    assert_eq!(few.iter().filter(|pair| pair.like).count(), 2);
    assert_eq!(few.len(), 10);
}

#[test]
fn what_has_no_pairs_is_refused_by_name() {
    let refused = |labels: &[u32], indices: &[u32]| {
        evaluation_pairs(labels, indices, 10, 0)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused(&[], &[]), "no images to make pairs of");
    assert!(refused(&[4, 4], &[0, 1]).starts_with("all images are of class 4"));
    assert!(refused(&[4, 5], &[0, 1]).starts_with("none of the 2 classes has two images"));
    assert!(refused(&[4, 5], &[0, 9]).starts_with("image index 9 is out of range"));
}
