//! What divides the values of a line: found out by which divider gives the lines equally many.

use std::collections::HashMap;

/// As many lines as are looked at.
const LINES: usize = 50;

/// Of tab, semicolon and comma the one that divides the most lines into equally many values; comma where none does.
pub(crate) fn delimiter(text: &str) -> u8 {
    let evenness = |&divider: &u8| evenness(text, divider);
    let best = b",;\t".iter().copied().max_by_key(evenness);
    best.filter(|best| evenness(best).1 > 1).unwrap_or(b',')
}

/// Whether a file's first line is Excel's own word on what divides the values, as `sep=;`.
pub(crate) fn is_note(line: &str) -> bool {
    line.len() < 8 && line.to_lowercase().starts_with("sep=")
}

/// How many of a thousand lines have the commonest number of values, and that number, where it is more than one.
fn evenness(text: &str, divider: u8) -> (usize, usize) {
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(divider)
        .from_reader(text.as_bytes());
    let mut counts: HashMap<usize, usize> = HashMap::new();
    let mut lines = 0;
    for record in reader.into_records().take(LINES).flatten() {
        *counts.entry(record.len()).or_default() += 1;
        lines += 1;
    }
    let commonest = counts
        .into_iter()
        .max_by_key(|&(values, lines)| (lines, values));
    match commonest {
        Some((values, times)) if values > 1 => (1000 * times / lines, values),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_divider_is_what_divides_the_lines_evenly() {
        for (text, expected) in [
            ("a,b,1\nc,d,0", b','),
            ("a, 1.png\tb c.png\tsame", b'\t'),
            ("a,b;c;1\nd;e,f;0", b';'),
            ("a;x.png,b.png,1\nc.png,d.png,0", b','),
            ("\"a;b;c;d\",cat\ne,dog", b','),
            ("one\ntwo", b','),
            ("a;b;c\r\n", b';'),
            ("a\tb\rc\td", b'\t'),
            ("", b','),
        ] {
            assert_eq!(delimiter(text) as char, expected as char, "{text:?}");
        }
    }
}
