//! A picture prepared for a tower, as the model file says: the one place where this is done.

use std::path::Path;

use siamese_core::{Fit, ImageInput};
use siamese_data::{Colour, Framing, PictureLimits, decode, read_picture};

use crate::error::Error;

/// How a picture becomes an image that a tower takes.
pub fn framing(input: &ImageInput) -> Framing {
    Framing {
        height: input.height,
        width: input.width,
        colour: if input.channels() == 1 {
            Colour::Grey
        } else {
            Colour::Rgb
        },
        fit: match input.fit {
            Fit::Crop => siamese_data::Fit::Crop,
            Fit::Pad => siamese_data::Fit::Pad,
            Fit::Stretch => siamese_data::Fit::Stretch,
        },
    }
}

/// The bytes (H, W, C) of the picture in a file.
pub(crate) fn of_file(path: &Path, input: &ImageInput) -> Result<Vec<u8>, Error> {
    Ok(read_picture(
        path,
        &framing(input),
        &PictureLimits::from_env()?,
    )?)
}

/// The bytes (H, W, C) of an encoded picture.
pub(crate) fn of_bytes(encoded: &[u8], input: &ImageInput) -> Result<Vec<u8>, Error> {
    let framing = framing(input);
    let picture = decode(encoded, &PictureLimits::from_env()?, Some(&framing))?;
    Ok(picture.frame(&framing))
}
