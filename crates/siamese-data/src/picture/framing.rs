//! How a picture of any size becomes an image of a set: size, colour, and what happens to its shape.

use serde::{Deserialize, Serialize};

/// How a picture becomes an image of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Colour or grey.
    #[serde(default)]
    pub colour: Colour,
    /// What happens where the picture has another shape.
    #[serde(default)]
    pub fit: Fit,
}

/// The channels of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// One channel.
    Grey,
}

impl Colour {
    /// The number of values per pixel.
    pub fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Grey => 1,
        }
    }
}

/// What happens to a picture that has another shape than the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Its short side is resized, and the middle cut out.
    #[default]
    Crop,
    /// Its long side is resized, and the rest filled.
    Pad,
    /// Both sides are resized as they come.
    Stretch,
}
