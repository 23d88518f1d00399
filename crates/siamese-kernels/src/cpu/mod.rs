//! Runs a plan on the CPU.
//!
//! Every pass over a batch is split into the same chunks of images whatever the number of
//! threads, and sums are combined in the order of the chunks: results do not depend on threads.

mod backward;
mod buffer;
mod conv;
mod direct;
mod forward;
mod gemm;
mod gradient;
mod infer;
#[cfg(test)]
pub(crate) mod naive;
mod norm;
mod norm_gradient;
mod pool;
#[cfg(test)]
pub(crate) mod tests;
mod wide;
mod winograd;

use rayon::prelude::*;

pub(crate) use backward::backward;
use buffer::{Buffer, Scratches};
pub(crate) use forward::forward;
pub(crate) use infer::infer;
use norm::Affine;

use crate::plan::{ConvStep, Plan, PoolKind, PoolStep, Unit};
use crate::simd::Level;

/// Chunks that a batch is split into, if it has as many images.
const CHUNKS: usize = 16;

/// Parameter values of a chain.
#[derive(Clone, Copy)]
pub(crate) struct Views<'a> {
    pub(crate) params: &'a [&'a [f32]],
    /// Running mean and variance of each norm; empty in training.
    pub(crate) running: &'a [(Vec<f32>, Vec<f32>)],
    pub(crate) train: bool,
}

/// A strided tensor as seen in channels-last order: values, offset, strides of (B, H, W, C).
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) start: usize,
    pub(crate) strides: [usize; 4],
}

/// Everything kept between a forward and its backward, and memory for both.
#[derive(Debug, Default)]
pub(crate) struct Context {
    level: Option<Level>,
    /// Values of the plan, channels-last; those still pending stay empty.
    values: Vec<Buffer>,
    /// Per unit: what its convolution gave.
    raw: Vec<Buffer>,
    /// Per unit that picks: the pixels picked, see [`norm::Pick2x2`].
    picked: Vec<Buffer>,
    /// Per unit: which pixel of each window won.
    winners: Vec<Vec<u8>>,
    /// Per unit: the factors in use.
    factors: Vec<Factors>,
    /// Gradients of the values.
    grads: Vec<Buffer>,
    packed: Buffer,
    /// Forward weights for a backward that convolves again.
    packed_again: Buffer,
    /// Weight gradients of chunks, or transformed ones.
    partial: Buffer,
    /// Convolution outputs, or their gradients, of many images.
    many: Buffer,
    space: wide::Space,
    sums: Vec<f64>,
    scratches: Scratches,
}

/// A unit's norm (or bias) as `x · scale + shift`.
#[derive(Debug, Default)]
struct Factors {
    scale: Vec<f32>,
    shift: Vec<f32>,
    mean: Vec<f32>,
    istd: Vec<f32>,
    /// Unbiased, of the batch; in training only.
    batch_var: Vec<f32>,
    batch_mean: Vec<f32>,
}

impl Factors {
    fn affine(&self, unit: &Unit) -> Affine<'_> {
        Affine {
            scale: &self.scale,
            shift: &self.shift,
            slope: slope(unit),
        }
    }

    /// `x` unchanged but for the bias.
    fn plain(&mut self, c: usize, bias: Option<&[f32]>) {
        self.scale = vec![1.; c];
        self.shift = bias.map_or_else(|| vec![0.; c], <[f32]>::to_vec);
        self.mean = vec![0.; c];
    }

    /// `weight · (x + conv bias − mean) · istd + bias`, with `mean` and `istd` of `x` itself set.
    fn normalise(&mut self, weight: &[f32], bias: &[f32]) {
        self.scale = weight.iter().zip(&self.istd).map(|(w, i)| w * i).collect();
        let shift = bias.iter().zip(&self.mean).zip(&self.scale);
        self.shift = shift.map(|((b, m), s)| b - m * s).collect();
    }

    /// From a norm's running statistics.
    fn running(&mut self, plan_unit: &Unit, views: Views<'_>) {
        let Some(norm) = &plan_unit.norm else { return };
        let (mean, var) = &views.running[norm.stats];
        let istd = |&v: &f32| (1. / (v as f64 + norm.eps).sqrt()) as f32;
        self.istd = var.iter().map(istd).collect();
        self.mean.clone_from(mean);
        if let Some(bias) = conv_bias(plan_unit, views) {
            self.mean.iter_mut().zip(bias).for_each(|(m, b)| *m -= b);
        }
        self.normalise(views.params[norm.weight], views.params[norm.bias]);
    }
}

impl Context {
    #[cfg(test)]
    fn at(level: Level) -> Self {
        Self {
            level: Some(level),
            ..Self::default()
        }
    }

    fn level(&self) -> Level {
        self.level.unwrap_or_else(Level::current)
    }

    fn fit(&mut self, plan: &Plan) {
        self.values.resize_with(plan.values.len(), Buffer::default);
        self.grads.resize_with(plan.values.len(), Buffer::default);
        self.raw.resize_with(plan.units.len(), Buffer::default);
        self.picked.resize_with(plan.units.len(), Buffer::default);
        self.winners.resize_with(plan.units.len(), Vec::new);
        self.factors.resize_with(plan.units.len(), Factors::default);
    }

    /// Batch mean and unbiased variance of each norm of the last training forward.
    pub(crate) fn batch_statistics(&self, plan: &Plan) -> Vec<(Vec<f32>, Vec<f32>)> {
        let norms = plan.units.iter().zip(&self.factors);
        norms
            .filter(|(unit, _)| unit.norm.is_some())
            .map(|(_, f)| (f.batch_mean.clone(), f.batch_var.clone()))
            .collect()
    }

    /// What unit `i` applies its norm to.
    fn raw<'a>(&'a self, i: usize, unit: &Unit) -> &'a [f32] {
        match unit.conv {
            Some(_) => &self.raw[i],
            None => &self.values[unit.source],
        }
    }

    /// Value `v` as a convolution reads it: stored, or a norm pending on what it came from.
    fn source<'a>(
        &'a self,
        plan: &Plan,
        pending: &[bool],
        v: usize,
    ) -> (&'a [f32], Option<Affine<'a>>) {
        if !pending[v] {
            return (&self.values[v], None);
        }
        let i = v - 1;
        let unit = &plan.units[i];
        let affine = Some(self.factors[i].affine(unit));
        match pick(unit) {
            Some(_) => (&self.picked[i], affine),
            None => (self.raw(i, unit), affine),
        }
    }
}

fn slope(unit: &Unit) -> f32 {
    unit.activation.map_or(1., |a| a.slope())
}

fn conv_bias<'a>(unit: &Unit, views: Views<'a>) -> Option<&'a [f32]> {
    unit.conv.and_then(|c| c.bias).map(|b| views.params[b])
}

/// Images per chunk.
fn per_chunk(batch: usize) -> usize {
    batch.div_ceil(CHUNKS)
}

/// The 2×2 max-pool of a unit that picks its pixels before its norm is known.
fn pick(unit: &Unit) -> Option<&PoolStep> {
    let small = |p: &&PoolStep| p.kernel == (2, 2) && p.stride == 2 && p.padding == 0;
    unit.pool
        .as_ref()
        .filter(|p| p.kind == PoolKind::Max)
        .filter(small)
}

/// Multiplications per output up to which convolving again costs less than fetching the output.
const CHEAP: usize = 64;

/// Whether a unit's convolution is not kept but run again in the backward: it is cheap, and the
/// rest needs of it only what was picked.
fn convolves_again(unit: &Unit) -> bool {
    let cheap = |c: &ConvStep| direct::depth(c) <= CHEAP;
    pick(unit).is_some() && unit.conv.as_ref().is_some_and(cheap)
}

/// Which values need not be stored: only convolutions read them, which apply norm and activation
/// to the unit's convolution, or to what it picked, as they read.
fn pending(plan: &Plan) -> Vec<bool> {
    let mut pending = vec![false; plan.values.len()];
    for unit in &plan.units {
        let apart = pick(unit).is_some() || (unit.conv.is_some() && unit.pool.is_none());
        pending[unit.target] = apart && unit.residual.is_none();
    }
    for unit in &plan.units {
        if unit.conv.is_none() {
            pending[unit.source] = false;
        }
        if let Some(r) = unit.residual {
            pending[r] = false;
        }
    }
    pending[plan.values.len() - 1] = false;
    pending
}

/// `buffer` in chunks of `size`, or `count` empty ones where it is empty itself.
fn shares<T>(buffer: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    if buffer.is_empty() {
        return (0..count).map(|_| Default::default()).collect();
    }
    buffer.chunks_mut(size).collect()
}

/// Copies a strided tensor to channels-last memory.
fn gather(from: Strided<'_>, (h, w, c): (usize, usize, usize), out: &mut [f32]) {
    let [sb, sh, sw, sc] = from.strides;
    out.par_chunks_exact_mut(h * w * c)
        .enumerate()
        .for_each(|(b, image)| {
            let start = from.start + b * sb;
            if sc == 1 && sw == c && sh == w * c {
                image.copy_from_slice(&from.values[start..start + h * w * c]);
                return;
            }
            for y in 0..h {
                for (x, pixel) in image[y * w * c..][..w * c].chunks_exact_mut(c).enumerate() {
                    let at = start + y * sh + x * sw;
                    for (k, to) in pixel.iter_mut().enumerate() {
                        *to = from.values[at + k * sc];
                    }
                }
            }
        });
}
