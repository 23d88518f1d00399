//! From a listing to images of one size.

use std::path::Path;
use std::sync::Arc;

use siamese_words::counted;

use super::cifar_files::{RECORDS_MD5, as_published};
use super::listing::{LeftOut, Listing};
use super::options::OpenOptions;
use super::originals::Originals;
use super::pixels::{image, picture};
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::packed_images::{Filled, PackOptions, PackedImages, PackedKey, packed_images};
use crate::picture::{Framing, limits};
use crate::pixel_store::PixelStore;

/// A listing's pictures as images of one size.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The images, in the order of the listing.
    pub images: ImageSet,
    /// For each image the item of the listing that it is.
    pub items: Vec<u32>,
    /// Pictures that could not be read.
    pub problems: Vec<LeftOut>,
    /// Whether the decoded pictures are those that were published, where these alone tell it and not the files
    /// ([`Listing::verified`]).
    pub as_published: Option<bool>,
}

impl Listing {
    /// Decodes all pictures, on all cores, once: they are kept in the cache, and a changed file is noticed. A set too large
    /// for memory is read from there image by image.
    ///
    /// # Errors
    ///
    /// [`DataError::Unrecognised`] if not one picture can be read; single ones that cannot are no error but in
    /// [`Loaded::problems`].
    pub fn load(&self, framing: &Framing, options: &OpenOptions) -> Result<Loaded, DataError> {
        let fingerprint = self.fingerprint()?;
        let key = PackedKey {
            name: &self.name,
            fingerprint: &fingerprint,
        };
        let pack = PackOptions {
            progress: options.progress,
            ..PackOptions::default()
        };
        let limits = limits()?;
        let fill = |item: usize| {
            let stored = self.store.picture(item, &limits);
            Ok(
                match stored.and_then(|stored| image(stored, framing, &limits)) {
                    Ok(pixels) => Filled::Pixels(pixels),
                    Err(why) => Filled::LeftOut(why),
                },
            )
        };
        let count = self.items.len();
        let packed = packed_images(&options.cache_folder(), key, count, framing, &pack, fill)?;
        let PackedImages {
            pixels,
            kept: items,
            left_out,
        } = packed;
        let problem = |(item, why): (u32, String)| LeftOut::new(self.name_of(item as usize), why);
        let problems: Vec<LeftOut> = left_out.into_iter().map(problem).collect();
        if items.is_empty() {
            let first = problems
                .first()
                .map_or(String::new(), |p| format!(", {}: {}", p.what, p.why));
            return Err(DataError::unrecognised(
                Path::new(&self.origin.to_string()),
                format!(
                    "of its {} not one can be decoded{first}",
                    counted(self.items.len(), "picture")
                ),
                "look at that file with another program",
            ));
        }
        let images = self.image_set(framing, pixels, &items)?;
        let as_published = as_published(self, &images, &items, RECORDS_MD5)?;
        Ok(Loaded {
            as_published,
            images,
            items,
            problems,
        })
    }

    /// Picture `item` as RGB (H, W, C), upright, of its own shape, shrunk until no side is longer than `most`; with its
    /// (height, width).
    ///
    /// # Errors
    ///
    /// [`DataError::Unrecognised`] names the picture and says why it is not read.
    pub fn thumbnail(
        &self,
        item: usize,
        most: usize,
    ) -> Result<(Vec<u8>, (usize, usize)), DataError> {
        let limits = limits()?;
        let stored = self.store.picture(item, &limits);
        let picture = stored.and_then(|stored| picture(stored, None, &limits));
        let picture = picture.map_err(|why| {
            let name = Path::new(self.name_of(item));
            DataError::unrecognised(name, why, "look at it with another program")
        })?;
        Ok(picture.thumbnail(most))
    }

    /// A set of these pixels, with the labels of `items`.
    fn image_set(
        &self,
        framing: &Framing,
        pixels: PixelStore,
        items: &[u32],
    ) -> Result<ImageSet, DataError> {
        let item = |&i: &u32| self.items[i as usize];
        let labels = items.iter().map(|i| item(i).label).collect();
        let channels = framing.colour.channels();
        let set = ImageSet::from_store(
            (framing.height, framing.width, channels),
            pixels,
            labels,
            self.classes.clone(),
        )?;
        let names = items.iter().map(|&i| self.name_of(i as usize).to_string());
        let originals = Originals {
            store: Arc::clone(&self.store),
            names: names.collect(),
            items: items.to_vec(),
        };
        let set = set.made_of(originals);
        let superclasses: Option<Vec<u32>> = items.iter().map(|i| item(i).superclass).collect();
        match superclasses {
            Some(superclasses) if !self.superclasses.is_empty() => {
                set.with_superclasses(superclasses, self.superclasses.clone())
            }
            _ => Ok(set),
        }
    }
}
