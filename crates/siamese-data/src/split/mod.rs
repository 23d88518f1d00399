//! Which images train, validate and test.

mod by_class;
mod config;
mod cut;
mod part;
mod stratified;
mod table;

use std::collections::{BTreeMap, BTreeSet};

pub use config::{ClassLists, Items, SplitBy, SplitConfig, SplitError};
pub use part::Part;
pub use stratified::stratified_split;
pub use table::{check_split, write_split};

use crate::sampler::evaluation::Pair;

use by_class::{around_pairs, by_classes, validate_by_classes};
use cut::cut;
use siamese_words::counted;

/// Classes with two images or more from which on a set is divided by classes, where nothing is said.
const MANY_CLASSES: usize = 10;

/// The part of each image.
#[derive(Debug, Clone, PartialEq)]
pub struct Division {
    /// The part of each image.
    pub parts: Vec<Part>,
    /// What the set was divided by.
    pub by: SplitBy,
    /// What went where, in a line for a person.
    pub explained: String,
}

/// Divides a data set: the same parts for the same seed, images, classes and groups.
///
/// Every part that is judged has like and unlike pairs; an image that is alone in its class only trains; a group is
/// never torn apart.
///
/// ```
/// use siamese_data::{Items, Part, SplitBy, SplitConfig, split};
///
/// // ten classes of five images: nothing is said, so two classes are never trained on
/// let labels: Vec<u32> = (0..50).map(|i| i / 5).collect();
/// let classes: Vec<String> = (0..10).map(|c| format!("class {c}")).collect();
/// let items = Items { labels: &labels, classes: &classes, groups: None, published: None, pairs: None };
/// let division = split(&items, &SplitConfig::default(), 42)?;
/// assert_eq!(division.by, SplitBy::Classes);
/// assert_eq!(division.parts.iter().filter(|part| **part == Part::Test).count(), 10);
/// # Ok::<(), siamese_data::SplitError>(())
/// ```
///
/// # Errors
/// When the set has not what it is to be divided by, or a part would have no like or no unlike pair.
pub fn split(items: &Items, config: &SplitConfig, seed: u64) -> Result<Division, SplitError> {
    for (name, value) in [
        ("validation", config.validation),
        ("test", config.test),
        ("seen_test", config.seen_test),
    ] {
        let none = name == "seen_test" && value == 0.0;
        let share = value > 0.0 && value < 1.0;
        if !(none || share) {
            return Err(SplitError::Share { name, value });
        }
    }
    let by = config.by.unwrap_or_else(|| rule(items, config));
    let mut parts = match by {
        SplitBy::Published => published(items, config, seed)?,
        SplitBy::Images => by_images(items, config, seed)?,
        SplitBy::Groups if items.groups.is_none() => {
            let message = "the data has no groups to divide by: give a table with a column `group`, or divide by images or classes";
            return Err(SplitError::Impossible(message.into()));
        }
        SplitBy::Groups => by_images(items, config, seed)?,
        SplitBy::Classes => by_classes(items, config, seed)?,
    };
    // what was published is kept to: whoever did so may have had one person in both parts
    let torn = match by {
        SplitBy::Published => 0,
        _ => leave_out_torn_groups(items, &mut parts),
    };
    for part in [Part::Validation, Part::Test] {
        check(items, &parts, part)?;
    }
    if check(items, &parts, Part::SeenTest).is_err() {
        // too few to be judged: better trained on
        for part in parts.iter_mut().filter(|part| **part == Part::SeenTest) {
            *part = Part::Train;
        }
    }
    check(items, &parts, Part::Train)?;
    Ok(Division {
        explained: explain(items, &parts, by, torn),
        parts,
        by,
    })
}

/// What a set is divided by where nothing is said.
fn rule(items: &Items, config: &SplitConfig) -> SplitBy {
    let tested = |parts: &[Option<Part>]| parts.contains(&Some(Part::Test));
    if config.classes.is_some() {
        return SplitBy::Classes;
    }
    if items.published.is_some_and(tested) {
        return SplitBy::Published;
    }
    if items.groups.is_some() {
        return SplitBy::Groups;
    }
    let mut sizes = BTreeMap::<u32, usize>::new();
    items
        .labels
        .iter()
        .for_each(|&label| *sizes.entry(label).or_default() += 1);
    match sizes.values().filter(|&&size| size > 1).count() {
        0..MANY_CLASSES => SplitBy::Images,
        _ => SplitBy::Classes,
    }
}

fn published(items: &Items, config: &SplitConfig, seed: u64) -> Result<Vec<Part>, SplitError> {
    let given = items.published.unwrap_or_default();
    if !given.contains(&Some(Part::Test)) {
        let message = "the data has no test part of its own: another data.split.by than published is needed, images or classes";
        return Err(SplitError::Impossible(message.into()));
    }
    let mut parts: Vec<Part> = given.iter().map(|p| p.unwrap_or(Part::Train)).collect();
    if parts.contains(&Part::Validation) {
        return Ok(parts);
    }
    if let Some(pairs) = items.pairs {
        let of_class = around_pairs(
            items.labels,
            &pairs_of_part(pairs, &parts, Part::Train),
            &[(Part::Validation, config.validation)],
            seed,
        );
        for (label, part) in items.labels.iter().zip(&mut parts) {
            if let (Part::Train, Some(&chosen)) = (*part, of_class.get(label)) {
                *part = chosen;
            }
        }
        return Ok(parts);
    }
    let classes = |part| -> BTreeSet<u32> {
        let of = items.labels.iter().zip(&parts).filter(|(_, p)| **p == part);
        of.map(|(label, _)| *label).collect()
    };
    if classes(Part::Train).is_disjoint(&classes(Part::Test)) {
        // tested on unseen classes, so validated on unseen ones too
        return validate_by_classes(items, parts, config.validation, seed);
    }
    cut(items, &mut parts, Part::Validation, config.validation, seed)?;
    Ok(parts)
}

/// By images, groups unbroken.
fn by_images(items: &Items, config: &SplitConfig, seed: u64) -> Result<Vec<Part>, SplitError> {
    let mut parts = vec![Part::Train; items.labels.len()];
    cut(items, &mut parts, Part::Test, config.test, seed)?;
    cut(items, &mut parts, Part::Validation, config.validation, seed)?;
    Ok(parts)
}

/// Images of a group that another part has a larger share of: they train and test nothing.
fn leave_out_torn_groups(items: &Items, parts: &mut [Part]) -> usize {
    let Some(groups) = items.groups else { return 0 };
    let mut counts = BTreeMap::<u32, BTreeMap<Part, usize>>::new();
    for (&group, &part) in groups.iter().zip(parts.iter()) {
        *counts.entry(group).or_default().entry(part).or_default() += 1;
    }
    let keeps = |group: u32| counts[&group].iter().rev().max_by_key(|(_, count)| **count);
    let mut torn = 0;
    for (&group, part) in groups.iter().zip(parts) {
        if keeps(group).is_some_and(|(kept, _)| kept != part) && *part != Part::LeftOut {
            *part = Part::LeftOut;
            torn += 1;
        }
    }
    torn
}

/// Whether a part has like and unlike pairs.
fn check(items: &Items, parts: &[Part], part: Part) -> Result<(), SplitError> {
    let mut sizes = BTreeMap::<u32, usize>::new();
    for (&label, _) in items.labels.iter().zip(parts).filter(|(_, p)| **p == part) {
        *sizes.entry(label).or_default() += 1;
    }
    let [like, unlike] = match items.pairs {
        Some(pairs) => pairs_within(pairs, parts, part),
        None => [
            sizes.values().filter(|&&size| size > 1).count(),
            sizes.len().saturating_sub(1),
        ],
    };
    let missing = match (like, unlike) {
        (0, _) => "like",
        (_, 0) => "unlike",
        _ => return Ok(()),
    };
    Err(SplitError::Unjudgeable {
        part,
        missing,
        images: sizes.values().sum(),
        classes: sizes.len(),
        advice: match part {
            Part::Train => {
                "more pictures are needed, or smaller data.split.test and data.split.validation"
            }
            _ => {
                "more pictures are needed, or a larger data.split share for this part, or another data.split.by"
            }
        },
    })
}

/// How many like and unlike pairs lie within a part.
fn pairs_within(pairs: &[Pair], parts: &[Part], part: Part) -> [usize; 2] {
    let within = pairs_of_part(pairs, parts, part);
    let like = within.iter().filter(|pair| pair.like).count();
    [like, within.len() - like]
}

/// The pairs both of whose images are in a part; `parts` is the part of each image.
pub fn pairs_of_part(pairs: &[Pair], parts: &[Part], part: Part) -> Vec<Pair> {
    let within = |pair: &&Pair| [pair.a, pair.b].iter().all(|&i| parts[i as usize] == part);
    pairs.iter().filter(within).copied().collect()
}

fn explain(items: &Items, parts: &[Part], by: SplitBy, torn: usize) -> String {
    let of = |wanted: Part| {
        let chosen = items
            .labels
            .iter()
            .zip(parts)
            .filter(|(_, p)| **p == wanted);
        let labels: Vec<u32> = chosen.map(|(label, _)| *label).collect();
        let classes = labels.iter().collect::<BTreeSet<_>>().len();
        (labels.len(), classes)
    };
    let by = match by {
        SplitBy::Published => "as published",
        SplitBy::Images => "by images",
        SplitBy::Classes => "by classes",
        SplitBy::Groups => "by groups",
    };
    let [train, validation, test, seen, left_out] = Part::ALL.map(of);
    let say = |(images, classes), what: &str| {
        let (images, classes) = (counted(images, "image"), counted(classes, "class"));
        format!("{images} of {classes} {what}")
    };
    let mut text = format!(
        "divided {by}: {}, {}, {}",
        say(train, "to train"),
        say(validation, "to validate"),
        say(test, "to test")
    );
    if seen.0 > 0 {
        let held_out = counted(seen.0, "held-out image");
        text += &format!(", {held_out} of the training classes");
    }
    if let Some(pairs) = items.pairs {
        let [train, validation, test] = [Part::Train, Part::Validation, Part::Test]
            .map(|part| pairs_within(pairs, parts, part).iter().sum::<usize>());
        let between = pairs.len() - train - validation - test;
        text += &format!("; {train}, {validation} and {test} pairs within them, {between} between");
    }
    if left_out.0 > 0 {
        text += &format!(", {} left out", left_out.0);
    }
    if torn > 0 {
        text += " (their group is in another part)";
    }
    text
}

#[cfg(test)]
mod tests;
