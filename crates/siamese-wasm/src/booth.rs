//! A model and the two pictures before it.

use candle_core::Device;
use serde::Serialize;
use siamese_core::Model;
use siamese_files::limits::PIXELS;
use siamese_framing::Picture;
use siamese_sight::{Look, Sight};

/// What errors call the model, which came without a name.
const NAME: &str = "the model of this page";

/// A model and the two pictures before it.
pub struct Booth {
    sight: Sight,
    looks: [Option<Look>; 2],
}

/// What is to be said of one picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Glance {
    /// Why it is unlike all that the model was trained on, if it is.
    pub strange: Option<String>,
    /// Left, top, right and bottom of the face that was looked at, in pixels; of a model of faces.
    pub face: Option<[f32; 4]>,
    /// How many faces there are in it; of a model of faces.
    pub faces: Option<usize>,
}

/// How far apart the two are, and what that means, in the names of the server's `verify`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Whether the distance is below the threshold; `None` where the model has none.
    pub same: Option<bool>,
    /// The distance of the embeddings: by the model's head, where it has one, `1 − P(same)`.
    pub distance: f32,
    /// The model's threshold.
    pub threshold: Option<f64>,
    /// The probability of "same", where the model is calibrated.
    pub probability: Option<f64>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no model.
    #[error(transparent)]
    Model(#[from] siamese_core::Error),
    /// The model does not see, or does not judge.
    #[error(transparent)]
    Sight(#[from] siamese_sight::Error),
    /// There are only two places for a picture.
    #[error("there is no place {0} for a picture: they are 0 and 1")]
    Place(usize),
    /// A picture of no pixels, or of other bytes than its size says.
    #[error("a picture of {height}x{width} pixels is not {bytes} bytes of RGBA")]
    Shape {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Bytes that there are.
        bytes: usize,
    },
    /// More pixels than allowed.
    #[error("it has {height}x{width} pixels, where at most {} are allowed", PIXELS.default)]
    TooManyPixels {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// The model is of faces, and the picture shows none.
    #[error("no face was found in it")]
    NoFace,
    /// A picture is not there yet.
    #[error("two pictures are compared, and one is missing")]
    Missing,
}

impl Booth {
    /// The model in the bytes of a model file.
    ///
    /// # Errors
    /// When they are damaged, or no model of ours.
    pub fn open(model: &[u8]) -> Result<Self, Error> {
        let model = Model::of_bytes(model, NAME, &Device::Cpu)?;
        Ok(Self {
            sight: Sight::as_trained(model)?,
            looks: [None, None],
        })
    }

    /// Looks at RGBA pixels (H, W, 4), upright, or at the largest face in them, and keeps the embedding in place 0 or 1.
    ///
    /// # Errors
    /// When there are not as many bytes as the size says, too many pixels, or no face where the model is of faces. The
    /// place is empty then.
    pub fn look(
        &mut self,
        place: usize,
        (height, width): (usize, usize),
        rgba: Vec<u8>,
    ) -> Result<Glance, Error> {
        *self.looks.get_mut(place).ok_or(Error::Place(place))? = None;
        let pixels = (height as u64).saturating_mul(width as u64);
        if pixels > PIXELS.default {
            return Err(Error::TooManyPixels { height, width });
        }
        let bytes = rgba.len();
        let picture = Picture::of_rgba((height, width), rgba).filter(|_| pixels > 0);
        let picture = picture.ok_or(Error::Shape {
            height,
            width,
            bytes,
        })?;
        let look = self.sight.look(&picture)?.ok_or(Error::NoFace)?;
        let glance = Glance::of(&look);
        self.looks[place] = Some(look);
        Ok(glance)
    }

    /// Compares the two pictures that were looked at.
    ///
    /// # Errors
    /// When one is missing.
    pub fn compare(&self) -> Result<Answer, Error> {
        let [Some(a), Some(b)] = &self.looks else {
            return Err(Error::Missing);
        };
        let compared = self.sight.compare(a, b)?;
        let verdict = compared.verdict;
        Ok(Answer {
            same: verdict.map(|verdict| verdict.same),
            distance: compared.distance,
            threshold: verdict.map(|verdict| verdict.threshold),
            probability: verdict.and_then(|verdict| verdict.probability),
        })
    }
}

impl Glance {
    fn of(look: &Look) -> Self {
        let bounds = look.face.as_ref().map(|seen| seen.face.bounds);
        Self {
            strange: look.strange.map(|strange| strange.to_string()),
            face: bounds.map(|of| [of.left, of.top, of.right, of.bottom]),
            faces: look.face.as_ref().map(|seen| seen.of),
        }
    }
}
