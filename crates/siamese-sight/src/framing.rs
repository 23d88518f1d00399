//! How a model's file says that pictures are framed.

use siamese_core::{Fit as Asked, ImageInput};
use siamese_framing::{Colour, Fit, Framing};

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
            Asked::Crop => Fit::Crop,
            Asked::Pad => Fit::Pad,
            Asked::Stretch => Fit::Stretch,
        },
    }
}
