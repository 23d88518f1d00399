//! What a device must be able to do, and what it is asked for with.

use std::marker::PhantomData;

use candle_core::Result;

use crate::plan::{ConvStep, PoolStep};
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
pub(super) static NULL: u64 = 0;

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
    ($($arg:expr),* $(,)?) => { &[$($crate::gpu::device::Arg::from($arg)),*] };
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
    pub(super) fn new(p: &PoolStep) -> Self {
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
    pub(super) fn channels(c: usize) -> Self {
        Self {
            blocks: (c as u32, 1),
            threads: (128, 1),
        }
    }
}

/// Threads in a block; `kernels/common.cuh` has it too.
pub(super) const BLOCK: u32 = 256;
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
