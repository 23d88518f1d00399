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

/// Copies a strided tensor to channels-last memory.
pub(super) fn gather(from: Strided<'_>, (h, w, c): (usize, usize, usize), out: &mut [f32]) {
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
