//! Numbers and names as text: escaped, finite, and short.

use siamese_files::is_illegible;

/// Escapes text for HTML and SVG, both between tags and inside quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(letter),
            // Other control characters are no characters of XML; those that turn the direction of writing mislead.
            hidden if is_illegible(hidden) => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Letters without a separator between them after which a line may break all the same.
const LONGEST_RUN: usize = 24;

/// Escaped text in which a line may break after a separator, and within a word only where that is endless.
pub(crate) fn breakable(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut run = 0;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        html.push_str(&escape(letter.encode_utf8(&mut [0; 4])));
        let Some(&next) = letters.peek() else { break };
        // a number before a name is a part of its own, an ending such as ".jpg" is none
        let dot = letter == '.' && next.is_uppercase();
        // a row of a table: `test.parquet#57`
        let row = next == '#' && letter.is_alphanumeric();
        let parts = dot || row || ("_/\\-+,;:=|".contains(letter) && next.is_alphanumeric());
        run = if parts || letter.is_whitespace() || run + 1 == LONGEST_RUN {
            0
        } else {
            run + 1
        };
        if run == 0 && !letter.is_whitespace() {
            html.push_str("<wbr>");
        }
    }
    html
}

/// A number with fixed decimal places and a true minus sign; "n/a" when it is not finite.
pub(crate) fn plain(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return "n/a".into();
    }
    let text = format!("{value:.places$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().any(|c| ('1'..='9').contains(&c)) => format!("−{digits}"),
        Some(digits) => digits.into(),
        None => text,
    }
}

/// A measured value with about `digits` significant digits, without exponent where it is legible.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "n/a".into();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.*e}", digits.saturating_sub(1)).replace('-', "−");
    }
    let before = size.log10().floor() as i64 + 1;
    plain(value, (digits as i64 - before).max(0) as usize)
}

/// A count with thin spaces between thousands.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A pixel coordinate: one decimal, nothing superfluous, never anything but a number.
pub(crate) fn px(value: f64) -> String {
    if !value.is_finite() {
        return "0".into();
    }
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" {
        "0".into()
    } else {
        text.into()
    }
}

/// At most `most` characters, the last an ellipsis where something was cut.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_holds_no_markup() {
        assert_eq!(
            escape(r#"<a href="x">&'"#),
            "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"
        );
        assert_eq!(escape("a\u{0}b\u{202e}"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_line_breaks_after_separators_and_never_within_a_word_of_usual_length() {
        assert_eq!(
            breakable("n0_great-white/a b.jpg"),
            "n0_<wbr>great-<wbr>white/<wbr>a b.jpg"
        );
        assert_eq!(
            breakable("008.Auklet/01.jpg"),
            "008.<wbr>Auklet/<wbr>01.jpg"
        );
        assert_eq!(breakable("large__<"), "large__&lt;");
        assert_eq!(breakable("test.parquet#57"), "test.parquet<wbr>#57");
        assert!(!breakable("Telecommunications").contains("<wbr>"));
        let endless = breakable(&"x".repeat(60));
        assert_eq!(endless.matches("<wbr>").count(), 2, "{endless}");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(plain(-0.001, 2), "0.00");
        assert_eq!(plain(-1.5, 1), "−1.5");
        assert_eq!(plain(f64::NAN, 1), "n/a");
        assert_eq!(significant(0.123_456, 3), "0.123");
        assert_eq!(significant(1234.5, 3), "1234" /* round half to even */);
        assert_eq!(significant(3e-5, 3), "3.00e−5");
        assert_eq!(count(1_305_376), "1\u{202f}305\u{202f}376");
        assert_eq!(px(-0.04), "0");
        assert_eq!(shorten("abcdef", 4), "abc…");
    }
}
