//! A model that takes decoded pictures.

use candle_core::Tensor;
use siamese_core::{Model, Strange};
use siamese_framing::Framing;

use crate::error::Error;
use crate::faces::FaceFinder;
use crate::framing::framing;

/// A model, and how it looks at pictures.
pub struct Sight {
    model: Model,
    /// Of a model of faces, unless pictures are to be taken as they are.
    finder: Option<FaceFinder>,
}

impl Sight {
    /// A model that takes pictures as they are.
    pub fn new(mut model: Model) -> Self {
        model.tower.prepack();
        Self {
            model,
            finder: None,
        }
    }

    /// A model that sees as it was trained: one of faces finds these first.
    ///
    /// # Errors
    /// When what the model says of faces is out of range.
    pub fn as_trained(model: Model) -> Result<Self, Error> {
        let finder = model.faces.map(FaceFinder::new).transpose()?;
        Ok(Self {
            finder,
            ..Self::new(model)
        })
    }

    /// Finds the faces in pictures first, as the model's training pictures were found.
    ///
    /// # Errors
    /// A model that is not of faces.
    pub fn finding_faces(self) -> Result<Self, Error> {
        match self.model.faces {
            Some(_) => Self::as_trained(self.model),
            None => Err(Error::NotOfFaces),
        }
    }

    /// Takes pictures as they are, be the model of faces or not.
    pub fn as_is(self) -> Self {
        Self::new(self.model)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What finds the faces in pictures, where that is done.
    pub fn finder(&self) -> Option<&FaceFinder> {
        self.finder.as_ref()
    }

    /// How a picture becomes an image that the tower takes.
    pub fn framing(&self) -> Framing {
        framing(&self.model.tower.config().input)
    }

    /// The embeddings (N, D) of images that are [framed](Self::framing) already, (N, H, W, C), in one pass of the tower.
    ///
    /// # Errors
    /// When the bytes are not those of whole images, or the tower fails.
    pub fn tensor(&self, pixels: &[u8]) -> Result<Tensor, Error> {
        let tower = &self.model.tower;
        let input = &tower.config().input;
        let images = input.to_tensor(pixels, tower.parameters().device())?;
        Ok(tower.embed(&images)?)
    }

    /// Why an image that is [framed](Self::framing) already, (H, W, C), is strange to the model, if it is.
    pub fn strange(&self, pixels: &[u8]) -> Option<Strange> {
        let input = &self.model.tower.config().input;
        let shape = (input.height, input.width, input.channels());
        self.model.domain.as_ref()?.judge(pixels, shape)
    }
}
