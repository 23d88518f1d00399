//! A plan as one op in Candle's graph, with its backward.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Storage, Tensor, bail};

use crate::cpu::{self, Context, Prepacked, Strided, Views};
use crate::deliver::{Shared, lock, token};
#[cfg(feature = "cuda")]
use crate::gpu::cuda;
use crate::params::Params;
use crate::plan::Plan;
use crate::pool::Pool;
use crate::precision::Precision;
use crate::profile;
use crate::rows::floats_on_host;

/// Working memory of past steps, kept for the next: shared by the clones of a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contexts {
    cpu: Arc<Pool<Context>>,
    #[cfg(feature = "cuda")]
    cuda: Arc<Pool<CudaContext>>,
}

#[cfg(feature = "cuda")]
type CudaContext = crate::gpu::Context<cudarc::driver::CudaSlice<u8>>;

/// Runs `plan` on `x`, recorded in Candle's graph if a gradient may be asked for.
pub(crate) fn run(
    plan: Plan,
    params: Params,
    (contexts, prepacked): (&Contexts, Option<Arc<Prepacked>>),
    x: &Tensor,
    precision: Precision,
    train: bool,
) -> Result<Tensor> {
    if plan.units.is_empty() {
        return Ok(x.clone());
    }
    check_device(x.device(), precision)?;
    if let Some(unit) = plan.starved_norm().filter(|_| train) {
        let d = unit.middle;
        bail!(
            "batch norm in training needs more than one value per channel, got {:?}",
            (plan.batch, d.c, d.h, d.w)
        )
    }
    let shared = Arc::new(Shared::new(params.tensors.len()));
    let out = plan.output();
    let momenta: Vec<_> = params.running.clone();
    let token = token(&params.tensors, x.device(), &shared)?;
    let chain = Chain {
        plan,
        #[cfg(feature = "cuda")]
        precision,
        wanted: params.tensors.iter().map(Tensor::track_op).collect(),
        wants_input: x.track_op(),
        params,
        train,
        shared: shared.clone(),
        context: Mutex::new(None),
        #[cfg(feature = "cuda")]
        cuda: Mutex::new(None),
        contexts: contexts.clone(),
        prepacked,
    };
    let y = match chain.wants_input || token.track_op() {
        true => x.apply_op2(&token, chain)?,
        false => x.apply_op2_no_bwd(&token, &chain)?,
    };
    for (running, (mean, var)) in momenta.iter().zip(lock(&shared.stats).drain(..)) {
        running
            .mean
            .set(&mix(running.mean.as_tensor(), mean, running.momentum)?)?;
        running
            .var
            .set(&mix(running.var.as_tensor(), var, running.momentum)?)?;
    }
    match (out.h, out.w) {
        (1, 1) => y.reshape((y.dim(0)?, out.c, 1, 1)),
        _ => y.permute((0, 3, 1, 2)),
    }
}

fn check_device(device: &Device, precision: Precision) -> Result<()> {
    match device {
        Device::Cpu if precision == Precision::Bf16 => {
            bail!("bf16 is computed on CUDA only: on a CPU choose Precision::F32")
        }
        Device::Cpu => Ok(()),
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => Ok(()),
        other => bail!(
            "images are on {:?}, where no kernels of this build run (CUDA: build with the feature `cuda`)",
            other.location()
        ),
    }
}

/// A running average, moved towards the newest batch.
fn mix(old: &Tensor, new: Vec<f32>, momentum: f64) -> Result<Tensor> {
    let new = Tensor::new(new, old.device())?;
    old.detach().affine(1. - momentum, 0.)? + new.affine(momentum, 0.)?
}

struct Chain {
    plan: Plan,
    #[cfg(feature = "cuda")]
    precision: Precision,
    params: Params,
    wanted: Vec<bool>,
    wants_input: bool,
    train: bool,
    shared: Arc<Shared>,
    /// What backward needs of a training forward; an evaluating one keeps nothing and is recomputed.
    context: Mutex<Option<Context>>,
    #[cfg(feature = "cuda")]
    cuda: Mutex<Option<CudaContext>>,
    contexts: Contexts,
    prepacked: Option<Arc<Prepacked>>,
}

impl Chain {
    /// The parameters' values, guarded for the length of `f`.
    fn with_views<R>(&self, f: impl FnOnce(Views<'_>) -> R) -> Result<R> {
        let tensors: Vec<_> = self
            .params
            .tensors
            .iter()
            .map(|t| t.contiguous())
            .collect::<Result<_>>()?;
        let guards: Vec<_> = tensors.iter().map(|t| t.storage_and_layout()).collect();
        let views = guards
            .iter()
            .map(|(storage, layout)| floats_on_host(storage, layout))
            .collect::<Result<Vec<_>>>()?;
        let running = match self.train {
            true => Vec::new(),
            false => self
                .params
                .running
                .iter()
                .map(|r| Ok((r.mean.to_vec1()?, r.var.to_vec1()?)))
                .collect::<Result<_>>()?,
        };
        Ok(f(Views {
            params: &views,
            running: &running,
            train: self.train,
        }))
    }
}

impl CustomOp2 for Chain {
    fn name(&self) -> &'static str {
        "siamese-chain"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        _token: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = images(x.as_slice::<f32>()?, layout);
        let mut context = self.contexts.cpu.take();
        let clock = profile::clock().filter(|_| !self.train);
        let out = self.with_views(|views| match self.train {
            true => within(|| cpu::forward(&self.plan, views, x, &mut context)),
            false => {
                let prepacked = self.prepacked.as_deref();
                within(|| cpu::infer(&self.plan, views, x, &mut context, prepacked))
            }
        })?;
        profile::inference(clock);
        match self.train {
            true => {
                *lock(&self.shared.stats) = context.batch_statistics(&self.plan);
                *lock(&self.context) = Some(context);
            }
            false => self.contexts.cpu.give_back(context),
        }
        let d = self.plan.output();
        let shape = Shape::from((self.plan.batch, d.h, d.w, d.c));
        Ok((CpuStorage::F32(out), shape))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &candle_core::CudaStorage,
        layout: &Layout,
        _token: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        let mut context = self.contexts.cuda.take();
        let y = cuda::forward(&self.cuda_run(), x, layout, self.train, &mut context)?;
        match self.train {
            true => *lock(&self.cuda) = Some(context),
            false => self.contexts.cuda.give_back(context),
        }
        let d = self.plan.output();
        Ok((y, Shape::from((self.plan.batch, d.h, d.w, d.c))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        token: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (grads, dx) = match x.device() {
            #[cfg(feature = "cuda")]
            Device::Cuda(_) => self.cuda_gradients(x, dy)?,
            _ => self.cpu_gradients(x, dy)?,
        };
        *lock(&self.shared.grads) = grads;
        let token = match token.track_op() {
            true => Some(token.zeros_like()?),
            false => None,
        };
        let dx = match dx {
            Some(dx) => Some(dx.permute((0, 3, 1, 2))?),
            None => None,
        };
        Ok((dx, token))
    }
}

impl Chain {
    /// Gradients of the parameters, and of the input `(B, H, W, C)`, as far as they are wanted.
    fn cpu_gradients(
        &self,
        x: &Tensor,
        dy: &Tensor,
    ) -> Result<(Vec<Option<Tensor>>, Option<Tensor>)> {
        let mut context = match (lock(&self.context).take(), self.train) {
            (Some(context), _) => context,
            (None, false) => self.recompute(x)?,
            (None, true) => bail!("a chain's backward can run only once after its forward"),
        };
        let (storage, layout) = dy.storage_and_layout();
        let strides = layout.stride();
        let dy = Strided {
            values: cpu_values(&storage)?,
            start: layout.start_offset(),
            strides: [strides[0], strides[1], strides[2], strides[3]],
        };
        let grads = self.with_views(|views| {
            within(|| {
                cpu::backward(
                    &self.plan,
                    views,
                    dy,
                    &mut context,
                    &self.wanted,
                    self.wants_input,
                )
            })
        })?;
        self.contexts.cpu.give_back(context);
        let tensors = self.params.tensors.iter().zip(grads.params);
        let params = tensors
            .map(|(param, grad)| {
                grad.map(|g| Tensor::from_vec(g, param.shape(), x.device()))
                    .transpose()
            })
            .collect::<Result<_>>()?;
        let d = self.plan.input();
        let shape = (self.plan.batch, d.h, d.w, d.c);
        let input = grads
            .input
            .map(|dx| Tensor::from_vec(dx, shape, x.device()));
        Ok((params, input.transpose()?))
    }

    #[cfg(feature = "cuda")]
    fn cuda_run(&self) -> cuda::Run<'_> {
        cuda::Run {
            plan: &self.plan,
            params: &self.params,
            precision: self.precision,
            train: self.train,
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda_gradients(
        &self,
        x: &Tensor,
        dy: &Tensor,
    ) -> Result<(Vec<Option<Tensor>>, Option<Tensor>)> {
        let mut context = match (lock(&self.cuda).take(), self.train) {
            (Some(context), _) => context,
            (None, false) => {
                let mut context = self.contexts.cuda.take();
                let (storage, layout) = x.storage_and_layout();
                let Storage::Cuda(x) = &*storage else {
                    bail!("expected images on a CUDA device")
                };
                cuda::forward(&self.cuda_run(), x, layout, true, &mut context)?;
                context
            }
            (None, true) => bail!("a chain's backward can run only once after its forward"),
        };
        let grads = cuda::backward(
            &self.cuda_run(),
            dy,
            &self.wanted,
            self.wants_input,
            &mut context,
        )?;
        self.contexts.cuda.give_back(context);
        Ok(grads)
    }

    fn recompute(&self, x: &Tensor) -> Result<Context> {
        let mut context = self.contexts.cpu.take();
        let (storage, layout) = x.storage_and_layout();
        let x = images(cpu_values(&storage)?, layout);
        self.with_views(|views| within(|| cpu::forward(&self.plan, views, x, &mut context)))?;
        Ok(context)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        if let Some(context) = lock(&self.context).take() {
            self.contexts.cpu.give_back(context);
        }
        #[cfg(feature = "cuda")]
        if let Some(context) = lock(&self.cuda).take() {
            self.contexts.cuda.give_back(context);
        }
    }
}

/// Runs all of a chain on one of the pool's threads: from outside each of its many short passes would wake one and wait for it.
fn within<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| run())
}

/// `(B, C, H, W)` values in channels-last order.
fn images<'a>(values: &'a [f32], layout: &Layout) -> Strided<'a> {
    let s = layout.stride();
    Strided {
        values,
        start: layout.start_offset(),
        strides: [s[0], s[2], s[3], s[1]],
    }
}

fn cpu_values(storage: &Storage) -> Result<&[f32]> {
    match storage {
        Storage::Cpu(values) => values.as_slice::<f32>(),
        _ => bail!("expected a tensor on the CPU"),
    }
}
