//! The kinds of pictures that are read, and what their files are called.

use std::path::Path;

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

const READ: [&str; 20] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "dib", "pgm", "ppm", "pbm",
    "pnm", "pam", "tif", "tiff", "heic", "heif", "hif",
];

const UNREAD: [&str; 40] = [
    "avif", "jxl", "jp2", "j2k", "jpx", "jxr", "svg", "svgz", "psd", "psb", "xcf", "ico", "icns",
    "exr", "hdr", "qoi", "dds", "tga", "pcx", "pfm", "fits", "dcm", "eps", "ai", "dng", "nef",
    "nrw", "cr2", "cr3", "crw", "arw", "sr2", "orf", "rw2", "raf", "pef", "srw", "3fr", "x3f",
    "raw",
];

/// Whether a file is named as pictures are that are read. What its bytes say is what counts.
///
/// ```
/// use siamese_data::is_picture_name;
///
/// assert!(is_picture_name("birds/wren.JPG".as_ref()) && !is_picture_name("notes.txt".as_ref()));
/// ```
pub fn is_picture_name(file: &Path) -> bool {
    READ.contains(&ending(file).as_str())
}

/// As [`is_picture_name`], or as pictures are that are not read.
pub(crate) fn is_any_picture_name(file: &Path) -> bool {
    is_picture_name(file) || UNREAD.contains(&ending(file).as_str())
}

fn ending(file: &Path) -> String {
    let ending = file.extension().unwrap_or_default();
    ending.to_string_lossy().to_lowercase()
}
