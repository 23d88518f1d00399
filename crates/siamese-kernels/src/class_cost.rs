//! What images cost by their cosines with classes: the softmax of many classes, as one operation.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use crate::backward;
use crate::cpu::{Compared, Lent};
use crate::rows::{floats, floats_on_host};

/// Cross-entropy of `scale · (cosine − margin·[of the true class])` with a target of which `smoothing` is spread over all.
///
/// By Candle's operations this writes the cosines of all images with all classes some twenty times; here, once.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use siamese_kernels::ClassCost;
/// # fn main() -> candle_core::Result<()> {
/// let embeddings = Tensor::new(&[[3f32, 0.0]], &Device::Cpu)?; // (B, D)
/// let classes = Tensor::new(&[[2f32, 0.0], [0.0, 1.0]], &Device::Cpu)?; // (C, D)
/// let cost = ClassCost { scale: 1.0, margin: 0.0, smoothing: 0.0, epsilon: 1e-12 };
/// let (costs, missed) = cost.of(&embeddings, &classes, &[0])?;
/// // cosines 1 and 0: log(1 + 1/e)
/// assert!((costs.to_vec1::<f32>()?[0] - 0.313262).abs() < 1e-6);
/// assert_eq!(missed.to_vec1::<f32>()?, [0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassCost {
    /// What cosines are multiplied by, above 0.
    pub scale: f32,
    /// Subtracted from the cosine with the true class.
    pub margin: f32,
    /// Share of the target that is spread over all classes, 0..1.
    pub smoothing: f32,
    /// Added to squared lengths, so that rows of zeros have one.
    pub epsilon: f32,
}

impl ClassCost {
    /// Of embeddings `(B, D)` and class vectors `(C, D)`, f32 in the host's memory and of any length, each image's cost, and
    /// 1 where another class than `labels` says is as similar, else 0: both `(B)`, the latter without a gradient.
    ///
    /// # Errors
    /// When the shapes do not fit, a label has no class, or the tensors are no f32 or lie on another device.
    pub fn of(
        self,
        embeddings: &Tensor,
        classes: &Tensor,
        labels: &[u32],
    ) -> Result<(Tensor, Tensor)> {
        let ((batch, dim), (count, width)) = (embeddings.dims2()?, classes.dims2()?);
        if dim != width || labels.len() != batch || batch * count * dim == 0 {
            bail!(
                "embeddings {:?}, class vectors {:?} and {} labels do not fit",
                embeddings.dims(),
                classes.dims(),
                labels.len()
            )
        }
        if let Some(label) = labels.iter().find(|&&label| label as usize >= count) {
            bail!("label {label} is of none of the {count} classes, which are numbered from 0")
        }
        for tensor in [embeddings, classes] {
            if tensor.dtype() != DType::F32 || !tensor.device().is_cpu() {
                bail!("the cost of classes is computed of f32 in the host's memory alone")
            }
        }
        let costs = Costs {
            cost: self,
            shape: (batch, count, dim),
            labels: labels.to_vec(),
            lent: Mutex::new(None),
        };
        let told = embeddings
            .contiguous()?
            .apply_op2(&classes.contiguous()?, costs)?;
        let column = |i| told.narrow(1, i, 1)?.squeeze(1);
        Ok((column(0)?, column(1)?.detach()))
    }
}

struct Costs {
    cost: ClassCost,
    shape: (usize, usize, usize),
    labels: Vec<u32>,
    lent: Mutex<Option<Lent>>,
}

impl CustomOp2 for Costs {
    fn name(&self) -> &'static str {
        "class-cost"
    }

    fn cpu_fwd(
        &self,
        embeddings: &CpuStorage,
        of_embeddings: &Layout,
        classes: &CpuStorage,
        of_classes: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let compared = Compared {
            embeddings: floats(embeddings, of_embeddings)?,
            classes: floats(classes, of_classes)?,
            shape: self.shape,
        };
        let (told, lent) = Lent::forward(self.cost, compared, &self.labels);
        *self.lent.lock().unwrap_or_else(PoisonError::into_inner) = Some(lent);
        Ok((CpuStorage::F32(told), Shape::from((self.shape.0, 2))))
    }

    fn bwd(
        &self,
        embeddings: &Tensor,
        classes: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let upstream = upstream.narrow(1, 0, 1)?.flatten_all()?.to_vec1::<f32>()?;
        let gradients = {
            let (of_embeddings, layout) = embeddings.storage_and_layout();
            let (of_classes, other_layout) = classes.storage_and_layout();
            let compared = Compared {
                embeddings: floats_on_host(&of_embeddings, layout)?,
                classes: floats_on_host(&of_classes, other_layout)?,
                shape: self.shape,
            };
            let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
            lent.as_mut()
                .and_then(|lent| lent.backward(self.cost.epsilon, compared, &upstream))
        };
        let Some((of_embeddings, of_classes)) = gradients else {
            bail!("the cost of classes has no forward to go back from")
        };
        let like = |values: Vec<f32>, tensor: &Tensor| {
            Tensor::from_vec(values, tensor.shape(), tensor.device())
        };
        let of_classes = like(of_classes, classes)?;
        Ok((
            Some(like(of_embeddings, embeddings)?),
            backward::take(classes, of_classes),
        ))
    }
}
