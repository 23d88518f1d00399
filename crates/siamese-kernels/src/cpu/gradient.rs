//! One unit's part of the backward behind its norm: from its output's gradient to its source's and
//! its weight's.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::chunks::{per_chunk, shares};
use super::context::Context;
use super::conv::{self, Algorithm};
use super::gemm::Store;
use super::norm::Add;
use super::norm_gradient::{Coefficients, Gradient, Gradient2x2, Sign};
use super::progress::{Backward, Work};
use super::unit::{convolves_again, pick};
use super::winograd::Direction;
use super::{pack, pool, weight_gradient, wide};
use crate::plan::ConvStep;

impl Backward<'_> {
    /// The gradient of what unit `i`'s norm received, for images `first..`, into `dx`; `raw` is
    /// what it received.
    fn undo(
        &self,
        ctx: &Context,
        i: usize,
        work: &Work<'_>,
        first: usize,
        raw: &[f32],
        (dx, scratch): (&mut [f32], &mut Buffer),
    ) {
        let (level, unit) = (ctx.level(), work.unit);
        let (mid, to) = (unit.middle.len(), self.plan.values[unit.target].len());
        let images = dx.len() / mid;
        let g = &work.g[first * to..][..images * to];
        let all = dx.chunks_exact_mut(mid).zip(g.chunks_exact(to));
        let Some(f) = work.factors else {
            if let Some(p) = &unit.pool {
                all.for_each(|(dx, g)| pool::average_gradient(p, g, dx));
            }
            return;
        };
        let coefficients = Coefficients {
            a: &f.a,
            b: &f.b,
            c: &f.c,
        };
        let affine = ctx.factors[i].affine(unit);
        let sign = Sign::Affine;
        let Some(p) = &unit.pool else {
            let masked = unit.residual.is_some();
            level.run(Gradient {
                x: raw,
                affine,
                sign,
                masked,
                coefficients,
                g,
                dx,
            });
            return;
        };
        let winners = ctx.winners[i][first * to..][..images * to].chunks_exact(to);
        for (((dx, g), winner), x) in all.zip(winners).zip(raw.chunks_exact(mid)) {
            if pick(unit).is_some() {
                level.run(Gradient2x2 {
                    pool: p,
                    x,
                    winner,
                    coefficients,
                    g,
                    dx,
                });
                continue;
            }
            let dz = scratch.resize(mid);
            pool::max_gradient(p, g, winner, dz);
            level.run(Gradient {
                x,
                affine,
                sign,
                masked: true,
                coefficients,
                g: dz,
                dx,
            });
        }
    }

    /// A unit without convolution: straight into its source's gradient.
    pub(super) fn pointwise(&mut self, ctx: &mut Context, i: usize, work: &Work<'_>) {
        let unit = work.unit;
        if !self.wants(unit.source) {
            return;
        }
        let (per, mid) = (per_chunk(self.plan.batch), unit.middle.len());
        let (level, add) = (ctx.level(), self.has_grad[unit.source]);
        let mut out = std::mem::take(&mut ctx.grads[unit.source]);
        let chunks = out.resize(self.plan.batch * mid).par_chunks_mut(per * mid);
        chunks.enumerate().for_each(|(k, out)| {
            ctx.scratches.with(|scratch| {
                for (j, out) in out.chunks_exact_mut(mid).enumerate() {
                    let first = k * per + j;
                    let raw = &ctx.raw(i, unit)[first * mid..][..mid];
                    if add {
                        let dx = scratch.images.resize(mid);
                        self.undo(ctx, i, work, first, raw, (dx, &mut scratch.m));
                        level.run(Add { from: dx, to: out });
                    } else {
                        self.undo(ctx, i, work, first, raw, (out, &mut scratch.m));
                    }
                }
            });
        });
        ctx.grads[unit.source] = out;
        self.has_grad[unit.source] = true;
    }

    /// A unit with convolution, a few images at a time while their gradient is in cache.
    pub(super) fn convolution(
        &mut self,
        ctx: &mut Context,
        i: usize,
        work: &Work<'_>,
        c: &ConvStep,
    ) {
        let unit = work.unit;
        let (level, batch) = (ctx.level(), self.plan.batch);
        let per = conv::per_chunk(c, batch);
        let (wants_weight, wants_source) = (self.wanted[c.weight], self.wants(unit.source));
        let weight = self.views.params[c.weight];
        let mut packed = std::mem::take(&mut ctx.packed);
        let mut packed_again = std::mem::take(&mut ctx.packed_again);
        if wants_source {
            pack::pack(level, c, weight, &[], Direction::Backward, &mut packed);
        }
        let again = convolves_again(unit);
        if again {
            pack::pack(level, c, weight, &[], Direction::Forward, &mut packed_again);
        }
        let mut partial = std::mem::take(&mut ctx.partial);
        let mut out = std::mem::take(&mut ctx.grads[unit.source]);
        let (from, mid, count) = (c.input.len(), c.output.len(), batch.div_ceil(per));
        let sources = out.resize(if wants_source { batch * from } else { 0 });
        let partials = partial.resize(count * weight.len());
        let (x, pending) = ctx.source(self.plan, &self.pending, unit.source);
        let add = self.has_grad[unit.source];
        let group = conv::group(c);
        let chunks = shares(sources, per * from, count).into_par_iter();
        let chunks = chunks
            .zip(partials.par_chunks_mut(weight.len()))
            .enumerate();
        chunks.for_each(|(k, (share, dw))| {
            ctx.scratches.with(|scratch| {
                let du = match conv::algorithm(c) {
                    Algorithm::Winograd => {
                        scratch.du.resize(weight_gradient::weight_sums(level, c))
                    }
                    Algorithm::Direct => &mut *dw,
                };
                du.fill(0.);
                let end = batch.min((k + 1) * per);
                for first in (k * per..end).step_by(group) {
                    let images = group.min(end - first);
                    let x = &x[first * from..][..images * from];
                    let raw = if again {
                        let y = scratch.again.resize(images * mid);
                        level.run(conv::Forward {
                            c,
                            packed: &packed_again,
                            x,
                            pending,
                            y: &mut *y,
                            moments: None,
                            v: &mut scratch.v,
                            m: &mut scratch.m,
                            sums: &mut scratch.sums,
                        });
                        &*y
                    } else {
                        &ctx.raw(i, unit)[first * mid..][..images * mid]
                    };
                    let g = scratch.images.resize(images * mid);
                    self.undo(ctx, i, work, first, raw, (&mut *g, &mut scratch.m));
                    let g = &*g;
                    if wants_weight {
                        level.run(weight_gradient::WeightGradient {
                            c,
                            x,
                            pending,
                            g,
                            v: &mut scratch.v,
                            m: &mut scratch.m,
                            du: &mut *du,
                        });
                    }
                    if wants_source {
                        level.run(conv::InputGradient {
                            c,
                            packed: &packed,
                            g,
                            add,
                            dx: &mut share[(first - k * per) * from..][..images * from],
                            v: &mut scratch.v,
                            m: &mut scratch.m,
                        });
                    }
                }
                if wants_weight && conv::algorithm(c) == Algorithm::Winograd {
                    let du = &scratch.du[..];
                    level.run(weight_gradient::FinishWeights { c, du, dw });
                }
            });
        });
        if wants_weight {
            let sum = sum_chunks(partials, weight.len());
            self.params[c.weight] = Some(match conv::algorithm(c) {
                Algorithm::Winograd => sum,
                Algorithm::Direct => weight_gradient::reorder_weights(c, &sum),
            });
        }
        (ctx.packed, ctx.packed_again, ctx.partial) = (packed, packed_again, partial);
        ctx.grads[unit.source] = out;
        self.has_grad[unit.source] |= wants_source;
    }

    /// The same over many images at once, see [`super::wide`].
    pub(super) fn wide_convolution(
        &mut self,
        ctx: &mut Context,
        i: usize,
        work: &Work<'_>,
        c: &ConvStep,
    ) {
        let unit = work.unit;
        let (level, batch) = (ctx.level(), self.plan.batch);
        let (wants_weight, wants_source) = (self.wanted[c.weight], self.wants(unit.source));
        let weight = self.views.params[c.weight];
        let mut space = std::mem::take(&mut ctx.space);
        let mut many = std::mem::take(&mut ctx.many);
        let mut out = std::mem::take(&mut ctx.grads[unit.source]);
        let (from, mid) = (c.input.len(), c.output.len());
        let sources = out.resize(if wants_source { batch * from } else { 0 });
        let mut dw = vec![0.; if wants_weight { weight.len() } else { 0 }];
        let (x, affine) = ctx.source(self.plan, &self.pending, unit.source);
        let back = wide::Pass {
            packed: None,
            c,
            weight,
            direction: Direction::Backward,
            pending: None,
            how: if self.has_grad[unit.source] {
                Store::Add
            } else {
                Store::Set
            },
        };
        let at_once = wide::images_at_once(c);
        for first in (0..batch).step_by(at_once) {
            let images = at_once.min(batch - first);
            let g_conv = many.resize(images * mid);
            let all = g_conv.par_chunks_exact_mut(mid).enumerate();
            all.for_each(|(k, g_conv)| {
                let raw = &ctx.raw(i, unit)[(first + k) * mid..][..mid];
                ctx.scratches.with(|scratch| {
                    self.undo(ctx, i, work, first + k, raw, (g_conv, &mut scratch.m))
                })
            });
            if wants_weight {
                let x = &x[first * from..][..images * from];
                wide::weight_gradient(
                    level,
                    c,
                    (x, affine),
                    g_conv,
                    &mut dw,
                    &mut space,
                    &ctx.scratches,
                );
            }
            if wants_source {
                let dx = &mut sources[first * from..][..images * from];
                wide::convolve(
                    level,
                    &back,
                    g_conv,
                    dx,
                    &mut [],
                    &mut space,
                    &ctx.scratches,
                );
            }
        }
        if wants_weight {
            self.params[c.weight] = Some(dw);
        }
        (ctx.space, ctx.many) = (space, many);
        ctx.grads[unit.source] = out;
        self.has_grad[unit.source] |= wants_source;
    }
}

/// Sums the chunks' partial weight gradients, in their order.
fn sum_chunks(partials: &[f32], len: usize) -> Vec<f32> {
    const PIECE: usize = 4096;
    let mut total = vec![0f32; len];
    total
        .par_chunks_mut(PIECE)
        .enumerate()
        .for_each(|(i, total)| {
            for part in partials.chunks_exact(len) {
                let part = &part[i * PIECE..][..total.len()];
                total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
            }
        });
    total
}
