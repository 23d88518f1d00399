//! Reproducible randomness: one seed, and a stream of its own for each purpose.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A reproducible stream of randomness for one purpose: ChaCha8 keyed by `(seed, name, indices)`.
///
/// The same arguments give the same numbers on every machine and for any number of threads, and
/// different arguments give unrelated numbers. So what draws from one stream (the sampler, say)
/// never shifts what another sees (the augmentation), and the stream of epoch 7 can be had without
/// running through the epochs before it: there is no generator state to keep in a checkpoint.
///
/// Each word of the name and of the indices picks one of the 2⁶⁴ streams that ChaCha has under a
/// key, and the first 32 bytes of that stream are the next key.
///
/// ```
/// use rand::Rng;
/// use siamese_data::stream;
///
/// let mut epoch_7 = stream(42, "sampler", &[7]);
/// let mut again = stream(42, "sampler", &[7]);
/// assert_eq!(epoch_7.random::<u64>(), again.random::<u64>());
/// ```
pub fn stream(seed: u64, name: &str, indices: &[u64]) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    // The length first, so that no name with indices can be mistaken for a longer name.
    key = descend(key, name.len() as u64);
    for chunk in name.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        key = descend(key, u64::from_le_bytes(word));
    }
    for &index in indices {
        key = descend(key, index);
    }
    ChaCha8Rng::from_seed(key)
}

/// The first 32 bytes of stream `word` under `key`.
fn descend(key: [u8; 32], word: u64) -> [u8; 32] {
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(word);
    let mut next = [0; 32];
    rng.fill_bytes(&mut next);
    next
}
