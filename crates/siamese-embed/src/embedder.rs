//! A model that takes pictures.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use siamese_core::Model;
use siamese_data::ImageSet;
use siamese_sight::{FaceFinder, Sight, Verdict};

use crate::embeddings::{Embeddings, batch, embed};
use crate::error::Error;
use crate::place::load_model;

/// A model, and pictures in.
pub struct Embedder {
    sight: Sight,
    place: Option<String>,
}

impl Embedder {
    /// The model in a run's folder, or in a model file; or a backbone that was trained elsewhere, untrained by us: by its
    /// safetensors file in torchvision's names, or by its name on the Hugging Face hub, `timm/resnet50.tv_in1k` or
    /// `hf:user/name`. A file or a folder of that name counts first.
    ///
    /// A backbone takes pictures as its `config.json` says, where timm wrote one beside it, else 224×224 with ImageNet's
    /// mean and deviation. Its embeddings are its features, of unit length; it judges no pair until a threshold is fitted.
    ///
    /// # Errors
    /// When it cannot be read; where something else lies there, it says what that looks like and what to type.
    pub fn load(place: impl AsRef<Path>, device: &Device) -> Result<Self, Error> {
        let place = place.as_ref();
        let model = load_model(place, device)?;
        Ok(Self {
            sight: Sight::as_trained(model)?,
            place: Some(place.to_string_lossy().into_owned()),
        })
    }

    /// A model that is at hand; it takes pictures as they are until [`Self::finding_faces`] says otherwise.
    pub fn new(model: Model) -> Self {
        Self {
            sight: Sight::new(model),
            place: None,
        }
    }

    /// Finds the faces in pictures first, as the model's training pictures were found.
    ///
    /// # Errors
    /// A model that is not of faces.
    pub fn finding_faces(self) -> Result<Self, Error> {
        Ok(Self {
            sight: self.sight.finding_faces()?,
            ..self
        })
    }

    /// Takes pictures as they are, be the model of faces or not.
    pub fn as_is(self) -> Self {
        Self {
            sight: self.sight.as_is(),
            ..self
        }
    }

    /// What finds the faces in pictures, where that is done.
    pub fn finder(&self) -> Option<&FaceFinder> {
        self.sight.finder()
    }

    /// Where the model was loaded from, as it was told.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.sight.model()
    }

    /// The embedding (D) of the picture in a file, or of the largest face in it.
    ///
    /// # Errors
    /// When it cannot be read, or has no face; the message names it.
    pub fn file(&self, path: impl AsRef<Path>) -> Result<Vec<f32>, Error> {
        self.one(self.see_file(path.as_ref())?.pixels)
    }

    /// The embedding (D) of an encoded picture, the bytes of a JPEG, a PNG, …, or of the largest face in it.
    ///
    /// # Errors
    /// When it is no picture that can be read, or has no face.
    pub fn bytes(&self, encoded: &[u8]) -> Result<Vec<f32>, Error> {
        Ok(self.look_bytes(encoded)?.embedding)
    }

    /// The embeddings of picture files, in their order; they are read on all cores.
    ///
    /// # Errors
    /// When one cannot be read; the message names it.
    pub fn files(&self, files: &[PathBuf]) -> Result<Embeddings, Error> {
        self.files_seen(files, |_| {})
    }

    /// As [`Self::files`]; `seen` is given each picture (H, W, C) as the model sees it, in their order.
    ///
    /// # Errors
    /// As [`Self::files`].
    pub fn files_seen(
        &self,
        files: &[PathBuf],
        mut seen: impl FnMut(Vec<u8>),
    ) -> Result<Embeddings, Error> {
        let input = &self.model().tower.config().input;
        let batches = files.chunks(batch(input.image_len())).map(|batch| {
            let read = |file: &PathBuf| Ok::<_, Error>(self.see_file(file)?.pixels);
            // of several that cannot be read the first is told, whichever thread was faster
            let pictures: Vec<_> = batch.par_iter().map(read).collect();
            let pictures = pictures.into_iter().collect::<Result<Vec<_>, _>>()?;
            let embedded = self.tensor(&pictures.concat());
            pictures.into_iter().for_each(&mut seen);
            embedded
        });
        let values = batches.collect::<Result<Vec<_>, Error>>()?;
        Embeddings::of_all(&values)
    }

    /// The embeddings of the images of a set at `indices`.
    ///
    /// # Errors
    /// When the images do not fit the model.
    pub fn set(&self, images: &ImageSet, indices: &[u32]) -> Result<Embeddings, Error> {
        embed(&self.model().tower, images, indices)
    }

    /// Whether the pictures in two files show the same thing.
    ///
    /// # Errors
    /// When one cannot be read, or the model has no threshold.
    pub fn verify(&self, a: impl AsRef<Path>, b: impl AsRef<Path>) -> Result<Verdict, Error> {
        self.judge(&self.look(a)?, &self.look(b)?)
    }

    /// The embeddings (N, D) of images that are [framed](crate::framing) already, (N, H, W, C), in one pass of the tower.
    ///
    /// # Errors
    /// When the bytes are not those of whole images, or the tower fails.
    pub fn rows(&self, pixels: &[u8]) -> Result<Vec<Vec<f32>>, Error> {
        Ok(self.tensor(pixels)?.to_vec2()?)
    }

    pub(crate) fn sight(&self) -> &Sight {
        &self.sight
    }

    pub(crate) fn one(&self, pixels: Vec<u8>) -> Result<Vec<f32>, Error> {
        Ok(self.tensor(&pixels)?.flatten_all()?.to_vec1()?)
    }

    fn tensor(&self, pixels: &[u8]) -> Result<Tensor, Error> {
        Ok(self.sight.tensor(pixels)?)
    }
}

/// A print of some bytes: the same bytes have the same one, others almost surely another.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
