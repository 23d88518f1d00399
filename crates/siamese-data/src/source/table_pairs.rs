//! A table of pairs: `path, path, same`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::columns::{FILE_WORDS, LABEL_WORDS, SPLIT_WORDS, column, plain};
use super::listing::{Item, LeftOut, ListedPair, Listing};
use super::options::Columns;
use super::store::Store;
use super::table::{check_files, is_same_word};
use super::table_file::Table;
use crate::error::DataError;
use crate::split::Part;

/// Where the columns of a table of pairs are.
#[derive(Debug, PartialEq)]
pub(crate) struct PairPlaces {
    a: usize,
    b: usize,
    same: usize,
    split: Option<usize>,
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
        let is_pair = first.len() == 3 && told(&first[2]).is_some() && told(&first[1]).is_none();
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

/// Whether a value says "the same thing" or "not".
fn told(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" | "y" | "same" | "genuine" | "match" | "like" | "positive" => {
            Some(true)
        }
        "0" | "0.0" | "-1" | "false" | "no" | "n" | "different" | "forged" | "forgery"
        | "mismatch" | "unlike" | "negative" => Some(false),
        _ => None,
    }
}

/// Lists the pictures and pairs of `table`, its paths relative to `folder`.
///
/// # Errors
///
/// [`DataError::Unrecognised`] if no pair is left, or all are of one kind.
pub(crate) fn list(
    path: &Path,
    folder: &Path,
    table: &Table,
    places: &PairPlaces,
) -> Result<Listing, DataError> {
    let mut left_out = Vec::new();
    let mut pictures = Pictures::default();
    let mut pairs = Vec::new();
    let files = |place: usize| {
        check_files(
            folder,
            table
                .rows
                .iter()
                .map(|(_, row)| row[place].as_str())
                .collect(),
        )
    };
    for (((line, row), a), b) in table.rows.iter().zip(files(places.a)).zip(files(places.b)) {
        let left = |what: &str, why: String| LeftOut::new(format!("line {line}: {what}"), why);
        let (name_a, name_b, same) = (&row[places.a], &row[places.b], &row[places.same]);
        let word = places
            .split
            .map(|i| row[i].as_str())
            .filter(|word| !word.is_empty());
        let part = word.map(|word| Part::of_word(word).ok_or(word)).transpose();
        match (a, b, told(same), part) {
            (Err(why), _, _, _) => left_out.push(left(name_a, why)),
            (_, Err(why), _, _) => left_out.push(left(name_b, why)),
            (_, _, None, _) => left_out.push(left(
                same,
                "a value that says neither same nor different".into(),
            )),
            (_, _, _, Err(word)) => left_out.push(left(
                word,
                "a split that is none of train, validation and test".into(),
            )),
            (Ok(a), Ok(b), Some(same), Ok(part)) => {
                let (a, b) = (pictures.id(a, name_a), pictures.id(b, name_b));
                match a == b {
                    true => left_out.push(left(name_a, "a picture paired with itself".into())),
                    false => pairs.push(ListedPair { a, b, same, part }),
                }
            }
        }
    }
    let listing = Listing {
        left_out,
        ..Listing::new(path, "a table of pairs", Store::Files(Vec::new()))
    };
    let same = pairs.iter().filter(|pair| pair.same).count();
    if same == 0 || same == pairs.len() {
        let kind = if same == 0 {
            "of the same thing"
        } else {
            "of different things"
        };
        return Err(DataError::unrecognised(
            path,
            format!(
                "of its {} pairs none is {kind}{}",
                pairs.len(),
                listing.reasons()
            ),
            "to learn from pairs, both kinds are needed",
        ));
    }
    let (labels, classes) = joined(pictures.paths.len(), &pairs, &pictures.names);
    let mut items: Vec<Item> = labels
        .into_iter()
        .map(|label| Item {
            label,
            ..Item::default()
        })
        .collect();
    for pair in &pairs {
        for picture in [pair.a, pair.b] {
            let part = &mut items[picture as usize].part;
            *part = (*part).or(pair.part);
        }
    }
    let listing = Listing {
        items,
        classes,
        names: pictures.names,
        pairs: Some(pairs),
        store: Arc::new(Store::Files(pictures.paths)),
        ..listing
    };
    listing.finish(path)
}

/// The distinct pictures, in the order in which they come up.
#[derive(Default)]
struct Pictures {
    ids: HashMap<PathBuf, u32>,
    paths: Vec<PathBuf>,
    names: Vec<String>,
}

impl Pictures {
    fn id(&mut self, path: PathBuf, name: &str) -> u32 {
        *self.ids.entry(path).or_insert_with_key(|path| {
            self.paths.push(path.clone());
            self.names.push(name.to_string());
            (self.paths.len() - 1) as u32
        })
    }
}

/// A class for all pictures that pairs of the same thing join, called by its first picture.
fn joined(count: usize, pairs: &[ListedPair], names: &[String]) -> (Vec<u32>, Vec<String>) {
    fn root(parents: &mut [u32], mut at: u32) -> u32 {
        while parents[at as usize] != at {
            parents[at as usize] = parents[parents[at as usize] as usize];
            at = parents[at as usize];
        }
        at
    }
    let mut parents: Vec<u32> = (0..count as u32).collect();
    for pair in pairs.iter().filter(|pair| pair.same) {
        let (a, b) = (root(&mut parents, pair.a), root(&mut parents, pair.b));
        parents[a.max(b) as usize] = a.min(b);
    }
    let (mut ids, mut classes) = (HashMap::new(), Vec::new());
    let labels = (0..count as u32).map(|picture| {
        let root = root(&mut parents, picture);
        *ids.entry(root).or_insert_with(|| {
            classes.push(names[root as usize].clone());
            classes.len() as u32 - 1
        })
    });
    (labels.collect(), classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_the_same_thing_join_pictures_to_classes() {
        let pair = |a, b, same| ListedPair {
            a,
            b,
            same,
            part: None,
        };
        let names: Vec<String> = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
        let (labels, classes) = joined(
            5,
            &[pair(3, 1, true), pair(0, 1, false), pair(3, 4, true)],
            &names,
        );
        assert_eq!(
            (labels, classes),
            (
                vec![0, 1, 2, 1, 1],
                ["a", "b", "c"].map(String::from).to_vec()
            )
        );
    }

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
