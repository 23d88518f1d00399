//! The named streams of randomness.

use std::collections::HashSet;

use rand::Rng;
use siamese_data::stream;

fn first(seed: u64, name: &str, indices: &[u64]) -> u64 {
    stream(seed, name, indices).random()
}

#[test]
fn a_stream_is_the_same_on_every_machine() {
    // Computed by a ChaCha8 of a few lines of Python, written after RFC 8439.
    assert_eq!(first(0, "", &[]), 16_403_448_876_180_804_159);
    assert_eq!(first(42, "sampler", &[7]), 1_709_464_834_811_285_161);
    assert_eq!(
        first(u64::MAX, "a name longer than a word", &[1, u64::MAX]),
        13_804_865_133_906_037_386
    );
}

#[test]
fn every_argument_makes_a_stream_of_its_own() {
    let mut seen = HashSet::new();
    for seed in [0, 1, u64::MAX] {
        for name in ["", "a", "b", "a\0", "abcdefgh", "abcdefghi", "sampler"] {
            for indices in [&[][..], &[0], &[1], &[0, 0], &[0, 1], &[1, 0], &[97]] {
                let numbers = (first(seed, name, indices), seed, name, indices);
                assert!(seen.insert(numbers.0), "{numbers:?} was seen before");
            }
        }
    }
}

#[test]
fn neighbouring_streams_are_unrelated() {
    // Of 64 bits, unrelated numbers share 32 on average, with a standard deviation of 4.
    let agreeing: u32 = (0..1000)
        .map(|i| (first(3, "x", &[i]) ^ !first(3, "x", &[i + 1])).count_ones())
        .sum();
    assert!((31_400..32_600).contains(&agreeing), "{agreeing}");
}
