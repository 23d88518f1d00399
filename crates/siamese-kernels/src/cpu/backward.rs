//! Gradients of all parameters and of the input, unit by unit from the last.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::chunks::per_chunk;
use super::context::Context;
use super::conv::{self, fold};
use super::norm::Add;
use super::norm_gradient::{Reduce, Sign};
use super::pool;
use super::progress::{Backward, Factors, Work};
use super::unit::{pending, pick, slope};
use super::views::{Strided, Views, gather};
use crate::plan::{Plan, PoolKind, Unit};
use crate::profile;

/// Gradients that a backward was asked for.
pub(crate) struct Grads {
    pub(crate) params: Vec<Option<Vec<f32>>>,
    /// Channels-last.
    pub(crate) input: Option<Vec<f32>>,
}

/// Gradients of the wanted parameters and, if wanted, of the input, after [`super::forward`].
pub(crate) fn backward(
    plan: &Plan,
    views: Views<'_>,
    dy: Strided<'_>,
    ctx: &mut Context,
    wanted: &[bool],
    wants_input: bool,
) -> Grads {
    let last = plan.units.len();
    let d = plan.output();
    gather(
        dy,
        (d.h, d.w, d.c),
        ctx.grads[last].resize(plan.batch * d.len()),
    );
    let mut run = Backward {
        plan,
        views,
        wanted,
        wants_input,
        pending: pending(plan),
        has_grad: vec![false; plan.values.len()],
        params: vec![None; wanted.len()],
    };
    run.has_grad[last] = true;
    for i in (0..last).rev() {
        let clock = profile::clock();
        run.unit(ctx, i);
        profile::backward(clock, &plan.units[i]);
    }
    Grads {
        params: run.params,
        input: (wants_input && run.has_grad[0]).then(|| ctx.grads[0].to_vec()),
    }
}

impl Backward<'_> {
    fn unit(&mut self, ctx: &mut Context, i: usize) {
        let unit = self.plan.units[i];
        if !self.has_grad[unit.target] {
            return;
        }
        let mut g = std::mem::take(&mut ctx.grads[unit.target]);
        let factors = match unit.pool {
            Some(p) if p.kind == PoolKind::Average => None,
            _ => {
                let sums = self.reduce(ctx, i, &unit, &mut g);
                Some(self.factors(ctx, i, &unit, &sums))
            }
        };
        let work = Work {
            unit: &unit,
            g: &g,
            factors: factors.as_ref(),
        };
        match &unit.conv {
            Some(c) if conv::is_wide(c, self.plan.batch) => self.wide_convolution(ctx, i, &work, c),
            Some(c) => self.convolution(ctx, i, &work, c),
            None => self.pointwise(ctx, i, &work),
        }
        ctx.grads[unit.target] = g;
        if let Some(r) = unit.residual.filter(|&r| self.wants(r)) {
            self.hand_over(ctx, unit.target, r);
        }
    }

    /// Sums over the batch of the gradient behind the activation and of its product with
    /// `x − mean`, `(2, C)`; brings `g` there where it is needed again.
    fn reduce(&self, ctx: &Context, i: usize, unit: &Unit, g: &mut [f32]) -> Vec<f64> {
        let per = per_chunk(self.plan.batch);
        let (to, c) = (self.plan.values[unit.target].len(), unit.middle.c);
        let mut sums = vec![0f64; self.plan.batch.div_ceil(per) * 2 * c];
        let chunks = g.par_chunks_mut(per * to).zip(sums.par_chunks_mut(2 * c));
        chunks.enumerate().for_each(|(k, (g, total))| {
            ctx.scratches.with(|scratch| {
                for (j, g) in g.chunks_exact_mut(to).enumerate() {
                    let sums = scratch.sums.zeros(2 * c);
                    self.reduce_image(ctx, i, unit, k * per + j, g, (sums, &mut scratch.images));
                    fold(total, sums);
                }
            });
        });
        let mut all = vec![0f64; 2 * c];
        for sums in sums.chunks_exact(2 * c) {
            all.iter_mut().zip(sums).for_each(|(a, s)| *a += s);
        }
        all
    }

    fn reduce_image(
        &self,
        ctx: &Context,
        i: usize,
        unit: &Unit,
        image: usize,
        g: &mut [f32],
        (sums, scratch): (&mut [f32], &mut Buffer),
    ) {
        let (mid, to, factors) = (unit.middle.len(), g.len(), &ctx.factors[i]);
        let mut work = Reduce {
            x: &[],
            affine: factors.affine(unit),
            mean: &factors.mean,
            sign: Sign::Affine,
            g: &mut [],
            mask: false,
            sums,
        };
        let y = || &ctx.values[unit.target][image * to..][..to];
        match &unit.pool {
            Some(_) if pick(unit).is_some() => {
                work.x = &ctx.picked[i][image * to..][..to];
                (work.g, work.mask) = (g, true);
            }
            Some(p) => {
                pool::mask(slope(unit), y(), g);
                let dz = scratch.resize(mid);
                pool::max_gradient(p, g, &ctx.winners[i][image * to..][..to], dz);
                work.x = &ctx.raw(i, unit)[image * mid..][..mid];
                (work.g, work.affine.slope) = (dz, 1.);
            }
            None => {
                work.x = &ctx.raw(i, unit)[image * mid..][..mid];
                work.g = g;
                if unit.residual.is_some() {
                    (work.sign, work.mask) = (Sign::Output(y()), true);
                }
            }
        }
        ctx.level().run(work);
    }

    /// The norm's backward from those sums; leaves the gradients of its parameters and of a bias.
    fn factors(&mut self, ctx: &Context, i: usize, unit: &Unit, sums: &[f64]) -> Factors {
        let n = (self.plan.batch * unit.middle.pixels()) as f64;
        let channels = unit.middle.c;
        let (sum, product) = sums.split_at(channels);
        let zeros = || vec![0f32; channels];
        let mut f = Factors {
            a: vec![1.; channels],
            b: zeros(),
            c: zeros(),
        };
        if let Some(norm) = &unit.norm {
            let (weight, state) = (self.views.params[norm.weight], &ctx.factors[i]);
            for k in 0..channels {
                let (istd, mean) = (state.istd[k] as f64, state.mean[k] as f64);
                let a = weight[k] as f64 * istd;
                f.a[k] = a as f32;
                if self.views.train {
                    let b = -a * istd * istd * product[k] / n;
                    f.b[k] = b as f32;
                    f.c[k] = (-a * sum[k] / n - b * mean) as f32;
                }
            }
            let istd = state.istd.iter();
            let dweight = istd
                .zip(product)
                .map(|(&i, p)| (i as f64 * p) as f32)
                .collect();
            let dbias = sum.iter().map(|&s| s as f32).collect();
            self.put(norm.weight, || dweight);
            self.put(norm.bias, || dbias);
        }
        if let Some(bias) = unit.conv.and_then(|c| c.bias) {
            // A norm over the batch takes any bias away again.
            let gone = unit.norm.is_some() && self.views.train;
            let factor = f.a.iter().map(|&a| if gone { 0. } else { a as f64 });
            let dbias = factor.zip(sum).map(|(a, s)| (a * s) as f32).collect();
            self.put(bias, || dbias);
        }
        f
    }

    fn put(&mut self, param: usize, grad: impl FnOnce() -> Vec<f32>) {
        if self.wanted[param] {
            self.params[param] = Some(grad());
        }
    }

    /// Gives the gradient of a sum to its carried operand.
    fn hand_over(&mut self, ctx: &mut Context, from: usize, to: usize) {
        if !self.has_grad[to] {
            ctx.grads.swap(from, to);
            self.has_grad[to] = true;
            return;
        }
        let mut sum = std::mem::take(&mut ctx.grads[to]);
        let (level, chunk) = (
            ctx.level(),
            per_chunk(self.plan.batch) * self.plan.values[to].len(),
        );
        let chunks = sum
            .par_chunks_mut(chunk)
            .zip(ctx.grads[from].par_chunks(chunk));
        chunks.for_each(|(to, from)| level.run(Add { from, to }));
        ctx.grads[to] = sum;
    }
}
