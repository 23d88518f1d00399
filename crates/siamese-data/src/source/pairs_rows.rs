//! The rows of a list of pairs, whatever divides them, without its comments.

use std::path::Path;

use siamese_files::read_regular;

use super::delimiter::{delimiter, is_note};
use super::pairs_layout::{Row, Unclear};
use super::table_file::{read, records, text_of};
use crate::error::DataError;

/// The rows of the file, a heading among them; comments are left out.
pub(crate) fn rows_of(path: &Path) -> Result<Vec<Row>, DataError> {
    let bytes = read_regular(path).map_err(DataError::io("reading", path))?;
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    if bytes.starts_with(b"PAR1") || ending.to_lowercase().contains("json") {
        let table = read(path, |_| true)?;
        return Ok([(1, table.header)].into_iter().chain(table.rows).collect());
    }
    let text = without_comments(&text_of(path, &bytes)?);
    let rows = records(&text, delimiter(&text))
        .map_err(|found| DataError::unrecognised(path, found, "mend the line"))?;
    let pairs = |rows: &[Row]| rows.iter().any(|(_, row)| row.len() > 2);
    let mut rows = match Some(by_blanks(&text)).filter(|by_blanks| pairs(by_blanks)) {
        Some(by_blanks) if !pairs(&rows) => by_blanks,
        _ => rows.into_iter().map(unquoted).collect(),
    };
    rows.retain(|(_, row)| !row.iter().all(String::is_empty));
    match rows.is_empty() {
        true => Err(DataError::unrecognised(
            path,
            "holds no pair",
            "write two paths and a verdict on each line",
        )),
        false => Ok(rows),
    }
}

/// The text with a blank line for each that begins with `#` and a blank: a path may begin with `#`, too.
fn without_comments(text: &str) -> String {
    let is_comment = |line: &&str| {
        let said = line.trim_start().strip_prefix('#');
        said.is_some_and(|said| {
            said.is_empty() || said.starts_with([' ', '\t', '#', '!', '\r', '\n'])
        })
    };
    let lines = text.split_inclusive(['\n', '\r']).enumerate();
    let kept = lines.map(
        |(i, line)| match is_comment(&line) || (i == 0 && is_note(line)) {
            true => &line[line.trim_end_matches(['\n', '\r']).len()..],
            false => line,
        },
    );
    kept.collect()
}

/// Lines divided by blanks, however many; a value with a blank in it is quoted.
fn by_blanks(text: &str) -> Vec<Row> {
    let lines = text.split('\n').flat_map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.split('\r')
    });
    let values = |line: &str| {
        let mut values = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                c if c.is_whitespace() && !quoted => values.push(String::new()),
                c => values
                    .last_mut()
                    .into_iter()
                    .for_each(|value| value.push(c)),
            }
        }
        values.retain(|value| !value.is_empty());
        values
    };
    (1..).zip(lines.map(values)).collect()
}

/// Quotes that follow a blank, `a.png, "b.png", 1`, are quotes, too.
fn unquoted((line, row): Row) -> Row {
    let inner = |value: String| match value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => value,
    };
    (line, row.into_iter().map(inner).collect())
}

/// The rows, all of equally many values, a heading's too; those that begin with `#` and have not as many are comments.
pub(crate) fn even(mut rows: Vec<Row>) -> Result<Vec<Row>, Unclear> {
    let is_hash = |row: &[String]| row[0].starts_with('#');
    if let [(_, first), (_, second), ..] = &mut rows[..]
        && first.len() + 1 == second.len()
    {
        first.insert(0, String::new()); // a heading without a name for the rows' numbers, as R writes it
    }
    let counted = rows.iter().find(|(_, row)| !is_hash(row)).or(rows.first());
    let columns = counted.map_or(0, |(_, row)| row.len());
    rows.retain(|(_, row)| row.len() == columns || !is_hash(row));
    let odd = rows.iter().find(|(_, row)| row.len() != columns);
    let Some((line, row)) = odd else {
        return Ok(rows);
    };
    let open = row.iter().any(|value| value.contains(['\n', '\r']));
    Err(Unclear::new(
        *line,
        format!(
            "{} values, where the lines before have {columns}",
            row.len()
        ),
        match open {
            true => "close the quote that is open there",
            false => "write two paths and a verdict, and quote a path that holds the divider",
        },
    ))
}
