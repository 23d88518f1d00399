//! From a stored picture to an image of the set.

use super::store::Stored;
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
pub(crate) fn image(stored: Stored, framing: &Framing) -> Result<Vec<u8>, String> {
    let size = (framing.height, framing.width, framing.colour.channels());
    let picture = match stored {
        Stored::Raw(raw) if (raw.height, raw.width, raw.channels) == size => return Ok(raw.pixels),
        Stored::Raw(raw) => Picture::of_pixels((raw.height, raw.width, raw.channels), raw.pixels)
            .ok_or("its pixels are fewer than its size says")?,
        Stored::Encoded(bytes) => decode(&bytes, &PictureLimits::default(), Some(framing))
            .map_err(|error| error.to_string())?,
    };
    Ok(picture.frame(framing))
}
