//! How a chain's parameters get their gradients without being its arguments.
//!
//! Candle's ops take at most three tensors, and packing many parameters into one would copy them
//! at every forward, and their gradients several times at every backward. Instead they hang behind
//! a one-element token: a small tree of [`Deliver`] ops. The chain's backward leaves all gradients
//! in a mailbox; the tree, which Candle visits afterwards, hands each to its parameter.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Device, Layout, Result, Shape, Tensor,
};

use crate::backward;

/// What the chain op leaves for others.
pub(crate) struct Shared {
    /// Parameter gradients, from the chain's backward to [`Deliver`]'s.
    pub(crate) grads: Mutex<Vec<Option<Tensor>>>,
    /// Batch mean and unbiased variance of each norm of a training forward.
    pub(crate) stats: Mutex<Vec<(Vec<f32>, Vec<f32>)>>,
}

impl Shared {
    pub(crate) fn new(params: usize) -> Self {
        Self {
            grads: Mutex::new(vec![None; params]),
            stats: Mutex::new(Vec::new()),
        }
    }
}

/// A one-element tensor whose backward gives each of `params` its gradient.
pub(crate) fn token(params: &[Tensor], device: &Device, shared: &Arc<Shared>) -> Result<Tensor> {
    let leaves: Vec<(Tensor, Option<usize>)> =
        params.iter().cloned().zip((0..).map(Some)).collect();
    let mut level = leaves;
    loop {
        let mut next = Vec::new();
        for group in level.chunks(3) {
            let op = Deliver {
                slots: group.iter().map(|(_, slot)| *slot).collect(),
                shared: shared.clone(),
            };
            let token = match group {
                [(a, _)] => a.apply_op1(op)?,
                [(a, _), (b, _)] => a.apply_op2(b, op)?,
                [(a, _), (b, _), (c, _)] => a.apply_op3(b, c, op)?,
                _ => unreachable!("chunks of three"),
            };
            next.push((token, None));
        }
        match next.as_slice() {
            [] => return Tensor::zeros(1, DType::F32, device),
            [(token, _)] => return Ok(token.clone()),
            _ => level = next,
        }
    }
}

/// Passes gradients on: from the mailbox to parameters, zeros to other tokens.
struct Deliver {
    /// For each argument its place in the mailbox; `None` for a token.
    slots: Vec<Option<usize>>,
    shared: Arc<Shared>,
}

impl Deliver {
    fn output() -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(1)))
    }

    /// Nobody reads the value; it is zeroed all the same.
    #[cfg(feature = "cuda")]
    fn cuda_output(arg: &CudaStorage) -> Result<(CudaStorage, Shape)> {
        let device = &arg.device;
        let zero = device.alloc_zeros::<f32>(1)?;
        Ok((
            CudaStorage::wrap_cuda_slice(zero, device.clone()),
            Shape::from(1),
        ))
    }

    fn grad(&self, i: usize, arg: &Tensor) -> Result<Option<Tensor>> {
        if !arg.track_op() {
            return Ok(None);
        }
        match self.slots[i] {
            Some(slot) => {
                let grad = lock(&self.shared.grads)[slot].take();
                Ok(grad.and_then(|grad| backward::take(arg, grad)))
            }
            None => Ok(Some(arg.zeros_like()?)),
        }
    }
}

impl CustomOp1 for Deliver {
    fn name(&self) -> &'static str {
        "siamese-deliver"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Self::output()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, a: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        Self::cuda_output(a)
    }

    fn bwd(&self, a: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        self.grad(0, a)
    }
}

impl CustomOp2 for Deliver {
    fn name(&self) -> &'static str {
        "siamese-deliver"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::output()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        a: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Self::cuda_output(a)
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.grad(0, a)?, self.grad(1, b)?))
    }
}

impl CustomOp3 for Deliver {
    fn name(&self) -> &'static str {
        "siamese-deliver"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::output()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        a: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Self::cuda_output(a)
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok((self.grad(0, a)?, self.grad(1, b)?, self.grad(2, c)?))
    }
}

/// A lock whose poison is ignored: what it guards is memory to overwrite, never a broken invariant.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
