//! The forward that keeps nothing: norms folded into the weights, memory used again at once.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::context::Context;
use super::norm::{Affine, ApplyInPlace, Pick2x2};
use super::prepacked::{Prepacked, Ready};
use super::unit::{pick, slope};
use super::views::{Strided, Views, conv_bias, gather};
use super::winograd::Direction;
use super::{conv, few, forward, pack, pool};
use crate::plan::{Plan, Unit};
use crate::simd::Level;

/// The plan's output, channels-last; weights are taken from `prepacked`, where that is there, or left in it.
pub(crate) fn infer(
    plan: &Plan,
    views: Views<'_>,
    x: Strided<'_>,
    ctx: &mut Context,
    prepacked: Option<&Prepacked>,
) -> Vec<f32> {
    let kept = ctx.grads.drain(..).chain(ctx.values.drain(..));
    let mut spare: Vec<Buffer> = kept.filter(|b| !b.is_empty()).collect();
    ctx.fit(plan);
    ctx.values[0] = spare.pop().unwrap_or_default();
    let d = plan.input();
    gather(
        x,
        (d.h, d.w, d.c),
        ctx.values[0].resize(plan.batch * d.len()),
    );
    let last_use = last_use(plan);
    let stored = vec![false; plan.values.len()];
    for (i, unit) in plan.units.iter().enumerate() {
        let of =
            |(prepacked, c)| Prepacked::of(prepacked, ctx.level(), (unit, c), plan.batch, views);
        let ready = prepacked.zip(unit.conv.as_ref()).map(of);
        let mut factors = std::mem::take(&mut ctx.factors[i]);
        match (&ready, unit.norm) {
            (Some(ready), _) => factors.plain(unit.middle.c, Some(&ready.shift)),
            (None, Some(_)) => factors.running(unit, views),
            (None, None) => factors.plain(unit.middle.c, conv_bias(unit, views)),
        }
        ctx.factors[i] = factors;
        ctx.values[unit.target] = spare.pop().unwrap_or_default();
        match &unit.conv {
            Some(c) if !conv::is_wide(c, plan.batch) && !few::is_few(plan.batch) => {
                convolve(plan, views, ctx, i, ready.as_deref())
            }
            _ => {
                ctx.raw[i] = std::mem::take(&mut ctx.many);
                forward::convolve(plan, views, ctx, &stored, i, ready.as_deref());
                forward::finish(plan, ctx, i, false);
                ctx.many = std::mem::take(&mut ctx.raw[i]);
            }
        }
        for (v, _) in last_use.iter().enumerate().filter(|(_, last)| **last == i) {
            spare.push(std::mem::take(&mut ctx.values[v]));
        }
    }
    let out = ctx.values[plan.units.len()].to_vec();
    ctx.grads = spare;
    out
}

/// For each value the last unit that reads it.
fn last_use(plan: &Plan) -> Vec<usize> {
    let mut last = vec![usize::MAX; plan.values.len()];
    for (i, unit) in plan.units.iter().enumerate() {
        last[unit.source] = i;
        if let Some(r) = unit.residual {
            last[r] = i;
        }
    }
    last
}

/// Unit `i`, from convolution to pool, a few images at a time.
fn convolve(plan: &Plan, views: Views<'_>, ctx: &mut Context, i: usize, ready: Option<&Ready>) {
    let unit = &plan.units[i];
    let Some(c) = &unit.conv else { return };
    let (level, per) = (ctx.level(), conv::per_chunk(c, plan.batch));
    let mut out = std::mem::take(&mut ctx.values[unit.target]);
    let mut packed = std::mem::take(&mut ctx.packed);
    let (factors, weight) = (&ctx.factors[i], views.params[c.weight]);
    if ready.is_none() {
        let scale = &factors.scale;
        pack::pack(level, c, weight, scale, Direction::Forward, &mut packed);
    }
    let weight: &[f32] = ready.map_or(&packed, |ready| &ready.weight);
    let (from, to) = (c.input.len(), plan.values[unit.target].len());
    let ones = vec![1.; c.output.c];
    let after = After {
        level,
        unit,
        affine: Affine {
            scale: &ones,
            shift: &factors.shift,
            slope: slope(unit),
        },
    };
    let residual: &[f32] = unit.residual.map_or(&[], |r| &ctx.values[r]);
    let x: &[f32] = &ctx.values[unit.source];
    let group = conv::group(c);
    let chunks = out
        .resize(plan.batch * to)
        .par_chunks_mut(per * to)
        .enumerate();
    chunks.for_each(|(k, y)| {
        ctx.scratches.with(|scratch| {
            for (j, y) in y.chunks_mut(group * to).enumerate() {
                let (first, images) = (k * per + j * group, y.len() / to);
                let x = &x[first * from..][..images * from];
                let mut forward = |y: &mut [f32]| {
                    level.run(conv::Forward {
                        c,
                        packed: weight,
                        x,
                        pending: None,
                        y,
                        moments: None,
                        v: &mut scratch.v,
                        m: &mut scratch.m,
                        sums: &mut scratch.sums,
                    })
                };
                if unit.pool.is_some() {
                    let z = scratch.images.resize(images * unit.middle.len());
                    forward(z);
                    after.pooled(z, y);
                    continue;
                }
                forward(y);
                let residual = match residual.is_empty() {
                    true => residual,
                    false => &residual[first * to..][..y.len()],
                };
                after.in_place(residual, y);
            }
        });
    });
    (ctx.packed, ctx.values[unit.target]) = (packed, out);
}

/// What follows a convolution whose weights have the norm's scale already.
struct After<'a> {
    level: Level,
    unit: &'a Unit,
    affine: Affine<'a>,
}

impl After<'_> {
    fn in_place(&self, residual: &[f32], y: &mut [f32]) {
        let affine = self.affine;
        self.level.run(ApplyInPlace {
            affine,
            residual,
            y,
        });
    }

    fn pooled(&self, z: &mut [f32], y: &mut [f32]) {
        let Some(p) = &self.unit.pool else { return };
        let (from, to) = (p.input.len(), p.output.len());
        if pick(self.unit).is_none() {
            self.in_place(&[], z);
            for (x, y) in z.chunks_exact(from).zip(y.chunks_exact_mut(to)) {
                pool::max(p, x, y, &mut []);
            }
            return;
        }
        for (x, picked) in z.chunks_exact(from).zip(y.chunks_exact_mut(to)) {
            self.level.run(Pick2x2 {
                pool: p,
                x,
                sign: self.affine.scale,
                picked,
                winner: &mut [],
            });
        }
        self.in_place(&[], y);
    }
}
