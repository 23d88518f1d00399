//! What is kept between a forward and its backward, and memory for both.

use super::buffer::{Buffer, Scratches};
use super::norm::Affine;
use super::unit::{pick, slope};
use super::views::{Views, conv_bias};
use super::wide;
use crate::plan::{Plan, Unit};
use crate::simd::Level;

/// Everything kept between a forward and its backward, and memory for both.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(super) level: Option<Level>,
    /// Values of the plan, channels-last; those still pending stay empty.
    pub(super) values: Vec<Buffer>,
    /// Per unit: what its convolution gave.
    pub(super) raw: Vec<Buffer>,
    /// Per unit that picks: the pixels picked, see [`Pick2x2`](super::norm::Pick2x2).
    pub(super) picked: Vec<Buffer>,
    /// Per unit: which pixel of each window won.
    pub(super) winners: Vec<Vec<u8>>,
    /// Per unit: the factors in use.
    pub(super) factors: Vec<Factors>,
    /// Gradients of the values.
    pub(super) grads: Vec<Buffer>,
    pub(super) packed: Buffer,
    /// Forward weights for a backward that convolves again.
    pub(super) packed_again: Buffer,
    /// Weight gradients of chunks, or transformed ones.
    pub(super) partial: Buffer,
    /// Convolution outputs, or their gradients, of many images.
    pub(super) many: Buffer,
    pub(super) space: wide::Space,
    pub(super) sums: Vec<f64>,
    pub(super) scratches: Scratches,
}

/// A unit's norm (or bias) as `x · scale + shift`.
#[derive(Debug, Default)]
pub(super) struct Factors {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) istd: Vec<f32>,
    /// Unbiased, of the batch; in training only.
    pub(super) batch_var: Vec<f32>,
    pub(super) batch_mean: Vec<f32>,
}

impl Factors {
    pub(super) fn affine(&self, unit: &Unit) -> Affine<'_> {
        Affine {
            scale: &self.scale,
            shift: &self.shift,
            slope: slope(unit),
        }
    }

    /// `x` unchanged but for the bias.
    pub(super) fn plain(&mut self, c: usize, bias: Option<&[f32]>) {
        self.scale = vec![1.; c];
        self.shift = bias.map_or_else(|| vec![0.; c], <[f32]>::to_vec);
        self.mean = vec![0.; c];
    }

    /// `weight · (x + conv bias − mean) · istd + bias`, with `mean` and `istd` of `x` itself set.
    pub(super) fn normalise(&mut self, weight: &[f32], bias: &[f32]) {
        self.scale = weight.iter().zip(&self.istd).map(|(w, i)| w * i).collect();
        let shift = bias.iter().zip(&self.mean).zip(&self.scale);
        self.shift = shift.map(|((b, m), s)| b - m * s).collect();
    }

    /// From a norm's running statistics.
    pub(super) fn running(&mut self, plan_unit: &Unit, views: Views<'_>) {
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
    pub(super) fn at(level: Level) -> Self {
        Self {
            level: Some(level),
            ..Self::default()
        }
    }

    pub(super) fn level(&self) -> Level {
        self.level.unwrap_or_else(Level::current)
    }

    pub(super) fn fit(&mut self, plan: &Plan) {
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
    pub(super) fn raw<'a>(&'a self, i: usize, unit: &Unit) -> &'a [f32] {
        match unit.conv {
            Some(_) => &self.raw[i],
            None => &self.values[unit.source],
        }
    }

    /// Value `v` as a convolution reads it: stored, or a norm pending on what it came from.
    pub(super) fn source<'a>(
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
