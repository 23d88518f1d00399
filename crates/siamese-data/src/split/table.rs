//! `split.csv`: which image is in which part, to be inspected and repeated.

use std::io;
use std::path::Path;

use super::config::Items;
use super::part::Part;
use crate::error::DataError;

const HEADER: [&str; 5] = ["item", "file", "class", "group", "part"];

/// Writes a line for each image: its number, name, class, group (empty where there is none) and part.
///
/// # Errors
/// When the file cannot be written.
pub fn write_split(
    path: &Path,
    items: &Items,
    names: &[String],
    parts: &[Part],
) -> Result<(), DataError> {
    siamese_files::write_whole(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(HEADER)?;
        for i in 0..parts.len() {
            table.write_record(row(items, names, parts, i))?;
        }
        table.flush()
    })
    .map_err(DataError::io("writing", path))
}

/// Whether a file holds just this division.
///
/// # Errors
/// When it cannot be read, or does not: the message names the first line that differs.
pub fn check_split(
    path: &Path,
    items: &Items,
    names: &[String],
    parts: &[Part],
) -> Result<(), DataError> {
    let reading = |e: csv::Error| DataError::io("reading", path)(io::Error::other(e));
    let mut table = csv::Reader::from_path(path).map_err(reading)?;
    let differs = |line: usize, found: &str| {
        DataError::Invalid(format!(
            "{}:{line}: the images are not divided as they were ({found}): the data, its order or the seed changed",
            path.display()
        ))
    };
    let mut count = 0;
    for (i, record) in table.records().enumerate() {
        let record = record.map_err(reading)?;
        if i >= parts.len() || record != row(items, names, parts, i).to_vec() {
            return Err(differs(
                i + 2,
                &format!("{:?}", record.iter().collect::<Vec<_>>()),
            ));
        }
        count += 1;
    }
    match count == parts.len() {
        true => Ok(()),
        false => Err(differs(count + 2, "the file ends here")),
    }
}

fn row(items: &Items, names: &[String], parts: &[Part], i: usize) -> [String; 5] {
    [
        i.to_string(),
        names[i].clone(),
        items.classes[items.labels[i] as usize].clone(),
        items
            .groups
            .map(|groups| groups[i].to_string())
            .unwrap_or_default(),
        parts[i].to_string(),
    ]
}
