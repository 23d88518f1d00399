//! Pictures passed through a model batch by batch: no more than a batch is in memory.

use rayon::prelude::*;
use siamese_core::Strange;
use siamese_data::{LeftOut, PictureLimits, Pictures, ReadPicture};
use siamese_sight::{Seen, SeenFace};

use crate::embedder::Embedder;
use crate::embeddings::batch;
use crate::error::{Error, NO_FACE};

/// Photos in which faces are looked for between two hand-overs: that takes a while.
const PHOTOS: usize = 32;
/// One picture that passed through the model, or one face of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Its number among the pictures.
    pub item: usize,
    /// Its embedding (D).
    pub embedding: Vec<f32>,
    /// The picture as it was read; of a face what was cut out.
    pub picture: ReadPicture,
    /// Why it is strange to the model, if it is.
    pub strange: Option<Strange>,
    /// Which face of the picture it is, where the model is of faces and the picture was no crop already.
    pub face: Option<SeenFace>,
}

impl Embedder {
    /// Hands the embedding of each picture, or of the largest face in it, to `take`, in their order, a batch read and
    /// embedded at a time; with a thumbnail no side of which is longer than `thumbnail`, where that is given. Those that
    /// could not be read, or have no face, come back.
    ///
    /// # Errors
    /// What `take` says, or the tower; a picture that cannot be read is none.
    pub fn stream<E: From<Error>>(
        &self,
        pictures: &Pictures,
        thumbnail: Option<usize>,
        mut take: impl FnMut(Embedded) -> Result<(), E>,
    ) -> Result<Vec<LeftOut>, E> {
        let mut faceless = Vec::new();
        let one = |item: usize, mut seen: Vec<Embedded>| match seen.pop() {
            Some(embedded) => take(embedded),
            None => {
                faceless.push((item, NO_FACE.to_string()));
                Ok(())
            }
        };
        let mut unread = self.pass(pictures, (thumbnail, 1), one)?;
        unread.extend(faceless);
        unread.sort_by_key(|(item, _)| *item);
        Ok(left_out(pictures, unread))
    }

    /// As [`Self::stream`], with all that is told apart in a picture: every face, the largest first and perhaps none; of
    /// a model that is not of faces the picture alone.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub fn stream_all<E: From<Error>>(
        &self,
        pictures: &Pictures,
        thumbnail: Option<usize>,
        take: impl FnMut(usize, Vec<Embedded>) -> Result<(), E>,
    ) -> Result<Vec<LeftOut>, E> {
        let unread = self.pass(pictures, (thumbnail, usize::MAX), take)?;
        Ok(left_out(pictures, unread))
    }

    /// Hands what is seen of each picture to `take`; those that could not be read come back.
    fn pass<E: From<Error>>(
        &self,
        pictures: &Pictures,
        (thumbnail, most): (Option<usize>, usize),
        mut take: impl FnMut(usize, Vec<Embedded>) -> Result<(), E>,
    ) -> Result<Vec<(usize, String)>, E> {
        let framing = self.framing();
        let limits = PictureLimits::from_env().map_err(Error::from)?;
        let read = |&item: &usize| -> Result<(Vec<Seen>, String), String> {
            let (picture, sha256) = pictures.picture(item, self.hint(&framing), &limits)?;
            let seen = self.see(&picture, most, thumbnail);
            Ok((seen.map_err(|error| error.to_string())?, sha256))
        };
        let mut unread = Vec::new();
        let all: Vec<usize> = (0..pictures.len()).collect();
        let together = batch(framing.image_len());
        let pictures_together = match self.finder() {
            Some(_) => PHOTOS,
            None => together,
        };
        for items in all.chunks(pictures_together) {
            let found: Vec<_> = items.par_iter().map(read).collect();
            let mut sound = Vec::with_capacity(items.len());
            for (&item, found) in items.iter().zip(found) {
                match found {
                    Ok((seen, sha256)) => sound.push((item, seen, sha256)),
                    Err(why) => unread.push((item, why)),
                }
            }
            let pixels = sound.iter().flat_map(|(_, seen, _)| seen);
            let pixels: Vec<&[u8]> = pixels.map(|seen| &seen.pixels[..]).collect();
            let mut rows = Vec::with_capacity(pixels.len());
            for part in pixels.chunks(together) {
                rows.extend(self.rows(&part.concat())?);
            }
            let mut rows = rows.into_iter();
            for (item, seen, sha256) in sound {
                let with_row = seen.into_iter().zip(rows.by_ref());
                let embedded =
                    with_row.map(|(seen, row)| self.embedded(item, (seen, row), &sha256));
                take(item, embedded.collect())?;
            }
        }
        Ok(unread)
    }

    fn embedded(&self, item: usize, (seen, embedding): (Seen, Vec<f32>), sha256: &str) -> Embedded {
        Embedded {
            item,
            embedding,
            strange: self.strange(&seen.pixels),
            picture: ReadPicture {
                pixels: seen.pixels,
                sha256: sha256.into(),
                thumbnail: seen.thumbnail,
            },
            face: seen.face,
        }
    }
}

fn left_out(pictures: &Pictures, unread: Vec<(usize, String)>) -> Vec<LeftOut> {
    let one = |(item, why): (usize, String)| LeftOut {
        what: pictures.items[item].name.clone(),
        why,
        picture: true,
    };
    unread.into_iter().map(one).collect()
}
