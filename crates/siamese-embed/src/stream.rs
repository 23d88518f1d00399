//! Pictures passed through a model batch by batch: no more than a batch is in memory.

use rayon::prelude::*;
use siamese_core::{Domain, Strange};
use siamese_data::{LeftOut, PictureLimits, Pictures, ReadPicture};

use crate::embedder::Embedder;
use crate::embeddings::batch;
use crate::error::Error;
use crate::picture::framing;

/// One picture that passed through the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Its number among the pictures.
    pub item: usize,
    /// Its embedding (D).
    pub embedding: Vec<f32>,
    /// The picture as it was read.
    pub picture: ReadPicture,
    /// Why it is strange to the model, if it is.
    pub strange: Option<Strange>,
}

impl Embedder {
    /// Hands the embedding of each picture to `take`, in their order, a batch read and embedded at a time; with a
    /// thumbnail no side of which is longer than `thumbnail`, where that is given. Those that could not be read come
    /// back.
    ///
    /// # Errors
    /// What `take` says, or the tower; a picture that cannot be read is none.
    pub fn stream<E: From<Error>>(
        &self,
        pictures: &Pictures,
        thumbnail: Option<usize>,
        mut take: impl FnMut(Embedded) -> Result<(), E>,
    ) -> Result<Vec<LeftOut>, E> {
        let input = &self.model().tower.config().input;
        let framing = framing(input);
        let limits = PictureLimits::from_env().map_err(Error::from)?;
        let shape = (input.height, input.width, input.channels());
        let domain = self.model().domain.as_ref();
        let judge = |d: &Domain, read: &ReadPicture| d.judge(&read.pixels, shape);
        let mut unread = Vec::new();
        let all: Vec<usize> = (0..pictures.len()).collect();
        for items in all.chunks(batch(input.image_len())) {
            let read = |&item: &usize| pictures.read(item, &framing, &limits, thumbnail);
            let read: Vec<_> = items.par_iter().map(read).collect();
            let mut sound = Vec::with_capacity(items.len());
            for (&item, read) in items.iter().zip(read) {
                match read {
                    Ok(read) => sound.push((item, read)),
                    Err(why) => unread.push(LeftOut {
                        what: pictures.items[item].name.clone(),
                        why,
                        picture: true,
                    }),
                }
            }
            let pixels: Vec<&[u8]> = sound.iter().map(|(_, read)| &read.pixels[..]).collect();
            let rows = match pixels.is_empty() {
                true => Vec::new(),
                false => self.rows(&pixels.concat())?,
            };
            for ((item, picture), embedding) in sound.into_iter().zip(rows) {
                let strange = domain.and_then(|domain| judge(domain, &picture));
                take(Embedded {
                    item,
                    embedding,
                    picture,
                    strange,
                })?;
            }
        }
        Ok(unread)
    }
}
