//! Element-wise updates of parameters in host memory: in place, split over threads.

use std::sync::Mutex;

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, Var};

use crate::rows::{floats, floats_on_host};

/// Elements that one task takes: large enough to hide the cost of a task, small enough for L2.
pub(super) const CHUNK: usize = 16 * 1024;

/// Calls `update(parameter, gradient, moments)` on matching pieces that together cover all of them.
///
/// `update` treats each element on its own, so that neither pieces nor threads show in the result.
pub(super) fn update<const N: usize, F>(
    var: &Var,
    grad: &Tensor,
    moments: [&mut [f32]; N],
    update: F,
) -> Result<()>
where
    F: Fn(&mut [f32], &[f32], [&mut [f32]; N]) + Sync,
{
    let moments = Mutex::new(Some(moments));
    var.inplace_op2(grad, &Update { moments, update })
}

/// Calls `f` on the values of a contiguous f32 tensor in host memory.
pub(super) fn with_slice<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    floats_on_host(&storage, layout).map(f)
}

/// Candle's in-place operation takes itself by shared reference, hence the lock: it is taken once.
struct Update<'a, const N: usize, F> {
    moments: Mutex<Option<[&'a mut [f32]; N]>>,
    update: F,
}

impl<const N: usize, F> InplaceOp2 for Update<'_, N, F>
where
    F: Fn(&mut [f32], &[f32], [&mut [f32]; N]) + Sync,
{
    fn name(&self) -> &'static str {
        "optimizer-step"
    }

    fn cpu_fwd(
        &self,
        param: &mut CpuStorage,
        param_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<()> {
        let CpuStorage::F32(param) = param else {
            candle_core::bail!("expected an F32 parameter");
        };
        let Some((start, end)) = param_layout.contiguous_offsets() else {
            candle_core::bail!("expected a contiguous parameter, got {param_layout:?}");
        };
        let grad = floats(grad, grad_layout)?;
        let taken = self
            .moments
            .lock()
            .ok()
            .and_then(|mut moments| moments.take());
        let Some(moments) = taken else {
            candle_core::bail!("an optimizer step runs once");
        };
        split(&mut param[start..end], grad, moments, &self.update);
        Ok(())
    }
}

fn split<const N: usize, F>(param: &mut [f32], grad: &[f32], moments: [&mut [f32]; N], update: &F)
where
    F: Fn(&mut [f32], &[f32], [&mut [f32]; N]) + Sync,
{
    if param.len() <= CHUNK {
        return update(param, grad, moments);
    }
    let middle = (param.len() / 2).next_multiple_of(CHUNK);
    let (param_left, param_right) = param.split_at_mut(middle);
    let (grad_left, grad_right) = grad.split_at(middle);
    let mut right: [&mut [f32]; N] = std::array::from_fn(|_| Default::default());
    let mut slots = right.iter_mut();
    let left = moments.map(|moment| {
        let (left, right) = moment.split_at_mut(middle);
        if let Some(slot) = slots.next() {
            *slot = right;
        }
        left
    });
    rayon::join(
        || split(param_left, grad_left, left, update),
        || split(param_right, grad_right, right, update),
    );
}
