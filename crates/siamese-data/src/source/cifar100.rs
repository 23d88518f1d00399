//! CIFAR-100 by its own name.

use std::path::PathBuf;

use super::cifar_files::{FILES, REPO};
use super::dataset::Dataset;
use super::options::OpenOptions;
use crate::error::DataError;
use crate::hub::HubRepo;

/// Loads CIFAR-100: 50,000 training and 10,000 test images of 100 classes in 20 superclasses, 32×32 RGB. The bundled
/// sample, which stands in for it where the hub cannot be reached, has 4,000 and 1,000 of them: a caller should say so
/// loudly where [`Dataset::is_sample`].
///
/// ```no_run
/// use siamese_data::{OpenOptions, load_cifar100};
///
/// let dataset = load_cifar100(&OpenOptions::default())?;
/// println!("{} images from {}", dataset.train.len(), dataset.origin);
/// # Ok::<(), siamese_data::DataError>(())
/// ```
///
/// # Errors
///
/// Any [`DataError`]. Without a network, [`SourceChoice::Auto`](crate::SourceChoice::Auto) takes the sample instead.
pub fn load_cifar100(options: &OpenOptions) -> Result<Dataset, DataError> {
    Dataset::open("cifar100", options)
}

/// The hub's files on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFiles {
    /// The parquet file of the training split.
    pub train: PathBuf,
    /// The parquet file of the test split.
    pub test: PathBuf,
    /// The commit of the repository they belong to.
    pub commit: String,
}

/// Downloads CIFAR-100 from the Hugging Face hub into the hub's cache, if it is not there yet.
///
/// A file in the cache is checked against its checksum, and fetched again if it is damaged.
///
/// # Errors
///
/// Any [`DataError`] of the hub, and of the file system.
pub fn fetch_cifar100(options: &OpenOptions) -> Result<FetchedFiles, DataError> {
    let repo = HubRepo::new(REPO, &options.hub);
    Ok(FetchedFiles {
        train: repo.get(FILES[0], options.progress)?,
        test: repo.get(FILES[1], options.progress)?,
        commit: repo.cached_commit().unwrap_or_default(),
    })
}
