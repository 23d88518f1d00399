//! Values times numbers that stay as they are, such as what dropout keeps.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::rows::floats;

/// Values that one task takes.
const TASK: usize = 1 << 14;

/// Each value of `x` times its constant, in the order of the values.
///
/// By Candle's multiplication the constants would get a gradient, too, that nobody reads.
///
/// ```
/// use candle_core::{Device, Tensor};
/// # fn main() -> candle_core::Result<()> {
/// let x = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?;
/// let kept = siamese_kernels::times_constants(&x, vec![2.0, 0.0, 0.0, 2.0])?;
/// assert_eq!(kept.to_vec2::<f32>()?, [[2.0, 0.0], [0.0, 8.0]]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When there are not as many constants as values.
pub fn times_constants(x: &Tensor, constants: Vec<f32>) -> Result<Tensor> {
    if constants.len() != x.elem_count() {
        bail!(
            "{} constants for the values {:?}",
            constants.len(),
            x.dims()
        )
    }
    if x.dtype() == DType::F32 && x.device().is_cpu() {
        let constants = Arc::new(constants);
        return x.contiguous()?.apply_op1(Constants(constants));
    }
    let constants = Tensor::from_vec(constants, x.shape(), x.device())?;
    x * constants.to_dtype(x.dtype())?
}

struct Constants(Arc<Vec<f32>>);

impl CustomOp1 for Constants {
    fn name(&self) -> &'static str {
        "times-constants"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut values = floats(x, layout)?.to_vec();
        let tasks = values.par_chunks_mut(TASK).zip(self.0.par_chunks(TASK));
        tasks.for_each(|(values, constants)| {
            for (value, constant) in values.iter_mut().zip(constants) {
                *value *= constant;
            }
        });
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let again = Self(Arc::clone(&self.0));
        Ok(Some(upstream.contiguous()?.apply_op1_no_bwd(&again)?))
    }
}
