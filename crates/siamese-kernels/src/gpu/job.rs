//! A plan with all that it runs on, and how its passes are laid out.

use candle_core::{Result, bail};

use super::device::{BLOCK, Convolution, Grid, Place};
use crate::plan::{ConvStep, Dims, Plan, PoolKind, PoolStep, Unit};
use crate::precision::Precision;

/// A strided f32 tensor in channels-last order: its first value, strides of (B, H, W, C).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strided<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) strides: [usize; 4],
}

/// A plan with its parameters, all f32.
pub(crate) struct Job<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) precision: Precision,
    pub(crate) params: &'a [Place<'a>],
    /// Running mean and variance of each norm, and its momentum.
    pub(crate) running: &'a [(Place<'a>, Place<'a>, f32)],
    pub(crate) train: bool,
}

impl Job<'_> {
    /// Refuses what the kernels' 32-bit counters cannot reach.
    pub(crate) fn check(&self) -> Result<()> {
        let middles = self.plan.units.iter().map(|u| u.middle);
        for d in self.plan.values.iter().copied().chain(middles) {
            if self.plan.batch * d.len() > u32::MAX as usize {
                bail!(
                    "{:?} is more than a GPU pass holds: use a smaller batch",
                    (self.plan.batch, d.c, d.h, d.w)
                )
            }
        }
        Ok(())
    }

    pub(super) fn rows(&self, d: Dims) -> usize {
        self.plan.batch * d.pixels()
    }

    pub(super) fn convolution(&self, step: &ConvStep) -> Convolution {
        Convolution {
            batch: self.plan.batch,
            step: *step,
            precision: self.precision,
        }
    }

    pub(super) fn conv_bias(&self, unit: &Unit) -> Option<usize> {
        unit.conv.and_then(|c| c.bias)
    }
}

/// Bytes of an element in memory.
pub(super) fn size(precision: Precision) -> usize {
    match precision {
        Precision::Bf16 => 2,
        Precision::F32 | Precision::Tf32 => 4,
    }
}

/// A kernel of `kernels/copies.cuh` for elements of this type.
pub(super) fn copying(kernel: &str, precision: Precision) -> String {
    let suffix = match precision {
        Precision::Bf16 => "bf16",
        Precision::F32 | Precision::Tf32 => "f32",
    };
    format!("{kernel}_{suffix}")
}

pub(super) fn slope(unit: &Unit) -> f32 {
    unit.activation.map_or(1., |a| a.slope())
}

/// Blocks along the rows of a pass, each taking several rows: more would only queue.
pub(super) const MOST_BLOCKS: u32 = 4096;
/// Blocks along the rows of a sum; one more pass adds up their results.
pub(super) const MOST_PARTS: u32 = 512;

/// How a pass over rows of `c` channels is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub(super) suffix: &'static str,
    pub(super) rows: u32,
    pub(super) c: u32,
    pub(super) grid: Grid,
}

impl Rows {
    fn new(precision: Precision, rows: usize, c: usize, most: u32, rows_a_thread: u32) -> Self {
        let (suffix, lanes) = match (precision, c % 8, c % 4) {
            (Precision::Bf16, 0, _) => ("bf16x8", 8),
            (Precision::Bf16, ..) => ("bf16x1", 1),
            (_, _, 0) => ("f32x4", 4),
            _ => ("f32x1", 1),
        };
        let groups = (c as u32).div_ceil(lanes);
        let across = groups.next_power_of_two().min(32);
        let down = BLOCK / across;
        let blocks = (rows as u32).div_ceil(down * rows_a_thread).clamp(1, most);
        Self {
            suffix,
            rows: rows as u32,
            c: c as u32,
            grid: Grid {
                blocks: (groups.div_ceil(across), blocks),
                threads: (across, down),
            },
        }
    }

    pub(super) fn pass(precision: Precision, rows: usize, c: usize) -> Self {
        Self::new(precision, rows, c, MOST_BLOCKS, 2)
    }

    pub(super) fn sum(precision: Precision, rows: usize, c: usize) -> Self {
        Self::new(precision, rows, c, MOST_PARTS, 4)
    }

    pub(super) fn parts(&self) -> u32 {
        self.grid.blocks.1
    }
}

/// `Kind` of `kernels/common.cuh`.
pub(super) fn kind(pool: Option<&PoolStep>) -> i32 {
    match pool.map(|p| p.kind) {
        None => 0,
        Some(PoolKind::Max) => 1,
        Some(PoolKind::Average) => 2,
    }
}
