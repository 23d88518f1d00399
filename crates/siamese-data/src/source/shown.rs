//! Names of files for people.

/// A file's name for people: bytes that are no text as `\xNN`.
pub(crate) fn shown(name: &std::ffi::OsStr) -> String {
    shown_bytes(name.as_encoded_bytes())
}

/// As [`shown`], of the bytes themselves.
pub(crate) fn shown_bytes(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text += chunk.valid();
        chunk
            .invalid()
            .iter()
            .for_each(|byte| text += &format!("\\x{byte:02X}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_stay_apart() {
        use std::os::unix::ffi::OsStrExt;
        let [a, b] = [b"a\xff", b"a\xfe"].map(|name| shown(std::ffi::OsStr::from_bytes(name)));
        assert_eq!((a.as_str(), b.as_str()), ("a\\xFF", "a\\xFE"));
    }
}
