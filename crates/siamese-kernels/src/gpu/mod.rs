//! Runs a plan on a GPU: cuDNN's convolutions, kernels of our own for all between them.
//!
//! What is to be launched, on which memory, in which order, is written here once against [`Gpu`].
//! `cuda` is the real one. `twin` is a stand-in in host memory that runs the same kernel sources,
//! compiled for the CPU: with it everything but the calls into the driver is tested without a GPU.

#![allow(unsafe_code)]

mod backward;
mod context;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod forward;
#[cfg(test)]
mod tests;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod twin;

use std::marker::PhantomData;

use candle_core::{Result, bail};

pub(crate) use backward::backward;
pub(crate) use context::Context;
#[cfg(feature = "cuda")]
pub(crate) use cuda::{Cuda, with_places};
pub(crate) use forward::forward;

use crate::plan::{ConvStep, Dims, Plan, PoolKind, PoolStep, Unit};
use crate::precision::Precision;

/// An address in a device's memory, valid as long as what it was borrowed from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) address: u64,
    owner: PhantomData<&'a ()>,
}

impl Place<'_> {
    pub(crate) fn new(address: u64) -> Self {
        Self {
            address,
            owner: PhantomData,
        }
    }
}

/// Memory of a device, freed when dropped.
pub(crate) trait Memory {
    fn place(&self) -> Place<'_>;
}

/// What a kernel is called with. An absent place is a null pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    Place(Option<Place<'a>>),
    Int(i32),
    Uint(u32),
    Long(i64),
    Float(f32),
    Window(Window),
}

/// What an absent place points to.
static NULL: u64 = 0;

macro_rules! arg_from {
    ($($from:ty => $arg:ident),*) => {$(
        impl From<$from> for Arg<'_> {
            fn from(value: $from) -> Self {
                Self::$arg(value)
            }
        }
    )*};
}
arg_from!(i32 => Int, u32 => Uint, i64 => Long, f32 => Float, Window => Window);

impl<'a> From<Place<'a>> for Arg<'a> {
    fn from(place: Place<'a>) -> Self {
        Self::Place(Some(place))
    }
}

impl<'a> From<Option<Place<'a>>> for Arg<'a> {
    fn from(place: Option<Place<'a>>) -> Self {
        Self::Place(place)
    }
}

impl From<bool> for Arg<'_> {
    fn from(flag: bool) -> Self {
        Self::Int(flag.into())
    }
}

/// The arguments of a launch, in the kernel's order.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { &[$($crate::gpu::Arg::from($arg)),*] };
}
pub(crate) use args;

/// A pool as the kernels take it; the C++ side is in `kernels/common.cuh`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Window {
    h: i32,
    w: i32,
    oh: i32,
    ow: i32,
    kh: i32,
    kw: i32,
    stride: i32,
    padding: i32,
}

impl Window {
    fn new(p: &PoolStep) -> Self {
        Self {
            h: p.input.h as i32,
            w: p.input.w as i32,
            oh: p.output.h as i32,
            ow: p.output.w as i32,
            kh: p.kernel.0 as i32,
            kw: p.kernel.1 as i32,
            stride: p.stride as i32,
            padding: p.padding as i32,
        }
    }
}

/// `Kind` of `kernels/common.cuh`.
fn kind(pool: Option<&PoolStep>) -> i32 {
    match pool.map(|p| p.kind) {
        None => 0,
        Some(PoolKind::Max) => 1,
        Some(PoolKind::Average) => 2,
    }
}

/// Blocks, and threads in each, along x and y.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) blocks: (u32, u32),
    pub(crate) threads: (u32, u32),
}

impl Grid {
    /// A thread for each of `n` elements.
    pub(crate) fn elements(n: u32) -> Self {
        Self {
            blocks: (n.div_ceil(BLOCK), 1),
            threads: (BLOCK, 1),
        }
    }

    /// A block of threads for each channel.
    fn channels(c: usize) -> Self {
        Self {
            blocks: (c as u32, 1),
            threads: (128, 1),
        }
    }
}

/// Threads in a block; `kernels/common.cuh` has it too.
const BLOCK: u32 = 256;
/// Blocks along the rows of a pass, each taking several rows: more would only queue.
const MOST_BLOCKS: u32 = 4096;
/// Blocks along the rows of a sum; one more pass adds up their results.
const MOST_PARTS: u32 = 512;

/// How a pass over rows of `c` channels is laid out.
#[derive(Clone, Copy, Debug)]
struct Rows {
    suffix: &'static str,
    rows: u32,
    c: u32,
    grid: Grid,
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

    fn pass(precision: Precision, rows: usize, c: usize) -> Self {
        Self::new(precision, rows, c, MOST_BLOCKS, 2)
    }

    fn sum(precision: Precision, rows: usize, c: usize) -> Self {
        Self::new(precision, rows, c, MOST_PARTS, 4)
    }

    fn parts(&self) -> u32 {
        self.grid.blocks.1
    }
}

/// Which of a convolution's three products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pass {
    Forward,
    InputGradient,
    WeightGradient,
}

/// A convolution of channels-last images with weights (out, place, in).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Convolution {
    pub(crate) batch: usize,
    pub(crate) step: ConvStep,
    pub(crate) precision: Precision,
}

/// What a device must be able to do.
pub(crate) trait Gpu {
    type Memory: Memory;

    /// Memory with whatever is in it.
    fn allocate(&self, bytes: usize) -> Result<Self::Memory>;

    /// Queues a kernel of `kernels/kernels.cu`.
    ///
    /// # Safety
    /// The arguments must be those of the kernel, and the memory as long as it expects.
    unsafe fn launch(&self, kernel: &str, grid: Grid, args: &[Arg<'_>]) -> Result<()>;

    /// Queues one product of a convolution: images `x`, weights `w`, output `y`, or the gradients
    /// of these; the one that `pass` computes is written, or with `add` added to.
    ///
    /// # Safety
    /// The memory must be as long as the convolution's shapes say.
    unsafe fn convolve(
        &self,
        c: &Convolution,
        pass: Pass,
        places: [Place<'_>; 3],
        add: bool,
    ) -> Result<()>;
}

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

    fn rows(&self, d: Dims) -> usize {
        self.plan.batch * d.pixels()
    }

    fn convolution(&self, step: &ConvStep) -> Convolution {
        Convolution {
            batch: self.plan.batch,
            step: *step,
            precision: self.precision,
        }
    }

    fn conv_bias(&self, unit: &Unit) -> Option<usize> {
        unit.conv.and_then(|c| c.bias)
    }
}

/// Bytes of an element in memory.
fn size(precision: Precision) -> usize {
    match precision {
        Precision::Bf16 => 2,
        Precision::F32 | Precision::Tf32 => 4,
    }
}

/// A kernel of `kernels/copies.cuh` for elements of this type.
fn copying(kernel: &str, precision: Precision) -> String {
    let suffix = match precision {
        Precision::Bf16 => "bf16",
        Precision::F32 | Precision::Tf32 => "f32",
    };
    format!("{kernel}_{suffix}")
}

fn slope(unit: &Unit) -> f32 {
    unit.activation.map_or(1., |a| a.slope())
}
