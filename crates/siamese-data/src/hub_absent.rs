//! The hub in a build without the feature `hub`: nothing is downloaded, and its cache is not looked into.

use std::path::{Path, PathBuf};

use crate::{DataError, Progress};

/// How to reach the hub: not at all, in a build without the feature `hub`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HubOptions {
    /// Whether only what is on this machine may be used, as is so here in any case.
    pub offline: bool,
}

impl HubOptions {
    /// The same as the default: nothing of the environment matters.
    pub fn from_env() -> Self {
        Self::default()
    }
}

fn absent(what: impl Into<String>) -> DataError {
    DataError::WithoutFeature {
        what: what.into(),
        feature: "hub",
    }
}

/// The weights of the model `name` on the hub.
///
/// # Errors
/// Always: this build was made without the feature `hub`.
pub fn fetch_weights(name: &str, _: &HubOptions, _: Progress) -> Result<PathBuf, DataError> {
    Err(absent(format!("fetching {name} from the hub")))
}

/// The weights of the model `name` in the hub's cache: none, in a build without the feature `hub`.
pub fn cached_weights(_: &str, _: &HubOptions) -> Option<PathBuf> {
    None
}

pub(crate) fn fetch_published(
    url: &str,
    _: &str,
    _: &Path,
    _: &HubOptions,
    _: Progress,
) -> Result<(), DataError> {
    Err(absent(format!("fetching {url}")))
}

/// A repository that cannot be asked.
pub(crate) struct HubRepo(String);

impl HubRepo {
    pub(crate) fn new(name: &str, _: &HubOptions) -> Self {
        Self(name.into())
    }

    pub(crate) fn at(name: &str, _: &str, options: &HubOptions) -> Self {
        Self::new(name, options)
    }

    fn absent<T>(&self) -> Result<T, DataError> {
        Err(absent(format!("fetching {} from the hub", self.0)))
    }

    pub(crate) fn files(&self, _: Progress) -> Result<Vec<String>, DataError> {
        self.absent()
    }

    pub(crate) fn cached_commit(&self) -> Option<String> {
        None
    }

    pub(crate) fn cached(&self, _: &str) -> Option<PathBuf> {
        None
    }

    pub(crate) fn get(&self, _: &str, _: Progress) -> Result<PathBuf, DataError> {
        self.absent()
    }

    pub(crate) fn probe(&self, _: &str, _: Progress) -> Result<(), DataError> {
        self.absent()
    }
}
