//! Rows `(B, D)` scaled to unit length, in one pass where Candle's operations would take several.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use crate::cpu::{UnitRow, UnitRowSlope};
use crate::rows::{floats, per_row};
use crate::simd::Level;

/// Rows `(B, D)` of f32 in the host's memory as `x / √(Σx² + ε)`; a row of zeros stays one, with a finite gradient.
///
/// ```
/// use candle_core::{Device, Tensor};
/// # fn main() -> candle_core::Result<()> {
/// let x = Tensor::new(&[[3f32, 4.0], [0.0, 0.0]], &Device::Cpu)?;
/// let unit = siamese_kernels::unit_rows(&x, 1e-12)?;
/// assert_eq!(unit.to_vec2::<f32>()?, [[0.6, 0.8], [0.0, 0.0]]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When they are no rows of f32, or lie on another device.
pub fn unit_rows(x: &Tensor, epsilon: f64) -> Result<Tensor> {
    let epsilon = epsilon as f32;
    x.contiguous()?.apply_op1(UnitRows { epsilon })
}

struct UnitRows {
    epsilon: f32,
}

impl CustomOp1 for UnitRows {
    fn name(&self) -> &'static str {
        "unit-rows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let mut rows = floats(storage, layout)?.to_vec();
        let (level, epsilon) = (Level::current(), self.epsilon);
        per_row(&mut rows, width, |_, row| {
            level.run(UnitRow { row, epsilon });
        });
        Ok((CpuStorage::F32(rows), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let x = x.contiguous()?;
        Ok(Some(x.apply_op2_no_bwd(
            &upstream.contiguous()?,
            &Slopes(self),
        )?))
    }
}

struct Slopes<'a>(&'a UnitRows);

impl CustomOp2 for Slopes<'_> {
    fn name(&self) -> &'static str {
        "unit-rows-backward"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        upstream: &CpuStorage,
        upstream_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let x = floats(x, layout)?;
        let mut slopes = floats(upstream, upstream_layout)?.to_vec();
        let (level, epsilon) = (Level::current(), self.0.epsilon);
        per_row(&mut slopes, width, |i, slope| {
            let x = &x[i * width..(i + 1) * width];
            level.run(UnitRowSlope { x, epsilon, slope });
        });
        Ok((CpuStorage::F32(slopes), layout.shape().clone()))
    }
}
