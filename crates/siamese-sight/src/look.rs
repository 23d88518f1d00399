//! Two pictures compared, each looked at once.

use siamese_core::Strange;
use siamese_framing::Picture;

use crate::error::Error;
use crate::faces::SeenFace;
use crate::see::Seen;
use crate::sight::Sight;

/// A picture as a model sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Its embedding (D).
    pub embedding: Vec<f32>,
    /// Why it is strange to the model, if it is.
    pub strange: Option<Strange>,
    /// Which face of the picture it is of, where the model is of faces and the picture was no crop already.
    pub face: Option<SeenFace>,
}

/// Whether two pictures show the same thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Whether the distance is below the threshold.
    pub same: bool,
    /// The distance of the embeddings: by the model's head, where it has one, `1 − P(same)`.
    pub distance: f32,
    /// The model's threshold.
    pub threshold: f64,
    /// The probability of "same", where the model is calibrated.
    pub probability: Option<f64>,
    /// Why each picture is strange to the model, if it is.
    pub strange: [Option<Strange>; 2],
}

/// How far apart two pictures are, and what that means where the model has a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// The distance of the embeddings: by the model's head, where it has one, `1 − P(same)`.
    pub distance: f32,
    /// What the threshold makes of it.
    pub verdict: Option<Verdict>,
}

impl Sight {
    /// Looks at a picture, or the largest face in it; `None` where the model is of faces and there is none.
    ///
    /// # Errors
    /// When the tower, or the nets that find faces, fail.
    pub fn look(&self, picture: &Picture) -> Result<Option<Look>, Error> {
        let seen = self.see(picture, 1, None)?.pop();
        seen.map(|seen| self.look_at(seen)).transpose()
    }

    /// The embedding of what is seen, and what is to be said of it.
    ///
    /// # Errors
    /// When the tower fails.
    pub fn look_at(&self, seen: Seen) -> Result<Look, Error> {
        Ok(Look {
            strange: self.strange(&seen.pixels),
            embedding: self.tensor(&seen.pixels)?.flatten_all()?.to_vec1()?,
            face: seen.face,
        })
    }

    /// Whether two pictures show the same thing.
    ///
    /// # Errors
    /// When the model has no threshold.
    pub fn judge(&self, a: &Look, b: &Look) -> Result<Verdict, Error> {
        self.compare(a, b)?.verdict.ok_or(Error::NoThreshold)
    }

    /// How far apart two pictures are, with or without a threshold to judge by.
    ///
    /// # Errors
    /// When the weights of the model's head cannot be read.
    pub fn compare(&self, a: &Look, b: &Look) -> Result<Compared, Error> {
        let distance = self.model().metric()?.of(&a.embedding, &b.embedding);
        let fitted = self.model().threshold.as_ref();
        let verdict = fitted.map(|fitted| Verdict {
            same: fitted.is_same(distance),
            distance,
            threshold: fitted.value,
            probability: fitted.calibration.as_ref().map(|c| c.probability(distance)),
            strange: [a.strange, b.strange],
        });
        Ok(Compared { distance, verdict })
    }
}
