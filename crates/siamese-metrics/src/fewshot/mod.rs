//! Few-shot classification: N classes never seen before, K examples of each.
//!
//! [`few_shot`] draws episodes from a set; [`lake_trials`] scores Lake's 400 Omniglot trials, which
//! are fixed; [`cifar_fs`] and [`fc100`] hold the class lists of the two benchmarks made from
//! CIFAR-100.

mod episodes;
mod lake;
mod logistic;
mod splits;

pub use episodes::{Classifier, FewShot, FewShotConfig, few_shot};
pub use lake::{LakeTrials, Trials, lake_trials};
pub use logistic::logistic_classify;
pub use splits::{ClassSplit, cifar_fs, fc100};
