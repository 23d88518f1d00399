//! How large a picture may be, and why one is not read.

/// How large a picture may be; it is refused by the size that it declares, before it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureLimits {
    /// Height × width.
    pub max_pixels: u64,
    /// Bytes of the file, and of the pixels as the file has them (16-bit RGBA has 8 a pixel).
    pub max_bytes: u64,
}

/// 225 million pixels, as the largest phones take, and 1 GiB.
impl Default for PictureLimits {
    fn default() -> Self {
        Self {
            max_pixels: 225_000_000,
            max_bytes: 1 << 30,
        }
    }
}

impl PictureLimits {
    pub(super) fn check_file(&self, bytes: u64) -> Result<(), PictureError> {
        let limit = self.max_bytes;
        if bytes > limit {
            return Err(PictureError::TooManyBytes { bytes, limit });
        }
        Ok(())
    }

    /// Checks a declared size, `depth` bytes a pixel.
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
    #[error("it declares {height}x{width} pixels, where at most {limit} are allowed")]
    TooManyPixels {
        /// Declared.
        height: u64,
        /// Declared.
        width: u64,
        /// [`PictureLimits::max_pixels`].
        limit: u64,
    },
    /// More bytes than allowed.
    #[error("it has {bytes} bytes, or would once decoded, where at most {limit} are allowed")]
    TooManyBytes {
        /// Of the file, or declared.
        bytes: u64,
        /// [`PictureLimits::max_bytes`].
        limit: u64,
    },
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
