//! What training makes small: a loss of a batch of embeddings and their classes.
//!
//! | [`ObjectiveConfig`] | pulls and pushes |
//! |---|---|
//! | [`Contrastive`], [`CosineEmbedding`] | pairs, up to a margin |
//! | [`SameDifferent`] | pairs, by a head that learns to compare them |
//! | [`Margin`] | pairs, to either side of a learned boundary |
//! | [`Triplet`] | anchor, positive and negative, to a gap, of triplets that a [`Miner`] takes |
//! | [`Lifted`], [`MultiSimilarity`], [`Circle`] | each anchor's hardest pairs, softly |
//! | [`SupCon`], [`NtXent`], [`NPairs`] | each image's like ones out of the whole batch |
//! | [`SimSiam`] | each image's prediction to its like ones, and nothing apart |
//! | [`NormalizedSoftmax`], [`CosFace`], [`ArcFace`], [`ProxyNca`], [`ProxyAnchor`] | images to a learned vector of their class |
//! | [`SoftTriple`], [`ArcFace`] with several centres | images to the nearest of their class's vectors |
//! | [`Uniformity`], [`Center`] | all apart, each to its class's centre: beside another loss |
//! | [`Sum`] | several of these, weighted |
//! | [`Matryoshka`] | one of these, of the first numbers of an embedding too |
//!
//! A loss of a kind of its own is a file here that implements `Loss`, a variant of [`ObjectiveConfig`] with a line each in
//! [`ObjectiveConfig::NAMES`] and the match beneath it, and its tests.

mod arc_face;
mod center;
mod circle;
mod contrastive;
mod cos_face;
mod cosine_embedding;
mod lifted;
mod loss;
mod margin;
mod matryoshka;
mod memory;
mod miner;
mod missed;
mod multi_similarity;
mod n_pairs;
mod nt_xent;
mod pairing;
mod proxies;
mod proxy_anchor;
mod proxy_nca;
mod rows;
mod same_different;
mod sim_siam;
mod soft_triple;
mod softmax;
mod sum;
mod sup_con;
mod triplet;
mod uniformity;

use std::fmt;

use candle_core::{Device, Tensor, bail};
use serde::{Deserialize, Serialize};
use siamese_metrics::Distance;

pub use arc_face::ArcFace;
pub use center::Center;
pub use circle::Circle;
pub use contrastive::{Averaging, Contrastive, PairsOf, contrastive, contrastive_in_batch};
pub use cos_face::CosFace;
pub use cosine_embedding::CosineEmbedding;
pub use lifted::Lifted;
pub use loss::{Arrangement, Scored};
pub use margin::{Boundary, Margin, Negatives};
pub use matryoshka::Matryoshka;
pub use miner::Miner;
pub use multi_similarity::MultiSimilarity;
pub use n_pairs::NPairs;
pub use nt_xent::NtXent;
pub use proxy_anchor::ProxyAnchor;
pub use proxy_nca::ProxyNca;
pub use same_different::{SameDifferent, same_different};
pub use sim_siam::SimSiam;
pub use soft_triple::SoftTriple;
pub use softmax::{NormalizedSoftmax, normalized_softmax};
pub use sum::{Sum, Term};
pub use sup_con::SupCon;
pub use triplet::{Triplet, triplet};
pub use uniformity::Uniformity;

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
    /// Pairs, up to a margin, by their cosines.
    CosineEmbedding(CosineEmbedding),
    /// Pairs, to either side of a learned boundary.
    Margin(Margin),
    /// Anchor, positive and negative, to a gap.
    Triplet(Triplet),
    /// Each anchor's farthest like and nearest unlike images, softly.
    Lifted(Lifted),
    /// Each anchor's hardest pairs, the harder the more.
    MultiSimilarity(MultiSimilarity),
    /// Each anchor's pairs, the farther from where they should be the more.
    Circle(Circle),
    /// Each image's like ones among all others of the batch.
    SupCon(SupCon),
    /// Each like pair among the unlike ones of the batch.
    NtXent(NtXent),
    /// Each like pair among the other classes' positives, by inner product.
    NPairs(NPairs),
    /// A like image's embedding from each one's, predicted.
    SimSiam(SimSiam),
    /// A learned vector for each class.
    NormalizedSoftmax(NormalizedSoftmax),
    /// The same, with a margin between cosines.
    CosFace(CosFace),
    /// The same, with a margin between angles; several vectors where asked for.
    ArcFace(ArcFace),
    /// The same, by squared distance.
    ProxyNca(ProxyNca),
    /// A learned vector for each class, that is an anchor for all images.
    ProxyAnchor(ProxyAnchor),
    /// Several learned vectors for each class.
    SoftTriple(SoftTriple),
    /// All images apart, beside another loss.
    Uniformity(Uniformity),
    /// Each image to its class's centre, beside another loss.
    Center(Center),
    /// Several objectives, weighted.
    Sum(Sum),
    /// An objective of the first numbers of an embedding too, so that they are of use alone.
    Matryoshka(Matryoshka),
}

impl ObjectiveConfig {
    /// The kinds there are, by the names that files use.
    pub const NAMES: [&str; 22] = [
        "contrastive",
        "same_different",
        "cosine_embedding",
        "margin",
        "triplet",
        "lifted",
        "multi_similarity",
        "circle",
        "sup_con",
        "nt_xent",
        "n_pairs",
        "sim_siam",
        "normalized_softmax",
        "cos_face",
        "arc_face",
        "proxy_nca",
        "proxy_anchor",
        "soft_triple",
        "uniformity",
        "center",
        "sum",
        "matryoshka",
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

    /// Whether it learns something of each class, and so has to know the classes.
    pub fn of_classes(&self) -> bool {
        self.loss().of_classes()
    }

    /// How many of the first numbers of an embedding are of use alone, ascending; mostly none.
    pub fn prefixes(&self) -> &[usize] {
        match self {
            Self::Matryoshka(matryoshka) => &matryoshka.lengths,
            _ => &[],
        }
    }

    fn loss(&self) -> &dyn Loss {
        match self {
            Self::Contrastive(loss) => loss,
            Self::SameDifferent(loss) => loss,
            Self::CosineEmbedding(loss) => loss,
            Self::Margin(loss) => loss,
            Self::Triplet(loss) => loss,
            Self::Lifted(loss) => loss,
            Self::MultiSimilarity(loss) => loss,
            Self::Circle(loss) => loss,
            Self::SupCon(loss) => loss,
            Self::NtXent(loss) => loss,
            Self::NPairs(loss) => loss,
            Self::SimSiam(loss) => loss,
            Self::NormalizedSoftmax(loss) => loss,
            Self::CosFace(loss) => loss,
            Self::ArcFace(loss) => loss,
            Self::ProxyNca(loss) => loss,
            Self::ProxyAnchor(loss) => loss,
            Self::SoftTriple(loss) => loss,
            Self::Uniformity(loss) => loss,
            Self::Center(loss) => loss,
            Self::Sum(loss) => loss,
            Self::Matryoshka(loss) => loss,
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
    /// `seed`. Only losses of distances ([`Contrastive`], [`Margin`],
    /// [`Triplet`], [`Lifted`]) ask for the distance; the others know cosines.
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
        config
            .loss()
            .prepare(&parameters.builder(), embedding, classes)?;
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

    /// How many times the tower's learning rate one of its own parameters learns by.
    pub fn rate(&self, parameter: &str) -> f64 {
        self.config.loss().rate(parameter)
    }

    /// The vectors `(C, D)` that stand for the classes as they are now, and what their cosines are multiplied by before a
    /// softmax; `None` where the objective learns no such.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn class_vectors(&self) -> Result<Option<(Tensor, f64)>> {
        let Some((name, scale)) = self.config.loss().class_vectors() else {
            return Ok(None);
        };
        let mut own = self.parameters.snapshot()?;
        Ok(own.remove(&name).map(|vectors| (vectors, scale)))
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
            own: self.parameters.builder(),
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
