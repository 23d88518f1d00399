//! Examples that differ from one another.

/// Up to `most` of `candidates`: the first, then always the one that is furthest from all chosen. What is no further
/// than `least` from a chosen one repeats it, and is left out.
pub(crate) fn spread_out<T: Copy>(
    candidates: &[T],
    most: usize,
    least: f32,
    apart: impl Fn(T, T) -> f32,
) -> Vec<T> {
    let mut chosen: Vec<T> = Vec::new();
    let mut nearest = vec![f32::INFINITY; candidates.len()];
    while chosen.len() < most {
        // the first of several that are as far: those before it tell more
        let mut furthest: Option<usize> = None;
        for (at, &distance) in nearest.iter().enumerate() {
            let further = furthest.is_none_or(|best| distance > nearest[best]);
            if distance > least && further {
                furthest = Some(at);
            }
        }
        let Some(at) = furthest else { break };
        let one = candidates[at];
        for (other, nearest) in candidates.iter().zip(&mut nearest) {
            *nearest = nearest.min(apart(one, *other));
        }
        nearest[at] = f32::NEG_INFINITY;
        chosen.push(one);
    }
    chosen
}

/// How far two pairs are apart, whichever way round: half the sum of what their images are apart.
pub(crate) fn pairs_apart(
    [a, b]: [u32; 2],
    [c, d]: [u32; 2],
    apart: impl Fn(u32, u32) -> f32,
) -> f32 {
    let straight = apart(a, c) + apart(b, d);
    let crossed = apart(a, d) + apart(b, c);
    straight.min(crossed) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_kept_and_what_repeats_it_is_left_out() {
        let values = [5.0, 5.01, 4.99, 9.0, 1.0, 5.02, 1.01];
        let apart = |a: f32, b: f32| (a - b).abs();
        assert_eq!(spread_out(&values, 9, 0.1, apart), [5.0, 9.0, 1.0]);
        assert_eq!(spread_out(&values, 2, 0.1, apart), [5.0, 9.0]);
        assert!(spread_out(&[], 3, 0.1, apart).is_empty());
    }

    #[test]
    fn alike_pairs_that_are_apart_by_nothing_are_one() {
        let same = [7.0; 40];
        assert_eq!(spread_out(&same, 6, 0.0, |a: f32, b| (a - b).abs()), [7.0]);
    }

    #[test]
    fn a_pair_turned_round_is_the_same_pair() {
        let apart = |a: u32, b: u32| a.abs_diff(b) as f32;
        assert_eq!(pairs_apart([1, 9], [9, 1], apart), 0.0);
        assert_eq!(pairs_apart([1, 9], [1, 5], apart), 2.0);
    }
}
