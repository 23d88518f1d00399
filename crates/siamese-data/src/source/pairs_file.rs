//! A list of pairs of pictures to judge: two paths and a verdict on each line, as people write it.

use std::path::{Path, PathBuf};

use siamese_files::read_regular;

use super::pairs_layout::{Layout, Row, Unclear, layout};
use super::pairs_rows::{even, rows_of};
use super::table_file::text_of;
use super::verdict::{EXPECTED, verdict};
use crate::error::DataError;

/// Two pictures, and whether they show the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPair {
    /// First picture, as written.
    pub a: PathBuf,
    /// Second picture, as written.
    pub b: PathBuf,
    /// Of one class.
    pub like: bool,
    /// Its line in the list, from 1.
    pub line: u64,
}

/// Reads the text of a file, UTF-8 or by its mark UTF-16, its lines ended by `\n` however they were.
///
/// # Errors
/// A file that cannot be read, or is no text.
pub fn read_text(path: &Path) -> Result<String, DataError> {
    let bytes = read_regular(path).map_err(DataError::io("reading", path))?;
    let text = text_of(path, &bytes)?;
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Reads a list of pairs: on each line two paths and whether both show the same thing, divided by commas, semicolons,
/// tabs or blanks. Paths are left as written.
///
/// Which columns these are is told by a heading (`path_a,path_b,same`, `image1;image2;label`, …) or by what they
/// hold, beside an index or other columns. A verdict is `1` or `0`, `1` or `-1`, or a pair of words: `same` and
/// `different`, `genuine` and `forged`, `match` and `mismatch`, … Values may be quoted (RFC 4180). Blank lines are
/// passed over, and lines that begin with `#` where they are no pair. JSON lines and parquet are read, too.
///
/// # Errors
/// [`DataError::Unrecognised`] names the line that is no pair, or that could be read in two ways, and what would
/// serve.
pub fn read_pairs(path: &Path) -> Result<Vec<PathPair>, DataError> {
    let rows = rows_of(path)?;
    let at = |unclear: Unclear| {
        let place = format!("{}:{}", path.display(), unclear.line);
        DataError::unrecognised(Path::new(&place), unclear.found, unclear.advice)
    };
    if let Some(unclear) = as_lfw(&rows) {
        return Err(at(unclear));
    }
    let rows = even(rows).map_err(at)?;
    let layout = layout(&rows).map_err(at)?;
    let pairs = rows.iter().skip(usize::from(layout.heading));
    let pairs = pairs.map(|row| pair(row, &layout).map_err(at));
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    check_numbers(&rows, &layout).map_err(at)?;
    match pairs.is_empty() {
        true => Err(DataError::unrecognised(
            path,
            "holds no pair",
            "write two paths and a verdict on each line",
        )),
        false => Ok(pairs),
    }
}

fn pair((line, row): &Row, layout: &Layout) -> Result<PathPair, Unclear> {
    let [a, b, said] = [layout.a, layout.b, layout.same].map(|column| row[column].as_str());
    if a.is_empty() || b.is_empty() {
        return Err(Unclear::new(
            *line,
            "a path is empty",
            "write two paths and a verdict",
        ));
    }
    let Some(verdict) = verdict(said) else {
        let found = format!("{said:?} is no verdict");
        return Err(Unclear::new(*line, found, format!("write {EXPECTED}")));
    };
    Ok(PathPair {
        a: a.into(),
        b: b.into(),
        like: verdict.same,
        line: *line,
    })
}

/// Both 0 and −1 in one column: one of them means something else than "different".
fn check_numbers(rows: &[Row], layout: &Layout) -> Result<(), Unclear> {
    let number = |row: &[String]| row[layout.same].parse::<f64>().ok();
    let first = |wanted: f64| rows.iter().find(|(_, row)| number(row) == Some(wanted));
    match (first(0.0), first(-1.0)) {
        (Some((one, _)), Some((other, _))) => Err(Unclear::new(
            *one.max(other),
            "both 0 and -1 are given as verdicts",
            "write 0 or -1 for different, and leave out pairs that nobody judged",
        )),
        _ => Ok(()),
    }
}

/// LFW's own list has a form of its own.
fn as_lfw(rows: &[Row]) -> Option<Unclear> {
    let (line, first) = rows.first()?;
    let (_, second) = rows.get(1)?;
    let numbers = |values: &[String]| values.iter().all(|value| value.parse::<u32>().is_ok());
    let heading = first
        .iter()
        .filter(|value| !value.is_empty())
        .cloned()
        .collect::<Vec<_>>();
    let is_lfw = (1..=2).contains(&heading.len())
        && numbers(&heading)
        && second.len() >= 3
        && !numbers(&second[..1])
        && numbers(&second[1..3]);
    is_lfw.then(|| {
        Unclear::new(
            *line,
            "this looks like LFW's pairs.txt",
            "give it with --lfw",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read_bytes(bytes: &[u8]) -> Result<Vec<PathPair>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        fs::write(&path, bytes).unwrap();
        let place = format!("{}/", folder.path().display());
        let mut pairs = read_pairs(&path).map_err(|error| error.to_string().replace(&place, ""))?;
        let lines = pairs.iter().map(|pair| pair.line);
        assert!(lines.is_sorted_by(|a, b| a < b), "lines are counted");
        pairs.iter_mut().for_each(|pair| pair.line = 0);
        Ok(pairs)
    }

    fn pairs(rows: &[(&str, &str, bool)]) -> Vec<PathPair> {
        let pair = |&(a, b, like): &(&str, &str, bool)| PathPair {
            a: a.into(),
            b: b.into(),
            like,
            line: 0,
        };
        rows.iter().map(pair).collect()
    }

    #[test]
    fn one_list_in_many_writings() {
        let expected = pairs(&[
            ("x/a b.png", "x/ü,.png", true),
            ("x/a b.png", "y/c.png", false),
        ]);
        let comma = "\"x/a b.png\",\"x/ü,.png\",1\nx/a b.png,y/c.png,0\n";
        let utf16 = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let units = [0xfeff].into_iter().chain(comma.encode_utf16());
            units.flat_map(unit).collect()
        };
        let texts = [
            comma.into(),
            format!("\u{feff}{comma}"),
            format!("# by hand\n\n{comma}\n#\n"),
            comma.replace('\n', "\r"),
            comma.replace('\n', "\r\n"),
            comma.replace(",1", ",genuine").replace(",0", ",forged"),
            comma.replace(",1", ",1.0").replace(",0", ",-1"),
            comma.replace(",1", ",Match").replace(",0", ",no match"),
            format!("Foto,Vergleich,Urteil\n{comma}"),
            format!("path_a,path_b,same\n{comma}"),
            format!(",img1,img2,label\n0,{}", comma.replacen('\n', "\n1,", 1)),
            "\"a\" \"b\" \"same\"\n\"1\" \"x/a b.png\" \"x/ü,.png\" 1\n\"2\" \"x/a b.png\" \"y/c.png\" 0".into(),
            "sep=;\r\nx/a b.png;x/ü,.png;TRUE\r\nx/a b.png;y/c.png;FALSE\r\n".into(),
            "Bild A;Bild B;gleich\nx/a b.png;x/ü,.png;1\nx/a b.png;y/c.png;0".into(),
            "\"x/a b.png\"; \"x/ü,.png\"; 1\nx/a b.png; y/c.png; 0".into(),
            "x/a b.png\tx/ü,.png\tsame\nx/a b.png\ty/c.png\tdifferent".into(),
            "\"x/a b.png\"   \"x/ü,.png\" yes\n\"x/a b.png\" y/c.png  no\n".into(),
        ];
        let bytes = texts.map(String::into_bytes).into_iter();
        for bytes in bytes.chain([utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)]) {
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(read_bytes(&bytes), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn a_path_may_begin_with_a_hash_and_hold_backslashes() {
        let text = "# a note\n#1/a.png,#1/b.png,1\n#old: unused\n\"#2\\a.png\",#1/b.png,0\n";
        let expected = pairs(&[
            ("#1/a.png", "#1/b.png", true),
            ("#2\\a.png", "#1/b.png", false),
        ]);
        assert_eq!(read_bytes(text.as_bytes()), Ok(expected));
        let heading = "#path_a,path_b,same\na.png,b.png,1\n";
        assert_eq!(
            read_bytes(heading.as_bytes()),
            Ok(pairs(&[("a.png", "b.png", true)]))
        );
    }

    #[test]
    fn lists_without_folders_and_endings_are_read() {
        let expected = pairs(&[("a", "c", false), ("b", "c", true)]);
        assert_eq!(read_bytes(b"a   c  0\nb c 1"), Ok(expected.clone()));
        assert_eq!(
            read_bytes(b"image1\timage2\tlabel\na\tc\t0\nb\tc\t1"),
            Ok(expected)
        );
        let lines = b"{\"a\": \"a\", \"b\": \"c\", \"same\": false}\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.jsonl");
        fs::write(&path, lines).unwrap();
        let read = read_pairs(&path).unwrap();
        let expected = pairs(&[("a", "c", false)]);
        assert_eq!((&read[0].a, &read[0].b), (&expected[0].a, &expected[0].b));
        assert!(read.len() == 1 && !read[0].like);
    }

    #[test]
    fn a_line_that_is_no_pair_is_named_with_what_would_serve() {
        for (text, told) in [
            ("a b 1\na b", "pairs.csv:2: 2 values"),
            (
                "# x\na.png,b.png,maybe",
                "pairs.csv:2: \"maybe\" is no verdict; write 1 or 0",
            ),
            ("a.png,b.png,1\na.png,,0", "pairs.csv:2: a path is empty"),
            (
                "a.png,b.png,1\nc.png,d.png,0\ne.png,f.png,-1",
                "pairs.csv:3: both 0 and -1",
            ),
            (
                "a.png,b.png,1\n\"c.png,d.png,0\ne.png,f.png,0\n",
                "pairs.csv:2: 1 values",
            ),
            ("10\t300\nAnn_A\t1\t4\nBob\t2\t3", "give it with --lfw"),
            ("# nothing", "holds no pair"),
            ("path_a,path_b,same\n", "holds no pair"),
            (
                "x,y,maybe\na,b,1\nc,d,0",
                "pairs.csv:1: \"x y maybe\" could be a heading or a pair",
            ),
        ] {
            let error = read_bytes(text.as_bytes()).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
        let bare: Vec<u8> = "a,b,1\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let error = read_bytes(&bare).unwrap_err();
        assert!(error.contains("UTF-16 without its mark"), "{error}");
        let error = read_bytes(b"a.png,b.png,1\nK\xf6ln.png,b.png,0\n").unwrap_err();
        assert!(error.contains("line 2 is not UTF-8"), "{error}");
    }
}
