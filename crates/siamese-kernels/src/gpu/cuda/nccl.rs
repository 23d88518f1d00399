//! Sums and rows of the cards of several processes, from card to card by NCCL.

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use candle_core::cuda_backend::WrapErr;
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, CustomOp1, DType, Device, Error, Layout, Result, Shape,
    Tensor, bail,
};
use cudarc::nccl::{Comm, Id, ReduceOp};

/// How often a wait asks whether the others are still there.
const LOOK: Duration = Duration::from_secs(1);
/// How long a wait keeps its core, and how long it then sleeps between two looks at the card.
const SPIN: Duration = Duration::from_millis(2);
const NAP: Duration = Duration::from_micros(100);

/// A card among those of other processes.
///
/// All processes make the same calls in the same order. A call returns when the card has done it, and gives up, for
/// good, as soon as `alive` says that a process is gone: NCCL by itself would wait for ever.
pub struct Nccl {
    comm: Mutex<Option<Held>>,
    device: CudaDevice,
    size: usize,
}

struct Held(Comm);

// SAFETY: a communicator belongs to no thread, and calls are made one at a time, under a lock.
unsafe impl Send for Held {}

impl Nccl {
    /// Where the processes meet: process 0 makes it, and gives it to all the others.
    ///
    /// # Errors
    /// When NCCL finds no network.
    pub fn meeting_point() -> Result<Vec<u8>> {
        let id = Id::new().map_err(|e| failed("begin", &e.0))?;
        Ok(id.internal().map(|byte| byte as u8).to_vec())
    }

    /// Meets the others, each with a card of its own.
    ///
    /// # Errors
    /// When `device` is no card, two processes share one, or the cards do not reach each other.
    pub fn join(device: &Device, (rank, size): (usize, usize), at: &[u8]) -> Result<Self> {
        let device = device.as_cuda_device()?.clone();
        let Ok(at) = <[u8; 128]>::try_from(at) else {
            bail!("a meeting point of NCCL has 128 bytes, not {}", at.len())
        };
        let id = Id::uninit(at.map(|byte| byte as _));
        let comm = Comm::from_rank(device.cuda_stream(), rank, size, id);
        let comm = comm.map_err(|e| failed("connect the cards, one of each process", &e.0))?;
        Ok(Self {
            comm: Mutex::new(Some(Held(comm))),
            device,
            size,
        })
    }

    /// The sum of `values` over all processes, in f32.
    ///
    /// # Errors
    /// When a process is gone, or the card reports an error.
    pub fn sum(&self, values: &Tensor, alive: &dyn Fn() -> bool) -> Result<Tensor> {
        self.exchange(Call::Sum, values, alive)
    }

    /// The rows `(N, D)` of all processes, by rank, `(size · N, D)` in f32; N is the same in all.
    ///
    /// # Errors
    /// As of [`Nccl::sum`].
    pub fn gather(&self, rows: &Tensor, alive: &dyn Fn() -> bool) -> Result<Tensor> {
        let (count, width) = rows.dims2()?;
        self.exchange(Call::Gather, rows, alive)?
            .reshape((self.size * count, width))
    }

    fn exchange(&self, call: Call, own: &Tensor, alive: &dyn Fn() -> bool) -> Result<Tensor> {
        let mut held = self.comm.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Held(comm)) = held.as_ref() else {
            bail!("the exchange between the cards has ended")
        };
        let own = own.to_dtype(DType::F32)?.contiguous()?;
        let size = self.size;
        let all = own.apply_op1_no_bwd(&Exchange { comm, call, size });
        let done = all.and_then(|all| self.wait(alive).map(|()| all));
        if done.is_err() {
            *held = None; // which aborts what the card still waits for
        }
        done
    }

    /// Until the card has done all that it was given.
    fn wait(&self, alive: &dyn Fn() -> bool) -> Result<()> {
        let event = self.device.cuda_stream().record_event(None).w()?;
        let begun = Instant::now();
        let mut look = begun + LOOK;
        while !event.try_is_complete().w()? {
            let now = Instant::now();
            if now > look {
                if !alive() {
                    bail!("a process is gone")
                }
                look = now + LOOK;
            }
            match now - begun < SPIN {
                true => thread::yield_now(),
                false => thread::sleep(NAP),
            }
        }
        Ok(())
    }
}

fn failed(what: &str, error: &dyn Debug) -> Error {
    Error::Msg(format!("NCCL could not {what}: {error:?}"))
}

#[derive(Clone, Copy)]
enum Call {
    Sum,
    Gather,
}

/// One call, from a contiguous tensor into new memory.
struct Exchange<'a> {
    comm: &'a Comm,
    call: Call,
    size: usize,
}

impl CustomOp1 for Exchange<'_> {
    fn name(&self) -> &'static str {
        "nccl"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("NCCL is for cards")
    }

    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let count = layout.shape().elem_count();
        let first = layout.start_offset();
        let own = storage.as_cuda_slice::<f32>()?.slice(first..first + count);
        let (shape, total) = match self.call {
            Call::Sum => (layout.shape().clone(), count),
            Call::Gather => (Shape::from(self.size * count), self.size * count),
        };
        // SAFETY: the call writes all of it before anything reads it, in the order of one stream
        let mut all = unsafe { storage.device.alloc::<f32>(total)? };
        match self.call {
            Call::Sum => self.comm.all_reduce(&own, &mut all, &ReduceOp::Sum),
            Call::Gather => self.comm.all_gather(&own, &mut all),
        }
        .map_err(|e| failed("exchange", &e.0))?;
        let all = CudaStorage::wrap_cuda_slice(all, storage.device.clone());
        Ok((all, shape))
    }
}
