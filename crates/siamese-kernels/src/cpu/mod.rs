//! Runs a plan on the CPU.

mod conv;
mod pool;

use candle_core::{Layout, Result, bail};
use rayon::prelude::*;

use crate::plan::{Plan, PoolKind, Unit};

/// Parameter values of a chain.
pub(crate) struct Views<'a> {
    pub(crate) params: &'a [&'a [f32]],
    /// Running mean and variance of each norm; empty in training.
    pub(crate) running: &'a [(Vec<f32>, Vec<f32>)],
    pub(crate) train: bool,
}

/// Whether a forward leaves in its context what a backward needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    Keep,
    Discard,
}

/// Everything kept between a forward and its backward.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Values of the plan, channels-last.
    values: Vec<Vec<f32>>,
    /// Per unit: what its norm received.
    raw: Vec<Vec<f32>>,
    /// Per unit: which pixel of the window won.
    argmax: Vec<Vec<u8>>,
    /// Per unit: mean and 1/√(var + eps) in use.
    stats: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Context {
    /// Batch mean and unbiased variance of each norm.
    pub(crate) fn batch_statistics(&self, plan: &Plan) -> Vec<(Vec<f32>, Vec<f32>)> {
        let norms = plan.units.iter().zip(&self.stats);
        norms
            .filter_map(|(unit, (mean, istd))| {
                let norm = unit.norm?;
                let n = (plan.batch * unit.middle.pixels()) as f64;
                let var = |&i: &f32| ((1. / (i as f64).powi(2) - norm.eps) * n / (n - 1.)) as f32;
                Some((mean.clone(), istd.iter().map(var).collect()))
            })
            .collect()
    }
}

/// Gradients that a backward was asked for.
pub(crate) struct Grads {
    pub(crate) params: Vec<Option<Vec<f32>>>,
    /// Channels-last.
    pub(crate) input: Option<Vec<f32>>,
}

/// The plan's output, channels-last.
pub(crate) fn forward(
    plan: &Plan,
    views: Views<'_>,
    x: (&[f32], &Layout),
    ctx: &mut Context,
    _keep: Forward,
) -> Result<Vec<f32>> {
    let n = plan.batch;
    ctx.values = plan.values.iter().map(|d| vec![0.; n * d.len()]).collect();
    ctx.raw = vec![Vec::new(); plan.units.len()];
    ctx.argmax = vec![Vec::new(); plan.units.len()];
    ctx.stats = vec![Default::default(); plan.units.len()];
    let strides = x.1.stride();
    gather(
        x.0,
        x.1.start_offset(),
        [strides[0], strides[2], strides[3], strides[1]],
        plan,
        &mut ctx.values[0],
    );
    for (i, unit) in plan.units.iter().enumerate() {
        let mid = unit.middle;
        let source = &ctx.values[unit.source];
        let mut z = match &unit.conv {
            Some(c) => conv::forward(
                c,
                views.params[c.weight],
                c.bias.map(|b| views.params[b]),
                source,
                n,
            ),
            None => source.clone(),
        };
        if let Some(norm) = &unit.norm {
            let (mean, istd) = match views.train {
                true => {
                    if n * mid.pixels() < 2 {
                        bail!(
                            "batch norm in training needs more than one value per channel, got ({n}, {}, {}, {})",
                            mid.c,
                            mid.h,
                            mid.w
                        )
                    }
                    let (mean, var) = moments(&z, mid.c);
                    let istd = |v: f64| (1. / (v + norm.eps).sqrt()) as f32;
                    (
                        mean.iter().map(|&m| m as f32).collect(),
                        var.into_iter().map(istd).collect(),
                    )
                }
                false => {
                    let (mean, var) = &views.running[norm.stats];
                    let istd: Vec<f32> = var
                        .iter()
                        .map(|&v| (1. / (v as f64 + norm.eps).sqrt()) as f32)
                        .collect();
                    (mean.clone(), istd)
                }
            };
            ctx.raw[i] = z.clone();
            let (gamma, beta) = (views.params[norm.weight], views.params[norm.bias]);
            z.par_chunks_mut(mid.c).for_each(|p| {
                for (k, v) in p.iter_mut().enumerate() {
                    *v = (*v - mean[k]) * istd[k] * gamma[k] + beta[k];
                }
            });
            ctx.stats[i] = (mean, istd);
        }
        if let Some(r) = unit.residual {
            z.par_iter_mut()
                .zip(&ctx.values[r])
                .for_each(|(a, b)| *a += b);
        }
        if let Some(a) = unit.activation {
            let slope = a.slope();
            z.par_iter_mut()
                .for_each(|v| *v = if *v > 0. { *v } else { *v * slope });
        }
        if let Some(p) = &unit.pool {
            let out = &mut ctx.values[unit.target];
            match p.kind {
                PoolKind::Max => {
                    ctx.argmax[i] = vec![0; out.len()];
                    pool::max_forward(p, &z, out, &mut ctx.argmax[i]);
                }
                PoolKind::Average => pool::average_forward(p, &z, out),
            }
        } else {
            ctx.values[unit.target] = z;
        }
    }
    Ok(ctx.values[plan.units.len()].clone())
}

/// Gradients of the wanted parameters and, if wanted, of the input.
pub(crate) fn backward(
    plan: &Plan,
    views: Views<'_>,
    dy: (&[f32], &Layout),
    ctx: &mut Context,
    wanted: &[bool],
    wants_input: bool,
) -> Result<Grads> {
    let n = plan.batch;
    let mut params: Vec<Option<Vec<f32>>> = vec![None; wanted.len()];
    let mut grads: Vec<Option<Vec<f32>>> = vec![None; plan.values.len()];
    let s = dy.1.stride();
    let out = plan.output();
    let mut g = vec![0.; n * out.len()];
    for (b, image) in g.chunks_exact_mut(out.len()).enumerate() {
        for y in 0..out.h {
            for x in 0..out.w {
                for c in 0..out.c {
                    image[(y * out.w + x) * out.c + c] =
                        dy.0[dy.1.start_offset() + b * s[0] + y * s[1] + x * s[2] + c * s[3]];
                }
            }
        }
    }
    grads[plan.units.len()] = Some(g);
    for (i, unit) in plan.units.iter().enumerate().rev() {
        let Some(mut g) = grads[unit.target].take() else {
            continue;
        };
        let mid = unit.middle;
        if let Some(a) = unit.activation {
            // An activation never moves the maximum, so it may be undone behind the max-pool.
            let slope = a.slope();
            g.par_iter_mut()
                .zip(&ctx.values[unit.target])
                .for_each(|(g, &y)| {
                    if y <= 0. {
                        *g *= slope
                    }
                });
        }
        if let Some(p) = &unit.pool {
            g = match p.kind {
                PoolKind::Max => pool::max_backward(p, &g, &ctx.argmax[i], n),
                PoolKind::Average => pool::average_backward(p, &g, n),
            };
        }
        if let Some(r) = unit.residual {
            accumulate(&mut grads[r], g.clone());
        }
        if let Some(norm) = &unit.norm {
            let (dgamma, dbeta) =
                norm_backward(unit, &views, &ctx.raw[i], &ctx.stats[i], &mut g, n);
            if wanted[norm.weight] {
                params[norm.weight] = Some(dgamma);
            }
            if wanted[norm.bias] {
                params[norm.bias] = Some(dbeta);
            }
        }
        let wants_source = unit.source > 0 || wants_input;
        let Some(c) = &unit.conv else {
            if wants_source {
                accumulate(&mut grads[unit.source], g);
            }
            continue;
        };
        if let Some(b) = c.bias.filter(|&b| wanted[b]) {
            let mut sums = vec![0f64; mid.c];
            for p in g.chunks_exact(mid.c) {
                sums.iter_mut().zip(p).for_each(|(s, &v)| *s += v as f64);
            }
            params[b] = Some(sums.into_iter().map(|s| s as f32).collect());
        }
        if wanted[c.weight] {
            params[c.weight] = Some(conv::weight_gradient(c, &ctx.values[unit.source], &g, n));
        }
        if wants_source {
            accumulate(
                &mut grads[unit.source],
                conv::input_gradient(c, views.params[c.weight], &g, n),
            );
        }
    }
    Ok(Grads {
        params,
        input: grads[0].take().filter(|_| wants_input),
    })
}

fn accumulate(slot: &mut Option<Vec<f32>>, g: Vec<f32>) {
    match slot {
        Some(sum) => sum.par_iter_mut().zip(g).for_each(|(a, b)| *a += b),
        None => *slot = Some(g),
    }
}

/// Copies a strided value, strides given as (B, H, W, C), to channels-last memory.
fn gather(x: &[f32], start: usize, s: [usize; 4], plan: &Plan, out: &mut [f32]) {
    let d = plan.input();
    out.par_chunks_exact_mut(d.len())
        .enumerate()
        .for_each(|(b, image)| {
            for y in 0..d.h {
                for xx in 0..d.w {
                    for c in 0..d.c {
                        image[(y * d.w + xx) * d.c + c] =
                            x[start + b * s[0] + y * s[1] + xx * s[2] + c * s[3]];
                    }
                }
            }
        });
}

/// Mean and biased variance of each of `c` channels.
fn moments(z: &[f32], c: usize) -> (Vec<f64>, Vec<f64>) {
    let n = (z.len() / c) as f64;
    let (mut mean, mut var) = (vec![0f64; c], vec![0f64; c]);
    for p in z.chunks_exact(c) {
        mean.iter_mut().zip(p).for_each(|(m, &v)| *m += v as f64);
    }
    mean.iter_mut().for_each(|m| *m /= n);
    for p in z.chunks_exact(c) {
        for ((s, m), &v) in var.iter_mut().zip(&mean).zip(p) {
            *s += (v as f64 - m).powi(2);
        }
    }
    var.iter_mut().for_each(|v| *v /= n);
    (mean, var)
}

/// Turns `g` into the gradient of the norm's input; returns those of its weight and bias.
fn norm_backward(
    unit: &Unit,
    views: &Views<'_>,
    raw: &[f32],
    (mean, istd): &(Vec<f32>, Vec<f32>),
    g: &mut [f32],
    batch: usize,
) -> (Vec<f32>, Vec<f32>) {
    let c = unit.middle.c;
    let n = (batch * unit.middle.pixels()) as f64;
    let (mut sum, mut sum_x) = (vec![0f64; c], vec![0f64; c]);
    for (g, r) in g.chunks_exact(c).zip(raw.chunks_exact(c)) {
        for k in 0..c {
            sum[k] += g[k] as f64;
            sum_x[k] += (g[k] * (r[k] - mean[k]) * istd[k]) as f64;
        }
    }
    let gamma = unit.norm.map_or(&[][..], |norm| views.params[norm.weight]);
    let (share, share_x): (Vec<f32>, Vec<f32>) = match views.train {
        true => (
            sum.iter().map(|s| (s / n) as f32).collect(),
            sum_x.iter().map(|s| (s / n) as f32).collect(),
        ),
        false => (vec![0.; c], vec![0.; c]),
    };
    g.par_chunks_exact_mut(c)
        .zip(raw.par_chunks_exact(c))
        .for_each(|(g, r)| {
            for k in 0..c {
                let xhat = (r[k] - mean[k]) * istd[k];
                g[k] = gamma[k] * istd[k] * (g[k] - share[k] - xhat * share_x[k]);
            }
        });
    let f32s = |v: Vec<f64>| v.into_iter().map(|s| s as f32).collect();
    (f32s(sum_x), f32s(sum))
}
