//! Where a data set comes from: what the user may choose, and what was found.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
