//! Candle's CUDA device as [`Gpu`]: memory, launches, convolutions.

use std::mem::size_of;

use candle_core::cuda_backend::WrapErr;
use candle_core::{CudaDevice, CudaStorage, Layout, Result, bail};
use cudarc::driver::{CudaSlice, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg};

use super::cudnn;
use crate::gpu::device::{Arg, Convolution, Gpu, Grid, Memory, NULL, Pass, Place, Window};

const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// One GPU as Candle holds it.
pub(crate) struct Cuda<'a>(pub(crate) &'a CudaDevice);

impl Memory for CudaSlice<u8> {
    fn place(&self) -> Place<'_> {
        let (address, _in_order) = self.device_ptr(self.stream());
        Place::new(address)
    }
}

/// Where the values of a contiguous f32 tensor begin.
pub(crate) fn place<'a>(storage: &'a CudaStorage, layout: &Layout) -> Result<Place<'a>> {
    if !layout.is_contiguous() {
        bail!("expected a contiguous tensor, got {layout:?}")
    }
    start(storage, layout)
}

/// Where the values of an f32 tensor of any strides begin.
pub(crate) fn start<'a>(storage: &'a CudaStorage, layout: &Layout) -> Result<Place<'a>> {
    let slice = storage.as_cuda_slice::<f32>()?;
    let (address, _in_order) = slice.device_ptr(slice.stream());
    let offset = layout.start_offset() * size_of::<f32>();
    Ok(Place::new(address + offset as u64))
}

// SAFETY: `repr(C)` of eight ints, as the kernels declare it.
unsafe impl DeviceRepr for Window {}

impl Gpu for Cuda<'_> {
    type Memory = CudaSlice<u8>;

    fn allocate(&self, bytes: usize) -> Result<CudaSlice<u8>> {
        // SAFETY: every kernel writes what is read later; the twin's tests start from NaN.
        unsafe { self.0.alloc::<u8>(bytes) }
    }

    unsafe fn launch(&self, kernel: &str, grid: Grid, args: &[Arg<'_>]) -> Result<()> {
        let function = self
            .0
            .get_or_load_custom_func(kernel, "siamese-kernels", PTX)?;
        let mut builder = function.builder();
        for arg in args {
            match arg {
                Arg::Place(Some(place)) => builder.arg(&place.address),
                Arg::Place(None) => builder.arg(&NULL),
                Arg::Int(value) => builder.arg(value),
                Arg::Uint(value) => builder.arg(value),
                Arg::Long(value) => builder.arg(value),
                Arg::Float(value) => builder.arg(value),
                Arg::Window(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig {
            grid_dim: (grid.blocks.0, grid.blocks.1, 1),
            block_dim: (grid.threads.0, grid.threads.1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the caller vouches for the arguments.
        unsafe { builder.launch(config) }.w()?;
        Ok(())
    }

    unsafe fn convolve(
        &self,
        c: &Convolution,
        pass: Pass,
        places: [Place<'_>; 3],
        add: bool,
    ) -> Result<()> {
        // SAFETY: the caller vouches for the memory.
        unsafe { cudnn::convolve(self.0, c, pass, places, add) }
    }
}
