//! A model that takes pictures.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use siamese_core::{Model, Strange};
use siamese_data::{ImageSet, Pair};

use crate::embeddings::{Embeddings, batch, embed};
use crate::error::Error;
use crate::picture;
use crate::place::load_model;

/// A model, and pictures in.
pub struct Embedder {
    model: Model,
}

/// Whether two pictures show the same thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Whether the distance is below the threshold.
    pub same: bool,
    /// The distance of the embeddings.
    pub distance: f32,
    /// The model's threshold.
    pub threshold: f64,
    /// The probability of "same", where the model is calibrated.
    pub probability: Option<f64>,
    /// Why each picture is strange to the model, if it is.
    pub strange: [Option<Strange>; 2],
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
        Ok(Self::new(load_model(place.as_ref(), device)?))
    }

    /// A model that is at hand.
    pub fn new(model: Model) -> Self {
        Self { model }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The embedding (D) of the picture in a file.
    ///
    /// # Errors
    /// When it cannot be read; the message names it.
    pub fn file(&self, path: impl AsRef<Path>) -> Result<Vec<f32>, Error> {
        self.one(picture::of_file(
            path.as_ref(),
            &self.model.tower.config().input,
        )?)
    }

    /// The embedding (D) of an encoded picture: the bytes of a JPEG, a PNG, ….
    ///
    /// # Errors
    /// When it is no picture that can be read.
    pub fn bytes(&self, encoded: &[u8]) -> Result<Vec<f32>, Error> {
        self.one(picture::of_bytes(
            encoded,
            &self.model.tower.config().input,
        )?)
    }

    /// The embeddings of picture files, in their order; they are read on all cores.
    ///
    /// # Errors
    /// When one cannot be read; the message names it.
    pub fn files(&self, files: &[PathBuf]) -> Result<Embeddings, Error> {
        Ok(self.files_with_prints(files)?.0)
    }

    /// As [`Self::files`], with a print of each picture as the model sees it: the same pixels have the same one.
    ///
    /// # Errors
    /// As [`Self::files`].
    pub fn files_with_prints(&self, files: &[PathBuf]) -> Result<(Embeddings, Vec<u64>), Error> {
        let input = &self.model.tower.config().input;
        let mut prints = Vec::with_capacity(files.len());
        let batches = files.chunks(batch(input.image_len())).map(|batch| {
            let read = |file: &PathBuf| picture::of_file(file, input);
            let pictures = batch.par_iter().map(read).collect::<Result<Vec<_>, _>>()?;
            prints.extend(pictures.iter().map(|picture| fingerprint(picture)));
            self.tensor(&pictures.concat())
        });
        let values = batches.collect::<Result<Vec<_>, Error>>()?;
        Ok((Embeddings::of_all(&values)?, prints))
    }

    /// The embeddings of the images of a set at `indices`.
    ///
    /// # Errors
    /// When the images do not fit the model.
    pub fn set(&self, images: &ImageSet, indices: &[u32]) -> Result<Embeddings, Error> {
        embed(&self.model.tower, images, indices)
    }

    /// Whether the pictures in two files show the same thing.
    ///
    /// # Errors
    /// When one cannot be read, or the model has no threshold.
    pub fn verify(&self, a: impl AsRef<Path>, b: impl AsRef<Path>) -> Result<Verdict, Error> {
        let fitted = self.model.threshold.as_ref().ok_or(Error::NoThreshold)?;
        let files = [a.as_ref().to_path_buf(), b.as_ref().to_path_buf()];
        let pair = Pair {
            a: 0,
            b: 1,
            like: false,
        };
        let input = &self.model.tower.config().input;
        let shape = (input.height, input.width, input.channels());
        let pictures = files.map(|file| picture::of_file(&file, input));
        let [a, b] = pictures;
        let pictures = [a?, b?];
        let embeddings = Embeddings::of_all(&[self.tensor(&pictures.concat())?])?;
        let distance = embeddings.distances(&[pair], self.model.distance)?[0];
        let domain = self.model.domain.as_ref();
        Ok(Verdict {
            same: fitted.is_same(distance),
            distance,
            threshold: fitted.value,
            probability: fitted.calibration.as_ref().map(|c| c.probability(distance)),
            strange: pictures.map(|pixels| domain.and_then(|d| d.judge(&pixels, shape))),
        })
    }

    fn one(&self, pixels: Vec<u8>) -> Result<Vec<f32>, Error> {
        Ok(self.tensor(&pixels)?.flatten_all()?.to_vec1()?)
    }

    fn tensor(&self, pixels: &[u8]) -> Result<Tensor, Error> {
        let tower = &self.model.tower;
        let images = tower
            .config()
            .input
            .to_tensor(pixels, tower.parameters().device())?;
        Ok(tower.embed(&images)?)
    }
}

/// A print of some bytes: the same bytes have the same one, others almost surely another.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
