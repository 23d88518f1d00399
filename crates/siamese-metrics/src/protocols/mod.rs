//! Verification protocols from files: lists of pairs, and LFW's ten folds.

mod folds;
mod lfw;
mod pairs;

pub use folds::{CrossValidation, Fold, cross_validate};
pub use lfw::{LfwImage, LfwPair, LfwPairs, parse_lfw_pairs, read_lfw_pairs};
pub use pairs::{ListedPair, parse_pairs, read_pairs};

use std::path::Path;

use crate::error::{Error, Result};

fn read_text(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Error::File {
        path: path.to_owned(),
        why: e.to_string(),
    };
    std::fs::read_to_string(path).map_err(failed)
}

fn line_error(path: &Path, line: usize, why: String) -> Error {
    Error::Line {
        path: path.to_owned(),
        line,
        why,
    }
}
