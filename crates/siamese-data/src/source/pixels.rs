//! From a stored picture to an image of the set.

use super::store::Stored;
use crate::picture::decode::{Picture, PictureInfo, PictureLimits, decode, probe};
use crate::picture::framing::Framing;

/// The header of a picture; `None` if it cannot be read.
pub(crate) fn header(stored: &Stored) -> Option<PictureInfo> {
    match stored {
        Stored::Raw(raw) => Some(PictureInfo {
            height: raw.height,
            width: raw.width,
            grey: raw.channels == 1,
        }),
        Stored::Encoded(bytes) => probe(bytes).ok(),
    }
}

/// The image, (H, W, C); an error says what is wrong with the picture.
pub(crate) fn image(stored: Stored, framing: &Framing) -> Result<Vec<u8>, String> {
    let size = (framing.height, framing.width, framing.colour.channels());
    let picture = match stored {
        Stored::Raw(raw) if (raw.height, raw.width, raw.channels) == size => return Ok(raw.pixels),
        Stored::Raw(raw) => {
            let picture = Picture::of_pixels((raw.height, raw.width, raw.channels), raw.pixels);
            picture.ok_or("its pixels are fewer than its size says")?
        }
        Stored::Encoded(bytes) => {
            decode(&bytes, &PictureLimits::default()).map_err(|error| error.to_string())?
        }
    };
    Ok(picture.frame(framing))
}
