//! Are the pictures of a set sound? Files that cannot be read, odd sizes, twins, classes too small.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::duplicates::near_within;
use super::write_counts;
use crate::picture::within;
use crate::picture::{PictureLimits, limits};
use crate::source::describe::{NAMED, on_one_line, summary};
use crate::source::pixels::picture;
use crate::source::walk::EMPTY_FOLDER;
use crate::{DataError, ImageSet, LeftOut, Listing, digest};

/// Longest side, in pixels, at which pictures are compared: near duplicates are alike at any size.
const COMPARED: usize = 32;

/// What [`check_listing`] found. Pictures are called by their names in the set; bytes of a name that are no text are
/// written `\xNN`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PicturesReport {
    /// Pictures that could be read.
    pub images: usize,
    /// Classes.
    pub classes: usize,
    /// (height, width) that most pictures have.
    pub size: (usize, usize),
    /// Pictures that are cut or damaged, or larger than allowed.
    pub unreadable: Vec<LeftOut>,
    /// What is no picture that can be read, but seems to be meant as one, and pictures outside of the classes.
    pub left_out: Vec<LeftOut>,
    /// Other files, and what tools leave behind.
    pub passed_over: Vec<LeftOut>,
    /// Pictures of another size than most.
    pub odd_sizes: Vec<OddSize>,
    /// Pictures of the same pixels, each with its first twin.
    pub exact: Vec<Twins>,
    /// Pictures that look the same, each with the one before it that it looks most like.
    pub near: Vec<Twins>,
    /// Classes with a single readable picture: no like pair can be drawn from them.
    pub lone_classes: Vec<String>,
    /// Classes without a readable picture.
    pub empty_classes: Vec<String>,
}

/// A picture of another size than most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OddSize {
    /// The picture.
    pub file: String,
    /// Its height in pixels.
    pub height: usize,
    /// Its width in pixels.
    pub width: usize,
}

/// Two pictures that are, or look, the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Twins {
    /// The earlier one, in the order of names.
    pub first: String,
    /// The later one.
    pub second: String,
    /// Whether both are in the same class.
    pub same_class: bool,
    /// The correlation (Pearson's) of their pixels: 1 for the same.
    pub correlation: f64,
}

impl PicturesReport {
    /// Whether nothing was found that makes a training or its figures wrong. Odd sizes do not: such pictures are
    /// resized.
    pub fn is_sound(&self) -> bool {
        let files = self.unreadable.is_empty() && self.left_out.is_empty();
        let twins = self.exact.is_empty() && self.near.is_empty();
        files && twins && self.lone_classes.is_empty() && self.empty_classes.is_empty()
    }

    /// What was counted, line by line.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let across = |twins: &[Twins]| twins.iter().filter(|twins| !twins.same_class).count();
        vec![
            ("pictures", self.images),
            ("classes", self.classes),
            ("pictures that are cut or damaged", self.unreadable.len()),
            ("pictures that are left out", self.left_out.len()),
            ("pictures of another size than most", self.odd_sizes.len()),
            ("pictures that are there twice", self.exact.len()),
            ("  of these in another class", across(&self.exact)),
            ("pictures much like another", self.near.len()),
            ("  of these in another class", across(&self.near)),
            ("classes with one picture", self.lone_classes.len()),
            ("classes without a picture", self.empty_classes.len()),
            (
                "other files and folders, passed over",
                self.passed_over.len(),
            ),
        ]
    }
}

impl fmt::Display for PicturesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_counts(f, &self.counts(), self.is_sound())?;
        let kinds = [
            ("damaged", &self.unreadable),
            ("left out", &self.left_out),
            ("passed over", &self.passed_over),
        ];
        for (what, all) in kinds {
            for reason in summary(all) {
                write!(f, "\n{what}: {reason}")?;
            }
        }
        for (what, all) in [("there twice", &self.exact), ("much alike", &self.near)] {
            for clause in named_twins(all) {
                write!(f, "\n{what}: {clause}")?;
            }
        }
        Ok(())
    }
}

/// The first of some twins, those in two classes before others.
fn named_twins(all: &[Twins]) -> Vec<String> {
    let (within, across): (Vec<&Twins>, _) = all.iter().partition(|twins| twins.same_class);
    let clause = |twins: &Twins| {
        let [first, second] = [&twins.first, &twins.second].map(|name| on_one_line(name));
        let classes = if twins.same_class {
            ""
        } else {
            ", in two classes"
        };
        format!("{first} and {second}{classes}")
    };
    let named = across.into_iter().chain(within).take(NAMED).map(clause);
    let more =
        (all.len() > NAMED).then(|| format!("{} more (--json names them)", all.len() - NAMED));
    named.chain(more).collect()
}

/// One picture, as it is compared.
struct Seen {
    item: usize,
    /// Of size and pixels, as they are in the file.
    digest: String,
    size: (usize, usize),
    /// RGB at the size that all are compared at.
    pixels: Vec<u8>,
}

/// Decodes all pictures of a set to find what would make a training or its figures wrong.
///
/// Near duplicates are sought as [`check`](super::check) does, among pictures shrunk to 32 pixels.
///
/// # Errors
///
/// Where the limit of pictures in the environment is none. Pictures that cannot be read are no error but in
/// [`PicturesReport::unreadable`].
pub fn check_listing(listing: &Listing) -> Result<PicturesReport, DataError> {
    let limits = limits()?;
    let compared_at = match listing.sizes.most_common {
        (0, 0) => (COMPARED, COMPARED),
        size => within(COMPARED, size),
    };
    let looks: Vec<_> = (0..listing.items.len())
        .into_par_iter()
        .map(|item| see(listing, item, compared_at, &limits).map_err(|why| (item, why)))
        .collect();
    let (mut seen, mut unreadable) = (Vec::new(), Vec::new());
    for look in looks {
        match look {
            Ok(picture) => seen.push(picture),
            Err((item, why)) => unreadable.push(LeftOut::new(listing.name_of(item), why)),
        }
    }
    let (left_out, passed_over) = listing
        .left_out
        .iter()
        .cloned()
        .partition(|left| left.picture);
    let size = most_common(&seen);
    let mut report = PicturesReport {
        images: seen.len(),
        classes: listing.classes.len(),
        size,
        unreadable,
        left_out,
        passed_over,
        odd_sizes: odd_sizes(listing, &seen, size),
        ..PicturesReport::default()
    };
    let set = compared(listing, &mut seen, compared_at)?;
    let names: Vec<&str> = seen.iter().map(|seen| listing.name_of(seen.item)).collect();
    let digests: Vec<&str> = seen.iter().map(|seen| seen.digest.as_str()).collect();
    report.exact = exact(&set, &names, &digests);
    report.near = near(&set, &names, &digests)?;
    (report.lone_classes, report.empty_classes) = small_classes(&set);
    let empty = |left: &LeftOut| left.why == EMPTY_FOLDER;
    let folders = report.left_out.extract_if(.., |left| empty(left));
    report
        .empty_classes
        .extend(folders.map(|folder| folder.what));
    Ok(report)
}

fn see(
    listing: &Listing,
    item: usize,
    compared_at: (usize, usize),
    limits: &PictureLimits,
) -> Result<Seen, String> {
    let stored = listing.store.picture(item, limits)?;
    let picture = picture(stored, None, limits)?;
    let size = (picture.height(), picture.width());
    let mut bytes = format!("{}x{} ", size.0, size.1).into_bytes();
    bytes.extend(picture.stretched(size));
    Ok(Seen {
        item,
        digest: digest::sha256(&bytes),
        size,
        pixels: picture.stretched(compared_at),
    })
}

/// Of several, the smallest.
fn most_common(seen: &[Seen]) -> (usize, usize) {
    let mut counts = BTreeMap::new();
    for seen in seen {
        *counts.entry(seen.size).or_insert(0usize) += 1;
    }
    let most = counts.into_iter().rev().max_by_key(|&(_, count)| count);
    most.map_or((0, 0), |(size, _)| size)
}

fn odd_sizes(listing: &Listing, seen: &[Seen], size: (usize, usize)) -> Vec<OddSize> {
    let odd = seen.iter().filter(|seen| seen.size != size);
    odd.map(|seen| OddSize {
        file: listing.name_of(seen.item).into(),
        height: seen.size.0,
        width: seen.size.1,
    })
    .collect()
}

/// What was seen as a set, from which it takes the pixels.
fn compared(
    listing: &Listing,
    seen: &mut [Seen],
    (height, width): (usize, usize),
) -> Result<ImageSet, DataError> {
    let labels = seen
        .iter()
        .map(|seen| listing.items[seen.item].label)
        .collect();
    let mut pixels = Vec::with_capacity(seen.len() * height * width * 3);
    for seen in seen {
        pixels.extend(std::mem::take(&mut seen.pixels));
    }
    ImageSet::new(height, width, 3, pixels, labels, listing.classes.clone())
}

fn exact(set: &ImageSet, names: &[&str], digests: &[&str]) -> Vec<Twins> {
    let mut first_of = HashMap::new();
    let mut twins = Vec::new();
    for (second, digest) in digests.iter().enumerate() {
        let first = *first_of.entry(digest).or_insert(second);
        if first != second {
            twins.push(Twins {
                first: names[first].into(),
                second: names[second].into(),
                same_class: set.labels[first] == set.labels[second],
                correlation: 1.0,
            });
        }
    }
    twins
}

fn near(set: &ImageSet, names: &[&str], digests: &[&str]) -> Result<Vec<Twins>, DataError> {
    let at = |i: u32| i as usize;
    let mut near = near_within(set)?;
    near.retain(|near| digests[at(near.first)] != digests[at(near.second)]);
    let twins = near.iter().map(|near| Twins {
        first: names[at(near.first)].into(),
        second: names[at(near.second)].into(),
        same_class: near.same_class,
        correlation: near.correlation,
    });
    Ok(twins.collect())
}

/// The classes with one image, and those with none.
fn small_classes(set: &ImageSet) -> (Vec<String>, Vec<String>) {
    let mut counts = vec![0; set.classes.len()];
    for &label in &set.labels {
        counts[label as usize] += 1;
    }
    let with = |wanted: usize| {
        let classes = set.classes.iter().zip(&counts);
        let small = classes.filter(|(_, count)| **count == wanted);
        small.map(|(class, _)| class.clone()).collect()
    };
    (with(1), with(0))
}

#[cfg(test)]
mod tests;
