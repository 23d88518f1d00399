//! Is a data set sound? Leaks between the splits, duplicates, classes too small to be learnt.

mod duplicates;
mod pictures;

use std::collections::HashMap;
use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::source::describe::{NAMED, on_one_line};
use crate::{DataError, Dataset, ImageSet, digest};
pub use duplicates::Duplicate;
use duplicates::{duplicate, near_between};
pub use pictures::{OddSize, PicturesReport, Twins, check_listing};

/// What [`check`] found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SoundnessReport {
    /// Images per split: train, test.
    pub images: [usize; 2],
    /// Pairs of the same bytes, one in either split: the test split leaks.
    pub exact_leaks: Vec<Duplicate>,
    /// Pairs that look the same, one in either split.
    pub near_leaks: Vec<Duplicate>,
    /// Pairs of the same bytes within the training split, each image with its first twin.
    pub exact_train: Vec<Duplicate>,
    /// The same within the test split.
    pub exact_test: Vec<Duplicate>,
    /// Classes with a single image in a split: no like pair can be drawn from them.
    pub lone_classes: Vec<ClassInSplit>,
    /// Classes with no image in a split.
    pub empty_classes: Vec<ClassInSplit>,
    /// The first of the twins by the names of their pictures, for people; the lists above have the places of all.
    #[serde(skip)]
    pub named: Vec<String>,
}

/// A class of one split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassInSplit {
    /// The class's name.
    pub class: String,
    /// `train` or `test`.
    pub split: String,
}

impl SoundnessReport {
    /// Whether nothing was found that makes figures on the test split wrong.
    pub fn is_sound(&self) -> bool {
        self.exact_leaks.is_empty() && self.near_leaks.is_empty() && self.lone_classes.is_empty()
    }

    /// What was counted, line by line.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let near = self.near_leaks.iter();
        let relabelled = near.filter(|near| !near.same_class).count();
        vec![
            ("training images", self.images[0]),
            ("test images", self.images[1]),
            (
                "test images that are in the training split",
                self.exact_leaks.len(),
            ),
            (
                "test images much like a training image",
                self.near_leaks.len(),
            ),
            ("  of these under another label", relabelled),
            ("twins within the training split", self.exact_train.len()),
            ("twins within the test split", self.exact_test.len()),
            ("classes with one image in a split", self.lone_classes.len()),
            (
                "classes without an image in a split",
                self.empty_classes.len(),
            ),
        ]
    }
}

/// Looks for what would make figures on the test split wrong.
///
/// Near duplicates are sought by a difference hash (dHash: which of two neighbouring cells of a
/// 9×8 grey thumbnail is brighter, 64 bits) and confirmed by their pixels. They are found where
/// brightness, contrast or compression differ a little; not where one is mirrored or cropped.
///
/// # Errors
///
/// Where the images are in a file that cannot be read.
pub fn check(dataset: &Dataset) -> Result<SoundnessReport, DataError> {
    let (train, test) = (&dataset.train, &dataset.test);
    let (train_digests, test_digests) = (digests(train)?, digests(test)?);
    let leaks = exact_between(&train_digests, &test_digests);
    let mut report = SoundnessReport {
        images: [train.len(), test.len()],
        near_leaks: near_leaks(train, test, &train_digests, &test_digests)?,
        exact_leaks: duplicates(train, test, &leaks)?,
        exact_train: duplicates(train, train, &exact_within(&train_digests))?,
        exact_test: duplicates(test, test, &exact_within(&test_digests))?,
        ..SoundnessReport::default()
    };
    report.named = named(&report, train, test);
    for (set, split) in [(train, "train"), (test, "test")] {
        let mut counts = vec![0; set.classes.len()];
        for &label in &set.labels {
            counts[label as usize] += 1;
        }
        for (class, count) in set.classes.iter().zip(counts) {
            let found = ClassInSplit {
                class: class.clone(),
                split: split.into(),
            };
            match count {
                0 => report.empty_classes.push(found),
                1 => report.lone_classes.push(found),
                _ => {}
            }
        }
    }
    Ok(report)
}

/// The first twins of each kind in words, those under two labels before others, and how many more there are.
fn named(report: &SoundnessReport, train: &ImageSet, test: &ImageSet) -> Vec<String> {
    let (train, test) = (("train", train), ("test", test));
    let kinds = [
        ("in both splits", &report.exact_leaks, [train, test]),
        ("much alike in both", &report.near_leaks, [train, test]),
        ("twice to train on", &report.exact_train, [train, train]),
        ("twice to test", &report.exact_test, [test, test]),
    ];
    let name = |(split, set): (&str, &ImageSet), i: u32| {
        let name = set.name(i as usize).map(on_one_line);
        name.unwrap_or_else(|| format!("{split} {i}"))
    };
    let clauses = kinds.into_iter().flat_map(|(what, twins, [one, other])| {
        let mut twins: Vec<&Duplicate> = twins.iter().collect();
        twins.sort_by_key(|twins| twins.same_class);
        let more = twins.len().saturating_sub(NAMED);
        let clause = move |twins: &Duplicate| {
            let [first, second] = [name(one, twins.first), name(other, twins.second)];
            let labels = if twins.same_class {
                ""
            } else {
                ", under two labels"
            };
            format!("{what}: {first} and {second}{labels}")
        };
        let named = twins.into_iter().take(NAMED).map(clause);
        let more = (more > 0).then(|| format!("{what}: {more} more (--json has their places)"));
        named.chain(more).collect::<Vec<_>>()
    });
    clauses.collect()
}

/// Of the pixels of each image.
fn digests(set: &ImageSet) -> Result<Vec<String>, DataError> {
    let images = (0..set.len()).into_par_iter();
    images.map(|i| Ok(digest::sha256(&set.image(i)?))).collect()
}

/// Each of `digests` that is in `others`, with its first place there, as (first, second).
fn exact_between(others: &[String], digests: &[String]) -> Vec<(u32, u32)> {
    let mut first = HashMap::with_capacity(others.len());
    for (i, digest) in (0u32..).zip(others) {
        first.entry(digest).or_insert(i);
    }
    let twins = (0u32..).zip(digests);
    twins
        .filter_map(|(second, digest)| Some((*first.get(digest)?, second)))
        .collect()
}

fn exact_within(digests: &[String]) -> Vec<(u32, u32)> {
    let mut twins = exact_between(digests, digests);
    twins.retain(|(first, second)| first != second);
    twins
}

fn duplicates(
    train: &ImageSet,
    test: &ImageSet,
    twins: &[(u32, u32)],
) -> Result<Vec<Duplicate>, DataError> {
    let twins = twins.iter();
    twins
        .map(|&(first, second)| duplicate(train, first, test, second))
        .collect()
}

/// Each test image with its nearest look-alike in the training split, exact ones left out.
fn near_leaks(
    train: &ImageSet,
    test: &ImageSet,
    train_digests: &[String],
    test_digests: &[String],
) -> Result<Vec<Duplicate>, DataError> {
    let mut near = near_between(train, test)?;
    near.retain(|near| train_digests[near.first as usize] != test_digests[near.second as usize]);
    Ok(near)
}

impl fmt::Display for SoundnessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_counts(f, &self.counts(), self.is_sound())?;
        self.named
            .iter()
            .try_for_each(|clause| write!(f, "\n{clause}"))
    }
}

/// A table of what was counted, and the verdict.
fn write_counts(f: &mut fmt::Formatter<'_>, counts: &[(&str, usize)], sound: bool) -> fmt::Result {
    for (what, count) in counts {
        writeln!(f, "{what:<44} {count:>8}")?;
    }
    let verdict = if sound { "sound" } else { "look at the above" };
    write!(f, "{:<44} {verdict:>8}", "verdict")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;

    /// A textured 16×18 grey image, not symmetric.
    fn texture(seed: usize) -> Vec<u8> {
        let value = |at: usize| (at * at * (seed + 3) + at * 31 * seed) % 97 * 2;
        (0..16 * 18)
            .map(|at| value(at / 18 / 2 * 9 + at % 18 / 2) as u8)
            .collect()
    }

    fn set(images: &[Vec<u8>], labels: &[u32]) -> ImageSet {
        let classes = ["a", "b", "c"].map(String::from).to_vec();
        ImageSet::new(16, 18, 1, images.concat(), labels.to_vec(), classes).unwrap()
    }

    fn dataset(train: ImageSet, test: ImageSet) -> Dataset {
        Dataset {
            name: "textures".into(),
            origin: Origin::Path("textures".into()),
            fallback: None,
            as_published: None,
            train,
            test,
        }
    }

    #[test]
    fn leaks_twins_and_small_classes_are_found_and_nothing_else() {
        let [one, two, three] = [1, 2, 3].map(texture);
        let brighter: Vec<u8> = two.iter().map(|value| value + 5).collect();
        let train = set(&[one.clone(), two, one.clone()], &[0, 1, 0]);
        let test = set(&[three.clone(), one, brighter], &[0, 0, 0]);
        let report = check(&dataset(train, test)).unwrap();

        let pairs = |found: &[Duplicate]| -> Vec<(u32, u32, bool)> {
            found
                .iter()
                .map(|d| (d.first, d.second, d.same_class))
                .collect()
        };
        assert_eq!(pairs(&report.exact_leaks), [(0, 1, true)]);
        assert_eq!(
            report.named,
            [
                "in both splits: train 0 and test 1",
                "much alike in both: train 1 and test 2, under two labels",
                "twice to train on: train 0 and train 2",
            ]
        );
        assert!(report.to_string().ends_with("train 0 and train 2"));
        assert_eq!(pairs(&report.near_leaks), [(1, 2, false)]);
        assert!(report.near_leaks[0].correlation > 0.999);
        assert_eq!(pairs(&report.exact_train), [(0, 2, true)]);
        assert!(report.exact_test.is_empty());
        let lone: Vec<_> = report
            .lone_classes
            .iter()
            .map(|c| (&*c.class, &*c.split))
            .collect();
        assert_eq!(lone, [("b", "train")]);
        assert_eq!(report.empty_classes.len(), 3);
        assert!(!report.is_sound());
        assert!(
            report
                .to_string()
                .contains("  of these under another label")
        );
    }

    #[test]
    fn different_images_are_sound() {
        let images: Vec<_> = (1..5).map(texture).collect();
        let report = check(&dataset(
            set(&images[..2], &[0, 0]),
            set(&images[2..], &[0, 0]),
        ))
        .unwrap();
        assert!(report.is_sound(), "{report}");
    }

    #[test]
    fn empty_sets_have_nothing_to_find() {
        let report = check(&dataset(set(&[], &[]), set(&[], &[]))).unwrap();
        assert!(report.exact_leaks.is_empty() && report.near_leaks.is_empty());
    }
}
