//! The numbers of a tensor in the host's memory, and work that is done row by row.

use candle_core::{CpuStorage, Layout, Result, Storage, bail};
use rayon::prelude::*;

/// A task has at least so many numbers.
const TASK: usize = 1 << 14;

/// The numbers of a contiguous tensor of f32.
pub(crate) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((first, end)) => Ok(&storage.as_slice::<f32>()?[first..end]),
        None => bail!("expected a contiguous tensor, got {layout:?}"),
    }
}

/// As [`floats`], of a tensor that must lie in the host's memory.
pub(crate) fn floats_on_host<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        Storage::Cpu(storage) => floats(storage, layout),
        _ => bail!("expected a tensor on the CPU"),
    }
}

/// Does `work` with each row of `width` numbers and its index. A row is one task's, so that no bit depends on the threads.
pub(crate) fn per_row(rows: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if width == 0 {
        return;
    }
    let rows = rows.par_chunks_exact_mut(width).enumerate();
    let rows = rows.with_min_len(TASK / width + 1);
    rows.for_each(|(i, row)| work(i, row));
}
