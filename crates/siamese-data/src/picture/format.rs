//! What kind of file bytes are, by how they begin: a picture is what its bytes say, not its name.

use std::path::Path;

use super::limits::PictureError;

/// A kind of picture that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Portable Network Graphics; of an animation the first frame.
    Png,
    /// JPEG: baseline and progressive, grey, colour or CMYK.
    Jpeg,
    /// WebP, lossy or not.
    WebP,
    /// GIF; of an animation the first frame.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// PBM, PGM, PPM and PAM.
    Pnm,
    /// TIFF; of several pages the first.
    Tiff,
    /// HEIC, as phones take; read where the crate has its feature `heic`.
    Heic,
}

const NAMES: [&str; 19] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "dib", "pgm", "ppm", "pbm", "pnm",
    "pam", "tif", "tiff", "heic", "heif", "hif",
];

/// Whether a file is named as pictures are that are read. What its bytes say is what counts.
///
/// ```
/// use siamese_data::is_picture_name;
///
/// assert!(is_picture_name("birds/wren.JPG".as_ref()) && !is_picture_name("notes.txt".as_ref()));
/// ```
pub fn is_picture_name(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    NAMES.contains(&extension.to_lowercase().as_str())
}

/// Whether bytes begin as a picture does, of a kind that is read or not; the first 64 are enough.
pub fn looks_like_picture(bytes: &[u8]) -> bool {
    matches!(format_of(bytes), Ok(_) | Err(PictureError::Unsupported(_)))
}

/// The kind of picture that `bytes` begin as.
pub(super) fn format_of(bytes: &[u8]) -> Result<Format, PictureError> {
    let at = |offset: usize, wanted: &[u8]| {
        let rest = bytes.get(offset..);
        rest.is_some_and(|rest| rest.starts_with(wanted))
    };
    if at(4, b"ftyp") {
        return container(bytes);
    }
    if at(0, b"RIFF") && at(8, b"WEBP") {
        return Ok(Format::WebP);
    }
    if let [b'P', b'1'..=b'7', next, ..] = bytes
        && (next.is_ascii_whitespace() || *next == b'#')
    {
        return Ok(Format::Pnm);
    }
    let known = READ.iter().find(|(magic, _)| at(0, magic));
    if let Some((_, format)) = known {
        return Ok(*format);
    }
    match UNREAD.iter().find(|(magic, _)| at(0, magic)) {
        Some((_, kind)) => Err(PictureError::Unsupported((*kind).into())),
        None => Err(PictureError::NotAPicture(other(bytes))),
    }
}

const READ: [(&[u8], Format); 8] = [
    (b"\x89PNG\r\n\x1a\n", Format::Png),
    (b"\xFF\xD8\xFF", Format::Jpeg),
    (b"GIF87a", Format::Gif),
    (b"GIF89a", Format::Gif),
    (b"BM", Format::Bmp),
    (b"II*\0", Format::Tiff),
    (b"MM\0*", Format::Tiff),
    // BigTIFF
    (b"II+\0", Format::Tiff),
];

const UNREAD: [(&[u8], &str); 9] = [
    (b"\xFF\x0A", "JPEG XL"),
    (b"\0\0\0\x0CJXL ", "JPEG XL"),
    (b"\0\0\0\x0CjP  ", "JPEG 2000"),
    (b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\x01\0", "an icon"),
    (b"\x76\x2F\x31\x01", "OpenEXR"),
    (b"qoif", "QOI"),
    (b"FUJIFILM", "a camera's raw file"),
];

/// HEIC, AVIF and films share a container, and name what is in it.
fn container(bytes: &[u8]) -> Result<Format, PictureError> {
    let length = bytes.get(..4).and_then(|four| four.try_into().ok());
    let length = length.map_or(0, u32::from_be_bytes) as usize;
    let brands = &bytes[8..length.clamp(8, bytes.len())];
    let named = |wanted: &[&[u8]]| brands.chunks_exact(4).any(|brand| wanted.contains(&brand));
    if named(&[b"avif", b"avis"]) {
        Err(PictureError::Unsupported("AVIF".into()))
    } else if named(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"mif2",
    ]) {
        Ok(Format::Heic)
    } else if named(&[b"crx "]) {
        Err(PictureError::Unsupported("a camera's raw file".into()))
    } else {
        Err(PictureError::NotAPicture("a film"))
    }
}

/// What bytes that are no picture look like.
fn other(bytes: &[u8]) -> &'static str {
    let text = bytes.trim_ascii_start();
    let begins = |wanted: &str| {
        let start = text.get(..wanted.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let sample = &bytes[..bytes.len().min(512)];
    match () {
        () if bytes.is_empty() => "an empty file",
        () if begins("version https://git-lfs") => {
            "a pointer that git-lfs left (run `git lfs pull`)"
        }
        () if begins("<!doctype html") || begins("<html") => "a web page (a failed download?)",
        () if begins("<svg") || begins("<?xml") => "XML or SVG",
        () if begins("%PDF") => "a PDF",
        () if begins("PK\x03\x04") => "a zip archive",
        () if begins("PAR1") => "a parquet file",
        () if begins("\x1f") && bytes.get(1) == Some(&0x8b) => "a gzip archive",
        () if bytes.iter().all(|&byte| byte == 0) => {
            "nothing but zeros (a failed download or copy?)"
        }
        () if !sample.contains(&0)
            && std::str::from_utf8(sample).map_or_else(|e| e.error_len().is_none(), |_| true) =>
        {
            "text"
        }
        () => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_picture_are_named() {
        let said = |bytes: &[u8]| format_of(bytes).unwrap_err().to_string();
        let named: [(&[u8], &str); 8] = [
            (b"", "an empty file"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid",
                "git lfs pull",
            ),
            (b"\n<!DOCTYPE html><title>404", "a web page"),
            (b"hello, \xc3\xa4 text", "text"),
            (&[0; 100], "zeros"),
            (b"PK\x03\x04rest", "zip"),
            (
                b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
                "AVIF, a kind that is not read",
            ),
            (b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42", "a film"),
        ];
        for (bytes, words) in named {
            assert!(said(bytes).contains(words), "{}", said(bytes));
        }
        assert!(looks_like_picture(b"\0\0\0\x14ftypavif\0\0\0\0avif"));
        assert!(!looks_like_picture(b"P5x"), "no white space follows");
    }

    #[test]
    fn phones_name_heic_among_the_compatible_kinds() {
        assert_eq!(
            format_of(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"),
            Ok(Format::Heic)
        );
    }
}
