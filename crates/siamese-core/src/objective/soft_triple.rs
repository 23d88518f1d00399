//! SoftTriple: several centres of each class, each image drawn to those near it.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, at_least, in_range};
use super::proxies::{self, cosines, cross_entropy, truth};
use crate::distance::normalize;
use crate::error;

/// The SoftTriple loss of Qian et al. (2019, eq. 6 and 9), averaged over images: the cross-entropy of
///
/// `λ · (S_c − δ·[c is the true class])`, `S_c = Σ_k softmax_k(s_ck / γ) · s_ck`
///
/// with s_ck the cosine of the embedding and centre k of class c, and τ times the mean distance between the centres of a
/// class, which merges those that are not needed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftTriple {
    /// K: centres of each class.
    pub centers: usize,
    /// λ: what similarities are multiplied by.
    pub scale: f64,
    /// γ: the smaller, the more the nearest centre of a class counts.
    pub gamma: f64,
    /// δ: subtracted from the similarity with the true class.
    pub margin: f64,
    /// τ: how strongly the centres of a class are drawn together.
    pub tau: f64,
}

impl Default for SoftTriple {
    /// The paper's.
    fn default() -> Self {
        Self {
            centers: 10,
            scale: 20.0,
            gamma: 0.1,
            margin: 0.01,
            tau: 0.2,
        }
    }
}

impl SoftTriple {
    /// The mean of `‖w_s − w_t‖` over pairs of centres of one class, all of unit length, halved as in the paper's eq. 9.
    fn spread(&self, centers: &Tensor, classes: usize) -> Result<Tensor> {
        let unit = normalize(centers)?.reshape((classes, self.centers, ()))?;
        let cosines = unit.matmul(&unit.t()?)?;
        let above = Tensor::triu2(self.centers, DType::F32, centers.device())?;
        let others = (above - Tensor::eye(self.centers, DType::F32, centers.device())?)?;
        let others = others.to_dtype(cosines.dtype())?.unsqueeze(0)?;
        let distances = (cosines.affine(-2.0, 2.0)?.relu()? + 1e-12)?.sqrt()?;
        let total = distances.broadcast_mul(&others)?.sum_all()?;
        total / (classes * self.centers * (self.centers - 1)).max(1) as f64
    }
}

impl Loss for SoftTriple {
    fn name(&self) -> &'static str {
        "soft_triple"
    }

    fn describe(&self) -> String {
        let Self {
            centers,
            scale,
            gamma,
            margin,
            tau,
        } = self;
        format!(
            "SoftTriple loss, {centers} centres, scale {scale}, γ {gamma}, margin {margin}, τ {tau}"
        )
    }

    fn validate(&self) -> error::Result<()> {
        let centers = self.centers;
        in_range(
            "centers",
            (1..1000).contains(&centers),
            "1 to 999",
            centers as f64,
        )?;
        above("scale", 0.0, self.scale)?;
        above("gamma", 1e-4, self.gamma)?;
        at_least("margin", 0.0, self.margin)?;
        in_range("margin", self.margin < 2.0, "below 2", self.margin)?;
        at_least("tau", 0.0, self.tau)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::Any
    }

    fn of_classes(&self) -> bool {
        true
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, classes: usize) -> error::Result<()> {
        proxies::prepare(own, self.name(), (classes, self.centers), embedding)
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let centers = proxies::learned(batch, self.centers)?;
        let all = cosines(batch.embeddings, &centers)?;
        let all = all.reshape(((), batch.classes, self.centers))?;
        let shares = candle_nn::ops::softmax(&(&all / self.gamma)?, D::Minus1)?;
        let similarities = (shares * all)?.sum(D::Minus1)?;
        let truth = truth(batch.labels, batch.classes, &similarities)?;
        let logits = ((&similarities - (&truth * self.margin)?)? * self.scale)?;
        let scored = cross_entropy(&logits, &truth, (&similarities, &truth))?;
        let spread = self.spread(&centers, batch.classes)?;
        Ok(Scored {
            loss: (scored.loss + (spread * self.tau)?)?,
            ..scored
        })
    }
}
