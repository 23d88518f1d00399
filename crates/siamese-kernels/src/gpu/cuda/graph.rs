//! Candle's tensors in, Candle's tensors out.

use candle_core::{CudaStorage, DType, Layout, Result, Storage, Tensor, bail};
use cudarc::driver::CudaSlice;

use super::device::{Cuda, place, start};
use crate::gpu::context::Context;
use crate::gpu::device::Place;
use crate::gpu::job::{Job, Strided};
use crate::params::Params;
use crate::plan::Plan;
use crate::precision::Precision;

/// A plan and what it runs with.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) params: &'a Params,
    pub(crate) precision: Precision,
    pub(crate) train: bool,
}

/// The plan's output `(B, H, W, C)`. In training the running averages move at once.
pub(crate) fn forward(
    run: &Run<'_>,
    x: &CudaStorage,
    layout: &Layout,
    keeps: bool,
    ctx: &mut Context<CudaSlice<u8>>,
) -> Result<CudaStorage> {
    let device = &x.device;
    let d = run.plan.output();
    // SAFETY: the forward writes all of it.
    let out = unsafe { device.alloc::<f32>(run.plan.batch * d.len())? };
    let out = CudaStorage::wrap_cuda_slice(out, device.clone());
    let to = place(&out, &Layout::contiguous(run.plan.batch * d.len()))?;
    let s = layout.stride();
    let images = Strided {
        place: start(x, layout)?,
        strides: [s[0], s[2], s[3], s[1]],
    };
    with_job(run, |job| {
        crate::gpu::forward::forward(&Cuda(device), job, images, to, keeps, ctx)
    })?;
    Ok(out)
}

/// Gradients of the parameters that are wanted, and of the input `(B, H, W, C)` if it is.
pub(crate) fn backward(
    run: &Run<'_>,
    dy: &Tensor,
    wanted: &[bool],
    wants_input: bool,
    ctx: &mut Context<CudaSlice<u8>>,
) -> Result<(Vec<Option<Tensor>>, Option<Tensor>)> {
    let device = dy.device();
    // SAFETY: the backward writes all of it.
    let empty = |shape: &[usize]| unsafe { Tensor::empty(shape, DType::F32, device) };
    let params = run.params.tensors.iter().zip(wanted);
    let grads = params
        .map(|(tensor, wanted)| wanted.then(|| empty(tensor.dims())).transpose())
        .collect::<Result<Vec<_>>>()?;
    let d = run.plan.input();
    let dx = wants_input
        .then(|| empty(&[run.plan.batch, d.h, d.w, d.c]))
        .transpose()?;
    let (storage, layout) = dy.storage_and_layout();
    let storage = cuda(&storage)?;
    let s = layout.stride();
    let strided = Strided {
        place: start(storage, layout)?,
        strides: [s[0], s[1], s[2], s[3]],
    };
    let guards: Vec<_> = grads
        .iter()
        .map(|g| g.as_ref().map(Tensor::storage_and_layout))
        .collect();
    let places = guards
        .iter()
        .map(|g| g.as_ref().map(|(s, l)| place(cuda(s)?, l)).transpose())
        .collect::<Result<Vec<_>>>()?;
    let input = dx.as_ref().map(Tensor::storage_and_layout);
    let input_place = match &input {
        Some((s, l)) => Some(place(cuda(s)?, l)?),
        None => None,
    };
    with_job(run, |job| {
        let gpu = Cuda(&storage.device);
        crate::gpu::backward::backward(&gpu, job, strided, &places, input_place, ctx)
    })?;
    drop(places);
    drop(guards);
    drop(input);
    Ok((grads, dx))
}

/// Calls `f` with the addresses of all parameters, their storages guarded meanwhile.
fn with_job(run: &Run<'_>, f: impl FnOnce(&Job<'_>) -> Result<()>) -> Result<()> {
    let tensors = run.params.tensors.iter().map(Tensor::contiguous);
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let guards: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let params = guards
        .iter()
        .map(|(s, l)| place(cuda(s)?, l))
        .collect::<Result<Vec<_>>>()?;
    let guards: Vec<_> = run
        .params
        .running
        .iter()
        .map(|r| {
            let (mean, var) = (r.mean.storage_and_layout(), r.var.storage_and_layout());
            (mean, var, r.momentum as f32)
        })
        .collect();
    let running = guards
        .iter()
        .map(|((mean, ml), (var, vl), momentum)| {
            let mean: Place<'_> = place(cuda(mean)?, ml)?;
            Ok((mean, place(cuda(var)?, vl)?, *momentum))
        })
        .collect::<Result<Vec<_>>>()?;
    f(&Job {
        plan: run.plan,
        precision: run.precision,
        params: &params,
        running: &running,
        train: run.train,
    })
}

/// Calls `f` with the addresses of contiguous f32 tensors of one length, and that length.
pub(crate) fn with_places<const N: usize>(
    tensors: [&Tensor; N],
    f: impl FnOnce([Place<'_>; N], u32) -> Result<()>,
) -> Result<()> {
    let n = tensors[0].elem_count();
    if n > u32::MAX as usize || tensors.iter().any(|t| t.elem_count() != n) {
        bail!("expected tensors of one length below 2^32, got {tensors:?}")
    }
    let guards = tensors.map(Tensor::storage_and_layout);
    let mut places = [Place::new(0); N];
    for (to, (storage, layout)) in places.iter_mut().zip(&guards) {
        *to = place(cuda(storage)?, layout)?;
    }
    f(places, n as u32)
}

fn cuda(storage: &Storage) -> Result<&CudaStorage> {
    match storage {
        Storage::Cuda(storage) => Ok(storage),
        _ => bail!("expected a tensor on a CUDA device"),
    }
}
