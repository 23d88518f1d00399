//! Words that say whether two pictures show the same thing.

use super::columns::plain;

/// What a value says, and the way of speaking: a heading called `same` is of another than a column of `1` and `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) same: bool,
    /// Values of one column are of one family.
    pub(crate) family: usize,
}

/// The words for "the same thing" and for "not", family by family, in small letters.
const FAMILIES: [(&[&str], &[&str]); 9] = [
    (&["true", "t"], &["false", "f"]),
    (&["yes", "y"], &["no", "n"]),
    (
        &["same", "identical", "equal", "sameperson", "sameclass"],
        &["different", "diff", "differ", "notsame", "differentperson"],
    ),
    (
        &["genuine", "original", "authentic", "target", "mated"],
        &[
            "forged",
            "forgery",
            "fake",
            "impostor",
            "imposter",
            "nontarget",
            "nonmated",
        ],
    ),
    (
        &["match", "matched", "matching"],
        &[
            "mismatch",
            "nomatch",
            "nonmatch",
            "unmatched",
            "notmatch",
            "mismatched",
        ],
    ),
    (&["like", "alike"], &["unlike"]),
    (&["positive", "pos"], &["negative", "neg"]),
    (&["similar"], &["dissimilar", "notsimilar"]),
    (&["duplicate", "dup"], &["distinct", "nonduplicate"]),
];

/// What the examples of errors name.
pub(crate) const EXPECTED: &str = "1 or 0 (or -1), true or false, yes or no, same or different, genuine or forged, match or mismatch";

/// What `value` says: `1`, `1.0`, `-1`, or a word however it is written.
pub(crate) fn verdict(value: &str) -> Option<Verdict> {
    let value = value.trim();
    if let Ok(number) = value.parse::<f64>() {
        let same = match number {
            1.0 => true,
            0.0 | -1.0 => false,
            _ => return None,
        };
        return Some(Verdict { same, family: 0 });
    }
    let word = plain(value);
    FAMILIES.iter().zip(1..).find_map(|((same, not), family)| {
        let found = |words: &[&str]| words.contains(&word.as_str());
        (found(same) || found(not)).then(|| Verdict {
            same: found(same),
            family,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_known_however_it_is_written() {
        let same = |value| verdict(value).map(|verdict| verdict.same);
        for value in [
            "1",
            "1.0",
            "+1",
            " TRUE ",
            "Genuine",
            "match",
            "y",
            "Same person",
            "similar",
        ] {
            assert_eq!(same(value), Some(true), "{value}");
        }
        for value in [
            "0",
            "0.0",
            "-1",
            "-1.00",
            "No",
            "forged",
            "non-match",
            "Not Same",
            "impostor",
        ] {
            assert_eq!(same(value), Some(false), "{value}");
        }
        for value in ["", "2", "0.5", "nan", "maybe", "a.png", "cat"] {
            assert_eq!(same(value), None, "{value}");
        }
    }
}
