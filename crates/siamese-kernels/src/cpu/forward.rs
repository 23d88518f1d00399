//! The forward that keeps what a backward needs.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::chunks::{per_chunk, shares};
use super::context::{Context, Factors};
use super::conv::{self, Algorithm, fold};
use super::gemm::Store;
use super::norm::{Affine, Apply, Moments, Pick2x2};
use super::prepacked::Ready;
use super::unit::{convolves_again, pending, pick};
use super::views::{Strided, Views, conv_bias, gather};
use super::winograd::Direction;
use super::{few, pack, pool, wide};
use crate::plan::{ConvStep, NormStep, Plan, PoolKind, PoolStep};
use crate::profile;
use crate::simd::Level;

/// The plan's output, channels-last; `ctx` then holds all that [`super::backward`] needs.
pub(crate) fn forward(
    plan: &Plan,
    views: Views<'_>,
    x: Strided<'_>,
    ctx: &mut Context,
) -> Vec<f32> {
    ctx.fit(plan);
    let d = plan.input();
    gather(
        x,
        (d.h, d.w, d.c),
        ctx.values[0].resize(plan.batch * d.len()),
    );
    let pending = pending(plan);
    for (i, unit) in plan.units.iter().enumerate() {
        let clock = profile::clock();
        convolve(plan, views, ctx, &pending, i, None);
        let mut factors = std::mem::take(&mut ctx.factors[i]);
        match (&unit.norm, views.train) {
            (Some(norm), true) => batch_factors(plan, views, ctx, i, norm, &mut factors),
            (Some(_), false) => factors.running(unit, views),
            (None, _) => factors.plain(unit.middle.c, conv_bias(unit, views)),
        }
        ctx.factors[i] = factors;
        if !pending[unit.target] {
            finish(plan, ctx, i, true);
        }
        profile::forward(clock, unit, plan.batch);
    }
    ctx.values[plan.units.len()].to_vec()
}

/// Unit `i`'s convolution, what its pool picks and, in training, the sums for its norm.
pub(super) fn convolve(
    plan: &Plan,
    views: Views<'_>,
    ctx: &mut Context,
    pending: &[bool],
    i: usize,
    ready: Option<&Ready>,
) {
    let (unit, batch) = (&plan.units[i], plan.batch);
    let mut raw = std::mem::take(&mut ctx.raw[i]);
    let mut picked = std::mem::take(&mut ctx.picked[i]);
    let mut winners = std::mem::take(&mut ctx.winners[i]);
    let folded = ready.is_some();
    let picks = Picks::new(plan, (views, folded), i, &mut picked, &mut winners);
    if let Some(c) = &unit.conv {
        let mut packed = std::mem::take(&mut ctx.packed);
        let mut sums = std::mem::take(&mut ctx.sums);
        let mut space = std::mem::take(&mut ctx.space);
        let weight = views.params[c.weight];
        let (x, affine) = ctx.source(plan, pending, unit.source);
        let way = Way::of(c, batch, views.train || affine.is_some(), ready);
        if way != Way::Wide && ready.is_none() {
            pack::pack(ctx.level(), c, weight, &[], Direction::Forward, &mut packed);
        }
        sums.clear();
        let kept = match convolves_again(unit) && way == Way::Chunks {
            true => 0,
            false => batch * c.output.len(),
        };
        let y = raw.resize(kept);
        let work = Convolution {
            c,
            weight,
            packed: ready.map_or(&packed, |ready| &ready.weight),
            folded,
            x,
            pending: affine,
            wants_sums: unit.norm.is_some() && views.train,
        };
        match way {
            Way::Wide => work.wide(ctx, batch, y, picks, &mut sums, &mut space),
            Way::Chunks => work.in_chunks(ctx, batch, y, picks, &mut sums),
            Way::Few => work.few(ctx, y, picks, &mut space),
        }
        (ctx.packed, ctx.sums, ctx.space) = (packed, sums, space);
    } else if let Some(picks) = picks {
        picks.all(ctx.level(), &ctx.values[unit.source]);
    }
    (ctx.raw[i], ctx.picked[i], ctx.winners[i]) = (raw, picked, winners);
}

/// How a convolution runs.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Each chunk of the batch on its own.
    Chunks,
    /// Many images at once, see [`super::wide`].
    Wide,
    /// One or two images, see [`super::few`].
    Few,
}

impl Way {
    /// `in_chunks`: few images too, for sums of them or a norm still pending.
    fn of(c: &ConvStep, batch: usize, in_chunks: bool, ready: Option<&Ready>) -> Self {
        let algorithm = ready.map_or_else(|| conv::algorithm(c), |ready| ready.algorithm);
        match algorithm {
            Algorithm::Winograd if conv::is_wide(c, batch) => Self::Wide,
            Algorithm::Direct if few::is_few(batch) && !in_chunks => Self::Few,
            _ => Self::Chunks,
        }
    }
}

/// What a unit's 2×2 max-pool picks, see [`Pick2x2`].
struct Picks<'a> {
    pool: &'a PoolStep,
    sign: Vec<f32>,
    picked: &'a mut [f32],
    winners: &'a mut [u8],
}

impl<'a> Picks<'a> {
    fn new(
        plan: &'a Plan,
        (views, folded): (Views<'_>, bool),
        i: usize,
        picked: &'a mut Buffer,
        winners: &'a mut Vec<u8>,
    ) -> Option<Self> {
        let unit = &plan.units[i];
        let pool = pick(unit)?;
        let len = plan.batch * pool.output.len();
        winners.resize(len, 0);
        let sign = match unit.norm.as_ref().filter(|_| !folded) {
            Some(norm) => views.params[norm.weight].to_vec(),
            None => vec![1.; pool.input.c],
        };
        Some(Self {
            pool,
            sign,
            picked: picked.resize(len),
            winners,
        })
    }

    /// Of all images of `x`.
    fn all(self, level: Level, x: &[f32]) {
        let (p, sign) = (self.pool, &self.sign);
        let to = p.output.len();
        let images = self
            .picked
            .par_chunks_exact_mut(to)
            .zip(self.winners.par_chunks_exact_mut(to));
        images
            .zip(x.par_chunks_exact(p.input.len()))
            .for_each(|((picked, winner), x)| {
                level.run(Pick2x2 {
                    pool: p,
                    x,
                    sign,
                    picked,
                    winner,
                })
            });
    }
}

struct Convolution<'a> {
    c: &'a ConvStep,
    weight: &'a [f32],
    packed: &'a [f32],
    /// Whether what is packed has the norm's scale, and is there for any way.
    folded: bool,
    x: &'a [f32],
    pending: Option<Affine<'a>>,
    /// Whether each channel's sum and sum of squares are wanted, in parts of `(2, C)`.
    wants_sums: bool,
}

impl Convolution<'_> {
    /// Each chunk of the batch on its own; `raw` is empty if the output need not be kept.
    fn in_chunks(
        &self,
        ctx: &Context,
        batch: usize,
        raw: &mut [f32],
        picks: Option<Picks<'_>>,
        sums: &mut Vec<f64>,
    ) {
        let (c, level, per) = (self.c, ctx.level(), conv::per_chunk(self.c, batch));
        let (from, to, channels) = (c.input.len(), c.output.len(), 2 * c.output.c);
        let (group, count) = (conv::group(c), batch.div_ceil(per));
        sums.resize(count * channels, 0.);
        let (pool, sign, picked, winners) = match picks {
            Some(p) => (Some(p.pool), p.sign, p.picked, p.winners),
            None => (None, Vec::new(), &mut [][..], &mut [][..]),
        };
        let out = pool.map_or(0, |p| p.output.len());
        let picked = shares(picked, per * out, count).into_par_iter();
        let picked = picked.zip(shares(winners, per * out, count));
        let chunks = shares(raw, per * to, count).into_par_iter().zip(picked);
        let chunks = chunks.zip(sums.par_chunks_mut(channels)).enumerate();
        chunks.for_each(|(k, ((raw, (picked, winners)), sums))| {
            ctx.scratches.with(|scratch| {
                let images = per.min(batch - k * per);
                for first in (0..images).step_by(group) {
                    let n = group.min(images - first);
                    let y = match raw.is_empty() {
                        true => scratch.images.resize(n * to),
                        false => &mut raw[first * to..][..n * to],
                    };
                    level.run(conv::Forward {
                        c,
                        packed: self.packed,
                        x: &self.x[(k * per + first) * from..][..n * from],
                        pending: self.pending,
                        y: &mut *y,
                        moments: self.wants_sums.then_some(&mut *sums),
                        v: &mut scratch.v,
                        m: &mut scratch.m,
                        sums: &mut scratch.sums,
                    });
                    let Some(pool) = pool else { continue };
                    for (j, x) in y.chunks_exact(to).enumerate() {
                        let at = (first + j) * out;
                        level.run(Pick2x2 {
                            pool,
                            x,
                            sign: &sign,
                            picked: &mut picked[at..at + out],
                            winner: &mut winners[at..at + out],
                        });
                    }
                }
            });
        });
    }

    /// Many images at once, see [`super::wide`].
    fn wide(
        &self,
        ctx: &Context,
        batch: usize,
        y: &mut [f32],
        picks: Option<Picks<'_>>,
        sums: &mut Vec<f64>,
        space: &mut wide::Space,
    ) {
        let c = self.c;
        let (from, to, channels) = (c.input.len(), c.output.len(), 2 * c.output.c);
        let pass = wide::Pass {
            c,
            weight: self.weight,
            packed: self.folded.then_some(self.packed),
            direction: Direction::Forward,
            pending: self.pending,
            how: Store::Set,
        };
        sums.resize(if self.wants_sums { batch * channels } else { 0 }, 0.);
        let many = wide::images_at_once(c);
        for (k, y) in y.chunks_mut(many * to).enumerate() {
            let (first, images) = (k * many, y.len() / to);
            let x = &self.x[first * from..][..images * from];
            let sums = match self.wants_sums {
                true => &mut sums[first * channels..][..images * channels],
                false => &mut [],
            };
            wide::convolve(ctx.level(), &pass, x, y, sums, space, &ctx.scratches);
        }
        if let Some(picks) = picks {
            picks.all(ctx.level(), y);
        }
    }

    /// One or two images, none of it for a backward.
    fn few(&self, ctx: &Context, y: &mut [f32], picks: Option<Picks<'_>>, space: &mut wide::Space) {
        few::convolve(ctx.level(), self.c, self.packed, self.x, y, space.buffers());
        if let Some(picks) = picks {
            picks.all(ctx.level(), y);
        }
    }
}

/// A norm's factors from the batch.
fn batch_factors(
    plan: &Plan,
    views: Views<'_>,
    ctx: &mut Context,
    i: usize,
    norm: &NormStep,
    factors: &mut Factors,
) {
    let (unit, d) = (&plan.units[i], plan.units[i].middle);
    let n = (plan.batch * d.pixels()) as f64;
    let total = |sums: &[f64], k: usize| sums.chunks_exact(2 * d.c).map(|s| s[k]).sum::<f64>() / n;
    let (mean, var): (Vec<f64>, Vec<f64>) = if unit.conv.is_some() {
        let moments = |k| {
            let mean = total(&ctx.sums, k);
            (mean, (total(&ctx.sums, d.c + k) - mean * mean).max(0.))
        };
        (0..d.c).map(moments).unzip()
    } else {
        // Nothing is known of the input's mean: a second pass keeps the variance exact.
        let x = ctx.raw(i, unit);
        let sums = moments(ctx.level(), x, plan.batch, &vec![0.; d.c]);
        let mean: Vec<f32> = (0..d.c).map(|k| total(&sums, k) as f32).collect();
        let sums = moments(ctx.level(), x, plan.batch, &mean);
        let centred = |k: usize| {
            let rest = total(&sums, k);
            (mean[k] as f64 + rest, total(&sums, d.c + k) - rest * rest)
        };
        (0..d.c).map(centred).unzip()
    };
    factors.mean = mean.iter().map(|&m| m as f32).collect();
    factors.istd = var
        .iter()
        .map(|v| (1. / (v + norm.eps).sqrt()) as f32)
        .collect();
    factors.batch_mean.clone_from(&factors.mean);
    if let Some(bias) = conv_bias(unit, views) {
        // The bias moves the mean and nothing else.
        factors
            .batch_mean
            .iter_mut()
            .zip(bias)
            .for_each(|(m, b)| *m += b);
    }
    factors.batch_var = var.iter().map(|v| (v * n / (n - 1.)) as f32).collect();
    factors.normalise(views.params[norm.weight], views.params[norm.bias]);
}

/// Per chunk, each channel's sum of `x − pivot` and of its square.
fn moments(level: Level, x: &[f32], batch: usize, pivot: &[f32]) -> Vec<f64> {
    let (c, image) = (pivot.len(), x.len() / batch);
    let per = per_chunk(batch);
    let mut sums = vec![0f64; batch.div_ceil(per) * 2 * c];
    let chunks = x.par_chunks(per * image).zip(sums.par_chunks_mut(2 * c));
    chunks.for_each(|(x, to)| {
        let mut sums = vec![0f32; 2 * c];
        for x in x.chunks(image) {
            sums.fill(0.);
            let sums = &mut sums[..];
            level.run(Moments {
                x,
                pivot,
                sums: &mut *sums,
            });
            fold(to, sums);
        }
    });
    sums
}

/// Unit `i` from its norm to its value; it `keeps` what a backward asks for.
pub(super) fn finish(plan: &Plan, ctx: &mut Context, i: usize, keeps: bool) {
    let (unit, per, level) = (&plan.units[i], per_chunk(plan.batch), ctx.level());
    let mut out = std::mem::take(&mut ctx.values[unit.target]);
    let mut winners = std::mem::take(&mut ctx.winners[i]);
    let (from, to) = (unit.middle.len(), plan.values[unit.target].len());
    let affine = ctx.factors[i].affine(unit);
    let y = out.resize(plan.batch * to);
    let x = match pick(unit) {
        Some(_) => &ctx.picked[i],
        None => ctx.raw(i, unit),
    };
    match unit.pool.as_ref().filter(|_| pick(unit).is_none()) {
        None => {
            let all = unit.residual.map_or(&[][..], |r| &ctx.values[r]);
            let size = match few::is_few(plan.batch) {
                true => few::share(unit.middle.pixels()) * unit.middle.c,
                false => per * to,
            };
            apply(level, affine, size, (x, all), y);
        }
        Some(p) if p.kind == PoolKind::Average => {
            let images = y.par_chunks_exact_mut(to).zip(x.par_chunks_exact(from));
            images.for_each(|(y, x)| pool::average(p, x, y));
        }
        Some(p) if !keeps && few::is_few(plan.batch) => ctx.scratches.with(|scratch| {
            let z = scratch.images.resize(x.len());
            let size = few::share(unit.middle.pixels()) * unit.middle.c;
            apply(level, affine, size, (x, &[]), z);
            few::largest(p, z, y);
        }),
        Some(p) => {
            winners.resize(if keeps { y.len() } else { 0 }, 0);
            let count = plan.batch;
            let images = shares(y, to, count).into_par_iter();
            let images = images.zip(shares(&mut winners, to, count));
            let images = images.zip(x.par_chunks_exact(from));
            images.for_each(|((y, winner), x)| {
                ctx.scratches.with(|scratch| {
                    let z = scratch.images.resize(from);
                    level.run(Apply {
                        x,
                        affine,
                        residual: &[],
                        y: &mut *z,
                    });
                    pool::max(p, z, y, winner);
                });
            });
        }
    }
    (ctx.values[unit.target], ctx.winners[i]) = (out, winners);
}

/// Norm, residual, if there is one, and activation, `size` numbers a task.
fn apply(
    level: Level,
    affine: Affine<'_>,
    size: usize,
    (x, residual): (&[f32], &[f32]),
    y: &mut [f32],
) {
    y.par_chunks_mut(size).enumerate().for_each(|(k, y)| {
        let range = k * size..k * size + y.len();
        let residual = match residual.is_empty() {
            true => residual,
            false => &residual[range.clone()],
        };
        let x = &x[range];
        level.run(Apply {
            x,
            affine,
            residual,
            y,
        });
    });
}
