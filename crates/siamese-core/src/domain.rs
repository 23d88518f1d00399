//! What a model was trained on, so that it can say when a picture is unlike all of it.

use std::collections::HashMap;

use candle_core::{D, Tensor};
use serde::{Deserialize, Serialize};
use siamese_metrics::Distance;

use crate::distance::TensorDistance;
use crate::error::{Error, Misfit, Result};

/// What the embeddings are called in a model file.
const NAME: &str = "domain.embeddings";

/// Embeddings of some training images, and how far from the nearest of them an image may be.
///
/// The rule: an image is *far* where its nearest neighbour among the kept training images is farther than that of all
/// but a small share of held-out images (a k-nearest-neighbour rule with k = 1, after Sun et al. 2022,
/// <https://arxiv.org/abs/2204.06507>). By construction that share of images like those trained on is called far, too.
#[derive(Debug, Clone)]
pub struct Domain {
    /// (N, D): the embeddings of some training images.
    embeddings: Tensor,
    about: About,
}

/// What of a [`Domain`] is no tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct About {
    limit: f32,
    share: f64,
    distance: Distance,
}

impl Domain {
    /// The domain of `training` (N, D), such that a share of the images `held_out` (M, D) is called far.
    ///
    /// ```
    /// use siamese_core::{Distance, Domain, candle::{Device, Tensor}};
    ///
    /// let training = Tensor::new(&[[0f32, 0.], [1., 0.]], &Device::Cpu)?;
    /// let held_out = Tensor::new(&[[0f32, 0.1], [1., 0.2], [0., 0.3], [1., 0.4]], &Device::Cpu)?;
    /// let domain = Domain::fit(&training, &held_out, Distance::Euclidean, 0.25)?;
    /// let nearest = domain.nearest(&Tensor::new(&[[1f32, 0.2], [5., 0.]], &Device::Cpu)?)?;
    /// assert!(!domain.is_far(nearest[0]) && domain.is_far(nearest[1]));
    /// # Ok::<(), siamese_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the shapes differ, or one of them has no row.
    pub fn fit(
        training: &Tensor,
        held_out: &Tensor,
        distance: Distance,
        share: f64,
    ) -> Result<Self> {
        let about = About {
            limit: f32::INFINITY,
            share,
            distance,
        };
        let mut domain = Self {
            embeddings: training.detach(),
            about,
        };
        let mut nearest = domain.nearest(held_out)?;
        nearest.sort_by(|a, b| b.total_cmp(a));
        let beyond = (nearest.len() as f64 * share) as usize;
        let Some(limit) = nearest.get(beyond.min(nearest.len().saturating_sub(1))) else {
            return Err(Error::Contradiction("there is no held-out image".into()));
        };
        domain.about.limit = *limit;
        Ok(domain)
    }

    /// The distance of each embedding (B, D) to the nearest training image.
    ///
    /// # Errors
    /// When the embeddings have another length.
    pub fn nearest(&self, embeddings: &Tensor) -> Result<Vec<f32>> {
        let distances = self.about.distance.pairwise(embeddings, &self.embeddings)?;
        Ok(distances.min(D::Minus1)?.to_vec1()?)
    }

    /// Whether an image at this distance from the nearest training image is unlike what the model was trained on.
    pub fn is_far(&self, nearest: f32) -> bool {
        nearest > self.about.limit
    }

    /// The distance beyond which an image is far.
    pub fn limit(&self) -> f32 {
        self.about.limit
    }

    /// The share of images like those trained on that is called far as well.
    pub fn share(&self) -> f64 {
        self.about.share
    }

    /// Its part of a file's description, and its tensor.
    pub(crate) fn to_file(&self) -> (About, (String, Tensor)) {
        (self.about.clone(), (NAME.into(), self.embeddings.clone()))
    }

    /// Takes the domain out of a file's tensors.
    pub(crate) fn of_file(about: About, tensors: &mut HashMap<String, Tensor>) -> Result<Self> {
        match tensors.remove(NAME) {
            Some(embeddings) => Ok(Self { embeddings, about }),
            None => Err(Error::Misfit(Misfit {
                missing: vec![NAME.into()],
                ..Misfit::default()
            })),
        }
    }

    /// Refuses a domain that is of another tower.
    pub(crate) fn check(&self, embedding: usize) -> Result<()> {
        match self.embeddings.dims() {
            [rows, dim] if *rows > 0 && *dim == embedding => Ok(()),
            found => Err(Error::Contradiction(format!(
                "its {NAME} are {found:?}, wanted are rows of {embedding}"
            ))),
        }
    }
}
