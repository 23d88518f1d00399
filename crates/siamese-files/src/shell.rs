//! Words that a shell takes as they are.

use std::fmt::Write as _;

/// A word as a shell takes it: quoted where it would be split, expanded or obeyed.
///
/// ```
/// use siamese_files::quoted;
/// assert_eq!(quoted("runs/birds-1"), "runs/birds-1");
/// assert_eq!(quoted("my photos/it's.jpg"), r"'my photos/it'\''s.jpg'");
/// assert_eq!(quoted("$(reboot)\n"), r"$'$(reboot)\x0a'");
/// ```
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=+,./:@%".contains(c);
    // what cannot be seen is written by its number, which takes another kind of quotes
    if word.contains(|c: char| c == '\n' || c == '\t' || crate::is_illegible(c)) {
        return by_number(word);
    }
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn by_number(word: &str) -> String {
    let mut written = String::from("$'");
    for letter in word.chars() {
        match letter {
            '\'' | '\\' => written.extend(['\\', letter]),
            hidden if hidden == '\n' || hidden == '\t' || crate::is_illegible(hidden) => {
                for byte in hidden.encode_utf8(&mut [0; 4]).bytes() {
                    // writing to a string does not fail
                    let _ = write!(written, "\\x{byte:02x}");
                }
            }
            other => written.push(other),
        }
    }
    written + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_split_or_expand_are_quoted() {
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("Straße/ß.jpg"), "Straße/ß.jpg");
        assert_eq!(quoted("~/a"), "'~/a'");
        for word in [
            "a b", "$HOME", "`id`", "a;b", "*", "#a", "!x", "a&b", "{a,b}",
        ] {
            assert_eq!(quoted(word), format!("'{word}'"));
        }
    }

    #[cfg(unix)]
    #[cfg_attr(miri, ignore = "starts a process")]
    #[test]
    fn a_shell_reads_each_word_as_it_was() {
        let words = [
            "it's \\",
            "a\u{1b}[2J\nb'",
            "~root",
            "\u{202e}gnp.\u{9b}",
            "-n $(id) `id` \\x41",
        ];
        for word in words {
            let line = format!("printf %s {}", quoted(word));
            let Ok(said) = std::process::Command::new("bash")
                .args(["-c", &line])
                .output()
            else {
                println!("not tried: there is no bash");
                return;
            };
            assert_eq!(String::from_utf8_lossy(&said.stdout), *word, "{line}");
        }
    }
}
