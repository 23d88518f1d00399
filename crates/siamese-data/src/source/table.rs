//! A table of `path, label`, with optional columns for group, split and superclass.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::columns::{
    FILE_WORDS, GROUP_WORDS, LABEL_WORDS, SPLIT_WORDS, SUPERCLASS_WORDS, column, plain,
    sorted_classes, sorted_some,
};
use super::files::{check_files, file_at};
use super::listing::{Item, LeftOut, Listing};
use super::options::{Columns, OpenOptions};
use super::pair_columns;
use super::store::Store;
use super::table_file::{Table, read};
use super::table_pairs;
use crate::error::DataError;
use crate::split::Part;

const ADVICE: &str = "wanted are the columns path,label (or path,path,same): call them so, or train with \
                      --set data.columns.file=NAME --set data.columns.label=NAME";

/// Where the columns are.
#[derive(Debug, Default)]
struct Places {
    file: usize,
    label: usize,
    group: Option<usize>,
    split: Option<usize>,
    superclass: Option<usize>,
}

/// Lists the pictures that the table at `path` names, relative to its own folder.
///
/// # Errors
///
/// [`DataError::Unrecognised`] if a column cannot be found, or none of the files.
pub(crate) fn list(path: &Path, options: &OpenOptions) -> Result<Listing, DataError> {
    let folder = folder_of(path);
    let columns = &options.columns;
    let table = read(path, |row| is_header(row, columns, folder))?;
    let unrecognised = |found: String| DataError::unrecognised(path, found, ADVICE);
    if let Some(places) = pair_columns::places(&table, columns).map_err(unrecognised)? {
        return table_pairs::list(path, folder, &table, &places);
    }
    let places = match places(&table, columns) {
        Ok(places) => places,
        Err(found) => match table_pairs::guessed(&table) {
            Some(places) => return table_pairs::list(path, folder, &table, &places),
            None => return Err(unrecognised(found)),
        },
    };
    list_all(
        path,
        &[Sheet {
            path,
            folder,
            table,
            places,
            part: None,
        }],
    )
}

/// Lists the pictures of several tables called `metadata`, each beside its pictures, as one set; a part where the
/// table's folder is called by one.
///
/// # Errors
///
/// As [`list`].
pub(crate) fn list_metadata(
    root: &Path,
    tables: &[PathBuf],
    options: &OpenOptions,
) -> Result<Listing, DataError> {
    let mut parts = Vec::new();
    for path in tables {
        let folder = folder_of(path);
        let table = read(path, |row| is_header(row, &options.columns, folder))?;
        let places = places(&table, &options.columns)
            .map_err(|found| DataError::unrecognised(path, found, ADVICE))?;
        let part = (folder != root)
            .then(|| folder.file_name()?.to_str().and_then(Part::of_word))
            .flatten();
        parts.push(Sheet {
            path,
            folder,
            table,
            places,
            part,
        });
    }
    let mut listing = list_all(root, &parts)?;
    listing.kind = "a folder of pictures with metadata".into();
    Ok(listing)
}

/// The folder that a table's paths are relative to.
fn folder_of(table: &Path) -> &Path {
    table.parent().unwrap_or(Path::new(""))
}

/// One table of a set.
struct Sheet<'a> {
    path: &'a Path,
    folder: &'a Path,
    table: Table,
    places: Places,
    /// The part of all rows, where the table has no column for it.
    part: Option<Part>,
}

/// Whether a first line is a header: it has a name that was asked for or is common, or names no file.
fn is_header(row: &[String], columns: &Columns, folder: &Path) -> bool {
    let asked = [
        &columns.file,
        &columns.label,
        &columns.group,
        &columns.split,
        &columns.superclass,
    ];
    let is_asked = |name: &String| asked.iter().any(|asked| asked.as_ref() == Some(name));
    let common = |name: &String| {
        FILE_WORDS.contains(&plain(name).as_str())
            || LABEL_WORDS.iter().any(|word| plain(word) == plain(name))
    };
    row.iter().any(|name| is_asked(name) || common(name))
        || !row.iter().any(|value| file_at(folder, value).is_some())
}

fn places(table: &Table, columns: &Columns) -> Result<Places, String> {
    let header = &table.header;
    if header.is_empty() {
        return match table.rows.first().map_or(0, |(_, row)| row.len()) {
            2 => Ok(Places {
                file: 0,
                label: 1,
                ..Places::default()
            }),
            n => Err(format!("it has no header, and {n} columns")),
        };
    }
    let missing = |what: &str| {
        format!(
            "it has no column with the {what}, but {}",
            header.join(", ")
        )
    };
    let file = column(header, columns.file.as_deref(), &FILE_WORDS)?
        .ok_or_else(|| missing("pictures' paths"))?;
    Ok(Places {
        file,
        label: column(header, columns.label.as_deref(), &LABEL_WORDS)?
            .ok_or_else(|| missing("class"))?,
        group: column(header, columns.group.as_deref(), &GROUP_WORDS)?,
        split: column(header, columns.split.as_deref(), &SPLIT_WORDS)?,
        superclass: column(header, columns.superclass.as_deref(), &SUPERCLASS_WORDS)?,
    })
}

/// One usable row.
struct Row<'a> {
    name: &'a str,
    path: PathBuf,
    label: &'a str,
    group: Option<&'a str>,
    superclass: Option<&'a str>,
    part: Option<Part>,
}

fn list_all(place: &Path, tables: &[Sheet]) -> Result<Listing, DataError> {
    let mut left_out = Vec::new();
    let mut rows = Vec::new();
    for part in tables {
        rows_of(part, &mut rows, &mut left_out);
    }
    let rows = once_each(rows, &mut left_out);
    let (classes, labels) = sorted_classes(rows.iter().map(|row| row.label));
    let (groups, group_ids) = sorted_some(rows.iter().map(|row| row.group));
    let (superclasses, superclass_ids) = sorted_some(rows.iter().map(|row| row.superclass));
    let items = (0..rows.len()).map(|i| Item {
        label: labels[i],
        superclass: superclass_ids[i],
        group: group_ids[i],
        part: rows[i].part,
    });
    let listing = Listing {
        classes,
        groups,
        superclasses,
        items: items.collect(),
        names: rows.iter().map(|row| row.name.to_string()).collect(),
        left_out,
        ..Listing::new(
            place,
            "a table of paths and labels",
            Store::Files(rows.into_iter().map(|row| row.path).collect()),
        )
    };
    listing.finish(place)
}

/// The rows whose files are pictures; the others are left out by their lines.
fn rows_of<'a>(part: &'a Sheet, rows: &mut Vec<Row<'a>>, left_out: &mut Vec<LeftOut>) {
    let Places {
        file,
        label,
        group,
        split,
        superclass,
    } = part.places;
    let checked = check_files(
        part.folder,
        part.table
            .rows
            .iter()
            .map(|(_, row)| row[file].as_str())
            .collect(),
    );
    let table = part.path.file_name().unwrap_or_default().to_string_lossy();
    for ((line, row), checked) in part.table.rows.iter().zip(checked) {
        let value = |place: Option<usize>| {
            place
                .map(|i| row[i].as_str())
                .filter(|value| !value.is_empty())
        };
        let place = format!("{table}:{line}: {}", row[file]);
        let told = value(split).map(|word| {
            Part::of_word(word).ok_or("of a split that is none of train, validation and test")
        });
        match (checked, told.transpose(), value(Some(label))) {
            (Err(why), _, _) => left_out.push(LeftOut::new(place, why)),
            (_, Err(why), _) => left_out.push(LeftOut::new(place, why)),
            (_, _, None) => left_out.push(LeftOut::new(place, "without a label")),
            (Ok(path), Ok(told), Some(label)) => rows.push(Row {
                name: &row[file],
                path,
                label,
                group: value(group),
                superclass: value(superclass),
                part: told.or(part.part),
            }),
        }
    }
}

/// Each file once; the others are left out.
fn once_each<'a>(rows: Vec<Row<'a>>, left_out: &mut Vec<LeftOut>) -> Vec<Row<'a>> {
    let mut seen: HashMap<PathBuf, &str> = HashMap::new();
    let mut once = Vec::new();
    for row in rows {
        match seen.get(&row.path) {
            Some(&label) if label == row.label => {
                left_out.push(LeftOut::new(row.name, "named twice"))
            }
            Some(_) => left_out.push(LeftOut::new(row.name, "named before with another label")),
            None => {
                seen.insert(row.path.clone(), row.label);
                once.push(row);
            }
        }
    }
    once
}
