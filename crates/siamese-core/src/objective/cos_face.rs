//! CosFace: the normalised softmax with a margin between cosines.

use candle_core::Result;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored};
use super::softmax::NormalizedSoftmax;
use crate::error;

/// The large margin cosine loss of Wang et al. (2018, eq. 4): the cross-entropy of `s · (cos(z, w_c) − m·[c is the true
/// class])`, averaged over images. It is [`NormalizedSoftmax`] under the paper's name and with its settings, for faces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosFace {
    /// s: what cosines are multiplied by.
    pub scale: f64,
    /// m: subtracted from the cosine with the true class, 0..2.
    pub margin: f64,
}

impl Default for CosFace {
    fn default() -> Self {
        Self {
            scale: 64.0,
            margin: 0.35,
        }
    }
}

impl CosFace {
    fn softmax(&self) -> NormalizedSoftmax {
        NormalizedSoftmax {
            scale: self.scale,
            margin: self.margin,
            label_smoothing: 0.0,
        }
    }
}

impl Loss for CosFace {
    fn name(&self) -> &'static str {
        "cos_face"
    }

    fn describe(&self) -> String {
        format!("CosFace loss, scale {}, margin {}", self.scale, self.margin)
    }

    fn validate(&self) -> error::Result<()> {
        self.softmax().validate()
    }

    fn needs(&self) -> Arrangement {
        Arrangement::Any
    }

    fn of_classes(&self) -> bool {
        true
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, classes: usize) -> error::Result<()> {
        super::proxies::prepare(own, self.name(), (classes, 1), embedding)
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        self.softmax().score(batch)
    }

    fn collapsed(&self, batch: usize, classes: usize) -> Option<f64> {
        self.softmax().collapsed(batch, classes)
    }
}
