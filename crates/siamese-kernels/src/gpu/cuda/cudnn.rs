//! Convolutions by cuDNN, on channels-last images.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use std::sync::Arc;

use candle_core::cuda_backend::DeviceId;
use candle_core::{CudaDevice, Error, Result};
use cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t as DataAlgo, cudnnConvolutionBwdFilterAlgo_t as FilterAlgo,
    cudnnConvolutionFwdAlgo_t as ForwardAlgo, cudnnConvolutionMode_t as Mode,
    cudnnMathType_t as Math, cudnnTensorFormat_t as Format,
};
use cudarc::cudnn::{
    ConvBackwardData, ConvBackwardFilter, ConvDescriptor, ConvForward, Cudnn, CudnnDataType,
    FilterDescriptor, TensorDescriptor,
};
use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DevicePtrMut, DeviceSlice, SyncOnDrop};
use half::bf16;

use crate::gpu::device::{Convolution, Pass, Place};
use crate::plan::Dims;
use crate::precision::Precision;

thread_local! {
    /// cuDNN's handles belong to a thread.
    static STATES: RefCell<HashMap<DeviceId, State>> = RefCell::default();
}

struct State {
    cudnn: Arc<Cudnn>,
    floats: HashMap<Convolution, Rc<Prepared<f32>>>,
    halves: HashMap<Convolution, Rc<Prepared<bf16>>>,
    /// Working memory of the algorithms, as large as any has asked for.
    workspace: CudaSlice<u8>,
}

/// An element type, and the convolutions prepared for it.
trait Element: CudnnDataType + Sized {
    const ONE: Self;
    const ZERO: Self;
    fn prepared(state: &mut State) -> &mut HashMap<Convolution, Rc<Prepared<Self>>>;
}

impl Element for f32 {
    const ONE: Self = 1.;
    const ZERO: Self = 0.;
    fn prepared(state: &mut State) -> &mut HashMap<Convolution, Rc<Prepared<Self>>> {
        &mut state.floats
    }
}

impl Element for bf16 {
    const ONE: Self = bf16::ONE;
    const ZERO: Self = bf16::ZERO;
    fn prepared(state: &mut State) -> &mut HashMap<Convolution, Rc<Prepared<Self>>> {
        &mut state.halves
    }
}

/// Descriptors of a convolution, and the algorithm of each pass with the bytes it works in.
struct Prepared<T> {
    conv: ConvDescriptor<f32>,
    x: TensorDescriptor<T>,
    w: FilterDescriptor<T>,
    y: TensorDescriptor<T>,
    forward: (ForwardAlgo, usize),
    data: (DataAlgo, usize),
    filter: (FilterAlgo, usize),
}

/// An algorithm of a pass with the bytes it works in; where the shape is not its, the one that cuDNN names.
macro_rules! algorithm {
    ($pass:expr, $first:expr) => {{
        let pass = $pass;
        match pass.get_workspace_size($first) {
            Ok(bytes) => ($first, bytes),
            Err(_) => {
                let other = pass.pick_algorithm()?;
                (other, pass.get_workspace_size(other)?)
            }
        }
    }};
}

impl<T: Element> Prepared<T> {
    fn new(cudnn: &Arc<Cudnn>, c: &Convolution) -> Result<Self> {
        let s = &c.step;
        let mut conv = cudnn.create_conv2d::<f32>(
            [s.padding as i32; 2],
            [s.stride as i32; 2],
            [1, 1],
            Mode::CUDNN_CROSS_CORRELATION,
        )?;
        conv.set_math_type(match c.precision {
            Precision::F32 => Math::CUDNN_FMA_MATH,
            Precision::Tf32 | Precision::Bf16 => Math::CUDNN_DEFAULT_MATH,
        })?;
        let nhwc = Format::CUDNN_TENSOR_NHWC;
        let images = |d: Dims| [c.batch as i32, d.c as i32, d.h as i32, d.w as i32];
        let x = cudnn.create_4d_tensor::<T>(nhwc, images(s.input))?;
        let y = cudnn.create_4d_tensor::<T>(nhwc, images(s.output))?;
        let weights = [s.output.c, s.input.c, s.kernel, s.kernel].map(|n| n as i32);
        let w = cudnn.create_4d_filter::<T>(nhwc, weights)?;
        // These three serve channels-last images with tensor cores and give the same bits every time.
        let forward = algorithm!(
            ConvForward {
                conv: &conv,
                x: &x,
                w: &w,
                y: &y
            },
            ForwardAlgo::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM
        );
        let data = algorithm!(
            ConvBackwardData {
                conv: &conv,
                dx: &x,
                w: &w,
                dy: &y
            },
            DataAlgo::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1
        );
        let filter = algorithm!(
            ConvBackwardFilter {
                conv: &conv,
                x: &x,
                dw: &w,
                dy: &y
            },
            FilterAlgo::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1
        );
        Ok(Self {
            conv,
            x,
            w,
            y,
            forward,
            data,
            filter,
        })
    }
}

/// See [`Gpu::convolve`](crate::gpu::Gpu::convolve).
///
/// # Safety
/// The memory must be as long as the convolution's shapes say.
pub(super) unsafe fn convolve(
    device: &CudaDevice,
    c: &Convolution,
    pass: Pass,
    places: [Place<'_>; 3],
    add: bool,
) -> Result<()> {
    STATES.with_borrow_mut(|states| {
        let state = match states.entry(device.id()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(State::new(device)?),
        };
        // SAFETY: as this function's.
        let done = unsafe {
            match c.precision {
                Precision::Bf16 => run::<bf16>(device, state, c, pass, places, add),
                Precision::F32 | Precision::Tf32 => run::<f32>(device, state, c, pass, places, add),
            }
        };
        done.map_err(|e| Error::Msg(format!("cuDNN, {pass:?} of {c:?}: {e}")).bt())
    })
}

impl State {
    fn new(device: &CudaDevice) -> Result<Self> {
        Ok(Self {
            cudnn: Cudnn::new(device.cuda_stream())?,
            floats: HashMap::new(),
            halves: HashMap::new(),
            // SAFETY: never read before it is written.
            workspace: unsafe { device.alloc::<u8>(1)? },
        })
    }
}

unsafe fn run<T: Element>(
    device: &CudaDevice,
    state: &mut State,
    c: &Convolution,
    pass: Pass,
    places: [Place<'_>; 3],
    add: bool,
) -> Result<()> {
    let known = T::prepared(state).get(c).cloned();
    let p = match known {
        Some(prepared) => prepared,
        None => {
            let prepared = Rc::new(Prepared::<T>::new(&state.cudnn, c)?);
            T::prepared(state).insert(*c, prepared.clone());
            prepared
        }
    };
    let bytes = match pass {
        Pass::Forward => p.forward.1,
        Pass::InputGradient => p.data.1,
        Pass::WeightGradient => p.filter.1,
    };
    if state.workspace.len() < bytes {
        // SAFETY: never read before it is written.
        state.workspace = unsafe { device.alloc::<u8>(bytes)? };
    }
    let stream = device.cuda_stream();
    let [x, w, y] = &mut places.map(|place| Raw {
        address: place.address,
        stream: stream.clone(),
    });
    let workspace = (bytes > 0).then_some(&mut state.workspace);
    let scales = (T::ONE, if add { T::ONE } else { T::ZERO });
    let Prepared {
        conv,
        x: xd,
        w: wd,
        y: yd,
        ..
    } = &*p;
    // SAFETY: the caller vouches for the memory, the descriptors are of this convolution.
    unsafe {
        match pass {
            Pass::Forward => {
                let pass = ConvForward {
                    conv,
                    x: xd,
                    w: wd,
                    y: yd,
                };
                pass.launch(p.forward.0, workspace, scales, x, w, y)?;
            }
            Pass::InputGradient => {
                let pass = ConvBackwardData {
                    conv,
                    dx: xd,
                    w: wd,
                    dy: yd,
                };
                pass.launch(p.data.0, workspace, scales, x, w, y)?;
            }
            Pass::WeightGradient => {
                let pass = ConvBackwardFilter {
                    conv,
                    x: xd,
                    dw: wd,
                    dy: yd,
                };
                pass.launch(p.filter.0, workspace, scales, x, w, y)?;
            }
        }
    }
    Ok(())
}

/// An address as cudarc's cuDNN calls want it.
struct Raw {
    address: CUdeviceptr,
    stream: Arc<CudaStream>,
}

impl<T> DeviceSlice<T> for Raw {
    fn len(&self) -> usize {
        0 // asked of a workspace only
    }
    fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }
}

impl<T> DevicePtr<T> for Raw {
    fn device_ptr<'a>(&'a self, _: &'a CudaStream) -> (CUdeviceptr, SyncOnDrop<'a>) {
        (self.address, SyncOnDrop::Record(None))
    }
}

impl<T> DevicePtrMut<T> for Raw {
    fn device_ptr_mut<'a>(&'a mut self, _: &'a CudaStream) -> (CUdeviceptr, SyncOnDrop<'a>) {
        (self.address, SyncOnDrop::Record(None))
    }
}
