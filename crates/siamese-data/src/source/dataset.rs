//! Where a data set comes from: what the user may choose, and what was found.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::hub::HubOptions;
use crate::image_set::ImageSet;
use crate::progress::Progress;

/// A data set with its two published splits.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The images to train (and validate) on.
    pub train: ImageSet,
    /// The images to be looked at once, at the end.
    pub test: ImageSet,
    /// Where they came from.
    pub provenance: Provenance,
}

/// Where a data set came from, and whether it is what it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The set's short name: `cifar100`.
    pub name: String,
    /// Where it was read.
    pub origin: Origin,
    /// Whether the md5 of the images and labels, written back as the original records, is the
    /// published one. The bundled sample is checked against its own.
    pub verified: bool,
    /// Why the sample stands in for the whole set, where it was not asked for.
    pub fallback: Option<String>,
}

impl Provenance {
    /// Whether this is the bundled sample and not the whole set: say so loudly.
    pub fn is_sample(&self) -> bool {
        matches!(self.origin, Origin::Sample(_))
    }
}

/// The place a data set was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A repository of the Hugging Face hub.
    Hub {
        /// Owner and name, as in `uoft-cs/cifar100`.
        repo: String,
        /// The commit that was downloaded.
        commit: String,
    },
    /// A path the user gave.
    Path(PathBuf),
    /// The sample bundled with the repository: a small part of the set.
    Sample(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub { repo, commit } => {
                let commit = commit.get(..7).unwrap_or(commit);
                write!(f, "Hugging Face hub, {repo} at {commit}")
            }
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Sample(path) => write!(f, "bundled sample, {}", path.display()),
        }
    }
}

/// Which source to use when no path is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceChoice {
    /// What is already on this machine; else the hub; without a network, the bundled sample.
    #[default]
    Auto,
    /// The hub (or its local cache), or an error.
    Hub,
    /// The bundled sample.
    Sample,
}

/// What to load and where to look for it.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The data set on this machine: the folder of the hub's parquet files,
    /// `cifar-100-binary.tar.gz`, or its unpacked folder. Takes precedence over `source`.
    pub data: Option<PathBuf>,
    /// The source where `data` is not given.
    pub source: SourceChoice,
    /// The folder for decoded sets. `None`: `SIAMESE_CACHE`, else `$XDG_CACHE_HOME/siamese`,
    /// else `~/.cache/siamese`.
    pub cache: Option<PathBuf>,
    /// The `datasets` folder with the bundled sample. `None`: `SIAMESE_DATASETS`, else the
    /// nearest `datasets` upward from the current directory, else that of the source tree.
    pub samples: Option<PathBuf>,
    /// How to reach the hub. The default is what the environment says.
    pub hub: HubOptions,
    /// Whether to report progress.
    pub progress: Progress,
}
