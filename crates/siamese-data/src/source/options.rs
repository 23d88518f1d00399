//! Where to look for a data set, and what its columns are called.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::cache_folder;
use super::origin::SourceChoice;
use crate::hub::HubOptions;
use crate::progress::Progress;
use crate::variables::folder;

/// Where [`open`](crate::open) looks, and what it may use.
///
/// The default is what the environment says.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The folder for decoded sets and downloads. `None`: `SIAMESE_CACHE`, else `$XDG_CACHE_HOME/siamese`, else
    /// `~/.cache/siamese`.
    pub cache: Option<PathBuf>,
    /// The folder in which named sets are looked for. `None`: `SIAMESE_DATASETS`, else `datasets` and
    /// `shared/datasets` upward from the current directory.
    pub datasets: Option<PathBuf>,
    /// Where CIFAR-100 is taken from, the one set with a bundled sample, when it is asked for by name.
    pub source: SourceChoice,
    /// How to reach the hub, and other servers; `offline` holds for all of them.
    pub hub: HubOptions,
    /// The address from which the files of named sets are fetched, each by its name, in place of where they are
    /// published.
    pub mirror: Option<String>,
    /// What the columns of a table or of parquet files are called, where looking does not tell.
    pub columns: Columns,
    /// Whether shards that the names of the others count may be missing; they are then listed as left out.
    pub missing_shards: bool,
    /// Whether to report progress.
    pub progress: Progress,
}

impl OpenOptions {
    /// The cache's folder.
    pub(crate) fn cache_folder(&self) -> PathBuf {
        cache_folder(self.cache.as_deref())
    }

    /// The folders in which named sets are looked for.
    pub(crate) fn dataset_folders(&self) -> Vec<PathBuf> {
        let named = || folder("SIAMESE_DATASETS");
        if let Some(folder) = self.datasets.clone().or_else(named) {
            return vec![folder];
        }
        let here = std::env::current_dir().unwrap_or_default();
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let above = here.ancestors().chain(Some(built_from.as_path()));
        above
            .flat_map(|folder| {
                ["datasets", "shared/datasets", "../shared/datasets"].map(|name| folder.join(name))
            })
            .filter(|folder| folder.is_dir())
            .collect()
    }
}

/// The names of a table's columns; `None` is found by looking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// The column with the pictures' paths.
    pub file: Option<String>,
    /// The column of parquet files with the pictures themselves.
    pub image: Option<String>,
    /// The column with the class.
    pub label: Option<String>,
    /// The column with what must not be split across parts: a person, a patient, a video.
    pub group: Option<String>,
    /// The column that says train, validation or test.
    pub split: Option<String>,
    /// The column with the class above the class.
    pub superclass: Option<String>,
}
