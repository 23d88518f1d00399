//! Turned copies of images as classes of their own: a letter on its side is another letter.

use serde::{Deserialize, Serialize};

/// Which copies of an image are classes of their own, beside that of the image as it is.
///
/// Rotations are what few-shot papers train on Omniglot with (Santoro et al. 2016); the mirror image of a face is the
/// face of somebody else who looks much like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turned {
    /// By 90, 180 and 270 degrees; for square images.
    Rotations,
    /// Left and right exchanged.
    Mirrored,
}

impl Turned {
    /// How many images become of one: the image as it is, and its copies.
    pub fn count(self) -> usize {
        match self {
            Self::Rotations => 4,
            Self::Mirrored => 2,
        }
    }

    /// In a clause: `each turned by 90, 180 and 270 degrees too`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Rotations => "each turned by 90, 180 and 270 degrees too",
            Self::Mirrored => "each mirrored too",
        }
    }

    /// The classes of all images: of those as they are, then of each turn in its turn, numbered on from `classes`.
    ///
    /// ```
    /// use siamese_data::Turned;
    /// assert_eq!(Turned::Mirrored.labels(&[0, 1, 1], 2), [0, 1, 1, 2, 3, 3]);
    /// ```
    pub fn labels(self, labels: &[u32], classes: usize) -> Vec<u32> {
        let turn = |k: usize| labels.iter().map(move |label| label + (k * classes) as u32);
        (0..self.count()).flat_map(turn).collect()
    }

    /// Writes the `k`th copy of `image` (height, width, channels) to `out`; the one with number 0 is as it is.
    pub(crate) fn apply(
        self,
        k: u8,
        image: &[u8],
        (height, width, channels): (usize, usize, usize),
        out: &mut [u8],
    ) {
        for (at, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let (y, x) = (at / width, at % width);
            let (from_y, from_x) = match (self, k) {
                (_, 0) => (y, x),
                (Self::Mirrored, _) => (y, width - 1 - x),
                (Self::Rotations, 1) => (x, width - 1 - y),
                (Self::Rotations, 2) => (height - 1 - y, width - 1 - x),
                (Self::Rotations, _) => (height - 1 - x, y),
            };
            let from = (from_y * width + from_x) * channels;
            pixel.copy_from_slice(&image[from..from + channels]);
        }
    }
}
