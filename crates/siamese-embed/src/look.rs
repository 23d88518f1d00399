//! Two pictures compared, each looked at once.

use std::path::Path;

use siamese_core::Strange;

use crate::embedder::{Embedder, Verdict};
use crate::error::Error;
use crate::picture;

/// A picture as a model sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Its embedding (D).
    pub embedding: Vec<f32>,
    /// Why it is strange to the model, if it is.
    pub strange: Option<Strange>,
}

impl Embedder {
    /// Looks at the picture in a file, to [judge](Self::judge) it beside others.
    ///
    /// # Errors
    /// When it cannot be read; the message names it.
    pub fn look(&self, path: impl AsRef<Path>) -> Result<Look, Error> {
        let input = &self.model().tower.config().input;
        let pixels = picture::of_file(path.as_ref(), input)?;
        let shape = (input.height, input.width, input.channels());
        let domain = self.model().domain.as_ref();
        Ok(Look {
            strange: domain.and_then(|domain| domain.judge(&pixels, shape)),
            embedding: self.one(pixels)?,
        })
    }

    /// Whether two pictures show the same thing.
    ///
    /// # Errors
    /// When the model has no threshold.
    pub fn judge(&self, a: &Look, b: &Look) -> Result<Verdict, Error> {
        let fitted = self.model().threshold.as_ref().ok_or(Error::NoThreshold)?;
        let distance = self.model().metric()?.of(&a.embedding, &b.embedding);
        Ok(Verdict {
            same: fitted.is_same(distance),
            distance,
            threshold: fitted.value,
            probability: fitted.calibration.as_ref().map(|c| c.probability(distance)),
            strange: [a.strange, b.strange],
        })
    }
}
