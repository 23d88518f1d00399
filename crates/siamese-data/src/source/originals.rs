//! The pictures that the images of a set were made from.

use std::sync::Arc;

use super::pixels::picture;
use super::store::Store;
use crate::picture::{Picture, limits};

/// For each image of a set the picture that it was made from.
pub(crate) struct Originals {
    pub(crate) store: Arc<Store>,
    /// The name of each image's picture.
    pub(crate) names: Vec<String>,
    /// The number of each image's picture in the store.
    pub(crate) items: Vec<u32>,
}

impl Originals {
    /// The picture of an image, decoded; an error says why it cannot be had any more.
    pub(crate) fn picture(&self, image: usize) -> Result<Picture, String> {
        let item = self.items.get(image).ok_or("there is no such image")?;
        let limits = limits().map_err(|error| error.to_string())?;
        let stored = self.store.picture(*item as usize, &limits)?;
        picture(stored, None, &limits)
    }
}
