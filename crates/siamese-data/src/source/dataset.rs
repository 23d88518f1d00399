//! A data set with a training and a test part, loaded whole.

use std::ffi::OsStr;
use std::path::Path;

use super::listing::Listing;
use super::open::open;
use super::options::OpenOptions;
use super::origin::Origin;
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::picture::{Colour, Fit, Framing};
use crate::split::Part;

/// A data set with its two published parts.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The set's short name: `cifar100`.
    pub name: String,
    /// Where it was read.
    pub origin: Origin,
    /// Why a sample stands in for the whole set, where it was not asked for.
    pub fallback: Option<String>,
    /// Whether the pictures are those that were published, where their pixels alone tell it.
    pub as_published: Option<bool>,
    /// The images to train (and validate) on.
    pub train: ImageSet,
    /// The images to be looked at once, at the end.
    pub test: ImageSet,
}

impl Dataset {
    /// Decodes a set that was published with a training and a test part, at the size that most of its pictures have.
    ///
    /// # Errors
    ///
    /// [`DataError::Unrecognised`] if it has not both parts; any other as of [`Listing::load`].
    pub fn load(listing: &Listing, options: &OpenOptions) -> Result<Self, DataError> {
        let (height, width) = listing.sizes.most_common;
        let colour = match listing.sizes.grey {
            true => Colour::Grey,
            false => Colour::Rgb,
        };
        let framing = Framing {
            height,
            width,
            colour,
            fit: Fit::Crop,
        };
        let loaded = listing.load(&framing, options)?;
        let part = |part: Part| -> Result<ImageSet, DataError> {
            let of_part =
                |&i: &u32| listing.items[loaded.items[i as usize] as usize].part == Some(part);
            let indices: Vec<u32> = (0..loaded.images.len() as u32).filter(of_part).collect();
            if indices.is_empty() {
                return Err(DataError::unrecognised(
                    Path::new(&listing.origin.to_string()),
                    format!("it has no {part} images that are published as such"),
                    "name a set with a training and a test part",
                ));
            }
            Ok(loaded.images.subset(&indices))
        };
        Ok(Self {
            train: part(Part::Train)?,
            test: part(Part::Test)?,
            name: listing.name.clone(),
            origin: listing.origin.clone(),
            fallback: listing.fallback.clone(),
            as_published: loaded.as_published,
        })
    }

    /// Opens and loads in one; see [`open`] for what `what` may be.
    ///
    /// # Errors
    ///
    /// As [`open`] and [`Self::load`].
    pub fn open(what: impl AsRef<OsStr>, options: &OpenOptions) -> Result<Self, DataError> {
        Self::load(&open(what, options)?, options)
    }

    /// Whether this is the bundled sample and not the whole set: say so loudly.
    pub fn is_sample(&self) -> bool {
        matches!(self.origin, Origin::Sample(_))
    }
}
