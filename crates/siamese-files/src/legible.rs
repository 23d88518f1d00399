//! Text from elsewhere that cannot command a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with what a terminal would obey, or an eye be misled by, written out as `\u001b`: control characters but
/// line breaks and tabs, C1's too, and those that turn the direction of writing or cannot be seen.
///
/// So JSON writes them within its strings, too: JSON that is made legible means what it meant.
///
/// ```
/// use siamese_files::legible;
/// assert_eq!(legible("a\u{1b}[2Jb.png\n"), "a\\u001b[2Jb.png\n");
/// assert_eq!(legible("naïve 猫.png"), "naïve 猫.png");
/// ```
pub fn legible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_illegible) {
        return text.into();
    }
    let mut written = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if !is_illegible(letter) {
            written.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // writing to a string does not fail
            let _ = write!(written, "\\u{unit:04x}");
        }
    }
    written.into()
}

/// Whether a terminal obeys this character, or an eye is misled by it.
pub fn is_illegible(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        // marks of direction, embeddings, overrides and isolates
        '\u{61c}' | '\u{200e}' | '\u{200f}' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // separators that some take for line breaks, invisible spaces, notes between lines, tags
        '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_that_a_terminal_obeys_is_left() {
        for letter in (0..0x20)
            .chain(0x7f..0xa0)
            .chain([0x202e, 0x2066, 0x2028, 0xe0041])
        {
            let letter = char::from_u32(letter).unwrap();
            let text = legible(&format!("a{letter}b")).into_owned();
            assert_eq!(
                text.contains(letter),
                matches!(letter, '\n' | '\t'),
                "{letter:?}"
            );
        }
        assert_eq!(legible("\u{e0041}\u{9b}"), "\\udb40\\udc41\\u009b");
    }

    #[test]
    fn what_people_write_stays_as_it_is_without_a_copy() {
        // a joiner makes one picture of several
        for text in ["größe", "日本", "👩\u{200d}👩\u{200d}👧", "a\tb\n"] {
            assert!(
                matches!(legible(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }
}
