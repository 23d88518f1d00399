//! Pictures in files; every error names the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use siamese_framing::{Framing, Picture};

use super::decode::{PictureInfo, decode, probe};
use super::limits::{PictureError, PictureLimits};
use super::looks::{self, Looks};
use crate::error::DataError;

/// Of most files this much is enough to know their size: a camera's notes have up to 64 KiB.
const HEAD: u64 = 80 << 10;

/// Reads one picture as an image (H, W, C).
///
/// # Errors
///
/// [`DataError::Picture`] names the file and says why it is not read.
pub fn read_picture(
    path: &Path,
    framing: &Framing,
    limits: &PictureLimits,
) -> Result<Vec<u8>, DataError> {
    let picture = decode_file(path, limits, Some(framing))?;
    Ok(picture.frame(framing))
}

/// Reads the header of the picture in a file, and no more of the file than it takes.
///
/// # Errors
///
/// [`DataError::Picture`] names the file and says why it is not read.
pub fn probe_file(path: &Path) -> Result<PictureInfo, DataError> {
    let named = DataError::picture(path);
    let probed = || -> Result<PictureInfo, PictureError> {
        let (mut file, length) = open(path, &PictureLimits::from_env()?)?;
        let mut bytes = Vec::new();
        file.by_ref()
            .take(HEAD)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        match probe(&bytes) {
            Err(PictureError::Cut | PictureError::Damaged(_)) if length > HEAD => {
                file.read_to_end(&mut bytes).map_err(unreadable)?;
                probe(&bytes)
            }
            probed => probed,
        }
    };
    probed().map_err(named)
}

/// What the file at `path` looks like.
///
/// # Errors
///
/// What the system said instead of giving its bytes.
pub fn looks_of_file(path: &Path) -> io::Result<Looks> {
    let mut head = Vec::new();
    let (file, _) = siamese_files::open_regular(path)?;
    file.take(looks::HEAD as u64).read_to_end(&mut head)?;
    Ok(Looks::of(&head))
}

/// What the environment says of [`PictureLimits`].
///
/// # Errors
///
/// [`DataError::Invalid`] if that is no limit.
pub(crate) fn limits() -> Result<PictureLimits, DataError> {
    PictureLimits::from_env().map_err(|error| DataError::Invalid(error.to_string()))
}

/// The picture in a file, upright; with a framing as [`decode`] makes it for that.
///
/// # Errors
///
/// [`DataError::Picture`] names the file and says why it is not read.
pub fn decode_file(
    path: &Path,
    limits: &PictureLimits,
    framing: Option<&Framing>,
) -> Result<Picture, DataError> {
    let decoded = || {
        let (mut file, length) = open(path, limits)?;
        let mut bytes = Vec::with_capacity(length as usize);
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        decode(&bytes, limits, framing)
    };
    decoded().map_err(DataError::picture(path))
}

/// A regular file, no longer than allowed, and its length: a pipe would be waited for without end.
fn open(path: &Path, limits: &PictureLimits) -> Result<(File, u64), PictureError> {
    let (file, found) = siamese_files::open_regular(path).map_err(unreadable)?;
    limits.check_file(found.len())?;
    Ok((file, found.len()))
}

fn unreadable(error: io::Error) -> PictureError {
    PictureError::Unreadable(error.to_string())
}
