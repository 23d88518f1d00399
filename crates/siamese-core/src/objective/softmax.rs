//! The normalised softmax: each class has a vector of its own, and an image is to be nearest to that of its class.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use siamese_kernels::ClassCost;

use super::loss::{Arrangement, Batch, Loss, Scored, above, at_least, in_range};
use super::proxies::{self, cosines, cross_entropy, truth};
use crate::distance::{EPSILON, on_host};
use crate::error;

/// Settings of the normalised softmax. The defaults are Zhai and Wu's (2019), whose temperature of 0.05 is a scale of
/// 20; with a margin it is [`CosFace`](super::CosFace).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NormalizedSoftmax {
    /// What cosines are multiplied by.
    pub scale: f64,
    /// Subtracted from the cosine with the true class, 0..2.
    pub margin: f64,
    /// Share of the target that is spread over all classes, 0..1.
    pub label_smoothing: f64,
}

impl Default for NormalizedSoftmax {
    fn default() -> Self {
        Self {
            scale: 20.0,
            margin: 0.0,
            label_smoothing: 0.0,
        }
    }
}

/// The cross-entropy of `scale · (cos(z, w_c) − margin·[c is the true class])`, averaged over B images.
///
/// `embeddings` `(B, D)`, `labels` `(B)` u32 below C, `proxies` `(C, D)` → the loss, and the share of images whose
/// nearest proxy is another class's.
///
/// ```
/// use siamese_core::{candle::{Device, Tensor}, objective::{NormalizedSoftmax, normalized_softmax}};
/// # fn main() -> siamese_core::candle::Result<()> {
/// let embeddings = Tensor::new(&[[3f32, 0.]], &Device::Cpu)?;
/// let proxies = Tensor::new(&[[2f32, 0.], [0., 1.]], &Device::Cpu)?;
/// let config = NormalizedSoftmax { scale: 1.0, ..Default::default() };
/// let scored = normalized_softmax(&embeddings, &Tensor::new(&[0u32], &Device::Cpu)?, &proxies, &config)?;
/// // cosines 1 and 0: log(1 + 1/e)
/// assert!((scored.loss.to_scalar::<f32>()? - 0.313262).abs() < 1e-5);
/// assert_eq!(scored.active.to_scalar::<f32>()?, 0.0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the shapes do not fit, or, on a CPU, a label has no proxy (a look at the labels would make a GPU wait).
pub fn normalized_softmax(
    embeddings: &Tensor,
    labels: &Tensor,
    proxies: &Tensor,
    config: &NormalizedSoftmax,
) -> Result<Scored> {
    let (classes, dim) = proxies.dims2()?;
    if embeddings.rank() != 2 || embeddings.dim(1)? != dim || labels.dims() != [embeddings.dim(0)?]
    {
        bail!(
            "the normalised softmax needs embeddings (B, {dim}) and B labels, got {:?} and {:?}",
            embeddings.dims(),
            labels.dims()
        )
    }
    if on_host(embeddings) && on_host(proxies) {
        return config.in_one_pass(embeddings, proxies, labels);
    }
    let cosines = cosines(embeddings, proxies)?;
    let truth = truth(labels, classes, &cosines)?;
    let logits = ((&cosines - (&truth * config.margin)?)? * config.scale)?;
    let smoothing = config.label_smoothing;
    let target = truth.affine(1.0 - smoothing, smoothing / classes as f64)?;
    cross_entropy(&logits, &target, (&cosines, &truth))
}

impl NormalizedSoftmax {
    fn in_one_pass(
        &self,
        embeddings: &Tensor,
        proxies: &Tensor,
        labels: &Tensor,
    ) -> Result<Scored> {
        let cost = ClassCost {
            scale: self.scale as f32,
            margin: self.margin as f32,
            smoothing: self.label_smoothing as f32,
            epsilon: EPSILON as f32,
        };
        let (costs, missed) = cost.of(embeddings, proxies, &labels.to_vec1::<u32>()?)?;
        Ok(Scored {
            loss: costs.mean_all()?,
            active: missed.mean_all()?,
        })
    }
}

impl Loss for NormalizedSoftmax {
    fn name(&self) -> &'static str {
        "normalized_softmax"
    }

    fn describe(&self) -> String {
        let margin = match self.margin {
            0.0 => String::new(),
            margin => format!(", margin {margin}"),
        };
        let smoothing = match self.label_smoothing {
            0.0 => String::new(),
            share => format!(", label smoothing {share}"),
        };
        format!(
            "normalised softmax loss, scale {}{margin}{smoothing}",
            self.scale
        )
    }

    fn validate(&self) -> error::Result<()> {
        above("scale", 0.0, self.scale)?;
        at_least("margin", 0.0, self.margin)?;
        in_range("margin", self.margin < 2.0, "below 2", self.margin)?;
        let smoothing = self.label_smoothing;
        let fits = (0.0..1.0).contains(&smoothing);
        in_range("label_smoothing", fits, "in 0..1", smoothing)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::Any
    }

    fn of_classes(&self) -> bool {
        true
    }

    fn class_vectors(&self) -> Option<(String, f64)> {
        Some((proxies::PROXIES.into(), self.scale))
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, classes: usize) -> error::Result<()> {
        proxies::prepare(own, self.name(), (classes, 1), embedding)
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let proxies = proxies::learned(batch, 1)?;
        normalized_softmax(batch.embeddings, batch.labels, &proxies, self)
    }

    /// All classes look alike: each image's cost is that of a guess.
    fn collapsed(&self, _: usize, classes: usize) -> Option<f64> {
        let classes = classes as f64;
        let handicap = self.scale * self.margin;
        let target = 1.0 - self.label_smoothing + self.label_smoothing / classes;
        Some((classes - 1.0 + (-handicap).exp()).ln() + handicap * target)
    }
}
