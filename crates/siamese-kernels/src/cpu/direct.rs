//! Convolution of any size and stride as matrix products over windows of a padded image.
//!
//! A window's line is contiguous in a channels-last image, so a product reads the windows in
//! place: nothing is unrolled except the gradient of the input, which is scattered back.

use std::ops::Range;

use super::gemm::{Multiply, MultiplyTransposed, Pixels, Rows, Store, Target, panel};
use super::norm::Affine;
use crate::plan::{ConvStep, Dims};
use crate::simd::Simd;

/// Shape of the padded input.
pub(crate) fn padded(c: &ConvStep) -> Dims {
    Dims {
        h: c.input.h + 2 * c.padding,
        w: c.input.w + 2 * c.padding,
        c: c.input.c,
    }
}

/// Whether a padded copy of the input is needed at all.
pub(crate) fn needs_padding(c: &ConvStep, pending: bool) -> bool {
    c.padding > 0 || pending
}

/// Rows of the weight matrix: pixels of the window times channels.
pub(crate) fn depth(c: &ConvStep) -> usize {
    c.kernel * c.kernel * c.input.c
}

/// Copies one image into the middle of zeros, applying a norm still pending.
#[inline(always)]
pub(crate) fn pad<S: Simd>(
    s: S,
    c: &ConvStep,
    image: &[f32],
    pending: Option<Affine<'_>>,
    out: &mut [f32],
) {
    let (d, p) = (c.input, padded(c));
    let line = d.w * d.c;
    let border = c.padding * d.c;
    out[..c.padding * p.w * d.c].fill(0.);
    out[(c.padding + d.h) * p.w * d.c..p.len()].fill(0.);
    for y in 0..d.h {
        let to = &mut out[(y + c.padding) * p.w * d.c..][..p.w * d.c];
        to[..border].fill(0.);
        to[border + line..].fill(0.);
        let (from, to) = (&image[y * line..][..line], &mut to[border..border + line]);
        match pending {
            None => to.copy_from_slice(from),
            Some(affine) => super::norm::apply_row(s, from, affine, to),
        }
    }
}

/// One panel of the weights as `(k², C_in)` rows of `2 · LANES` output channels.
#[inline(always)]
pub(crate) fn pack_weights<S: Simd>(
    c: &ConvStep,
    w: &[f32],
    scale: &[f32],
    index: usize,
    out: &mut [f32],
) {
    let (ci, taps, width) = (c.input.c, c.kernel * c.kernel, panel::<S>());
    let first = index * width;
    out.fill(0.);
    for j in 0..width.min(c.output.c - first) {
        let factor = if scale.is_empty() {
            1.
        } else {
            scale[first + j]
        };
        let filter = &w[(first + j) * ci * taps..][..ci * taps];
        for (i, filter) in filter.chunks_exact(taps).enumerate() {
            for (k, &x) in filter.iter().enumerate() {
                out[(k * ci + i) * width + j] = x * factor;
            }
        }
    }
}

/// One panel of the transposed weights: `C_out` rows of `2 · LANES` columns out of `(k², C_in)`.
#[inline(always)]
pub(crate) fn pack_transposed<S: Simd>(c: &ConvStep, w: &[f32], index: usize, out: &mut [f32]) {
    let (ci, taps, width) = (c.input.c, c.kernel * c.kernel, panel::<S>());
    let first = index * width;
    out.fill(0.);
    for o in 0..c.output.c {
        for j in 0..width.min(taps * ci - first) {
            let (k, i) = ((first + j) / ci, (first + j) % ci);
            out[o * width + j] = w[(o * ci + i) * taps + k];
        }
    }
}

/// Output of a few images, whose padded inputs lie one after another.
#[inline(always)]
pub(crate) fn forward<S: Simd>(c: &ConvStep, inputs: &[f32], packed: &[f32], y: &mut [f32]) {
    let o = c.output;
    for (index, first) in (0..o.c).step_by(panel::<S>()).enumerate() {
        for (image, y) in y.chunks_exact_mut(o.len()).enumerate() {
            let lines = 0..o.h;
            let part = Part { image, lines };
            self::part::<S>(c, inputs, &part, (packed, index), (y, first, o.c));
        }
    }
}

/// Some lines of an image's output.
pub(crate) struct Part {
    pub(crate) image: usize,
    pub(crate) lines: Range<usize>,
}

/// One panel of channels of some lines, from `y`'s column `first` on; its rows are `row` apart.
#[inline(always)]
pub(crate) fn part<S: Simd>(
    c: &ConvStep,
    inputs: &[f32],
    part: &Part,
    (packed, index): (&[f32], usize),
    (y, first, row): (&mut [f32], usize, usize),
) {
    let (p, o, lines) = (padded(c), c.output, part.lines.clone());
    let pointwise = c.kernel == 1 && c.stride == 1;
    let (runs, width) = if pointwise {
        (1, lines.len() * o.w)
    } else {
        (lines.len(), o.w)
    };
    for run in 0..runs {
        let line = lines.start + run;
        let left = Rows {
            start: part.image * p.len() + line * c.stride * p.w * p.c,
            row: c.stride * p.c,
            pieces: c.kernel,
            len: c.kernel * p.c,
            piece: p.w * p.c,
        };
        let to = Target {
            start: run * width * row + first,
            row,
            cols: panel::<S>().min(o.c - index * panel::<S>()),
        };
        S::LEVEL.run(Multiply {
            a: inputs,
            left,
            rows: width,
            b: (packed, index * depth(c) * panel::<S>()),
            how: Store::Set,
            c: &mut *y,
            to,
        });
    }
}

/// Adds to `dw` `(k², C_in, C_out)` what one image contributes.
#[inline(always)]
pub(crate) fn weight_gradient<S: Simd>(c: &ConvStep, input: &[f32], g: &[f32], dw: &mut [f32]) {
    let (p, o) = (padded(c), c.output);
    let pixels = Pixels {
        lines: o.h,
        width: o.w,
        a_line: c.stride * p.w * p.c,
        a_pixel: c.stride * p.c,
        g_line: o.w * o.c,
        g_pixel: o.c,
    };
    let run = c.kernel * p.c;
    for ky in 0..c.kernel {
        for first in (0..o.c).step_by(panel::<S>()) {
            let to = Target {
                start: ky * run * o.c + first,
                row: o.c,
                cols: panel::<S>().min(o.c - first),
            };
            let from = (input, ky * p.w * p.c);
            S::LEVEL.run(MultiplyTransposed {
                a: from,
                rows: run,
                g: (g, first),
                pixels,
                c: &mut *dw,
                to,
            });
        }
    }
}

/// Output pixels whose input gradients are computed together.
const BLOCK: usize = 48;

/// Floats of scratch that [`input_gradient`] needs for `images` of them.
pub(crate) fn unrolled(c: &ConvStep, images: usize) -> usize {
    BLOCK.min(images * c.output.pixels()) * depth(c)
}

/// The gradients of a few padded inputs, added to `dx`.
#[inline(always)]
pub(crate) fn input_gradient<S: Simd>(
    s: S,
    c: &ConvStep,
    g: &[f32],
    packed: &[f32],
    unrolled: &mut [f32],
    dx: &mut [f32],
) {
    let (p, o, depth) = (padded(c), c.output, depth(c));
    let (run, all) = (c.kernel * p.c, g.len() / o.c);
    for first_pixel in (0..all).step_by(BLOCK) {
        let pixels = BLOCK.min(all - first_pixel);
        for (index, first) in (0..depth).step_by(panel::<S>()).enumerate() {
            let left = Rows::dense(first_pixel * o.c, o.c, o.c);
            let to = Target {
                start: first,
                row: depth,
                cols: panel::<S>().min(depth - first),
            };
            let at = index * o.c * panel::<S>();
            let (a, rows, b, how) = (g, pixels, (packed, at), Store::Set);
            let c = &mut *unrolled;
            S::LEVEL.run(Multiply {
                a,
                left,
                rows,
                b,
                how,
                c,
                to,
            });
        }
        for (i, window) in unrolled.chunks_exact(depth).take(pixels).enumerate() {
            let (image, pixel) = (
                (first_pixel + i) / o.pixels(),
                (first_pixel + i) % o.pixels(),
            );
            let (oy, ox) = (pixel / o.w, pixel % o.w);
            for (ky, from) in window.chunks_exact(run).enumerate() {
                let at = image * p.len() + ((oy * c.stride + ky) * p.w + ox * c.stride) * p.c;
                super::norm::add_row(s, from, &mut dx[at..at + run]);
            }
        }
    }
}

/// Adds the inside of a padded gradient to, or puts it into, the image's own.
#[inline(always)]
pub(crate) fn unpad<S: Simd>(s: S, c: &ConvStep, padded_dx: &[f32], add: bool, dx: &mut [f32]) {
    let (d, p) = (c.input, padded(c));
    let line = d.w * d.c;
    for (y, to) in dx.chunks_exact_mut(line).enumerate() {
        let from = &padded_dx[((y + c.padding) * p.w + c.padding) * d.c..][..line];
        match add {
            true => super::norm::add_row(s, from, to),
            false => to.copy_from_slice(from),
        }
    }
}
