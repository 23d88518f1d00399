//! What a model sees of a picture in a file, or of an encoded one.

use std::path::Path;

use siamese_data::{Framing, Picture, PictureLimits, decode, decode_file};
use siamese_sight::Seen;

use crate::embedder::Embedder;
use crate::error::Error;

impl Embedder {
    /// What is seen of a picture: up to `most` faces, the largest first and perhaps none, or the whole. With a thumbnail no
    /// side of which is longer than `thumbnail`, where that is given.
    ///
    /// # Errors
    /// When the nets that find faces fail, as for lack of memory.
    pub fn see(
        &self,
        picture: &Picture,
        most: usize,
        thumbnail: Option<usize>,
    ) -> Result<Vec<Seen>, Error> {
        Ok(self.sight().see(picture, most, thumbnail)?)
    }

    /// What is seen of the picture in a file: its largest face, or the whole.
    pub(crate) fn see_file(&self, path: &Path) -> Result<Seen, Error> {
        let hint = self.framing();
        let picture = decode_file(path, &PictureLimits::from_env()?, self.hint(&hint))?;
        self.see_one(&picture, &path.display().to_string())
    }

    /// What is seen of an encoded picture: up to `most` faces, or the whole.
    pub(crate) fn see_bytes(&self, encoded: &[u8], most: usize) -> Result<Vec<Seen>, Error> {
        let hint = self.framing();
        let picture = decode(encoded, &PictureLimits::from_env()?, self.hint(&hint))?;
        self.see(&picture, most, None)
    }

    fn see_one(&self, picture: &Picture, name: &str) -> Result<Seen, Error> {
        let seen = self.see(picture, 1, None)?.pop();
        seen.ok_or_else(|| Error::NoFace { name: name.into() })
    }

    pub(crate) fn framing(&self) -> Framing {
        self.sight().framing()
    }

    /// For what a picture is decoded: faces are looked for in all of its pixels.
    pub(crate) fn hint<'a>(&self, framing: &'a Framing) -> Option<&'a Framing> {
        self.finder().is_none().then_some(framing)
    }
}
