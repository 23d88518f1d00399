//! What a model sees of a picture, prepared as the model file says: the whole of it, or the faces in it. The one place
//! where this is done.

use std::path::Path;

use siamese_core::{Fit, ImageInput};
use siamese_data::{Colour, Framing, Picture, PictureLimits, decode, decode_file};

use crate::embedder::Embedder;
use crate::error::Error;
use crate::faces::SeenFace;

/// What a model sees of a picture: all of it, or a face.
pub struct Seen {
    /// (H, W, C), as the tower takes them.
    pub pixels: Vec<u8>,
    /// The face that this is, where the model is of faces and the picture was no crop already.
    pub face: Option<SeenFace>,
    /// RGB (H, W, C) of what is seen, with its (height, width), where one was asked for.
    pub thumbnail: Option<(Vec<u8>, (usize, usize))>,
}

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
        let framing = self.framing();
        let whole = |picture: &Picture, face| Seen {
            pixels: picture.frame(&framing),
            face,
            thumbnail: thumbnail.map(|most| picture.thumbnail(most)),
        };
        let Some(finder) = self.finder().filter(|finder| !finder.is_crop(picture)) else {
            return Ok(vec![whole(picture, None)]);
        };
        let faces = finder.cut(picture, most)?;
        Ok(faces
            .into_iter()
            .map(|(face, crop)| whole(&crop, Some(face)))
            .collect())
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
        framing(&self.model().tower.config().input)
    }

    /// For what a picture is decoded: faces are looked for in all of its pixels.
    pub(crate) fn hint<'a>(&self, framing: &'a Framing) -> Option<&'a Framing> {
        self.finder().is_none().then_some(framing)
    }
}
