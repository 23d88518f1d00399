//! What a model sees of a picture, prepared as the model file says: the whole of it, or the faces in it. The one place
//! where this is done.

use siamese_framing::Picture;

use crate::error::Error;
use crate::faces::SeenFace;
use crate::sight::Sight;

/// What a model sees of a picture: all of it, or a face.
pub struct Seen {
    /// (H, W, C), as the tower takes them.
    pub pixels: Vec<u8>,
    /// The face that this is, where the model is of faces and the picture was no crop already.
    pub face: Option<SeenFace>,
    /// RGB (H, W, C) of what is seen, with its (height, width), where one was asked for.
    pub thumbnail: Option<(Vec<u8>, (usize, usize))>,
}

impl Sight {
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
}
