//! Labeled Faces in the Wild: `pairs.txt` and its ten folds.

use std::path::{Path, PathBuf};

use siamese_words::counted;

use crate::error::{Error, Result};

/// One image: a person and a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LfwImage {
    /// The person, with underscores.
    pub person: String,
    /// The number of the image, from 1.
    pub number: u32,
}

impl LfwImage {
    /// Where LFW keeps it, without the ending (`.jpg` as published): `Person_Name/Person_Name_0001`.
    pub fn stem(&self) -> PathBuf {
        Path::new(&self.person).join(format!("{}_{:04}", self.person, self.number))
    }
}

/// Two images and the fold they belong to; like when they show one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LfwPair {
    /// First image.
    pub a: LfwImage,
    /// Second image.
    pub b: LfwImage,
    /// The fold, from 0.
    pub fold: usize,
    /// Its line in the file, from 1.
    pub line: usize,
}

impl LfwPair {
    /// Whether both images show one person.
    pub fn like(&self) -> bool {
        self.a.person == self.b.person
    }
}

/// The pairs of a `pairs.txt` (10 folds of 300 + 300) or a `pairsDevTest.txt` (one fold).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LfwPairs {
    /// Number of folds.
    pub folds: usize,
    /// All pairs, fold after fold, like ones first in each.
    pub pairs: Vec<LfwPair>,
}

/// Parses LFW's `pairs.txt`: first `FOLDS N` (or `N` for one fold), then for each fold N lines
/// `person i j` and N lines `person i person j`. `path` names the file in errors.
///
/// Huang et al., *Labeled Faces in the Wild* (2007), view 2.
///
/// # Errors
/// Names the line that does not hold what its place asks for, or says how many pairs are missing.
pub fn parse_lfw_pairs(text: &str, path: &Path) -> Result<LfwPairs> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let (folds, in_fold) = match lines.next() {
        Some((i, first)) => heading(first).ok_or_else(|| {
            let why = format!("expected the number of folds and of pairs in each, found {first:?}");
            line_error(path, i + 1, why)
        })?,
        None => {
            return Err(Error::File {
                path: path.to_owned(),
                why: "is empty".to_owned(),
            });
        }
    };
    let mut pairs = Vec::new();
    for (i, line) in lines {
        let fold = pairs.len() / (2 * in_fold);
        if fold == folds {
            let why = format!(
                "a pair beyond the {folds} folds of {in_fold} like and {in_fold} unlike pairs"
            );
            return Err(line_error(path, i + 1, why));
        }
        let like = pairs.len() % (2 * in_fold) < in_fold;
        let pair = if like {
            like_pair(line, (fold, i + 1))
        } else {
            unlike_pair(line, (fold, i + 1))
        };
        let expected = if like {
            "a person and two numbers"
        } else {
            "two different people, each with a number"
        };
        pairs.push(pair.ok_or_else(|| {
            line_error(path, i + 1, format!("expected {expected}, found {line:?}"))
        })?);
    }
    let expected = folds * 2 * in_fold;
    if pairs.len() != expected {
        let why = format!(
            "holds {}, its first line promises {expected}",
            counted(pairs.len(), "pair")
        );
        return Err(Error::File {
            path: path.to_owned(),
            why,
        });
    }
    Ok(LfwPairs { folds, pairs })
}

fn line_error(path: &Path, line: usize, why: String) -> Error {
    Error::Line {
        path: path.to_owned(),
        line,
        why,
    }
}

fn heading(line: &str) -> Option<(usize, usize)> {
    let numbers: Vec<usize> = line
        .split_whitespace()
        .map_while(|n| n.parse().ok())
        .collect();
    let (folds, pairs) = match numbers[..] {
        [pairs] => (1, pairs),
        [folds, pairs] => (folds, pairs),
        _ => return None,
    };
    let total = folds.checked_mul(pairs)?.checked_mul(2)?;
    (total > 0 && line.split_whitespace().count() == numbers.len()).then_some((folds, pairs))
}

fn image(person: &str, number: &str) -> Option<LfwImage> {
    Some(LfwImage {
        person: person.to_owned(),
        number: number.parse().ok()?,
    })
}

fn like_pair(text: &str, (fold, line): (usize, usize)) -> Option<LfwPair> {
    let [person, a, b] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    Some(LfwPair {
        a: image(person, a)?,
        b: image(person, b)?,
        fold,
        line,
    })
}

fn unlike_pair(text: &str, (fold, line): (usize, usize)) -> Option<LfwPair> {
    let [one, a, other, b] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    (one != other).then_some(LfwPair {
        a: image(one, a)?,
        b: image(other, b)?,
        fold,
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_FOLDS: &str = "2\t2\n\
        Ann_A\t1\t4\nBob\t2\t3\nAnn_A\t1\tBob\t2\nCy\t10\tBob\t1\n\
        Dee\t1\t2\nEve\t1\t3\nDee\t1\tEve\t2\nEve\t1\tFay\t1\n";

    fn parse(text: &str) -> Result<LfwPairs> {
        parse_lfw_pairs(text, Path::new("pairs.txt"))
    }

    #[test]
    fn folds_and_paths_are_read() {
        let read = parse(TWO_FOLDS).unwrap();
        assert_eq!((read.folds, read.pairs.len()), (2, 8));
        let like: Vec<bool> = read.pairs.iter().map(LfwPair::like).collect();
        assert_eq!(like, [true, true, false, false, true, true, false, false]);
        assert_eq!((read.pairs[4].fold, read.pairs[4].line), (1, 6));
        assert_eq!(read.pairs[0].b.stem(), Path::new("Ann_A/Ann_A_0004"));
        assert_eq!(read.pairs[3].a.stem(), Path::new("Cy/Cy_0010"));
        assert_eq!(parse(&format!("\u{feff}{TWO_FOLDS}")).unwrap(), read);
        assert_eq!(parse("1\nAnn 1 2\nAnn 1 Bob 1").unwrap().folds, 1);
    }

    #[test]
    fn a_bad_line_is_named() {
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(message(""), "pairs.txt: is empty");
        assert!(message("ten folds").starts_with("pairs.txt:1: expected the number of folds"));
        assert!(message("0 300").starts_with("pairs.txt:1:"));
        assert_eq!(
            message("1 1\nAnn 1 x\n"),
            "pairs.txt:2: expected a person and two numbers, found \"Ann 1 x\""
        );
        assert_eq!(
            message("1 1\nAnn 1 2\nAnn 1 Ann 3\n"),
            "pairs.txt:3: expected two different people, each with a number, found \"Ann 1 Ann 3\""
        );
        assert_eq!(
            message("1 1\nAnn 1 2\n"),
            "pairs.txt: holds 1 pair, its first line promises 2"
        );
        assert!(message(&format!("{TWO_FOLDS}Eve 1 2")).starts_with("pairs.txt:10: a pair beyond"));
    }
}
