//! Verification protocols: LFW's list of pairs, and figures by folds.

mod folds;
mod lfw;

pub use folds::{CrossValidation, Fold, cross_validate};
pub use lfw::{LfwImage, LfwPair, LfwPairs, parse_lfw_pairs};
