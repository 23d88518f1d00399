//! What training makes small: a loss of a batch of embeddings and their classes.
//!
//! | [`ObjectiveConfig`] | pulls and pushes |
//! |---|---|
//! | [`Contrastive`] | pairs, up to a margin |
//! | [`SameDifferent`] | pairs, by a head that learns to compare them |
//! | [`Triplet`] | anchor, positive and negative, to a gap |
//! | [`SupCon`], [`NtXent`] | each image's like ones out of the whole batch |
//! | [`NormalizedSoftmax`] | images to a learned vector of their class |
//!
//! A loss of a kind of its own is a file here that implements `Loss`, a variant of [`ObjectiveConfig`], and its tests.

mod contrastive;
mod loss;
mod miner;
mod pairing;
mod same_different;
mod similarity;
mod softmax;
mod triplet;

use std::fmt;

use candle_core::{Device, Tensor, bail};
use serde::{Deserialize, Serialize};
use siamese_metrics::Distance;

pub use contrastive::{Averaging, Contrastive, PairsOf, contrastive, contrastive_in_batch};
pub use loss::{Arrangement, Scored};
pub use miner::Miner;
pub use same_different::{SameDifferent, same_different};
pub use similarity::{NtXent, SupCon};
pub use softmax::{NormalizedSoftmax, normalized_softmax};
pub use triplet::{Triplet, triplet};

use crate::error::Result;
use crate::head::Head;
use crate::parameters::Parameters;
use loss::{Batch, Loss};

/// An objective and its settings; `kind` tells them apart in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectiveConfig {
    /// Pairs, up to a margin.
    Contrastive(Contrastive),
    /// Pairs, by a head that learns to compare them.
    SameDifferent(SameDifferent),
    /// Anchor, positive and negative, to a gap.
    Triplet(Triplet),
    /// Each image's like ones among all others of the batch.
    SupCon(SupCon),
    /// Each like pair among the unlike ones of the batch.
    NtXent(NtXent),
    /// A learned vector for each class.
    NormalizedSoftmax(NormalizedSoftmax),
}

impl ObjectiveConfig {
    /// The kinds there are, by the names that files use.
    pub const NAMES: [&str; 6] = [
        "contrastive",
        "same_different",
        "triplet",
        "sup_con",
        "nt_xent",
        "normalized_softmax",
    ];

    /// The kind, one of [`Self::NAMES`].
    pub fn name(&self) -> &'static str {
        self.loss().name()
    }

    /// Whether every setting is in range.
    ///
    /// # Errors
    /// When one is not; the message names it.
    pub fn validate(&self) -> Result<()> {
        self.loss().validate()
    }

    /// What a batch must look like.
    pub fn needs(&self) -> Arrangement {
        self.loss().needs()
    }

    /// Whether it trains a head that compares pairs.
    pub fn needs_head(&self) -> bool {
        self.loss().needs_head()
    }

    fn loss(&self) -> &dyn Loss {
        match self {
            Self::Contrastive(loss) => loss,
            Self::SameDifferent(loss) => loss,
            Self::Triplet(loss) => loss,
            Self::SupCon(loss) => loss,
            Self::NtXent(loss) => loss,
            Self::NormalizedSoftmax(loss) => loss,
        }
    }
}

impl Default for ObjectiveConfig {
    /// The contrastive loss of its paper.
    fn default() -> Self {
        Self::Contrastive(Contrastive::default())
    }
}

impl fmt::Display for ObjectiveConfig {
    /// In a clause, for a model card: `contrastive loss, margin 1, over the sampled pairs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.loss().describe())
    }
}

/// A loss of embeddings, with the parameters of its own that it may have. Clones share these.
#[derive(Clone)]
pub struct Objective {
    config: ObjectiveConfig,
    distance: Distance,
    head: Option<Head>,
    classes: usize,
    parameters: Parameters,
}

impl Objective {
    /// An objective for embeddings of length `embedding` and labels below `classes`, its own parameters drawn from
    /// `seed`. Losses of cosines ([`SupCon`], [`NtXent`], [`NormalizedSoftmax`]) do not ask for the distance.
    ///
    /// ```
    /// use siamese_core::{Distance, candle::{Device, Tensor}};
    /// use siamese_core::objective::{Objective, ObjectiveConfig, Triplet};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = ObjectiveConfig::Triplet(Triplet { margin: 0.5, ..Triplet::default() });
    /// let objective = Objective::new(config, Distance::Euclidean, 2, 2, 0, &Device::Cpu)?;
    /// let embeddings = Tensor::new(&[[0f32, 0.], [0., 0.3], [0.4, 0.]], &Device::Cpu)?;
    /// let labels = Tensor::new(&[0u32, 0, 1], &Device::Cpu)?;
    /// let scored = objective.score(&embeddings, &labels)?;
    /// // the like pair is 0.3 apart, its ends 0.4 and 0.5 from the third: ½ [(0.3 + 0.5 − 0.4) + (0.3 + 0.5 − 0.5)]
    /// assert!((scored.loss.to_scalar::<f32>()? - 0.35).abs() < 1e-5);
    /// assert_eq!(scored.active.to_scalar::<f32>()?, 1.0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When a setting is out of range; the message names it.
    pub fn new(
        config: ObjectiveConfig,
        distance: Distance,
        embedding: usize,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        config.validate()?;
        let parameters = Parameters::new(seed, device);
        config.loss().prepare(&parameters, embedding, classes)?;
        Ok(Self {
            config,
            distance,
            head: None,
            classes,
            parameters,
        })
    }

    /// The same with a head that it trains and scores pairs by.
    #[must_use]
    pub fn with_head(self, head: Head) -> Self {
        let head = Some(head);
        Self { head, ..self }
    }

    /// The head that compares pairs, where that is learned.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// What it is.
    pub fn config(&self) -> &ObjectiveConfig {
        &self.config
    }

    /// Its own parameters, to be trained beside the tower's and without weight decay: proxies, mostly none.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What a batch must look like.
    pub fn needs(&self) -> Arrangement {
        self.config.needs()
    }

    /// The loss of a batch: embeddings `(B, D)` and their labels `(B)` of u32.
    ///
    /// Where sampled pairs are asked for, the first half are the anchors, the second half their partners.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn score(&self, embeddings: &Tensor, labels: &Tensor) -> candle_core::Result<Scored> {
        if embeddings.rank() != 2 || labels.dims() != [embeddings.dim(0)?] || labels.dims()[0] == 0
        {
            bail!(
                "an objective needs embeddings (B, D) and B labels, got {:?} and {:?}",
                embeddings.dims(),
                labels.dims()
            )
        }
        self.config.loss().score(&Batch {
            embeddings,
            labels,
            distance: self.distance,
            head: self.head.as_ref(),
            classes: self.classes,
            parameters: &self.parameters,
        })
    }

    /// The same average over judged pairs as the training loss takes over those of a batch; `None` where the objective
    /// is none of pairs, and where there is no pair.
    pub fn validation_loss(&self, distances: &[f32], like: &[bool]) -> Option<f64> {
        self.config.loss().validation_loss(distances, like)
    }

    /// The training loss, with batches of `batch` images, of a tower that maps everything to one point: where the
    /// alarm for a collapse listens. `None` where there is no such loss.
    pub fn collapsed(&self, batch: usize) -> Option<f64> {
        self.config.loss().collapsed(batch, self.classes)
    }
}

#[cfg(test)]
mod tests;
