//! How a picture becomes an image of a set: its size, its colour, and what happens to its shape.

use serde::{Deserialize, Serialize};

/// The channels of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Red, green and blue; a grey picture has the same in each.
    #[default]
    Rgb,
    /// One channel: the luma of ITU-R BT.601, as JPEG's own.
    Grey,
}

impl Colour {
    /// Values of each pixel: 3 or 1.
    pub fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Grey => 1,
        }
    }
}

/// What happens to a picture whose shape is not the image's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It is resized until it covers the image, and the middle is kept.
    #[default]
    Crop,
    /// It is resized until it lies within the image; the mean colour of its outline surrounds it.
    Pad,
    /// Both sides are resized as they come: its proportions change.
    Stretch,
}

/// How a picture becomes an image of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Framing {
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Its channels.
    #[serde(default)]
    pub colour: Colour,
    /// What happens to the picture's shape.
    #[serde(default)]
    pub fit: Fit,
}

impl Framing {
    /// Bytes of an image: height × width × channels.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.colour.channels()
    }
}
