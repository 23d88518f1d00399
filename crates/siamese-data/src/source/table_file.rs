//! The rows of a table, whatever it is written in: CSV, TSV, JSON lines, a JSON array, parquet.

use std::path::Path;

use serde_json::{Map, Value};

use siamese_files::read_regular;

use super::delimiter::{delimiter, is_note};
use super::mistaken::refuse_stand_in;
use super::parquet_columns;
pub(crate) use super::table_text::Table;
use crate::error::DataError;
use crate::picture::{HEAD, Looks, is_text};

/// Whether a file's name is that of a table.
pub(crate) fn is_table_name(path: &Path) -> bool {
    let ending = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    ["csv", "tsv", "tab", "jsonl", "ndjson", "json", "parquet"].contains(&ending.as_str())
}

/// Reads the table at `path`; `is_header` tells a header from a first row.
///
/// # Errors
///
/// [`DataError::Unrecognised`] names the line that cannot be read.
pub(crate) fn read(path: &Path, is_header: impl Fn(&[String]) -> bool) -> Result<Table, DataError> {
    let bytes = read_regular(path).map_err(DataError::io("reading", path))?;
    if bytes.starts_with(b"PAR1") {
        return parquet_columns::read_table(path);
    }
    let text = text_of(path, &bytes)?;
    let first = text.trim_start().chars().next();
    let table = match first {
        Some('{') => json_lines(&text),
        Some('[') => json_array(&text),
        _ => delimited(&text, is_header),
    };
    let table = table.map_err(|found| DataError::unrecognised(path, found, "mend the line"))?;
    match table.rows.is_empty() {
        true => Err(DataError::unrecognised(
            path,
            "the table has no rows",
            "name a table with the columns path,label",
        )),
        false => Ok(table),
    }
}

/// The text that a file holds.
///
/// # Errors
///
/// [`DataError::Unrecognised`] names the line that is none, or says what stands in the file's place.
pub(crate) fn text_of(path: &Path, bytes: &[u8]) -> Result<String, DataError> {
    refuse_stand_in(path, Looks::of(&bytes[..bytes.len().min(HEAD)]))?;
    decoded(bytes).map_err(|found| {
        let advice = "write the file as UTF-8 (or UTF-16 with its mark)";
        DataError::unrecognised(path, found, advice)
    })
}

/// UTF-8, with or without its mark, or UTF-16 with its mark.
fn decoded(bytes: &[u8]) -> Result<String, String> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| unit([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units).map_err(|_| "it begins as UTF-16 and is not".to_string())
    };
    match bytes {
        [0, _, ..] | [_, 0, ..] => Err("it looks like UTF-16 without its mark".into()),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] if bytes.len() % 2 == 1 => {
            Err("it begins as UTF-16 and is cut".into())
        }
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            std::str::from_utf8(bytes)
                .map(String::from)
                .map_err(|error| {
                    let before = &bytes[..error.valid_up_to()];
                    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
                    match is_text(before) {
                        true => format!("line {line} is not UTF-8"),
                        false => "it is no text".into(),
                    }
                })
        }
    }
}

fn delimited(text: &str, is_header: impl Fn(&[String]) -> bool) -> Result<Table, String> {
    let mut table = Table::default();
    // blanked, so that the lines are counted as they are
    let first = text.split(['\n', '\r']).next().unwrap_or_default();
    let text = if is_note(first) {
        &text[first.len()..]
    } else {
        text
    };
    for (i, (line, row)) in records(text, delimiter(text))?.into_iter().enumerate() {
        if i == 0 && is_header(&row) {
            table.header = row;
            continue;
        }
        let columns = table.header.len().max(
            table
                .rows
                .first()
                .map_or(row.len(), |(_, first)| first.len()),
        );
        if row.iter().all(String::is_empty) {
            continue;
        }
        if row.len() != columns {
            return Err(format!(
                "line {line} has {} values, and {columns} are expected",
                row.len()
            ));
        }
        table.rows.push((line, row));
    }
    Ok(table)
}

/// The values of each line that is not blank, quoted as in RFC 4180 or not, and the line.
pub(crate) fn records(text: &str, delimiter: u8) -> Result<Vec<(u64, Vec<String>)>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut lines = Lines {
        text: text.as_bytes(),
        at: 0,
        line: 1,
    };
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let place = record.position().map_or(0, |position| position.byte());
        let row = record.iter().map(|value| value.trim().to_string());
        rows.push((lines.at(place as usize), row.collect()));
    }
    Ok(rows)
}

/// Counts lines that end in any way, quoted ones too.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first value from `place` on; places must ascend.
    fn at(&mut self, place: usize) -> u64 {
        while let Some(&byte) = self.text.get(self.at)
            && (self.at < place || byte == b'\n' || byte == b'\r')
        {
            let followed = byte == b'\r' && self.text.get(self.at + 1) == Some(&b'\n');
            self.line += u64::from(byte == b'\n' || (byte == b'\r' && !followed));
            self.at += 1;
        }
        self.line
    }
}

fn json_lines(text: &str) -> Result<Table, String> {
    let mut objects = Vec::new();
    for (line, text) in (1u64..)
        .zip(text.lines())
        .filter(|(_, text)| !text.trim().is_empty())
    {
        let object = serde_json::from_str(text)
            .map_err(|error| format!("line {line} is no JSON object: {error}"))?;
        objects.push((line, object));
    }
    Ok(of_objects(objects))
}

fn json_array(text: &str) -> Result<Table, String> {
    let objects: Vec<Map<String, Value>> = serde_json::from_str(text)
        .map_err(|error| format!("it is no array of JSON objects: {error}"))?;
    Ok(of_objects((1u64..).zip(objects).collect()))
}

/// The keys of all objects are the columns, in the order in which they come up.
fn of_objects(objects: Vec<(u64, Map<String, Value>)>) -> Table {
    let mut header: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for key in objects.iter().flat_map(|(_, object)| object.keys()) {
        if seen.insert(key.as_str()) {
            header.push(key.clone());
        }
    }
    let value = |object: &Map<String, Value>, key: &String| match object.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_string(),
        Some(other) => other.to_string(),
    };
    let row = |object: &Map<String, Value>| header.iter().map(|key| value(object, key)).collect();
    let rows = objects
        .iter()
        .map(|(line, object)| (*line, row(object)))
        .collect();
    Table { rows, header }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read_bytes(bytes: &[u8]) -> Result<Table, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        fs::write(&path, bytes).unwrap();
        read(&path, |row| row[0] == "path").map_err(|error| error.to_string())
    }

    fn table(rows: &[(u64, [&str; 2])]) -> Table {
        Table {
            header: vec!["path".into(), "label".into()],
            rows: rows
                .iter()
                .map(|(line, row)| (*line, row.map(String::from).to_vec()))
                .collect(),
        }
    }

    #[test]
    fn one_table_in_many_writings() {
        let expected = table(&[(2, ["a, b.png", "cat"]), (3, ["é.png", "dog"])]);
        let comma = "path,label\n\"a, b.png\",cat\né.png,dog\n";
        let semicolon = comma
            .replace("path,label", "path;label")
            .replace("\",cat", "\";cat")
            .replace("png,dog", "png;dog");
        let utf16: Vec<u8> = [0xfeff]
            .into_iter()
            .chain(comma.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [
            comma.as_bytes().to_vec(),
            format!("\u{feff}{comma}").into_bytes(),
            comma.replace('\n', "\r\n").into_bytes(),
            semicolon.clone().into_bytes(),
            semicolon.replace(';', "\t").into_bytes(),
            utf16,
        ] {
            assert_eq!(
                read_bytes(&bytes).unwrap(),
                expected,
                "{}",
                String::from_utf8_lossy(&bytes)
            );
        }
        let old_mac = read_bytes(comma.replace('\n', "\r").as_bytes()).unwrap();
        assert_eq!(
            (old_mac.rows.len(), &old_mac.rows[1].1[1]),
            (2, &"dog".to_string())
        );
        let lines =
            "{\"path\":\"a, b.png\",\"label\":\"cat\"}\n\n{\"label\":7,\"path\":\"é.png\"}\n";
        let mut rows = read_bytes(lines.as_bytes()).unwrap();
        assert_eq!(
            rows.rows[1],
            (
                3,
                match rows.header[0].as_str() {
                    "path" => vec!["é.png".into(), "7".into()],
                    _ => vec!["7".into(), "é.png".into()],
                }
            )
        );
        let array = format!("[{}]", lines.trim().replace("\n\n", ","));
        let from_array = read_bytes(array.as_bytes()).unwrap();
        rows.rows[0].0 = 1;
        rows.rows[1].0 = 2;
        assert_eq!(from_array, rows);
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        let error = read_bytes(b"path,label\na.png,cat\nb.png\n").unwrap_err();
        assert!(
            error.contains("line 3 has 1 values, and 2 are expected"),
            "{error}"
        );
        let error = read_bytes(b"path,label\nK\xf6ln.png,cat\n").unwrap_err();
        assert!(error.contains("line 2 is not UTF-8"), "{error}");
        let error = read_bytes(b"{\"path\":\"a\"}\n{\"path\"\n").unwrap_err();
        assert!(error.contains("line 2 is no JSON object"), "{error}");
        assert!(read_bytes(b"path,label\n").unwrap_err().contains("no rows"));
    }
}
