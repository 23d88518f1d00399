//! Cuts a part from the training images.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use super::config::{Items, SplitError};
use super::part::Part;
use super::stratified::stratified_split;
use crate::rng::stream;

/// Gives a share of the training images to `part`, by class; of whole groups, where there are groups.
pub(super) fn cut(
    items: &Items,
    parts: &mut [Part],
    part: Part,
    share: f64,
    seed: u64,
) -> Result<(), SplitError> {
    let training: Vec<u32> = (0..parts.len() as u32)
        .filter(|&i| parts[i as usize] == Part::Train)
        .collect();
    let chosen = match items.groups {
        Some(groups) => whole_groups(&training, groups, part, share, seed),
        None => of_each_class(&training, items.labels, share, seed)?,
    };
    for i in chosen {
        parts[i as usize] = part;
    }
    Ok(())
}

/// `round(share · n)` images of each class of n, or two where that makes no like pair.
fn of_each_class(
    training: &[u32],
    labels: &[u32],
    share: f64,
    seed: u64,
) -> Result<Vec<u32>, SplitError> {
    let own: Vec<u32> = training.iter().map(|&i| labels[i as usize]).collect();
    let impossible = |error: crate::DataError| SplitError::Impossible(error.to_string());
    let (_, held_out) = stratified_split(&own, share, seed).map_err(impossible)?;
    let mut sizes = BTreeMap::<u32, usize>::new();
    held_out
        .iter()
        .for_each(|&at| *sizes.entry(own[at as usize]).or_default() += 1);
    let chosen = match sizes.values().any(|&size| size > 1) {
        true => held_out,
        false => pairs_of_classes(&own, share, seed),
    };
    Ok(chosen.into_iter().map(|at| training[at as usize]).collect())
}

/// Two images of as many classes as make up the share, where classes are so small that their share is one image: two
/// classes at least, each keeping two images or more.
fn pairs_of_classes(labels: &[u32], share: f64, seed: u64) -> Vec<u32> {
    let mut members = BTreeMap::<u32, Vec<u32>>::new();
    for (at, &label) in (0u32..).zip(labels) {
        members.entry(label).or_default().push(at);
    }
    let mut classes: Vec<Vec<u32>> = members.into_values().filter(|m| m.len() > 3).collect();
    let mut rng = stream(seed, "pairs of small classes", &[]);
    classes.shuffle(&mut rng);
    let wanted = ((share * labels.len() as f64 / 2.0).round() as usize).max(2);
    let mut chosen = Vec::new();
    for class in classes.iter_mut().take(wanted) {
        class.shuffle(&mut rng);
        chosen.extend_from_slice(&class[..2]);
    }
    chosen
}

/// Whole groups in random order, until they make up the share.
fn whole_groups(training: &[u32], groups: &[u32], part: Part, share: f64, seed: u64) -> Vec<u32> {
    let mut members = BTreeMap::<u32, Vec<u32>>::new();
    for &i in training {
        members.entry(groups[i as usize]).or_default().push(i);
    }
    let mut order: Vec<Vec<u32>> = members.into_values().collect();
    order.shuffle(&mut stream(seed, "groups", &[part as u64]));
    let wanted = (share * training.len() as f64).round() as usize;
    let mut chosen = Vec::new();
    for group in order {
        if chosen.len() >= wanted {
            break;
        }
        chosen.extend(group);
    }
    chosen
}
