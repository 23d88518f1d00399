//! Batches of images: augmented and prepared ahead in background threads; and plain ones.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::augment::{AugmentConfig, AugmentError, check_resized, resize};
use super::prefetch::Prefetch;
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::rng::stream;
use crate::sampler::draw::Draw;

/// A batch of B images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// (B, H, W, C), augmented; where a part was asked for, of that part alone.
    pub images: Vec<u8>,
    /// Which of the B images `images` begins with: 0, where no part was asked for.
    pub first: usize,
    /// (H, W)
    pub size: (usize, usize),
    /// (B): the class of each image; two are like where these are equal.
    pub labels: Vec<u32>,
    /// (B): which images of the set these are.
    pub indices: Vec<u32>,
}

/// How a [`Loader`] prepares its batches.
#[derive(Clone, Debug, PartialEq)]
pub struct LoaderConfig {
    /// The random changes made to every image.
    pub augment: AugmentConfig,
    /// Height and width of the images of a batch, where they are not those of the set.
    pub size: Option<(usize, usize)>,
    /// First batches whose images are made smaller after all other changes; the first entry that a batch comes before
    /// decides.
    pub shrunk: Vec<Shrunk>,
    /// The seed of those changes.
    pub seed: u64,
    /// The epoch that the pairs are of: each has other changes.
    pub epoch: usize,
    /// Leave out this many batches at the start: to resume in the middle of an epoch.
    pub skip_batches: usize,
    /// Make the images of this part of each batch alone, the first of these numbers, of as many parts as the second.
    pub part: Option<(usize, usize)>,
    /// Background threads, at least one.
    pub workers: usize,
    /// Batches begun or waiting beyond those taken, at least one.
    pub prefetch: usize,
}

/// Batches whose images are made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The batch, counted from the start of the epoch, from which on they are so no longer.
    pub before: usize,
    /// Height and width of their images.
    pub size: (usize, usize),
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            augment: AugmentConfig::default(),
            size: None,
            shrunk: Vec::new(),
            seed: 0,
            epoch: 0,
            skip_batches: 0,
            part: None,
            workers: 1,
            prefetch: 4,
        }
    }
}

/// Why there is no batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoaderError {
    /// An image is asked for that the set has not.
    #[error("image index {index} is out of range: the set has {images} images")]
    Index {
        /// The offending index.
        index: u32,
        /// The number of images.
        images: usize,
    },
    /// A batch would hold nothing.
    #[error("images per batch is 0, expected at least 1")]
    EmptyBatch,
    /// The augmentation does not suit the images.
    #[error("augmentation")]
    Augment(#[from] AugmentError),
    /// The system gave no thread.
    #[error("starting a loader thread")]
    Thread(#[from] std::io::Error),
    /// An image could not be read.
    #[error("preparing batch {batch}: {reason}")]
    Read {
        /// The batch it belongs to, counted from the start of the epoch.
        batch: usize,
        /// What failed.
        reason: DataError,
    },
    /// A background thread panicked.
    #[error("a loader thread panicked while preparing batch {batch}: {message}")]
    Panicked {
        /// The batch it was at, counted from the start of the epoch.
        batch: usize,
        /// What the panic said.
        message: String,
    },
}

/// The batches of one epoch, in order, prepared ahead in background threads.
///
/// How an image is changed depends on seed, epoch and its place in the epoch alone: neither the number of threads, nor
/// the size of the batches, nor where a run was resumed makes a difference.
///
/// ```
/// use std::sync::Arc;
/// use siamese_data::{ImageSet, Loader, LoaderConfig, PerClass, Sampler, SamplerConfig};
///
/// let names = vec!["dark".into(), "light".into()];
/// let set = Arc::new(ImageSet::new(1, 1, 1, vec![10, 20, 200, 210], vec![0, 0, 1, 1], names)?);
/// let config = SamplerConfig::PerClass(PerClass { classes: 2, images: 2 });
/// let sampler = Sampler::new(&config, 42, &set.labels, &[0, 1, 2, 3], None)?;
/// // the closure runs in the background: there bytes become whatever a step takes
/// let brightness = |batch: &siamese_data::Batch| batch.images.iter().map(|&p| u32::from(p)).sum::<u32>();
/// let mut loader = Loader::new(Arc::clone(&set), sampler.epoch(0), LoaderConfig::default(), brightness)?;
/// assert_eq!(loader.next().unwrap()?, 440);
/// println!("waited {:?} for data", loader.waited());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Loader<T> {
    prefetch: Prefetch<Result<T, DataError>>,
    next: usize,
    failed: bool,
}

impl<T: Send + 'static> Loader<T> {
    /// Starts to prepare the batches of `plan`; each is handed to `finish` by the thread that made it.
    ///
    /// # Errors
    ///
    /// An index that names no image of the set, an augmentation that does not suit the images, or
    /// no thread to be had.
    pub fn new(
        images: Arc<ImageSet>,
        plan: Vec<Draw>,
        config: LoaderConfig,
        finish: impl Fn(&Batch) -> T + Send + Sync + 'static,
    ) -> Result<Self, LoaderError> {
        let shape = (images.height, images.width, images.channels);
        let size = config.size.unwrap_or((shape.0, shape.1));
        config.augment.check_to(shape, size)?;
        if !config.shrunk.is_empty() {
            check_resized(images.channels)?;
        }
        check_indices(
            &images,
            plan.iter().flat_map(|draw| draw.indices.iter().copied()),
        )?;
        let skip = config.skip_batches.min(plan.len());
        let mut first_image = Vec::with_capacity(plan.len());
        let mut count = 0;
        for draw in &plan {
            first_image.push(count);
            count += draw.indices.len() as u64;
        }
        let total = plan.len() - skip;
        let (workers, ahead) = (config.workers, config.prefetch);
        let changes = stream(config.seed, "augmentation", &[config.epoch as u64]);
        let spare = Mutex::new(Vec::<Batch>::new());
        let make = move |i: usize| {
            let lock = || spare.lock().unwrap_or_else(PoisonError::into_inner);
            let mut batch = lock().pop().unwrap_or_default();
            let (draw, first) = (&plan[skip + i], first_image[skip + i]);
            let shrunk = config.shrunk.iter().find(|s| skip + i < s.before);
            let change = Change {
                augment: &config.augment,
                size,
                shrunk: shrunk.map(|s| s.size).filter(|&smaller| smaller != size),
                streams: &changes,
                part: config.part.unwrap_or((0, 1)),
            };
            fill(&mut batch, &images, draw, &change, first)?;
            let made = finish(&batch);
            lock().push(batch);
            Ok(made)
        };
        Ok(Self {
            prefetch: Prefetch::start(total, workers, ahead, make)?,
            next: skip,
            failed: false,
        })
    }

    /// The time for which batches were waited for so far: nearly nothing where the loader keeps up.
    pub fn waited(&self) -> Duration {
        self.prefetch.waited()
    }
}

impl<T: Send + 'static> Iterator for Loader<T> {
    type Item = Result<T, LoaderError>;

    /// The next batch; after an error there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.prefetch.next()?;
        let batch = self.next;
        self.next += 1;
        let item = match item {
            Ok(read) => read.map_err(|reason| LoaderError::Read { batch, reason }),
            Err(message) => Err(LoaderError::Panicked { batch, message }),
        };
        self.failed = item.is_err();
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A failure in a thread would end the batches early.
        let most = if self.failed {
            0
        } else {
            self.prefetch.remaining()
        };
        (most.min(1), Some(most))
    }
}

/// What happens to the images of an epoch.
struct Change<'a> {
    augment: &'a AugmentConfig,
    /// Height and width afterwards.
    size: (usize, usize),
    /// Height and width that they are then made smaller to.
    shrunk: Option<(usize, usize)>,
    /// Image by image another stream of these.
    streams: &'a ChaCha8Rng,
    /// The images of this part of a batch alone.
    part: (usize, usize),
}

/// Where a part of a batch of `images` begins and ends, the first of these numbers of as many as the second: parts differ
/// by one image at most.
#[must_use]
pub fn part_of(images: usize, (part, parts): (usize, usize)) -> std::ops::Range<usize> {
    part * images / parts..(part + 1) * images / parts
}

/// Makes `batch` of `draw`, whose first image is image `first` of the epoch.
fn fill(
    batch: &mut Batch,
    set: &ImageSet,
    draw: &Draw,
    change: &Change,
    first: u64,
) -> Result<(), DataError> {
    let shape = (set.height, set.width, set.channels);
    batch.indices.clone_from(&draw.indices);
    batch.labels.clone_from(&draw.labels);
    let count = draw.indices.len();
    let size = change.size;
    batch.size = change.shrunk.unwrap_or(size);
    let image_len = batch.size.0 * batch.size.1 * set.channels;
    let own = part_of(count, change.part);
    batch.first = own.start;
    batch.images.resize(own.len() * image_len, 0);
    let mut whole = vec![0; size.0 * size.1 * set.channels];
    let unchanged = change.augment.is_identity() && size == (set.height, set.width);
    let outs = batch.images.chunks_exact_mut(image_len);
    for (out, (i, &index)) in outs.zip(draw.indices.iter().enumerate().skip(own.start)) {
        if unchanged && change.shrunk.is_none() {
            set.copy_image(index as usize, out)?;
            continue;
        }
        let image = set.image(index as usize)?;
        // Pair k of the epoch has images 2k and 2k + 1, wherever its batch begins.
        let place = match draw.paired {
            true => 2 * (i % (count / 2)) + i / (count / 2),
            false => i,
        };
        let mut rng = change.streams.clone();
        rng.set_stream(first + place as u64);
        let augment = change.augment;
        if change.shrunk.is_none() {
            augment.apply_to(&image, shape, (out, size), &mut rng);
            continue;
        }
        augment.apply_to(&image, shape, (&mut whole, size), &mut rng);
        resize(&whole, (size.0, size.1, set.channels), (out, batch.size));
    }
    Ok(())
}

fn check_indices(
    set: &ImageSet,
    indices: impl IntoIterator<Item = u32>,
) -> Result<(), LoaderError> {
    let images = set.len();
    match indices.into_iter().find(|&index| index as usize >= images) {
        Some(index) => Err(LoaderError::Index { index, images }),
        None => Ok(()),
    }
}

/// A batch of B images, as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageBatch {
    /// (B, H, W, C).
    pub images: Vec<u8>,
    /// (B): the class of each image.
    pub labels: Vec<u32>,
}

/// Images of a set in the given order, without augmentation: for embedding them all.
///
/// ```
/// use siamese_data::{ImageBatches, ImageSet};
///
/// let set = ImageSet::new(1, 1, 1, vec![10, 20, 30], vec![0, 0, 0], vec!["grey".into()])?;
/// let batches = ImageBatches::new(&set, &[2, 0, 1], 2)?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(batches[0].images, [30, 10]);
/// assert_eq!(batches[1].images, [20]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageBatches<'a> {
    set: &'a ImageSet,
    indices: std::slice::Chunks<'a, u32>,
}

impl<'a> ImageBatches<'a> {
    /// The images `indices`, `batch_size` at a time; the last batch may be shorter.
    ///
    /// # Errors
    ///
    /// An index that names no image of the set, or a batch size of 0.
    pub fn new(
        set: &'a ImageSet,
        indices: &'a [u32],
        batch_size: usize,
    ) -> Result<Self, LoaderError> {
        if batch_size == 0 {
            return Err(LoaderError::EmptyBatch);
        }
        check_indices(set, indices.iter().copied())?;
        let indices = indices.chunks(batch_size);
        Ok(Self { set, indices })
    }
}

impl Iterator for ImageBatches<'_> {
    type Item = Result<ImageBatch, DataError>;

    /// The next batch; an error where an image cannot be read.
    fn next(&mut self) -> Option<Self::Item> {
        let indices = self.indices.next()?;
        let mut images = vec![0; indices.len() * self.set.image_len()];
        let outs = images.chunks_exact_mut(self.set.image_len());
        for (out, &index) in outs.zip(indices) {
            if let Err(error) = self.set.copy_image(index as usize, out) {
                return Some(Err(error));
            }
        }
        let label = |&index: &u32| self.set.labels[index as usize];
        let labels = indices.iter().map(label).collect();
        Some(Ok(ImageBatch { images, labels }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

impl ExactSizeIterator for ImageBatches<'_> {}
