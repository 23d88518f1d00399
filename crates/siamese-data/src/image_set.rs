//! Decoded labelled images of one size.

use std::borrow::Cow;
use std::sync::Arc;

use crate::batch::augment::AugmentConfig;
use crate::error::DataError;
use crate::pixel_store::PixelStore;
use crate::rng::stream;
use crate::source::originals::Originals;
use crate::superclass::superclass_of_class;
use crate::turned::Turned;

/// Decoded labelled images of one size, pixels `u8` in the order (N, H, W, C).
///
/// Image `i` belongs to class `classes[labels[i]]`. The pixels are never changed: a
/// [`subset`](Self::subset) or a clone shares them. They are in memory, or in a file from which each
/// image is read when it is asked for.
///
/// ```
/// use siamese_data::ImageSet;
///
/// // Two images, 1 high, 2 wide, RGB.
/// let pixels = vec![255, 0, 0, 0, 255, 0, /* */ 0, 0, 255, 9, 9, 9];
/// let classes = vec!["warm".to_string(), "cold".to_string()];
/// let set = ImageSet::new(1, 2, 3, pixels, vec![0, 1], classes)?;
/// assert_eq!(*set.image(1)?, [0, 0, 255, 9, 9, 9]);
/// assert_eq!(set.subset(&[1]).labels, [1]);
/// # Ok::<(), siamese_data::DataError>(())
/// ```
#[derive(Clone)]
pub struct ImageSet {
    /// Rows of each image.
    pub height: usize,
    /// Columns of each image.
    pub width: usize,
    /// Values of each pixel: 3 for RGB, 1 for grey.
    pub channels: usize,
    /// The class of each image, an index into `classes`.
    pub labels: Vec<u32>,
    /// The superclass of each image, an index into `superclasses`, where the set has them.
    pub coarse_labels: Option<Vec<u32>>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The names of the superclasses; empty where the set has none.
    pub superclasses: Vec<String>,
    pixels: PixelStore,
    /// The pictures that `pixels` were made from, in that order.
    originals: Option<Arc<Originals>>,
    /// Where in `pixels` each image lies, in images; `None` is the identity.
    positions: Option<Vec<u32>>,
    /// How each image is turned when it is asked for; `None` is not at all.
    turns: Option<(Turned, Vec<u8>)>,
}

impl ImageSet {
    /// A set from its pixels, (N, H, W, C) one after the other, and the class of each image.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] if the lengths do not fit or a label names no class.
    pub fn new(
        height: usize,
        width: usize,
        channels: usize,
        pixels: Vec<u8>,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        Self::from_store((height, width, channels), pixels.into(), labels, classes)
    }

    /// As [`ImageSet::new`], of images (height, width, channels) that live in memory or in a file.
    ///
    /// # Errors
    ///
    /// As [`ImageSet::new`].
    pub fn from_store(
        (height, width, channels): (usize, usize, usize),
        pixels: PixelStore,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let size = height * width * channels;
        if size == 0 || pixels.len() != labels.len() * size {
            return Err(DataError::Invalid(format!(
                "{} labels need {} bytes of pixels at {height}x{width}x{channels}, got {}",
                labels.len(),
                labels.len() * size,
                pixels.len()
            )));
        }
        check_labels("label", &labels, classes.len())?;
        Ok(Self {
            height,
            width,
            channels,
            labels,
            coarse_labels: None,
            classes,
            superclasses: Vec::new(),
            pixels,
            originals: None,
            positions: None,
            turns: None,
        })
    }

    /// Says which pictures the images, all of them and in this order, were made from.
    pub(crate) fn made_of(self, originals: Originals) -> Self {
        Self {
            originals: Some(Arc::new(originals)),
            ..self
        }
    }

    /// Says how each image is turned.
    pub(crate) fn with_turns(self, turned: Turned, turns: Vec<u8>) -> Self {
        Self {
            turns: Some((turned, turns)),
            ..self
        }
    }

    /// Adds the superclass of each image.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] if the lengths do not fit or a label names no superclass.
    pub fn with_superclasses(
        mut self,
        coarse_labels: Vec<u32>,
        superclasses: Vec<String>,
    ) -> Result<Self, DataError> {
        if coarse_labels.len() != self.len() {
            return Err(DataError::Invalid(format!(
                "{} superclass labels for {} images",
                coarse_labels.len(),
                self.len()
            )));
        }
        check_labels("superclass label", &coarse_labels, superclasses.len())?;
        self.coarse_labels = Some(coarse_labels);
        self.superclasses = superclasses;
        Ok(self)
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes per image: height × width × channels.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The pixels of image `i`, (H, W, C): borrowed where the set is in memory.
    ///
    /// # Errors
    ///
    /// Where the set is in a file and that does not give the image any more.
    ///
    /// # Panics
    ///
    /// If there is no image `i`, as indexing a slice does.
    pub fn image(&self, i: usize) -> Result<Cow<'_, [u8]>, DataError> {
        let image = self.pixels.image(self.position(i), self.image_len())?;
        let Some((turned, turn)) = self.turn(i) else {
            return Ok(image);
        };
        let mut out = vec![0; image.len()];
        turned.apply(turn, &image, self.shape(), &mut out);
        Ok(Cow::Owned(out))
    }

    /// Copies the pixels of image `i` to `out`, which is [`image_len`](Self::image_len) long.
    ///
    /// # Errors
    ///
    /// As [`ImageSet::image`].
    ///
    /// # Panics
    ///
    /// If there is no image `i`, or `out` has another length.
    pub fn copy_image(&self, i: usize, out: &mut [u8]) -> Result<(), DataError> {
        assert_eq!(out.len(), self.image_len(), "an image is copied whole");
        match self.turn(i) {
            None => self.pixels.copy_image(self.position(i), out)?,
            Some(_) => out.copy_from_slice(&self.image(i)?),
        }
        Ok(())
    }

    /// The name of the picture that image `i` was made from: its path within the set, or `file#row`. `None` where the
    /// set was made of bare pixels.
    pub fn name(&self, i: usize) -> Option<&str> {
        let originals = self.originals.as_ref()?;
        originals.names.get(self.position(i)).map(String::as_str)
    }

    /// The picture that image `i` was made from, to look at: RGB (H, W, C), upright, of its own shape, shrunk until no
    /// side is longer than `most`; with its (height, width). `None` where there is none, or it is gone by now.
    pub fn original(&self, i: usize, most: usize) -> Option<(Vec<u8>, (usize, usize))> {
        let picture = self.originals.as_ref()?.picture(self.position(i)).ok()?;
        Some(picture.thumbnail(most))
    }

    /// Whether images are read from a file when they are asked for.
    pub fn is_on_disk(&self) -> bool {
        self.pixels.is_on_disk()
    }

    /// How image `i` is turned, if it is.
    fn turn(&self, i: usize) -> Option<(Turned, u8)> {
        let (turned, turns) = self.turns.as_ref()?;
        Some((*turned, turns[i])).filter(|(_, turn)| *turn > 0)
    }

    pub(crate) fn is_turned(&self) -> bool {
        self.turns.is_some()
    }

    fn shape(&self) -> (usize, usize, usize) {
        (self.height, self.width, self.channels)
    }

    /// Every image twice, one after the other, and each picture a class of its own: what there is to learn from where
    /// nothing is known of classes. The pixels are shared.
    #[must_use]
    pub fn in_two_views(&self) -> Self {
        let twice: Vec<u32> = (0..self.len() as u32).flat_map(|i| [i, i]).collect();
        let name = |i: usize| match self.name(i) {
            Some(name) => name.to_string(),
            None => format!("picture {i}"),
        };
        Self {
            labels: twice.clone(),
            classes: (0..self.len()).map(name).collect(),
            coarse_labels: None,
            superclasses: Vec::new(),
            ..self.subset(&twice)
        }
    }

    /// These images as `augment` changes them, by random numbers of `seed`: what is judged where there are two views of
    /// each picture. They are in memory.
    ///
    /// # Errors
    ///
    /// As [`ImageSet::image`].
    pub fn augmented(&self, augment: &AugmentConfig, seed: u64) -> Result<Self, DataError> {
        let shape = (self.height, self.width, self.channels);
        let mut pixels = vec![0; self.len() * self.image_len()];
        let outs = pixels.chunks_exact_mut(self.image_len());
        for (i, out) in outs.enumerate() {
            let mut changes = stream(seed, "views", &[i as u64]);
            augment.apply(&self.image(i)?, shape, out, &mut changes);
        }
        let (labels, classes) = (self.labels.clone(), self.classes.clone());
        Self::from_store(shape, pixels.into(), labels, classes)
    }

    /// Where in `pixels` image `i` lies.
    fn position(&self, i: usize) -> usize {
        match &self.positions {
            Some(positions) => positions[i] as usize,
            None => i,
        }
    }

    /// For each class the superclass of its images; a class without images belongs to 0.
    ///
    /// `None` if the set has no superclasses, or if a class has images in two of them.
    pub fn superclass_of_class(&self) -> Option<Vec<u32>> {
        let coarse_labels = self.coarse_labels.as_ref()?;
        let pairs = self.labels.iter().zip(coarse_labels);
        superclass_of_class(
            self.classes.len(),
            pairs.map(|(&label, &coarse)| (label, coarse)),
        )
    }

    /// The images at `indices`, in that order, sharing this set's pixels.
    ///
    /// # Panics
    ///
    /// If an index is past the end.
    pub fn subset(&self, indices: &[u32]) -> Self {
        let pick = |from: &[u32]| indices.iter().map(|&i| from[i as usize]).collect();
        Self {
            labels: pick(&self.labels),
            coarse_labels: self.coarse_labels.as_deref().map(pick),
            positions: Some(match &self.positions {
                Some(positions) => pick(positions),
                None => indices.to_vec(),
            }),
            classes: self.classes.clone(),
            superclasses: self.superclasses.clone(),
            pixels: self.pixels.clone(),
            originals: self.originals.clone(),
            turns: self.turns.as_ref().map(|(turned, turns)| {
                let turns = indices.iter().map(|&i| turns[i as usize]).collect();
                (*turned, turns)
            }),
            ..*self
        }
    }
}

impl std::fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSet")
            .field("images", &self.len())
            .field("height", &self.height)
            .field("width", &self.width)
            .field("channels", &self.channels)
            .field("classes", &self.classes.len())
            .field("superclasses", &self.superclasses.len())
            .finish_non_exhaustive()
    }
}

fn check_labels(what: &str, labels: &[u32], classes: usize) -> Result<(), DataError> {
    match labels.iter().position(|&label| label as usize >= classes) {
        Some(i) => Err(DataError::Invalid(format!(
            "image {i} has {what} {}, but there are {classes} names",
            labels[i]
        ))),
        None => Ok(()),
    }
}
