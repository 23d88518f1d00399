//! From a listing to images of one size.

use std::path::Path;

use rayon::prelude::*;

use super::listing::{LeftOut, Listing};
use super::options::OpenOptions;
use super::pixels::image;
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::picture::framing::Framing;

/// A listing's pictures as images of one size.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The images, in the order of the listing.
    pub images: ImageSet,
    /// For each image the item of the listing that it is.
    pub items: Vec<u32>,
    /// Pictures that could not be read.
    pub problems: Vec<LeftOut>,
}

impl Listing {
    /// Decodes all pictures, on all cores.
    ///
    /// # Errors
    ///
    /// [`DataError::Unrecognised`] if not one picture can be read; single ones that cannot are no error but in
    /// [`Loaded::problems`].
    pub fn load(&self, framing: &Framing, options: &OpenOptions) -> Result<Loaded, DataError> {
        let decode = |item: usize| {
            self.store
                .picture(item)
                .and_then(|stored| image(stored, framing))
        };
        options.progress.note(&format!(
            "decoding {} pictures of {}",
            self.items.len(),
            self.title
        ));
        let decoded: Vec<_> = (0..self.items.len()).into_par_iter().map(decode).collect();

        let (mut pixels, mut items, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for (item, decoded) in (0u32..).zip(decoded) {
            match decoded {
                Ok(image) => {
                    pixels.extend(image);
                    items.push(item);
                }
                Err(why) => problems.push(LeftOut::new(self.name_of(item as usize), why)),
            }
        }
        if items.is_empty() {
            let first = problems
                .first()
                .map_or(String::new(), |p| format!(", {}: {}", p.what, p.why));
            return Err(DataError::unrecognised(
                Path::new(&self.origin.to_string()),
                format!(
                    "not one of its {} pictures can be decoded{first}",
                    self.items.len()
                ),
                "look at that file with another program",
            ));
        }
        let images = self.image_set(framing, pixels, &items)?;
        Ok(Loaded {
            images,
            items,
            problems,
        })
    }

    /// A set of these pixels, with the labels of `items`.
    fn image_set(
        &self,
        framing: &Framing,
        pixels: Vec<u8>,
        items: &[u32],
    ) -> Result<ImageSet, DataError> {
        let item = |&i: &u32| self.items[i as usize];
        let labels = items.iter().map(|i| item(i).label).collect();
        let channels = framing.colour.channels();
        let set = ImageSet::new(
            framing.height,
            framing.width,
            channels,
            pixels,
            labels,
            self.classes.clone(),
        )?;
        let superclasses: Option<Vec<u32>> = items.iter().map(|i| item(i).superclass).collect();
        match superclasses {
            Some(superclasses) if !self.superclasses.is_empty() => {
                set.with_superclasses(superclasses, self.superclasses.clone())
            }
            _ => Ok(set),
        }
    }
}
