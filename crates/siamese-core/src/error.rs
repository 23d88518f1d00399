//! What can go wrong with weights, model files and settings.

use std::path::{Path, PathBuf};

/// The result of what reads, writes and checks in this crate; functions of tensors return Candle's.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate. What caused it is its `source`, not part of its own words: print the chain (`{:#}` of
/// `anyhow`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("{doing} {}", path.display())]
    Io {
        /// `reading` or `writing`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// A file of another kind.
    #[error("reading {}: it does not begin as a safetensors file does", path.display())]
    OtherFile {
        /// The file.
        path: PathBuf,
    },
    /// A safetensors file that is cut or damaged.
    #[error("reading {}: it is no whole safetensors file, copy or fetch it again", path.display())]
    NotTensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// A file holds tensors, but no description of ours.
    #[error(
        "reading {}: it is a safetensors file, but not one that `siamese train` wrote: it does not say what tower it holds",
        path.display()
    )]
    NotAModel {
        /// The file.
        path: PathBuf,
    },
    /// Weights of a network that this version does not know.
    #[error(
        "the tensors of {name} are those of no network that this version knows: it takes ResNet-18, 34, 50, 101 and 152 in \
         torchvision's and timm's names, such as timm/resnet50.tv_in1k, and DINOv2 S, B and L without registers, such as \
         timm/vit_small_patch14_dinov2.lvd142m"
    )]
    UnknownBackbone {
        /// The file, or its name on the hub.
        name: String,
    },
    /// A model file cannot be used, or a model cannot be written as one.
    #[error("{doing} the model {}", path.display())]
    Model {
        /// `loading` or `saving`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// A model's description is not what this version writes.
    #[error("the model's description is not one that this version knows")]
    Description(#[source] serde_json::Error),
    /// A model file is of a format that came later.
    #[error(
        "the file's format is {found}, this version reads formats up to {newest}: use a newer version"
    )]
    Format {
        /// The file's format.
        found: u32,
        /// The newest that is known.
        newest: u32,
    },
    /// A model's parts contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// Tensors do not fit the parameters that they are for.
    #[error("{0}")]
    Misfit(Misfit),
    /// A setting is out of range.
    #[error("{field} {why}")]
    Invalid {
        /// Which setting, as configurations spell it.
        field: &'static str,
        /// What it must be, and what it is.
        why: String,
    },
    /// Candle refused.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        Self::Io {
            doing,
            path,
            source,
        }
    }

    pub(crate) fn model(self, doing: &'static str, path: &Path) -> Self {
        Self::Model {
            doing,
            path: path.to_path_buf(),
            source: Box::new(self),
        }
    }
}

/// How tensors and parameters differ, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Misfit {
    /// Parameters that no tensor was given for.
    pub missing: Vec<String>,
    /// Tensors that no parameter asked for.
    pub surplus: Vec<String>,
    /// Tensors of another shape than the parameter's: name, the tensor's shape, the parameter's.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl Misfit {
    /// Nothing, where every parameter has its tensor and every tensor its parameter.
    pub(crate) fn check(self) -> Result<()> {
        if self == Self::default() {
            return Ok(());
        }
        Err(Error::Misfit(self))
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let misshapen: Vec<String> = self
            .misshapen
            .iter()
            .map(|(name, found, wanted)| {
                format!("{name} has shape {found:?} instead of {wanted:?}")
            })
            .collect();
        let parts = [
            ("missing", &self.missing),
            ("not known to the network", &self.surplus),
            ("misshapen", &misshapen),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", first_few(names)))
            .collect();
        write!(
            f,
            "the tensors do not fit the network; {}",
            parts.join("; ")
        )
    }
}

fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misfit_names_what_differs_and_counts_the_rest() {
        let misfit = Misfit {
            missing: (0..7).map(|i| format!("a.{i}")).collect(),
            misshapen: vec![("b".into(), vec![2, 3], vec![3, 2])],
            ..Misfit::default()
        };
        let text = misfit.check().unwrap_err().to_string();
        assert!(
            text.contains("missing: a.0, a.1, a.2, a.3, a.4 and 2 more"),
            "{text}"
        );
        assert!(
            text.contains("b has shape [2, 3] instead of [3, 2]"),
            "{text}"
        );
        assert!(!text.contains("not known"), "{text}");
    }
}
