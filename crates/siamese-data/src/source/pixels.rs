//! From a stored picture to an image of the set.

use super::stored::Stored;
use crate::picture::{Framing, Picture, PictureLimits, decode, probe};

/// What a picture's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Upright.
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) grey: bool,
}

/// The header of a picture; `None` if it cannot be read.
pub(crate) fn header(stored: &Stored) -> Option<Header> {
    match stored {
        Stored::Raw(raw) => Some(Header {
            height: raw.height,
            width: raw.width,
            grey: raw.channels == 1,
        }),
        Stored::Encoded(bytes) => {
            let info = probe(bytes).ok()?;
            Some(Header {
                height: info.height,
                width: info.width,
                grey: info.grey,
            })
        }
    }
}

/// The image, (H, W, C); an error says what is wrong with the picture.
pub(crate) fn image(
    stored: Stored,
    framing: &Framing,
    limits: &PictureLimits,
) -> Result<Vec<u8>, String> {
    let size = (framing.height, framing.width, framing.colour.channels());
    match stored {
        Stored::Raw(raw) if (raw.height, raw.width, raw.channels) == size => Ok(raw.pixels),
        stored => Ok(picture(stored, Some(framing), limits)?.frame(framing)),
    }
}

/// The picture, decoded; an error says what is wrong with it.
pub(crate) fn picture(
    stored: Stored,
    framing: Option<&Framing>,
    limits: &PictureLimits,
) -> Result<Picture, String> {
    match stored {
        Stored::Raw(raw) => Picture::of_pixels((raw.height, raw.width, raw.channels), raw.pixels)
            .ok_or_else(|| "its pixels are fewer than its size says".into()),
        Stored::Encoded(bytes) => {
            decode(&bytes, limits, framing).map_err(|error| error.to_string())
        }
    }
}
