//! A plan as one op in Candle's graph, with its backward.
//!
//! Candle's ops take at most three tensors, and its backward adds each argument's gradient onto
//! zeros, so the parameters are not arguments of the chain: they hang behind a one-element
//! `token`, a small tree of [`Deliver`] ops. The chain's backward computes every gradient at once
//! and leaves them in a shared mailbox; the tree then hands each to its parameter, uncopied.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor,
    bail,
};

use crate::cpu::{self, Context, Forward, Views};
use crate::plan::{Params, Plan};

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

/// What the chain op leaves for others.
struct Shared {
    /// Parameter gradients, from the chain's backward to [`Deliver`]'s.
    grads: Mutex<Vec<Option<Tensor>>>,
    /// Batch mean and unbiased variance of each norm of a training forward.
    stats: Mutex<Vec<(Vec<f32>, Vec<f32>)>>,
}

impl Shared {
    fn new(params: usize) -> Self {
        Self {
            grads: Mutex::new(vec![None; params]),
            stats: Mutex::new(Vec::new()),
        }
    }
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
    fn with_views<R>(&self, f: impl FnOnce(Views<'_>) -> Result<R>) -> Result<R> {
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
        f(Views {
            params: &views,
            running: &running,
            train: self.train,
        })
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
        let x = x.as_slice::<f32>()?;
        let mut context = self.contexts.take();
        let out = self.with_views(|views| {
            let keep = match self.train {
                true => Forward::Keep,
                false => Forward::Discard,
            };
            cpu::forward(&self.plan, views, (x, layout), &mut context, keep)
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
        let dy = (cpu_values(&storage)?, layout);
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
        let x = (cpu_values(&storage)?, layout);
        self.with_views(|views| cpu::forward(&self.plan, views, x, &mut context, Forward::Keep))?;
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

/// A one-element tensor whose backward gives each of `params` its gradient.
fn token(params: &[Tensor], shared: &Arc<Shared>) -> Result<Tensor> {
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
            [] => return Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu),
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

    fn grad(&self, i: usize, arg: &Tensor) -> Result<Option<Tensor>> {
        if !arg.track_op() {
            return Ok(None);
        }
        match self.slots[i] {
            Some(slot) => Ok(lock(&self.shared.grads)[slot].take()),
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

/// A lock whose poison is ignored: what it guards is memory to overwrite, never a broken invariant.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
