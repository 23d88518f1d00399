//! Where the columns of a table of pairs are, by their names.

use super::columns::{FILE_WORDS, LABEL_WORDS, SPLIT_WORDS, column, is_same_word, plain};
use super::options::Columns;
use super::table_text::Table;
use super::verdict::verdict;

/// Where the columns of a table of pairs are.
#[derive(Debug, PartialEq)]
pub(crate) struct PairPlaces {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) same: usize,
    pub(crate) split: Option<usize>,
}

/// Where the columns are, if this is a table of pairs.
///
/// # Errors
///
/// In words, if there are two columns of paths, and none that says whether they are of the same thing.
pub(crate) fn places(table: &Table, columns: &Columns) -> Result<Option<PairPlaces>, String> {
    if table.header.is_empty() {
        let first = table
            .rows
            .first()
            .map(|(_, row)| row.as_slice())
            .unwrap_or_default();
        let is_pair =
            first.len() == 3 && verdict(&first[2]).is_some() && verdict(&first[1]).is_none();
        return Ok(is_pair.then_some(PairPlaces {
            a: 0,
            b: 1,
            same: 2,
            split: None,
        }));
    }
    let files: Vec<usize> = (0..table.header.len())
        .filter(|&i| is_one_of_two(&table.header[i]))
        .collect();
    let [a, b] = files[..] else { return Ok(None) };
    let same = table.header.iter().position(|name| is_same_word(name));
    let same = match same {
        Some(same) => Some(same),
        None => column(&table.header, columns.label.as_deref(), &LABEL_WORDS)?,
    };
    let split = column(&table.header, columns.split.as_deref(), &SPLIT_WORDS)?;
    match same {
        Some(same) => Ok(Some(PairPlaces { a, b, same, split })),
        None => Err(format!(
            "{} and {} name two pictures, and no column (same) says whether they show the same thing",
            table.header[a], table.header[b]
        )),
    }
}

/// Whether a column is called like one of two: `path`, `path1`, `image_b`, `left`.
fn is_one_of_two(name: &str) -> bool {
    let name = plain(name);
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let stems = [stem, name.strip_suffix(['a', 'b']).unwrap_or(stem)];
    let sides = [
        "a", "b", "left", "right", "first", "second", "anchor", "other",
    ];
    let sided = sides.iter().any(|side| {
        name == *side
            || FILE_WORDS
                .iter()
                .any(|word| name == format!("{side}{word}"))
    });
    sided || stems.iter().any(|stem| FILE_WORDS.contains(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_pairs_are_found_by_their_names() {
        let header = |names: &[&str]| Table {
            header: names.iter().map(|name| name.to_string()).collect(),
            rows: Vec::new(),
        };
        let find = |names: &[&str]| places(&header(names), &Columns::default());
        for names in [
            ["path", "path", "same"],
            ["image_a", "image_b", "label"],
            ["Left", "Right", "Match"],
            ["path1", "path2", "is_same"],
        ] {
            assert_eq!(
                find(&names).unwrap(),
                Some(PairPlaces {
                    a: 0,
                    b: 1,
                    same: 2,
                    split: None
                }),
                "{names:?}"
            );
        }
        assert_eq!(find(&["path", "label", "split"]).unwrap(), None);
        assert!(
            find(&["path1", "path2", "score"])
                .unwrap_err()
                .contains("no column (same)")
        );
    }
}
