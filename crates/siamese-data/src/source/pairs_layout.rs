//! Which columns of a list of pairs are the two pictures and which says "same", whatever they are called.

use super::options::Columns;
use super::pair_columns::{PairPlaces, places};
use super::table_text::Table;
use super::verdict::{EXPECTED, Verdict, verdict};

/// A row: its line in the file, and its values.
pub(crate) type Row = (u64, Vec<String>);

/// Where the columns are, and whether the first row is a heading.
#[derive(Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) same: usize,
    pub(crate) heading: bool,
}

/// What cannot be told, where, and what would serve.
#[derive(Debug, PartialEq)]
pub(crate) struct Unclear {
    pub(crate) line: u64,
    pub(crate) found: String,
    pub(crate) advice: String,
}

const HEADING: &str = "begin the file with the heading path_a,path_b,same";

impl Unclear {
    pub(crate) fn new(line: u64, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            line,
            found: found.into(),
            advice: advice.into(),
        }
    }
}

/// The layout of rows that have equally many values: by the heading's names, else by what the values look like.
///
/// # Errors
/// The line that cannot be told apart, and what would serve.
pub(crate) fn layout(rows: &[Row]) -> Result<Layout, Unclear> {
    let Some(((line, first), rest)) = rows.split_first() else {
        return Err(Unclear::new(1, "there is no pair", HEADING));
    };
    if let Some(PairPlaces { a, b, same, .. }) = named(first) {
        let itself = verdict(&first[same]).map(|verdict| verdict.family);
        let stands_out = itself != family(rest, same) || stands_out(first, rest, a, b);
        return match itself.is_none() || stands_out {
            false => Err(heading_or_pair(*line, first)),
            true => Ok(Layout {
                a,
                b,
                same,
                heading: true,
            }),
        };
    }
    let body = if rest.is_empty() { rows } else { rest };
    let same = column_of_verdicts(body)?;
    let (a, b) = columns_of_pictures(body, same)?;
    let heading = is_heading((*line, first), rest, (a, b, same))?;
    Ok(Layout {
        a,
        b,
        same,
        heading,
    })
}

/// Where the columns are by the names in a heading.
fn named(first: &[String]) -> Option<PairPlaces> {
    let bare = |name: &String| name.trim_start_matches('#').trim().to_string();
    let header = Table {
        header: first.iter().map(bare).collect(),
        rows: Vec::new(),
    };
    places(&header, &Columns::default()).ok().flatten()
}

/// Whether the first row is a heading in words that nobody foresaw.
fn is_heading(
    (line, first): (u64, &[String]),
    rest: &[Row],
    (a, b, same): (usize, usize, usize),
) -> Result<bool, Unclear> {
    if rest.is_empty() || looks_like_file(&first[a]) || looks_like_file(&first[b]) {
        return Ok(false);
    }
    let itself = verdict(&first[same]).map(|verdict| verdict.family);
    let of_their_kind = itself.is_some() && itself == family(rest, same);
    match (of_their_kind, stands_out(first, rest, a, b)) {
        (true, _) => Ok(false),
        (false, true) => Ok(true),
        (false, false) => Err(heading_or_pair(line, first)),
    }
}

/// Whether all rows but the first name files.
fn stands_out(first: &[String], rest: &[Row], a: usize, b: usize) -> bool {
    let names_files = |row: &[String]| looks_like_file(&row[a]) && looks_like_file(&row[b]);
    !rest.is_empty() && !names_files(first) && rest.iter().all(|(_, row)| names_files(row))
}

fn heading_or_pair(line: u64, first: &[String]) -> Unclear {
    let found = format!("{:?} could be a heading or a pair", first.join(" "));
    Unclear::new(
        line,
        found,
        format!("{HEADING}, or write it as the other lines are"),
    )
}

/// The family of a column's verdicts, as its first has it.
fn family(rows: &[Row], column: usize) -> Option<usize> {
    let verdicts = rows.iter().filter_map(|(_, row)| verdict(&row[column]));
    verdicts.map(|Verdict { family, .. }| family).next()
}

/// The column that says "same" in all rows, else the one that does in most.
fn column_of_verdicts(body: &[Row]) -> Result<usize, Unclear> {
    let (line, first) = &body[0];
    let columns = first.len();
    let told = |column: usize| {
        let values = body.iter().map(|(_, row)| &row[column]);
        values.filter(|value| verdict(value).is_some()).count()
    };
    let most = (0..columns).map(told).max().unwrap_or(0);
    let mut best: Vec<usize> = (0..columns)
        .filter(|&column| told(column) == most)
        .collect();
    if best.len() > 1 && best[0] == 0 && counts_up(body) {
        best.remove(0);
    }
    match best[..] {
        _ if columns < 3 => Err(Unclear::new(
            *line,
            format!("it has {columns} value(s), not two paths and a verdict"),
            "divide them by commas, semicolons, tabs or blanks",
        )),
        // nobody says anything: the usual place, whose first value is refused by name
        _ if 2 * most < body.len() && columns == 3 => Ok(2),
        _ if 2 * most < body.len() => Err(Unclear::new(
            *line,
            format!("none of its {columns} values says whether the pictures show the same thing"),
            format!("write {EXPECTED}"),
        )),
        [only] => Ok(only),
        [.., last] if columns == 3 && last == 2 => Ok(2),
        _ => Err(Unclear::new(
            *line,
            format!("more than one of its {columns} values could be the verdict"),
            HEADING,
        )),
    }
}

/// Whether the first column is nothing but the rows' numbers.
fn counts_up(body: &[Row]) -> bool {
    let number = |(_, row): &Row| row[0].parse::<usize>().ok();
    let first = number(&body[0]);
    let numbers = body.iter().map(number);
    first.is_some_and(|first| numbers.eq((first..).take(body.len()).map(Some)))
}

/// The two columns that hold paths.
fn columns_of_pictures(body: &[Row], same: usize) -> Result<(usize, usize), Unclear> {
    let (line, first) = &body[0];
    let others: Vec<usize> = (0..first.len()).filter(|&column| column != same).collect();
    let all =
        |column: usize, is: &dyn Fn(&str) -> bool| body.iter().all(|(_, row)| is(&row[column]));
    let among = |is: &dyn Fn(&str) -> bool| -> Vec<usize> {
        others
            .iter()
            .copied()
            .filter(|&column| all(column, is))
            .collect()
    };
    let words = among(&|value| value.parse::<f64>().is_err());
    for columns in [&others, &words, &among(&looks_like_file)] {
        if let [a, b] = columns[..] {
            return Ok((a, b));
        }
    }
    Err(Unclear::new(
        *line,
        format!(
            "which two of its {} values are the pictures cannot be told",
            first.len()
        ),
        HEADING,
    ))
}

/// Whether a value is a path: it has folders, or an ending.
pub(crate) fn looks_like_file(value: &str) -> bool {
    let ending = value.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_ending = (2..=5).contains(&ending.len())
        && ending.chars().all(|c| c.is_ascii_alphanumeric())
        && ending.chars().any(|c| c.is_ascii_alphabetic());
    is_ending || value.contains(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Layout, Unclear> {
        let row = |line: &str| line.split(',').map(String::from).collect();
        let rows: Vec<Row> = (1..).zip(text.lines().map(row)).collect();
        layout(&rows)
    }

    fn found(a: usize, b: usize, same: usize, heading: bool) -> Layout {
        Layout {
            a,
            b,
            same,
            heading,
        }
    }

    #[test]
    fn columns_are_found_by_name_and_by_what_they_hold() {
        for (text, expected) in [
            ("path_a,path_b,same\na,b,1", found(0, 1, 2, true)),
            (
                "path_a,path_b,same\na.png,b.png,same\na.png,c.png,different",
                found(0, 1, 2, true),
            ),
            ("image1,image2,label\na,b,0", found(0, 1, 2, true)),
            (
                ",img1,img2,label\n0,a.png,b.png,1\n1,c.png,d.png,0",
                found(1, 2, 3, true),
            ),
            ("Bild,Vergleich,Urteil\na.png,b.png,1", found(0, 1, 2, true)),
            ("Bild,Vergleich,same\na.png,b.png,1", found(0, 1, 2, true)),
            ("a,b,1\nc,d,0", found(0, 1, 2, false)),
            ("1,x/a,x/b\n0,x/a,y/c", found(1, 2, 0, false)),
            ("0,a.png,b.png,1\n1,c.png,d.png,0", found(1, 2, 3, false)),
            (
                "1,a.png,0.31,b.png,genuine\n2,c.png,0.2,d.png,forged",
                found(1, 3, 4, false),
            ),
            ("1,2,1\n3,1,0\n2,3,0", found(0, 1, 2, false)),
            ("a.png,b.png,maybe", found(0, 1, 2, false)),
            ("a.png,b.png,1", found(0, 1, 2, false)),
        ] {
            assert_eq!(of(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_names_its_line_and_what_would_serve() {
        for (text, told) in [
            ("a,b,same\nc,d,different", "heading or a pair"),
            ("x,y,maybe\na,b,1\nc,d,0", "heading or a pair"),
            ("a.png,b.png,1,0\nc.png,d.png,0,1", "more than one"),
            ("a.png,b.png,c.png,1\nd.png,e.png,f.png,0", "cannot be told"),
            ("a.png,b.png,x,z\nc.png,d.png,x,z", "none of its 4 values"),
            ("a.png,b.png", "2 value(s)"),
        ] {
            let unclear = of(text).unwrap_err();
            assert!(unclear.found.contains(told), "{text}: {unclear:?}");
            assert!(!unclear.advice.is_empty());
        }
    }
}
