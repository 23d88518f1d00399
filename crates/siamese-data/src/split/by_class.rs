//! Divides by classes: some are never seen in training.

use std::collections::{BTreeMap, HashMap};

use rand::seq::SliceRandom;
use siamese_words::counted;

use super::config::{ClassLists, Items, SplitConfig, SplitError};
use super::cut::cut;
use super::part::Part;
use crate::rng::stream;
use crate::sampler::evaluation::Pair;

/// Gives whole classes to test and validation, and some images of the others to the seen test.
pub(super) fn by_classes(
    items: &Items,
    config: &SplitConfig,
    seed: u64,
) -> Result<Vec<Part>, SplitError> {
    let of_class = match &config.classes {
        Some(lists) => listed(items.classes, lists)?,
        None => match items.pairs {
            Some(pairs) => drawn_by_pairs(items.labels, pairs, config, seed),
            None => drawn(items, config, seed)?,
        },
    };
    let of_image = |&label: &u32| of_class.get(&label).copied().unwrap_or(Part::LeftOut);
    let mut parts: Vec<Part> = items.labels.iter().map(of_image).collect();
    let tested = |published: &[Option<Part>]| published.contains(&Some(Part::Test));
    match items.published {
        Some(published) if tested(published) => {
            let seen = parts.iter_mut().zip(published);
            for (part, _) in
                seen.filter(|(part, given)| **part == Part::Train && **given == Some(Part::Test))
            {
                *part = Part::SeenTest;
            }
        }
        // its pairs with the images that train would be lost
        _ if items.pairs.is_some() => {}
        // a group that is held out of a class would have to leave training whole
        _ if items.groups.is_some() => {}
        _ if config.seen_test == 0.0 => {}
        _ => cut(items, &mut parts, Part::SeenTest, config.seen_test, seed)?,
    }
    Ok(parts)
}

/// Gives a share of the training classes to validation.
pub(super) fn validate_by_classes(
    items: &Items,
    mut parts: Vec<Part>,
    share: f64,
    seed: u64,
) -> Result<Vec<Part>, SplitError> {
    let mut sizes = BTreeMap::<u32, usize>::new();
    for (&label, _) in items
        .labels
        .iter()
        .zip(&parts)
        .filter(|(_, p)| **p == Part::Train)
    {
        *sizes.entry(label).or_default() += 1;
    }
    let mut eligible: Vec<u32> = sizes.keys().copied().filter(|c| sizes[c] > 1).collect();
    eligible.shuffle(&mut stream(seed, "validation classes", &[]));
    eligible.truncate(share_of(eligible.len(), share));
    for (label, part) in items.labels.iter().zip(&mut parts) {
        if *part == Part::Train && eligible.contains(label) {
            *part = Part::Validation;
        }
    }
    Ok(parts)
}

/// A share of some classes: five at least where that is a fifth or less, else two at least. Pairs of two or three classes
/// are soon all told apart, and then choose nothing.
fn share_of(classes: usize, share: f64) -> usize {
    let least = (classes / 5).clamp(2, 5);
    ((classes as f64 * share).round() as usize).max(least)
}

/// The part of each class by name; classes in no list have none.
fn listed(classes: &[String], lists: &ClassLists) -> Result<HashMap<u32, Part>, SplitError> {
    let mut parts = HashMap::new();
    for (part, names) in [
        (Part::Train, &lists.train),
        (Part::Validation, &lists.validation),
        (Part::Test, &lists.test),
    ] {
        for name in names {
            let Some(label) = classes.iter().position(|class| class == name) else {
                return Err(SplitError::Impossible(format!(
                    "data.split.classes.{part} names {name:?}, which is no class of this data set"
                )));
            };
            if parts.insert(label as u32, part).is_some() {
                return Err(SplitError::Impossible(format!(
                    "data.split.classes names {name:?} twice"
                )));
            }
        }
    }
    Ok(parts)
}

/// Draws the classes of test and validation among those with two images; all others train.
fn drawn(items: &Items, config: &SplitConfig, seed: u64) -> Result<HashMap<u32, Part>, SplitError> {
    let mut sizes = BTreeMap::<u32, usize>::new();
    items
        .labels
        .iter()
        .for_each(|&label| *sizes.entry(label).or_default() += 1);
    let mut eligible: Vec<u32> = sizes.keys().copied().filter(|c| sizes[c] > 1).collect();
    eligible.shuffle(&mut stream(seed, "unseen classes", &[]));
    let test = share_of(eligible.len(), config.test);
    let validation = share_of(eligible.len().saturating_sub(test), config.validation);
    if eligible.len() < test + validation + 2 {
        return Err(SplitError::Impossible(format!(
            "two images or more: {}; to divide by classes takes {} of such: two at least to train, validate and test \
             each. Divide by images, or bring more classes",
            counted(eligible.len(), "class"),
            test + validation + 2
        )));
    }
    let mut parts: HashMap<u32, Part> = sizes.into_keys().map(|c| (c, Part::Train)).collect();
    for (i, class) in eligible.into_iter().take(test + validation).enumerate() {
        let part = if i < test {
            Part::Test
        } else {
            Part::Validation
        };
        parts.insert(class, part);
    }
    Ok(parts)
}

/// Draws pairs for test and validation; the classes of their images are theirs, all others train.
fn drawn_by_pairs(
    labels: &[u32],
    pairs: &[Pair],
    config: &SplitConfig,
    seed: u64,
) -> HashMap<u32, Part> {
    let validation = config.validation * (1.0 - config.test);
    let shares = [(Part::Test, config.test), (Part::Validation, validation)];
    let mut parts: HashMap<u32, Part> = labels.iter().map(|&c| (c, Part::Train)).collect();
    parts.extend(around_pairs(labels, pairs, &shares, seed));
    parts
}

/// Draws listed pairs for each part in turn, and gives it the classes of their images, until it has its share of the
/// pairs of each kind or of the images: so few pairs lie between the parts.
pub(super) fn around_pairs(
    labels: &[u32],
    pairs: &[Pair],
    shares: &[(Part, f64)],
    seed: u64,
) -> HashMap<u32, Part> {
    let mut order: Vec<&Pair> = pairs.iter().collect();
    order.shuffle(&mut stream(seed, "unseen pairs", &[]));
    let mut sizes = HashMap::<u32, usize>::new();
    labels
        .iter()
        .for_each(|&label| *sizes.entry(label).or_default() += 1);
    let count = |like| pairs.iter().filter(|pair| pair.like == like).count();
    let mut parts = HashMap::new();
    for &(part, share) in shares {
        let share_of = |count: usize| (count as f64 * share).ceil() as usize;
        let (mut images, mut drawn) = (0, [0, 0]);
        let (most, wanted) = (
            share_of(labels.len()),
            [false, true].map(|like| share_of(count(like))),
        );
        for pair in &order {
            let kind = usize::from(pair.like);
            let classes = [pair.a, pair.b].map(|i| labels[i as usize]);
            let free = |class| parts.get(class).is_none_or(|other| *other == part);
            let room = drawn[kind] == 0 || (drawn[kind] < wanted[kind] && images < most);
            if room && classes.iter().all(free) {
                for class in classes {
                    images += parts.insert(class, part).map_or(sizes[&class], |_| 0);
                }
                drawn[kind] += 1;
            }
        }
    }
    parts
}
