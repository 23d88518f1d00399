//! ArcFace: the normalised softmax with a margin between angles; a class may have several centres.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored, above, in_range};
use super::proxies::{self, cosines, cross_entropy, truth};
use crate::error;

/// The additive angular margin loss of Deng et al. (2019, eq. 3), averaged over images: the cross-entropy of
///
/// `s · cos(θ_c + m·[c is the true class])`
///
/// with θ_c the angle between the embedding and the class's proxy. Past π − m, where the cosine would rise again, the
/// true class has `cos θ − m·sin m` instead. With several centres of a class (Deng et al., sub-centre ArcFace, 2020)
/// the nearest one counts, so that a class with odd or mislabelled images need not be one heap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArcFace {
    /// s: what cosines are multiplied by.
    pub scale: f64,
    /// m, in radians.
    pub margin: f64,
    /// Learned vectors of each class: 1 is ArcFace, the later paper has 3.
    pub centers: usize,
}

impl Default for ArcFace {
    /// The first paper's.
    fn default() -> Self {
        Self {
            scale: 64.0,
            margin: 0.5,
            centers: 1,
        }
    }
}

impl ArcFace {
    /// `cos(θ + m)` from `cos θ`, and on past π − m in a straight line.
    fn farther(&self, cosines: &Tensor) -> Result<Tensor> {
        let (sin, cos) = self.margin.sin_cos();
        // the sine has a steep slope near 0, where a cosine in f32 is known to 1e-7
        let epsilon = match cosines.dtype() {
            DType::F64 => 1e-12,
            _ => 1e-6,
        };
        let sines = (cosines.sqr()?.affine(-1.0, 1.0)?.relu()? + epsilon)?.sqrt()?;
        let turned = ((cosines * cos)? - (sines * sin)?)?;
        let lower = cosines.affine(1.0, -self.margin * sin)?;
        cosines.gt(-cos)?.where_cond(&turned, &lower)
    }
}

impl Loss for ArcFace {
    fn name(&self) -> &'static str {
        "arc_face"
    }

    fn describe(&self) -> String {
        let centers = match self.centers {
            1 => String::new(),
            centers => format!(", {centers} centres of each class"),
        };
        format!(
            "ArcFace loss, scale {}, margin {}{centers}",
            self.scale, self.margin
        )
    }

    fn validate(&self) -> error::Result<()> {
        above("scale", 0.0, self.scale)?;
        let margin = self.margin;
        in_range(
            "margin",
            (0.0..1.57).contains(&margin),
            "in 0..1.57",
            margin,
        )?;
        let centers = self.centers;
        in_range(
            "centers",
            (1..1000).contains(&centers),
            "1 to 999",
            centers as f64,
        )
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
        let all = cosines(batch.embeddings, &proxies::learned(batch, self.centers)?)?;
        let cosines = match self.centers {
            1 => all,
            centers => all.reshape(((), batch.classes, centers))?.max(D::Minus1)?,
        };
        let truth = truth(batch.labels, batch.classes, &cosines)?;
        let change = ((self.farther(&cosines)? - &cosines)? * &truth)?;
        let logits = ((&cosines + change)? * self.scale)?;
        cross_entropy(&logits, &truth, (&cosines, &truth))
    }
}
