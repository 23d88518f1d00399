//! The forward of a plan.

#![allow(unsafe_code)]

use candle_core::Result;

use super::context::Context;
use super::device::{Gpu, Grid, Pass, Place, Window, args};
use super::job::{Job, Rows, Strided, copying, slope};
use crate::plan::{ConvStep, Dims, PoolKind, Unit};

/// Runs the plan on images `x` and writes its output to `out`, f32 and channels-last.
///
/// In training the norms take the batch's statistics and move their running averages. With `keeps`
/// a backward may follow.
pub(crate) fn forward<G: Gpu>(
    gpu: &G,
    job: &Job<'_>,
    x: Strided<'_>,
    out: Place<'_>,
    keeps: bool,
    ctx: &mut Context<G::Memory>,
) -> Result<()> {
    job.check()?;
    ctx.fit_forward(gpu, job, keeps)?;
    gather(gpu, job, x, job.plan.input(), ctx.values[0].place())?;
    for (i, unit) in job.plan.units.iter().enumerate() {
        if let Some(conv) = &unit.conv {
            convolve(gpu, job, ctx, i, conv)?;
        }
        factors(gpu, job, ctx, i)?;
        apply(gpu, job, ctx, i)?;
    }
    let last = ctx.values[job.plan.values.len() - 1].place();
    widen(gpu, job, job.plan.output(), last, out)
}

/// Images of any strides to channels-last ones of the job's precision.
pub(super) fn gather<G: Gpu>(
    gpu: &G,
    job: &Job<'_>,
    from: Strided<'_>,
    d: Dims,
    to: Place<'_>,
) -> Result<()> {
    let n = (job.plan.batch * d.len()) as u32;
    let [image, line, pixel, channel] = from.strides.map(|s| s as i64);
    let (h, w, c) = (d.h as u32, d.w as u32, d.c as u32);
    let name = copying("gather", job.precision);
    let args = args![from.place, image, line, pixel, channel, to, h, w, c, n];
    // SAFETY: `to` holds `n` elements; `from` comes from a tensor of that shape.
    unsafe { gpu.launch(&name, Grid::elements(n), args) }
}

/// Channels-last images of the job's precision to f32.
pub(super) fn widen<G: Gpu>(
    gpu: &G,
    job: &Job<'_>,
    d: Dims,
    from: Place<'_>,
    to: Place<'_>,
) -> Result<()> {
    let n = (job.plan.batch * d.len()) as u32;
    let name = copying("widen_all", job.precision);
    // SAFETY: both hold `n` elements.
    unsafe { gpu.launch(&name, Grid::elements(n), args![from, to, n]) }
}

fn convolve<G: Gpu>(
    gpu: &G,
    job: &Job<'_>,
    ctx: &Context<G::Memory>,
    i: usize,
    conv: &ConvStep,
) -> Result<()> {
    let weights = ctx.weights[i].place();
    let (inputs, places) = (conv.input.c as u32, (conv.kernel * conv.kernel) as u32);
    let n = conv.weights() as u32;
    let name = copying("pack_weights", job.precision);
    let args = args![job.params[conv.weight], weights, inputs, places, n];
    let places = [
        ctx.values[job.plan.units[i].source].place(),
        weights,
        ctx.raw(job, i),
    ];
    // SAFETY: the context fits the plan, whose shapes these are.
    unsafe {
        gpu.launch(&name, Grid::elements(n), args)?;
        gpu.convolve(&job.convolution(conv), Pass::Forward, places, false)
    }
}

/// Scale, shift, mean and 1/std of unit `i`.
fn factors<G: Gpu>(gpu: &G, job: &Job<'_>, ctx: &Context<G::Memory>, i: usize) -> Result<()> {
    let unit = &job.plan.units[i];
    let (c, to) = (unit.middle.c as u32, ctx.factors[i].place());
    let conv_bias = job.conv_bias(unit).map(|b| job.params[b]);
    let none = None::<Place<'_>>;
    let Some(norm) = &unit.norm else {
        let args = args![none, none, conv_bias, 0f32, none, none, to, c];
        // SAFETY: `to` holds 4 · c values, the bias c.
        return unsafe { gpu.launch("fixed_factors", Grid::elements(c), args) };
    };
    let (weight, bias) = (job.params[norm.weight], job.params[norm.bias]);
    let (mean, var, momentum) = job.running[norm.stats];
    let eps = norm.eps as f32;
    if !job.train {
        let args = args![weight, bias, conv_bias, eps, mean, var, to, c];
        // SAFETY: `to` holds 4 · c values, all others c.
        return unsafe { gpu.launch("fixed_factors", Grid::elements(c), args) };
    }
    let rows = Rows::sum(job.precision, job.rows(unit.middle), unit.middle.c);
    let (partial, parts) = (ctx.partial.place(), rows.parts());
    let name = format!("moments_{}", rows.suffix);
    let sums = args![ctx.raw(job, i), partial, rows.rows, c];
    let args = args![
        partial, parts, weight, bias, conv_bias, eps, momentum, mean, var, to, rows.rows, c
    ];
    // SAFETY: `partial` holds 2 sums of each part and the origin, c of each; the rest is as above.
    unsafe {
        gpu.launch(&name, rows.grid, sums)?;
        gpu.launch("batch_factors", Grid::channels(unit.middle.c), args)
    }
}

/// Norm, residual sum, activation and pool of unit `i`.
fn apply<G: Gpu>(gpu: &G, job: &Job<'_>, ctx: &Context<G::Memory>, i: usize) -> Result<()> {
    let unit: &Unit = &job.plan.units[i];
    let (raw, y) = (ctx.raw(job, i), ctx.values[unit.target].place());
    let (c, factors, slope) = (unit.middle.c, ctx.factors[i].place(), slope(unit));
    let Some(pool) = &unit.pool else {
        let rows = Rows::pass(job.precision, job.rows(unit.middle), c);
        let residual = unit.residual.map(|r| ctx.values[r].place());
        let args = args![raw, residual, factors, slope, y, rows.rows, rows.c];
        // SAFETY: all images have the unit's middle shape, the factors its channels.
        return unsafe { gpu.launch(&format!("apply_{}", rows.suffix), rows.grid, args) };
    };
    let rows = Rows::pass(job.precision, job.rows(pool.output), c);
    let window = Window::new(pool);
    // SAFETY: `raw` has the pool's input shape, `y` and the winners its output shape.
    unsafe {
        match pool.kind {
            PoolKind::Max => {
                let winners = ctx.winners[i].place();
                let args = args![raw, factors, slope, y, winners, window, rows.rows, rows.c];
                gpu.launch(&format!("max_pool_{}", rows.suffix), rows.grid, args)
            }
            PoolKind::Average => {
                let args = args![raw, y, window, rows.rows, rows.c];
                gpu.launch(&format!("average_pool_{}", rows.suffix), rows.grid, args)
            }
        }
    }
}
