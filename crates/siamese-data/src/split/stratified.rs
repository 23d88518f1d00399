//! Cuts a held-out part from a set, class by class.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use siamese_words::counted;

use crate::error::DataError;

/// Splits `0..labels.len()` into the rest and a held-out part of about `fraction`.
///
/// Each class gives `round(fraction · n)` of its `n` images, but keeps at least one image on
/// either side where it has two or more; the only image of a class stays in the rest. Both
/// lists are sorted, and depend on nothing but the arguments.
///
/// ```
/// let labels = [0, 0, 0, 0, 1, 1, 1, 1];
/// let (rest, held_out) = siamese_data::stratified_split(&labels, 0.25, 7)?;
/// assert_eq!((rest.len(), held_out.len()), (6, 2));
/// # Ok::<(), siamese_data::DataError>(())
/// ```
///
/// # Errors
///
/// [`DataError::Invalid`] if `fraction` does not lie strictly between 0 and 1, or if no class
/// has two images, so that nothing can be held out.
pub fn stratified_split(
    labels: &[u32],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<u32>, Vec<u32>), DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::Invalid(format!(
            "the held-out fraction must lie between 0 and 1, got {fraction}"
        )));
    }
    let mut members = std::collections::BTreeMap::<u32, Vec<u32>>::new();
    for (i, &label) in (0u32..).zip(labels) {
        members.entry(label).or_default().push(i);
    }

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut rest, mut held_out) = (Vec::new(), Vec::new());
    for class in members.values_mut() {
        class.shuffle(&mut rng);
        let share = (fraction * class.len() as f64).round() as usize;
        let share = match class.len() {
            1 => 0,
            n => share.clamp(1, n - 1),
        };
        held_out.extend_from_slice(&class[..share]);
        rest.extend_from_slice(&class[share..]);
    }
    if held_out.is_empty() {
        return Err(DataError::Invalid(format!(
            "nothing can be held out of {}: no class has two; more pictures of each class are needed",
            counted(labels.len(), "image")
        )));
    }
    rest.sort_unstable();
    held_out.sort_unstable();
    Ok((rest, held_out))
}
