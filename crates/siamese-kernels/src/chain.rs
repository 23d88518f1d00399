//! A plan as one op in Candle's graph, with its backward.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Storage, Tensor, bail};

use crate::cpu::{self, Context, Strided, Views};
use crate::deliver::{Shared, lock, token};
use crate::fuse::Params;
use crate::plan::Plan;

/// Working memory of past steps, kept for the next: shared by the clones of a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contexts(Arc<Mutex<Vec<Context>>>);

impl Contexts {
    fn take(&self) -> Context {
        lock(&self.0).pop().unwrap_or_default()
    }

    fn give_back(&self, context: Context) {
        lock(&self.0).push(context);
    }
}

/// Runs `plan` on `x`, recorded in Candle's graph if a gradient may be asked for.
pub(crate) fn run(
    plan: Plan,
    params: Params,
    contexts: &Contexts,
    x: &Tensor,
    train: bool,
) -> Result<Tensor> {
    if plan.units.is_empty() {
        return Ok(x.clone());
    }
    if !matches!(x.device(), Device::Cpu) {
        bail!(
            "chains run on the CPU only, got images on {:?}",
            x.device().location()
        )
    }
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
    let token = token(&params.tensors, &shared)?;
    let chain = Chain {
        plan,
        wanted: params.tensors.iter().map(Tensor::track_op).collect(),
        wants_input: x.track_op(),
        params,
        train,
        shared: shared.clone(),
        context: Mutex::new(None),
        contexts: contexts.clone(),
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

fn mix(old: &Tensor, new: Vec<f32>, momentum: f64) -> Result<Tensor> {
    let new = Tensor::new(new, old.device())?;
    old.detach().affine(1. - momentum, 0.)? + new.affine(momentum, 0.)?
}

struct Chain {
    plan: Plan,
    params: Params,
    wanted: Vec<bool>,
    wants_input: bool,
    train: bool,
    shared: Arc<Shared>,
    /// What backward needs of a training forward; an evaluating one keeps nothing and is recomputed.
    context: Mutex<Option<Context>>,
    contexts: Contexts,
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
            .map(|(storage, layout)| cpu_slice(storage, layout))
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
        let mut context = self.contexts.take();
        let out = self.with_views(|views| match self.train {
            true => cpu::forward(&self.plan, views, x, &mut context),
            false => cpu::infer(&self.plan, views, x, &mut context),
        })?;
        match self.train {
            true => {
                *lock(&self.shared.stats) = context.batch_statistics(&self.plan);
                *lock(&self.context) = Some(context);
            }
            false => self.contexts.give_back(context),
        }
        let d = self.plan.output();
        let shape = Shape::from((self.plan.batch, d.h, d.w, d.c));
        Ok((CpuStorage::F32(out), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        token: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
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
            cpu::backward(
                &self.plan,
                views,
                dy,
                &mut context,
                &self.wanted,
                self.wants_input,
            )
        })?;
        self.contexts.give_back(context);
        let mut mailbox = lock(&self.shared.grads);
        for ((slot, grad), param) in mailbox
            .iter_mut()
            .zip(grads.params)
            .zip(&self.params.tensors)
        {
            *slot = match grad {
                Some(grad) => Some(Tensor::from_vec(grad, param.shape(), x.device())?),
                None => None,
            };
        }
        let d = self.plan.input();
        let dx = match grads.input {
            Some(dx) => Some(
                Tensor::from_vec(dx, (self.plan.batch, d.h, d.w, d.c), x.device())?
                    .permute((0, 3, 1, 2))?,
            ),
            None => None,
        };
        let token = match token.track_op() {
            true => Some(token.zeros_like()?),
            false => None,
        };
        Ok((dx, token))
    }
}

impl Chain {
    fn recompute(&self, x: &Tensor) -> Result<Context> {
        let mut context = self.contexts.take();
        let (storage, layout) = x.storage_and_layout();
        let x = images(cpu_values(&storage)?, layout);
        self.with_views(|views| cpu::forward(&self.plan, views, x, &mut context))?;
        Ok(context)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        if let Some(context) = lock(&self.context).take() {
            self.contexts.give_back(context);
        }
    }
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

fn cpu_slice<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    let values = cpu_values(storage)?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("expected a contiguous parameter, got {layout:?}"),
    }
}
