//! Two pictures compared, each looked at once.

use std::path::Path;

use siamese_core::Strange;
use siamese_sight::{Look, Seen, Verdict};

use crate::embedder::Embedder;
use crate::error::Error;

impl Embedder {
    /// Looks at the picture in a file, or the largest face in it, to [judge](Self::judge) it beside others.
    ///
    /// # Errors
    /// When it cannot be read, or has no face; the message names it.
    pub fn look(&self, path: impl AsRef<Path>) -> Result<Look, Error> {
        self.look_at(self.see_file(path.as_ref())?)
    }

    /// As [`Self::look`], of an encoded picture: the bytes of a JPEG, a PNG, ….
    ///
    /// # Errors
    /// When it is no picture that can be read, or has no face.
    pub fn look_bytes(&self, encoded: &[u8]) -> Result<Look, Error> {
        let seen = self.see_bytes(encoded, 1)?.pop();
        let name = || Error::NoFace {
            name: "the picture".into(),
        };
        self.look_at(seen.ok_or_else(name)?)
    }

    /// As [`Self::look_bytes`], of every face in the picture, the largest first and perhaps none; of a model that is not
    /// of faces the picture alone.
    ///
    /// # Errors
    /// When it is no picture that can be read.
    pub fn looks(&self, encoded: &[u8]) -> Result<Vec<Look>, Error> {
        let seen = self.see_bytes(encoded, usize::MAX)?;
        seen.into_iter().map(|seen| self.look_at(seen)).collect()
    }

    fn look_at(&self, seen: Seen) -> Result<Look, Error> {
        Ok(self.sight().look_at(seen)?)
    }

    /// Why an image that is [framed](crate::framing) already, (H, W, C), is strange to the model, if it is.
    pub fn strange(&self, pixels: &[u8]) -> Option<Strange> {
        self.sight().strange(pixels)
    }

    /// Whether two pictures show the same thing.
    ///
    /// # Errors
    /// When the model has no threshold.
    pub fn judge(&self, a: &Look, b: &Look) -> Result<Verdict, Error> {
        Ok(self.sight().judge(a, b)?)
    }
}
