//! What a gallery says of itself: above all, whose embeddings it holds.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use siamese_core::Metric;
use siamese_core::metrics::UnlikeTail;
use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::{Comparison, Distance};
use siamese_embed::Embedder;

use crate::error::{Error, Result};

/// The newest layout: 2 is that of a gallery whose model compares by a head, or which keeps a part of each embedding. A program
/// that knows neither would search it by another distance.
pub(crate) const FORMAT: u32 = 2;
/// The layout of all others.
const PLAIN: u32 = 1;

/// What a gallery says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The layout of the rows.
    pub format: u32,
    /// The model whose embeddings are in it.
    pub model: ModelAbout,
    /// The version of this crate that made it.
    pub version: String,
}

/// The model of a gallery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelAbout {
    /// Where it was loaded from: a run's folder, a file, a name.
    pub place: String,
    /// What tells its weights from others'.
    pub fingerprint: String,
    /// Numbers in an embedding, D.
    pub dim: usize,
    /// Numbers in an embedding of the model's, where the gallery keeps the first D of them alone, of unit length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<usize>,
    /// How its embeddings are compared, where it has no head.
    pub distance: Distance,
    /// What compares its embeddings, where that was learned.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::head_text"
    )]
    pub head: Option<Arc<Comparison>>,
    /// Its threshold for pairs.
    pub threshold: Option<f64>,
    /// From a distance to the probability of "same", fitted on pairs.
    pub calibration: Option<Calibration>,
    /// How near unlike pairs of the images come that its threshold was fitted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlike: Option<UnlikeTail>,
}

impl About {
    /// A new gallery of this model's embeddings.
    ///
    /// # Errors
    /// When the weights cannot be read from their device.
    pub fn of(embedder: &Embedder) -> Result<Self> {
        let model = ModelAbout::of(embedder)?;
        Ok(Self {
            format: match model.head {
                Some(_) => FORMAT,
                None => PLAIN,
            },
            model,
            version: env!("CARGO_PKG_VERSION").into(),
        })
    }
}

impl About {
    /// The same with the first `dims` numbers of each embedding alone: see [`ModelAbout::shortened`].
    ///
    /// # Errors
    /// As there.
    pub fn shortened(self, dims: usize) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            model: self.model.shortened(dims)?,
            ..self
        })
    }
}

/// A path that holds from any folder; a name stays.
fn whole(place: &str) -> String {
    let path = Path::new(place);
    match std::path::absolute(path) {
        Ok(whole) if path.exists() => whole.to_string_lossy().into_owned(),
        _ => place.to_string(),
    }
}

impl ModelAbout {
    /// What tells this model from others.
    ///
    /// # Errors
    /// When the weights cannot be read from their device.
    pub fn of(embedder: &Embedder) -> Result<Self> {
        let model = embedder.model();
        let threshold = model.threshold.as_ref();
        let metric = model.metric().map_err(siamese_embed::Error::from)?;
        let weights = model.fingerprint();
        Ok(Self {
            place: embedder.place().map_or("a model in memory".into(), whole),
            fingerprint: weights.map_err(siamese_embed::Error::from)?,
            dim: model.tower.config().embedding,
            whole: None,
            distance: model.distance,
            head: match metric {
                Metric::Learned(comparison) => Some(comparison),
                Metric::Distance(_) => None,
            },
            threshold: threshold.map(|threshold| threshold.value),
            calibration: threshold.and_then(|threshold| threshold.calibration.clone()),
            unlike: threshold.and_then(|threshold| threshold.unlike.clone()),
        })
    }

    /// The same with the first `dims` numbers of each embedding alone, which the model was trained to be of use by (an
    /// objective `matryoshka`). Its threshold and probabilities are of whole embeddings, and are left out.
    ///
    /// # Errors
    /// When there are not so many numbers, or a head compares whole embeddings.
    pub fn shortened(self, dims: usize) -> Result<Self> {
        let whole = self.whole.unwrap_or(self.dim);
        if self.head.is_some() {
            let message = "the model compares whole embeddings by a head that it has learned: leave --dims out";
            return Err(Error::Invalid(message.into()));
        }
        if !(2..whole).contains(&dims) {
            let message = format!(
                "--dims {dims}: the model's embeddings have {whole} numbers, keep 2 or more and fewer than that"
            );
            return Err(Error::Invalid(message));
        }
        Ok(Self {
            dim: dims,
            whole: Some(whole),
            threshold: None,
            calibration: None,
            unlike: None,
            ..self
        })
    }

    /// What the gallery keeps of an embedding: all of it, or its first numbers, of unit length.
    pub(crate) fn kept<'a>(&self, embedding: &'a [f32]) -> Cow<'a, [f32]> {
        if self.whole != Some(embedding.len()) {
            return embedding.into();
        }
        let first = &embedding[..self.dim];
        let length = first.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let length = length.sqrt().max(f64::MIN_POSITIVE);
        first
            .iter()
            .map(|x| (f64::from(*x) / length) as f32)
            .collect()
    }

    /// What its embeddings are compared by: the head, or the distance.
    pub fn metric(&self) -> Metric {
        match &self.head {
            Some(head) => Metric::Learned(Arc::clone(head)),
            None => self.distance.into(),
        }
    }

    /// Refuses what only a distance has.
    pub(crate) fn check_has_index(&self) -> Result<()> {
        match &self.head {
            Some(_) => Err(Error::LearnedHead {
                place: self.place.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Refuses another model.
    pub(crate) fn check(&self, other: &Self) -> Result<()> {
        let alike = |a: &Self, b: &Self| {
            let dims = |of: &Self| of.whole.unwrap_or(of.dim);
            (&a.fingerprint, dims(a), a.distance) == (&b.fingerprint, dims(b), b.distance)
        };
        match alike(self, other) {
            true => Ok(()),
            false => Err(Error::OtherModel {
                ours: self.place.clone(),
                fingerprint: self.fingerprint.clone(),
                theirs: other.place.clone(),
                other: other.fingerprint.clone(),
            }),
        }
    }

    /// Refuses an embedding that cannot be one of the model's.
    pub(crate) fn check_embedding(&self, name: &str, embedding: &[f32]) -> Result<()> {
        let why = if embedding.len() != self.dim {
            let (found, dim) = (embedding.len(), self.dim);
            format!("{found} numbers, the gallery's embeddings have {dim}")
        } else if let Some(value) = embedding.iter().find(|x| !x.is_finite()) {
            format!("{value} is in its embedding: every number must be finite")
        } else {
            return Ok(());
        };
        let name = name.to_string();
        Err(Error::Embedding { name, why })
    }
}
