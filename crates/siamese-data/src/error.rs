//! What can go wrong between a file of images and a batch of pairs.

use std::io;
use std::path::{Path, PathBuf};

use crate::picture::PictureError;

/// A failure of this crate. Each message names the path (or address) and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused to read or write a file.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done, as in "reading".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// A path holds none of the forms in which a data set may be given.
    #[error("{} is not {expected}: found {found}", path.display())]
    NotADataSet {
        /// The path that was given.
        path: PathBuf,
        /// The accepted forms, in words.
        expected: &'static str,
        /// What is there instead.
        found: String,
    },

    /// A source that cannot be trained on as it is: what it looks like, and what to do.
    #[error("{}: {found}; {advice}", path.display())]
    Unrecognised {
        /// The path that was given.
        path: PathBuf,
        /// What it looks like.
        found: String,
        /// What the user can do.
        advice: String,
    },

    /// A file is of the right kind but cannot be read to its end.
    #[error("{} is damaged: {reason}; remove it and fetch it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What did not fit.
        reason: String,
    },

    /// A file is not read as a picture.
    #[error("{} is not a readable picture: {reason}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: PictureError,
    },

    /// The hub could not be reached at all: no network, no such host, no answer in time.
    #[error(
        "cannot reach {url}: {reason}; check the network (HF_ENDPOINT, HTTPS_PROXY), \
         or give the data with --data PATH"
    )]
    Unreachable {
        /// The address asked for.
        url: String,
        /// The last failure.
        reason: String,
    },

    /// The hub is there, and kept answering that it is busy, or did not end its answers.
    #[error("{url} does not serve: {reason}; try again later, or give the data with --data PATH")]
    Busy {
        /// The address asked for.
        url: String,
        /// The last failure.
        reason: String,
    },

    /// A setting (of the environment, mostly) that cannot be as it is; it is named.
    #[error("{0}")]
    Setting(String),

    /// The hub answered, and its answer was no.
    #[error("{url}: {reason}; {advice}")]
    Refused {
        /// The address asked for.
        url: String,
        /// The status or what else was wrong with the answer.
        reason: String,
        /// What the user can do.
        advice: &'static str,
    },

    /// A download broke off more often than it was worth repeating. What arrived is kept.
    #[error(
        "downloading {url} broke off at {received} of {size} bytes: {reason}; \
         run the same command again to go on from there"
    )]
    BrokenDownload {
        /// The address asked for.
        url: String,
        /// Bytes on disk.
        received: u64,
        /// Bytes expected.
        size: u64,
        /// The last failure.
        reason: String,
    },

    /// A file is larger than what its disk has free.
    #[error(
        "{url} has {missing} bytes to fetch, where {} has {free} bytes free; make room, or name a cache on another disk \
         (HF_HUB_CACHE, SIAMESE_CACHE)",
        folder.display()
    )]
    NoRoom {
        /// The address asked for.
        url: String,
        /// Bytes that are yet to come, as the server claims.
        missing: u64,
        /// Where they were to lie.
        folder: PathBuf,
        /// Bytes free there.
        free: u64,
    },

    /// Offline mode, and the file is not in the cache.
    #[error(
        "{file} is not in {} and HF_HUB_OFFLINE forbids to fetch it; \
         unset HF_HUB_OFFLINE, or give the data with --data PATH",
        cache.display()
    )]
    Offline {
        /// The file's path in the repository.
        file: String,
        /// The hub cache looked in.
        cache: PathBuf,
    },

    /// The bundled sample was not found.
    #[error(
        "the bundled sample {name} was not found in {looked}; set SIAMESE_DATASETS to the \
         repository's `datasets` folder, or give the data with --data PATH"
    )]
    NoSample {
        /// The data set.
        name: String,
        /// The places looked in.
        looked: String,
    },

    /// This build was made without a part that is needed.
    #[error(
        "{what} takes siamese-data's feature `{feature}`, and this program was built without it"
    )]
    WithoutFeature {
        /// What was to be done, as in "reading birds.parquet".
        what: String,
        /// The feature.
        feature: &'static str,
    },

    /// Images, labels or settings that do not fit together.
    #[error("{0}")]
    Invalid(String),
}

impl DataError {
    /// The file or folder that it is about, where it is about one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::NotADataSet { path, .. }
            | Self::Unrecognised { path, .. }
            | Self::Damaged { path, .. }
            | Self::Picture { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Adapts an [`io::Error`] met while doing `action` to `path`, for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn unrecognised(
        path: &Path,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Unrecognised {
            path: path.to_path_buf(),
            found: found.into(),
            advice: advice.into(),
        }
    }

    /// Names the file of a [`PictureError`], for `map_err`.
    pub(crate) fn picture(path: &Path) -> impl FnOnce(PictureError) -> Self {
        let path = path.to_path_buf();
        move |reason| Self::Picture { path, reason }
    }

    /// Whether the hub cannot be asked at all: a reason to do without it, as being refused is not.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Offline { .. }
                | Self::WithoutFeature { feature: "hub", .. }
        )
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }
}
