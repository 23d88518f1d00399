//! What bytes say they are, by how they begin.

/// As many bytes as are looked at.
pub(crate) const HEAD: usize = 64;

/// Whether bytes begin as a picture does, and if not, what they look like, in words.
pub(crate) fn not_a_picture(head: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let at = |place: usize, magic: &[u8]| {
        head.get(place..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    let portable = head.len() > 2
        && head[0] == b'P'
        && (b'1'..=b'6').contains(&head[1])
        && head[2].is_ascii_whitespace();
    let brand = at(4, b"ftyp").then(|| head.get(8..12).unwrap_or_default());
    match () {
        () if starts(b"\x89PNG\r\n\x1a\n")
            || starts(&[0xff, 0xd8, 0xff])
            || starts(b"GIF8")
            || portable =>
        {
            None
        }
        () if starts(b"RIFF") && at(8, b"WEBP") => None,
        () if starts(b"II*\0") || starts(b"MM\0*") => None,
        () if starts(b"BM") && at(6, &[0; 4]) => None,
        () if brand.is_some_and(|b| {
            [b"heic", b"heix", b"mif1", b"msf1", b"heim", b"hevc"]
                .iter()
                .any(|h| *h == b)
        }) =>
        {
            None
        }
        () if brand.is_some_and(|b| b == b"avif" || b == b"avis") => {
            Some("AVIF, which is not read")
        }
        () if brand.is_some() => Some("a video"),
        () if head.is_empty() => Some("an empty file"),
        () if starts(b"version https://git-lfs") => {
            Some("a git-lfs pointer: the picture was not fetched")
        }
        () if starts(b"%PDF") => Some("a PDF"),
        () if starts(b"PK\x03\x04") => Some("a zip archive"),
        () if starts(&[0x1f, 0x8b]) => Some("a gzipped file"),
        () if starts(b"PAR1") => Some("a parquet file"),
        () if starts(b"\x1a\x45\xdf\xa3") || (starts(b"RIFF") && at(8, b"AVI ")) => Some("a video"),
        () if is_text(head) => Some("text"),
        () => Some("a file of another kind"),
    }
}

/// Whether these are the first bytes of text in UTF-8 or, by its mark, UTF-16.
pub(crate) fn is_text(head: &[u8]) -> bool {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let whole = match std::str::from_utf8(head) {
        Ok(_) => head.len(),
        // a letter cut by the end of what was looked at
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return false,
    };
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    !head[..whole].iter().any(control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_bytes_say() {
        for picture in [
            b"\x89PNG\r\n\x1a\nxx".as_slice(),
            b"P5\n92 112",
            b"\xff\xd8\xff\xe0",
            b"BM\x36\0\0\0\0\0\0\0",
            b"GIF89a",
        ] {
            assert_eq!(not_a_picture(picture), None, "{picture:?}");
        }
        assert_eq!(not_a_picture(b"BMW and other cars"), Some("text"));
        assert_eq!(not_a_picture(b""), Some("an empty file"));
        assert_eq!(not_a_picture("Köln, größer".as_bytes()), Some("text"));
        assert_eq!(not_a_picture(b"\0\0\0\x18ftypmp42"), Some("a video"));
        assert_eq!(not_a_picture(&[0, 1, 2, 3]), Some("a file of another kind"));
        assert!(
            not_a_picture(b"version https://git-lfs.github.com/spec/v1")
                .unwrap()
                .contains("git-lfs")
        );
    }
}
