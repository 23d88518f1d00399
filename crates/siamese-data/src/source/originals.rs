//! The pictures that the images of a set were made from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::listing::shown;
use super::store::{Store, Stored};
use crate::picture::{Picture, PictureLimits, decode};

/// For each image of a set the picture that it was made from.
pub(crate) struct Originals {
    pub(crate) store: Arc<Store>,
    /// The name of each image's picture.
    pub(crate) names: Vec<String>,
    /// The number of each image's picture in the store.
    pub(crate) items: Vec<u32>,
}

impl Originals {
    /// A file for each image, named by its path within `folder`.
    pub(crate) fn of_files(folder: &Path, files: &[PathBuf]) -> Self {
        let within = |file: &PathBuf| file.strip_prefix(folder).unwrap_or(file).to_path_buf();
        Self {
            names: files
                .iter()
                .map(|file| shown(within(file).as_os_str()))
                .collect(),
            items: (0..files.len() as u32).collect(),
            store: Arc::new(Store::Files(files.to_vec())),
        }
    }

    /// The picture of an image, decoded; an error says why it cannot be had any more.
    pub(crate) fn picture(&self, image: usize) -> Result<Picture, String> {
        let item = self.items.get(image).ok_or("there is no such image")?;
        match self.store.picture(*item as usize)? {
            Stored::Raw(raw) => {
                let shape = (raw.height, raw.width, raw.channels);
                Picture::of_pixels(shape, raw.pixels).ok_or_else(|| "its pixels are too few".into())
            }
            Stored::Encoded(bytes) => {
                decode(&bytes, &PictureLimits::default(), None).map_err(|error| error.to_string())
            }
        }
    }
}
