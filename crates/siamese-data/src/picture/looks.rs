//! What kind of file bytes are, by how they begin: a picture is what its bytes say, not its name.

use super::format::Format;
use super::limits::PictureError;
use super::tiff_tags;

/// As many bytes of a file as [`Looks::of`] wants.
pub(crate) const HEAD: usize = 1024;

/// What a file is, as far as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// A picture of a kind that is read.
    Picture(Format),
    /// A picture of a kind that is not read, in words.
    Unread(&'static str),
    /// Text of no kind that is known.
    Text,
    /// No picture; what it looks like, in words.
    Other(&'static str),
}

/// What stands in a file's place where the file itself was not fetched.
const POINTER: &str = "a pointer that git-lfs left (run `git lfs pull`)";
const PAGE: &str = "a web page (a failed download?)";
/// Neither of a kind that is known, nor text.
pub(crate) const UNKNOWN: &str = "a file of another kind";
const ZEROS: &str = "nothing but zeros (a failed download or copy?)";

/// A camera's own format, whichever.
const RAW: &str = "a camera's raw file";

const READ: [(&[u8], Format); 5] = [
    (b"\x89PNG\r\n\x1a\n", Format::Png),
    (b"\xFF\xD8\xFF", Format::Jpeg),
    (b"GIF87a", Format::Gif),
    (b"GIF89a", Format::Gif),
    // BigTIFF
    (b"II+\0", Format::Tiff),
];

const UNREAD: [(&[u8], &str); 29] = [
    (b"\xFF\x0A", "JPEG XL"),
    (b"\0\0\0\x0CJXL ", "JPEG XL"),
    (b"\0\0\0\x0CjP  ", "JPEG 2000"),
    (b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (b"II\xBC\x01", "JPEG XR"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"\0\0\x01\0", "an icon"),
    (b"\0\0\x02\0", "an icon"),
    (b"icns", "an icon"),
    (b"\x76\x2F\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"\x0A\x05\x01", "PCX"),
    (b"BPG\xFB", "BPG"),
    (b"FLIF", "FLIF"),
    (b"PF\n", "PFM"),
    (b"Pf\n", "PFM"),
    (b"AT&TFORM", "DjVu"),
    (b"SIMPLE  =", "FITS"),
    (b"FUJIFILM", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"IIU\0", RAW),
    (b"II\x1A\0\0\0HEAPCCDR", RAW),
    (b"FOVb", RAW),
    (b"\0MRM", RAW),
];

const OTHER: [(&[u8], &str); 18] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1F\x8B", "a gzipped file"),
    (b"BZh", "a file packed by bzip2"),
    (b"\xFD7zXZ\0", "a file packed by xz"),
    (b"\x28\xB5\x2F\xFD", "a file packed by zstd"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"PAR1", "a parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x80\x02", "a Python pickle"),
    (b"\xD0\xCF\x11\xE0", "an old Office document"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"\x1A\x45\xDF\xA3", "a film"),
    (b"\0\0\x08\x03", "an IDX file"),
];

impl Looks {
    /// What bytes look like; the first kilobyte of a file is enough.
    ///
    /// ```
    /// use siamese_data::{Format, Looks};
    ///
    /// assert_eq!(Looks::of(b"\xFF\xD8\xFF\xE0"), Looks::Picture(Format::Jpeg));
    /// assert_eq!(Looks::of(b"8BPS"), Looks::Unread("a Photoshop document"));
    /// assert_eq!(Looks::of(b"hello"), Looks::Text);
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        let at = |place: usize, wanted: &[u8]| {
            let rest = bytes.get(place..);
            rest.is_some_and(|rest| rest.starts_with(wanted))
        };
        let begins = |(magic, _): &&(&[u8], &'static str)| bytes.starts_with(magic);
        if at(4, b"ftyp") {
            return container(bytes);
        }
        if at(0, b"RIFF") && at(8, b"WEBP") {
            return Self::Picture(Format::WebP);
        }
        if at(0, b"II*\0") || at(0, b"MM\0*") {
            return match at(8, b"CR") || tiff_tags::is_raw(bytes) {
                true => Self::Unread(RAW),
                false => Self::Picture(Format::Tiff),
            };
        }
        if is_pnm(bytes) {
            return Self::Picture(Format::Pnm);
        }
        if is_bmp(bytes) {
            return Self::Picture(Format::Bmp);
        }
        if let Some((_, format)) = READ.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Self::Picture(*format);
        }
        if let Some((_, kind)) = UNREAD.iter().find(begins) {
            return Self::Unread(kind);
        }
        if at(128, b"DICM") {
            return Self::Unread("DICOM");
        }
        match OTHER.iter().find(begins) {
            Some((_, kind)) => Self::Other(kind),
            None => without_number(bytes),
        }
    }

    /// Why these bytes are no picture that can be read, in words; `None` if they begin as one.
    pub(crate) fn why_not(self) -> Option<String> {
        match self {
            Self::Picture(_) => None,
            Self::Unread(kind) => Some(format!("{kind}, a kind of picture that is not read")),
            Self::Text | Self::Other(_) => Some(self.in_words().into()),
        }
    }

    /// What it looks like, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Picture(_) => "a picture",
            Self::Unread(kind) | Self::Other(kind) => kind,
            Self::Text => "text",
        }
    }

    /// Whether it stands in the place of a file that was not fetched.
    pub fn is_stand_in(self) -> bool {
        matches!(self, Self::Other(POINTER | PAGE))
    }
}

/// HEIC, AVIF and films share a container, and name what is in it.
fn container(bytes: &[u8]) -> Looks {
    let length = bytes.first_chunk().copied().map_or(0, u32::from_be_bytes) as usize;
    let brands = &bytes[8..length.clamp(8, bytes.len())];
    let named = |wanted: &[&[u8]]| brands.chunks_exact(4).any(|brand| wanted.contains(&brand));
    match () {
        () if named(&[b"avif", b"avis"]) => Looks::Unread("AVIF"),
        () if named(&[
            b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"mif2", b"msf1",
        ]) =>
        {
            Looks::Picture(Format::Heic)
        }
        () if named(&[b"crx "]) => Looks::Unread(RAW),
        () => Looks::Other("a film"),
    }
}

/// `P5`, and a number, a comment or (`P7`) a word after white space.
fn is_pnm(bytes: &[u8]) -> bool {
    let [b'P', kind @ b'1'..=b'7', next, rest @ ..] = bytes else {
        return false;
    };
    let first = rest.trim_ascii_start().first();
    match next {
        b'#' => true,
        next if next.is_ascii_whitespace() => first.is_none_or(|first| match kind {
            b'7' => first.is_ascii_uppercase() || *first == b'#',
            _ => first.is_ascii_digit() || *first == b'#',
        }),
        _ => false,
    }
}

/// `BM`, and the length of one of the headers that follow it.
fn is_bmp(bytes: &[u8]) -> bool {
    let header = bytes.get(14..18).and_then(|four| four.try_into().ok());
    let lengths = [12, 16, 40, 52, 56, 64, 108, 124];
    bytes.starts_with(b"BM")
        && header.is_none_or(|four| lengths.contains(&u32::from_le_bytes(four)))
        && (bytes.len() >= 18 || !is_text(bytes))
}

/// What bytes without a number of their own look like.
fn without_number(bytes: &[u8]) -> Looks {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = text.trim_ascii_start();
    let begins = |wanted: &str| {
        let start = text.get(..wanted.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let holds = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    let safetensors = bytes.get(4..10) == Some(b"\0\0\0\0{\"");
    Looks::Other(match () {
        () if bytes.is_empty() => "an empty file",
        () if begins("version https://git-lfs") => POINTER,
        () if begins("<svg") || (begins("<?xml") && holds(b"<svg")) => {
            return Looks::Unread("SVG");
        }
        () if begins("<!doctype html") || begins("<html") || begins("<head") => PAGE,
        () if begins("<?xml") && holds(b"<html") => PAGE,
        () if begins("<?xml") => "XML",
        () if begins("/* XPM") => return Looks::Unread("XPM"),
        () if bytes.starts_with(b"RIFF") && bytes.get(8..11) == Some(b"AVI") => "a film",
        () if bytes.iter().all(|&byte| byte == 0) => ZEROS,
        () if safetensors => "a safetensors file",
        () if is_text(bytes) => return Looks::Text,
        () => UNKNOWN,
    })
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

/// The kind of picture that `bytes` begin as.
pub(super) fn format_of(bytes: &[u8]) -> Result<Format, PictureError> {
    match Looks::of(bytes) {
        Looks::Picture(format) => Ok(format),
        Looks::Unread(kind) => Err(PictureError::Unsupported(kind.into())),
        looks => Err(PictureError::NotAPicture(looks.in_words())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_bytes_say() {
        let pictures: [(&[u8], Format); 10] = [
            (b"\x89PNG\r\n\x1a\nxx", Format::Png),
            (b"\xff\xd8\xff\xe0", Format::Jpeg),
            (b"GIF89a", Format::Gif),
            (b"P5\n92 112", Format::Pnm),
            (b"P6 # made by hand", Format::Pnm),
            (b"P7\nWIDTH 3", Format::Pnm),
            (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", Format::Bmp),
            (b"II*\0\x08\0\0\0", Format::Tiff),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Format::Heic),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Format::WebP),
        ];
        for (bytes, format) in pictures {
            assert_eq!(Looks::of(bytes), Looks::Picture(format), "{bytes:?}");
        }
        for no_picture in [
            "P5x",
            "P4 is a line",
            "BMW and other cars, among them",
            "BM",
        ] {
            assert_eq!(Looks::of(no_picture.as_bytes()), Looks::Text);
        }
    }

    #[test]
    fn pictures_that_are_not_read_are_named_by_kind() {
        let named: [(&[u8], &str); 11] = [
            (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "AVIF"),
            (b"\xFF\x0A", "JPEG XL"),
            (b"8BPS\0\x01", "a Photoshop document"),
            (b"<svg xmlns='x'>", "SVG"),
            (b"<?xml version='1.0'?>\n<!-- by hand -->\n<svg>", "SVG"),
            (b"\xEF\xBB\xBF<svg>", "SVG"),
            (b"II*\0\x10\0\0\0CR\x02\0", RAW),
            (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", RAW),
            (b"FUJIFILMCCD-RAW", RAW),
            (
                b"MM\0*\0\0\0\x08\0\x01\0\xFE\0\x04\0\0\0\x01\0\0\0\x01",
                RAW,
            ),
            (
                b"MM\0*\0\0\0\x08\0\x01\xC6\x12\0\x01\0\0\0\x04\x01\x04\0\0",
                RAW,
            ),
        ];
        for (bytes, kind) in named {
            assert_eq!(Looks::of(bytes), Looks::Unread(kind));
        }
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let named: [(&[u8], &str); 12] = [
            (b"", "an empty file"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid",
                "git lfs pull",
            ),
            (b"\n<!DOCTYPE html><title>404", "a web page"),
            (b"<?xml version='1.0'?><html xmlns='x'>", "a web page"),
            ("Köln, größer".as_bytes(), "text"),
            (&[0; 100], "zeros"),
            (b"PK\x03\x04rest", "zip"),
            (b"PAR1", "parquet"),
            (b"%PDF-1.7", "PDF"),
            (b"\x40\0\0\0\0\0\0\0{\"__metadata__\":", "safetensors"),
            (b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42", "a film"),
            (&[9, 1, 2, 3], "a file of another kind"),
        ];
        for (bytes, words) in named {
            let found = Looks::of(bytes);
            assert!(found.in_words().contains(words), "{words}: {found:?}");
            assert!(!matches!(found, Looks::Picture(_) | Looks::Unread(_)));
        }
    }
}
