//! SimSiam: from an image's embedding that of a like one is predicted, and nothing is pushed apart.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, in_range};
use super::missed::missed;
use super::rows::weighted_mean;
use crate::distance::normalize;
use crate::error;

/// Of BatchNorm.
const EPSILON: f64 = 1e-5;

/// The loss of Chen and He (SimSiam, 2021, eq. 1 and 2), averaged over like pairs in both directions:
///
/// `J_ab = −cos(h(z_a), z_b)`, z_b taken as a constant
///
/// z are the embeddings, standardised over the batch as in the authors' code (BatchNorm without scale and shift), and h is
/// a predictor of its own: linear, BatchNorm, ReLU, linear. It was made for two views of each picture without labels;
/// here like pairs are of whatever the labels say. Nothing but the constant and the predictor keeps all embeddings from
/// becoming one point: watch the spread, of which an alarm is raised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimSiam {
    /// Width of the predictor; 0 is a quarter of the embedding's length, as in the paper.
    pub hidden: usize,
    /// How many times the tower's learning rate the predictor learns by.
    pub rate: f64,
}

impl Default for SimSiam {
    fn default() -> Self {
        Self {
            hidden: 0,
            rate: 1.0,
        }
    }
}

impl SimSiam {
    fn width(&self, embedding: usize) -> usize {
        match self.hidden {
            0 => (embedding / 4).max(1),
            width => width,
        }
    }

    /// h(z): `(B, D)` → `(B, D)`.
    fn predict(&self, batch: &Batch, z: &Tensor) -> Result<Tensor> {
        let length = z.dim(1)?;
        let width = self.width(length);
        let learned = |shape: &[usize], name: &str| batch.learned(shape, name);
        let x = z.matmul(&learned(&[width, length], "predictor.0.weight")?.t()?)?;
        let x = standardised(&x)?
            .broadcast_mul(&learned(&[width], "predictor.1.weight")?)?
            .broadcast_add(&learned(&[width], "predictor.1.bias")?)?
            .relu()?;
        x.matmul(&learned(&[length, width], "predictor.3.weight")?.t()?)?
            .broadcast_add(&learned(&[length], "predictor.3.bias")?)
    }
}

/// Each column `(B)` less its mean, over its deviation.
fn standardised(x: &Tensor) -> Result<Tensor> {
    let away = x.broadcast_sub(&x.mean_keepdim(0)?)?;
    let deviation = (away.sqr()?.mean_keepdim(0)? + EPSILON)?.sqrt()?;
    away.broadcast_div(&deviation)
}

impl Loss for SimSiam {
    fn name(&self) -> &'static str {
        "sim_siam"
    }

    fn describe(&self) -> String {
        "SimSiam loss".into()
    }

    fn validate(&self) -> error::Result<()> {
        let fits = self.hidden < 1_000_000;
        in_range("hidden", fits, "below 1000000", self.hidden as f64)?;
        above("rate", 0.0, self.rate)
    }

    fn needs(&self) -> Arrangement {
        Arrangement::SeveralPerClass
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, _: usize) -> error::Result<()> {
        let width = self.width(embedding);
        let evenly = |inputs: usize| {
            let bound = 1.0 / (inputs.max(1) as f64).sqrt();
            Init::Uniform {
                lo: -bound,
                up: bound,
            }
        };
        let first = (width, embedding);
        own.get_with_hints(first, "predictor.0.weight", evenly(embedding))?;
        own.get_with_hints(width, "predictor.1.weight", Init::Const(1.0))?;
        own.get_with_hints(width, "predictor.1.bias", Init::Const(0.0))?;
        let last = (embedding, width);
        own.get_with_hints(last, "predictor.3.weight", evenly(width))?;
        own.get_with_hints(embedding, "predictor.3.bias", Init::Const(0.0))?;
        Ok(())
    }

    fn rate(&self, _: &str) -> f64 {
        self.rate
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let pairing = batch.pairing()?;
        let z = standardised(batch.embeddings)?;
        let predicted = normalize(&self.predict(batch, &z)?)?;
        let constant = normalize(&z.detach())?;
        let costs = predicted.matmul(&constant.t()?)?.neg()?;
        Ok(Scored {
            loss: weighted_mean(&costs, &pairing.like)?,
            active: missed(&batch.cosines()?.detach(), &pairing)?,
        })
    }
}
