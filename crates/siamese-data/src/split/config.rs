//! How a data set is to be divided, and what is divided.

use serde::{Deserialize, Serialize};
use siamese_words::counted;

use crate::sampler::evaluation::Pair;
use crate::split::part::Part;

/// What a model is to be good at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// The test images that were published as such; validation is cut from the training images where none was published.
    Published,
    /// New images of the classes that it was trained on.
    Images,
    /// Classes that it has never seen.
    Classes,
    /// New groups: other people, other patients, other videos.
    Groups,
}

/// How a data set is divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// By what. Without it: as published, else by groups where there are any, else by classes where there are ten with
    /// two images or more, else by images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<SplitBy>,
    /// Share of the images (by classes: of the classes) that validate, out of what does not test.
    pub validation: f64,
    /// Share of the images, classes or groups that test.
    pub test: f64,
    /// By classes: share of the images of the training classes that are held out, to lay seen classes beside unseen ones;
    /// 0 for none.
    pub seen_test: f64,
    /// By classes: which classes; without it they are drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassLists>,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            by: None,
            validation: 0.1,
            test: 0.2,
            seen_test: 0.1,
            classes: None,
        }
    }
}

/// The classes of each part, by name; classes in no list are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassLists {
    /// Trained on.
    pub train: Vec<String>,
    /// Choose epoch and threshold.
    pub validation: Vec<String>,
    /// Unseen, judged at the end.
    pub test: Vec<String>,
}

/// What is divided.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a> {
    /// The class of each image.
    pub labels: &'a [u32],
    /// The names of the classes.
    pub classes: &'a [String],
    /// What must not be torn apart: the person, patient or video of each image.
    pub groups: Option<&'a [u32]>,
    /// The part that each image was published in.
    pub published: Option<&'a [Option<Part>]>,
    /// The pairs, where the set is a list of pairs: a part then trains or judges those that lie within it.
    pub pairs: Option<&'a [Pair]>,
}

/// Why a data set cannot be divided as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A share is no share.
    #[error("data.split.{name} must lie between 0 and 1, got {value}")]
    Share {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The set has not what it is to be divided by.
    #[error("{0}")]
    Impossible(String),
    /// A part cannot be judged.
    #[error(
        "the {part} images have no {missing} pair ({} of {}): {advice}",
        counted(*images, "image"),
        counted(*classes, "class")
    )]
    Unjudgeable {
        /// The part.
        part: Part,
        /// `like` or `unlike`.
        missing: &'static str,
        /// Its images.
        images: usize,
        /// Their classes.
        classes: usize,
        /// What to do.
        advice: &'static str,
    },
}
