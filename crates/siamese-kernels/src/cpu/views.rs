//! What a chain is given: parameters and images, borrowed.

use rayon::prelude::*;

use crate::plan::Unit;

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

pub(super) fn conv_bias<'a>(unit: &Unit, views: Views<'a>) -> Option<&'a [f32]> {
    unit.conv.and_then(|c| c.bias).map(|b| views.params[b])
}

/// Lines that one task copies at least.
const LINES: usize = 16;

/// Copies a strided tensor to channels-last memory.
pub(super) fn gather(from: Strided<'_>, (h, w, c): (usize, usize, usize), out: &mut [f32]) {
    let [sb, sh, sw, sc] = from.strides;
    let lines = out.par_chunks_exact_mut(w * c).enumerate();
    lines.with_min_len(LINES).for_each(|(line, out)| {
        let start = from.start + line / h * sb + line % h * sh;
        if sc == 1 && sw == c {
            out.copy_from_slice(&from.values[start..start + w * c]);
            return;
        }
        for (x, pixel) in out.chunks_exact_mut(c).enumerate() {
            for (k, to) in pixel.iter_mut().enumerate() {
                *to = from.values[start + x * sw + k * sc];
            }
        }
    });
}
