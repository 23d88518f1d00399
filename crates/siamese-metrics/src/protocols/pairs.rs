//! A list of pairs: `path, path, same?` on each line.

use std::path::{Path, PathBuf};

use super::{line_error, read_text};
use crate::error::{Error, Result};

/// Two images, and whether they are of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPair {
    /// First image, as written.
    pub a: PathBuf,
    /// Second image, as written.
    pub b: PathBuf,
    /// Of one class.
    pub like: bool,
}

/// Reads a pairs file; see [`parse_pairs`]. Paths are left as written.
///
/// # Errors
/// A file that cannot be read, and those of [`parse_pairs`].
pub fn read_pairs(path: &Path) -> Result<Vec<ListedPair>> {
    parse_pairs(&read_text(path)?, path)
}

/// Parses lines of two paths and `1`/`0`, `true`/`false`, `yes`/`no`, `same`/`different` or
/// `like`/`unlike`, divided by tabs, else by commas, else by spaces.
///
/// Blank lines, lines that start with `#`, and a heading (`path_a,path_b,same`, `image1 image2
/// label` and the like) are passed over. `path` names the file in errors.
///
/// ```
/// use siamese_metrics::protocols::parse_pairs;
///
/// let pairs = parse_pairs("a/1.png,a/2.png,1\na/1.png,b/1.png,0\n", "pairs.csv".as_ref())?;
/// assert_eq!((pairs[0].like, pairs[1].like), (true, false));
/// # Ok::<(), siamese_metrics::Error>(())
/// ```
///
/// # Errors
/// Names the line that is not two paths and a verdict; a list without pairs.
pub fn parse_pairs(text: &str, path: &Path) -> Result<Vec<ListedPair>> {
    let mut pairs = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut first = true;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let heading_allowed = std::mem::take(&mut first);
        let fields = fields(line);
        let [a, b, verdict] = fields[..] else {
            let why = format!(
                "expected two paths and a verdict, found {} fields",
                fields.len()
            );
            return Err(line_error(path, i + 1, why));
        };
        if heading_allowed && is_heading(a, b, verdict) {
            continue;
        }
        if a.is_empty() || b.is_empty() {
            return Err(line_error(path, i + 1, "a path is empty".to_owned()));
        }
        let Some(like) = verdict_of(verdict) else {
            let why = format!(
                "{verdict:?} is no verdict, expected 1 or 0, true or false, same or different"
            );
            return Err(line_error(path, i + 1, why));
        };
        pairs.push(ListedPair {
            a: a.into(),
            b: b.into(),
            like,
        });
    }
    if pairs.is_empty() {
        return Err(Error::File {
            path: path.to_owned(),
            why: "holds no pair".to_owned(),
        });
    }
    Ok(pairs)
}

fn fields(line: &str) -> Vec<&str> {
    match ['\t', ',']
        .into_iter()
        .find(|divider| line.contains(*divider))
    {
        Some(divider) => line.split(divider).map(str::trim).collect(),
        None => line.split_whitespace().collect(),
    }
}

fn is_heading(a: &str, b: &str, verdict: &str) -> bool {
    let named = |field: &str, names: &[&str]| {
        let field = field.to_lowercase();
        let stem = field.trim_end_matches(['?', '1', '2', 'a', 'b', '_']);
        names.contains(&field.as_str()) || names.contains(&stem)
    };
    let paths = ["path", "image", "file", "a", "b"];
    named(a, &paths) && named(b, &paths) && named(verdict, &["same", "like", "label", "is_same"])
}

fn verdict_of(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "same" | "like" => Some(true),
        "0" | "false" | "no" | "different" | "unlike" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<ListedPair>> {
        parse_pairs(text, Path::new("pairs.txt"))
    }

    #[test]
    fn tabs_come_before_commas_and_commas_before_spaces() {
        let pair = |a: &str, b: &str, like| ListedPair {
            a: a.into(),
            b: b.into(),
            like,
        };
        assert_eq!(
            parse("a, 1.png\tb c.png\tsame").unwrap(),
            [pair("a, 1.png", "b c.png", true)]
        );
        assert_eq!(
            parse("a b.png , c.png, No").unwrap(),
            [pair("a b.png", "c.png", false)]
        );
        assert_eq!(
            parse("a.png   c.png  0").unwrap(),
            [pair("a.png", "c.png", false)]
        );
    }

    #[test]
    fn headings_comments_and_blank_lines_are_passed_over() {
        let text = "\u{feff}# made by hand\n\npath_a,path_b,same?\r\n\r\na,b,1\r\n";
        assert_eq!(parse(text).unwrap().len(), 1);
        assert_eq!(parse("image1\timage2\tlabel\nx\ty\t0").unwrap().len(), 1);
    }

    #[test]
    fn a_bad_line_is_named() {
        let message = |text| parse(text).unwrap_err().to_string();
        assert_eq!(
            message("a b 1\na b"),
            "pairs.txt:2: expected two paths and a verdict, found 2 fields"
        );
        assert_eq!(
            message("# x\na,b,maybe"),
            "pairs.txt:2: \"maybe\" is no verdict, expected 1 or 0, true or false, same or different"
        );
        assert_eq!(message("a,,1"), "pairs.txt:1: a path is empty");
        assert_eq!(message("# nothing"), "pairs.txt: holds no pair");
    }
}
