//! How large a picture may be, and why one is not read.

use siamese_files::limits::PIXELS;

/// The environment variable that raises or lowers [`PictureLimits::max_pixels`].
const VARIABLE: &str = PIXELS.variable;

/// A pixel of 8-bit RGBA has so many bytes.
const BYTES_OF_A_PIXEL: u64 = 4;

/// How large a picture may be; it is refused by the size that it declares, before it is decoded.
///
/// By default 225 million pixels, as the largest phones take, and 1 GiB while it is decoded: 16-bit and progressive
/// pictures take more than others do. A picture that is turned upright takes a second copy for that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureLimits {
    /// Height × width.
    pub max_pixels: u64,
    /// Bytes of the file, and of what decoding it keeps in memory at once (of an RGBA picture 4 a pixel).
    pub max_bytes: u64,
}

impl Default for PictureLimits {
    fn default() -> Self {
        Self::of_pixels(PIXELS.default)
    }
}

impl PictureLimits {
    /// So many pixels, and the bytes that they may have: never less than 1 GiB.
    pub fn of_pixels(max_pixels: u64) -> Self {
        Self {
            max_pixels,
            max_bytes: max_pixels.saturating_mul(BYTES_OF_A_PIXEL).max(1 << 30),
        }
    }

    /// As many pixels as the environment variable `SIAMESE_MAX_PIXELS` says; the default where it is not set.
    ///
    /// # Errors
    ///
    /// [`PictureError::Setting`] if it is set to anything but a number of pixels.
    pub fn from_env() -> Result<Self, PictureError> {
        match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            None => Ok(Self::default()),
            Some(value) => Self::told(&value.to_string_lossy()),
        }
    }

    fn told(value: &str) -> Result<Self, PictureError> {
        match value.parse() {
            Ok(pixels) if pixels > 0 => Ok(Self::of_pixels(pixels)),
            _ => Err(PictureError::Setting(value.into())),
        }
    }

    /// Checks the length of a file.
    pub(crate) fn check_file(&self, bytes: u64) -> Result<(), PictureError> {
        let limit = self.max_bytes;
        if bytes > limit {
            return Err(PictureError::TooManyBytes { bytes, limit });
        }
        Ok(())
    }

    /// Checks a declared size, of which decoding keeps `depth` bytes a pixel.
    pub(super) fn check(&self, height: u64, width: u64, depth: u64) -> Result<(), PictureError> {
        let pixels = height.saturating_mul(width);
        if pixels > self.max_pixels {
            let limit = self.max_pixels;
            return Err(PictureError::TooManyPixels {
                height,
                width,
                limit,
            });
        }
        self.check_file(pixels.saturating_mul(depth))
    }
}

/// Why bytes are not read as a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The bytes are of another kind.
    #[error("it is no picture, but looks like {0}")]
    NotAPicture(&'static str),
    /// A picture of a kind that is not read.
    #[error("it is {0}, a kind that is not read; save it as PNG or JPEG")]
    Unsupported(String),
    /// More pixels than allowed.
    #[error(
        "it declares {height}x{width} pixels, where at most {limit} are allowed; set {VARIABLE}={} to read it",
        height.saturating_mul(*width)
    )]
    TooManyPixels {
        /// Declared.
        height: u64,
        /// Declared.
        width: u64,
        /// [`PictureLimits::max_pixels`].
        limit: u64,
    },
    /// More bytes than allowed.
    #[error(
        "it has {bytes} bytes, or would once decoded, where at most {limit} are allowed; set {VARIABLE}={} to read it",
        bytes.div_ceil(BYTES_OF_A_PIXEL)
    )]
    TooManyBytes {
        /// Of the file, or declared.
        bytes: u64,
        /// [`PictureLimits::max_bytes`].
        limit: u64,
    },
    /// The limit in the environment is not one.
    #[error(
        "{VARIABLE} is {0:?}, where a number of pixels was expected, as in {VARIABLE}=400000000"
    )]
    Setting(String),
    /// The bytes end before the picture does.
    #[error("it ends before the picture does")]
    Cut,
    /// The bytes contradict themselves.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The system did not give the bytes.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_of_pixels_and_the_bytes_follow() {
        let limits = PictureLimits::told("400000000").unwrap();
        assert_eq!(
            (limits.max_pixels, limits.max_bytes),
            (400_000_000, 1_600_000_000)
        );
        assert_eq!(
            PictureLimits::of_pixels(100).max_bytes,
            1 << 30,
            "a small limit is not one of files"
        );
        for wrong in ["0", "-1", " 5", "4e8", "all"] {
            let error = PictureLimits::told(wrong).unwrap_err().to_string();
            assert!(
                error.contains("SIAMESE_MAX_PIXELS") && error.contains(wrong),
                "{error}"
            );
        }
    }

    #[test]
    fn a_refusal_says_what_to_set_and_that_is_enough() {
        let error = PictureLimits::default()
            .check(60_000, 60_000, 4)
            .unwrap_err();
        assert!(
            error.to_string().contains("SIAMESE_MAX_PIXELS=3600000000"),
            "{error}"
        );
        assert_eq!(
            PictureLimits::of_pixels(3_600_000_000).check(60_000, 60_000, 4),
            Ok(())
        );
    }
}
