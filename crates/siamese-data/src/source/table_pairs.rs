//! A table of pairs: `path, path, same`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use siamese_words::counted;

use super::files::check_files;
use super::listing::{Item, LeftOut, ListedPair, Listing};
use super::pair_columns::PairPlaces;
use super::pairs_layout::{Layout, Row, layout, looks_like_file};
use super::store::Store;
use super::table_text::Table;
use super::verdict::{EXPECTED, Verdict, verdict};
use crate::error::DataError;
use crate::split::Part;

/// Where the columns are by what they hold, where their names tell nothing: two of paths and one of verdicts.
pub(crate) fn guessed(table: &Table) -> Option<PairPlaces> {
    let header = Some((1, table.header.clone())).filter(|(_, header)| !header.is_empty());
    let rows: Vec<Row> = header
        .into_iter()
        .chain(table.rows.iter().cloned())
        .collect();
    let layout = layout(&rows).ok()?;
    if layout.heading == table.header.is_empty() {
        return None;
    }
    let Layout { a, b, same, .. } = layout;
    let names_files = |row: &[String]| looks_like_file(&row[a]) && looks_like_file(&row[b]);
    let all = table.rows.iter().all(|(_, row)| names_files(row));
    all.then_some(PairPlaces {
        a,
        b,
        same,
        split: None,
    })
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
    let Read {
        pictures,
        mut pairs,
        left_out,
    } = read_rows(folder, table, places);
    let listing = Listing {
        left_out,
        ..Listing::new(path, "a table of pairs", Store::Files(Vec::new()))
    };
    check_kinds(path, &pairs, &listing)?;
    let parts = parts(pictures.paths.len(), &pairs);
    let (labels, classes) = joined(pictures.paths.len(), &pairs, &pictures.names);
    let item = |(label, part)| Item {
        label,
        part,
        ..Item::default()
    };
    let items: Vec<Item> = labels.into_iter().zip(parts).map(item).collect();
    let mut left_out = listing.left_out;
    pairs.retain(|pair| {
        let why = unusable(pair, &items);
        left_out.extend(why.map(|why| {
            let [a, b] = [pair.a, pair.b].map(|i| pictures.names[i as usize].as_str());
            LeftOut::new(format!("{a} and {b}"), why)
        }));
        why.is_none()
    });
    let listing = Listing {
        items,
        classes,
        names: pictures.names,
        pairs: Some(pairs),
        store: Arc::new(Store::Files(pictures.paths)),
        left_out,
        ..listing
    };
    listing.finish(path)
}

/// The part of each picture: the one that is judged by, where pairs of several parts show it.
fn parts(count: usize, pairs: &[ListedPair]) -> Vec<Option<Part>> {
    let mut parts = vec![None; count];
    for pair in pairs {
        for picture in [pair.a, pair.b] {
            let part: &mut Option<Part> = &mut parts[picture as usize];
            *part = (*part).max(pair.part);
        }
    }
    parts
}

/// Why a pair is not to be learned from or judged by, if so.
fn unusable(pair: &ListedPair, items: &[Item]) -> Option<&'static str> {
    let [a, b] = [pair.a, pair.b].map(|i| items[i as usize]);
    if pair.part.is_some() && (a.part, b.part) != (pair.part, pair.part) {
        return Some("a pair of one part with a picture that another part judges by");
    }
    let contradicted = !pair.same && a.label == b.label;
    contradicted.then_some("said to be different, where other pairs make both the same thing")
}

/// What the rows tell.
#[derive(Default)]
struct Read {
    pictures: Pictures,
    pairs: Vec<ListedPair>,
    left_out: Vec<LeftOut>,
}

fn read_rows(folder: &Path, table: &Table, places: &PairPlaces) -> Read {
    let mut read = Read::default();
    let files = |place: usize| {
        let names = table.rows.iter().map(|(_, row)| row[place].as_str());
        check_files(folder, names.collect())
    };
    for (((line, row), a), b) in table.rows.iter().zip(files(places.a)).zip(files(places.b)) {
        if let Err((what, why)) = read.take(row, places, a, b) {
            let place = format!("line {line}: {what}");
            read.left_out.push(LeftOut::new(place, why));
        }
    }
    read
}

impl Read {
    /// Takes in one row, or says what of it is wrong and why.
    fn take<'r>(
        &mut self,
        row: &'r [String],
        places: &PairPlaces,
        a: Result<PathBuf, String>,
        b: Result<PathBuf, String>,
    ) -> Result<(), (&'r str, String)> {
        let (name_a, name_b, said) = (&row[places.a], &row[places.b], &row[places.same]);
        let a = a.map_err(|why| (name_a.as_str(), why))?;
        let b = b.map_err(|why| (name_b.as_str(), why))?;
        let Some(Verdict { same, .. }) = verdict(said) else {
            return Err((said, format!("no verdict, as {EXPECTED}")));
        };
        let word = places.split.map(|i| row[i].as_str());
        let word = word.filter(|word| !word.is_empty());
        let part = word.map(|word| {
            let why = "a split that is none of train, validation and test";
            Part::of_word(word).ok_or((word, why.to_string()))
        });
        let part = part.transpose()?;
        let (a, b) = (self.pictures.id(a, name_a), self.pictures.id(b, name_b));
        if a == b {
            return Err((name_a, "a picture paired with itself".into()));
        }
        self.pairs.push(ListedPair { a, b, same, part });
        Ok(())
    }
}

/// Learning from pairs wants both kinds.
fn check_kinds(path: &Path, pairs: &[ListedPair], listing: &Listing) -> Result<(), DataError> {
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
                "of its {} none is {kind}{}",
                counted(pairs.len(), "pair"),
                listing.reasons()
            ),
            "to learn from pairs, both kinds are needed",
        ));
    }
    Ok(())
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
    fn a_picture_that_is_judged_by_is_not_trained_on_and_contradictions_are_left_out() {
        let pair = |a, b, same, part| ListedPair { a, b, same, part };
        let (train, test) = (Some(Part::Train), Some(Part::Test));
        let pairs = [
            pair(0, 1, true, train),
            pair(1, 2, true, test),
            pair(0, 2, false, train),
            pair(3, 0, false, train),
        ];
        let parts = parts(4, &pairs);
        assert_eq!(parts, [train, test, test, train]);
        let labels = joined(4, &pairs, &["a", "b", "c", "d"].map(String::from)).0;
        let items: Vec<Item> = labels
            .into_iter()
            .zip(parts)
            .map(|(label, part)| Item {
                label,
                part,
                ..Item::default()
            })
            .collect();
        let why = pairs.map(|pair| unusable(&pair, &items).is_some());
        assert_eq!(why, [true, false, true, false]);
        assert!(
            unusable(&pair(0, 1, false, None), &items)
                .unwrap()
                .contains("different")
        );
    }

    #[test]
    fn columns_in_anybodys_words_are_found_by_what_they_hold() {
        let guess = |header: &[&str], rows: &[&[&str]]| {
            let words = |row: &[&str]| row.iter().map(|value| value.to_string()).collect();
            let rows = (2..).zip(rows.iter().map(|row| words(row)));
            let found = guessed(&Table {
                header: words(header),
                rows: rows.collect(),
            });
            found.map(|places| (places.a, places.b, places.same))
        };
        let header = ["", "Foto", "Vergleich", "Urteil"];
        let rows: [&[&str]; 2] = [
            &["0", "x/a.png", "b.png", "genuine"],
            &["1", "c.png", "x/d.png", "forged"],
        ];
        assert_eq!(guess(&header, &rows), Some((1, 2, 3)));
        assert_eq!(guess(&[], &rows), Some((1, 2, 3)));
        let labels: [&[&str]; 2] = [&["a.png", "cat", "1"], &["b.png", "dog", "0"]];
        assert_eq!(guess(&["Datei", "Art", "gut"], &labels), None);
    }
}
