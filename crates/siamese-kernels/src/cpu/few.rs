//! Direct convolutions of one or two images: split within an image, where chunks of a batch are too few tasks.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::direct::{self, Part};
use super::gemm::{Multiply, Rows, Store, Target};
use super::pool;
use crate::plan::{ConvStep, PoolStep};
use crate::simd::{Kernel, Level, Simd};

/// Images up to which work is split within them.
const IMAGES: usize = 2;
/// Parts that an image's lines or pixels are split into, if it has as many: the same whatever the number of threads.
const PARTS: usize = 8;

/// Weights that stay in a core's cache.
const CACHED: usize = 1 << 18;

pub(super) fn is_few(batch: usize) -> bool {
    batch <= IMAGES
}

/// Lines, or pixels, of an image that one task takes.
pub(super) fn share(all: usize) -> usize {
    all.div_ceil(PARTS)
}

/// `y = conv(x)`, by lines of the output, or by its channels where there are too many weights to read for each line.
pub(super) fn convolve(
    level: Level,
    c: &ConvStep,
    packed: &[f32],
    x: &[f32],
    y: &mut [f32],
    [padded, windows, panels]: [&mut Buffer; 3],
) {
    let inputs = pad(level, c, x, padded);
    if direct::depth(c) * c.output.c <= CACHED {
        by_lines(level, c, packed, inputs, y);
        return;
    }
    let pointwise = c.kernel == 1 && c.stride == 1;
    let rows = match pointwise {
        true => inputs,
        false => unroll(
            c,
            inputs,
            windows.resize(y.len() / c.output.c * direct::depth(c)),
        ),
    };
    by_channels(level, c, packed, rows, y, panels);
}

/// The window under each pixel of the output, `(B · H · W, k² · C)`: few images' are less than the weights.
fn unroll<'a>(c: &ConvStep, inputs: &[f32], windows: &'a mut [f32]) -> &'a [f32] {
    let (p, o) = (direct::padded(c), c.output);
    let run = c.kernel * p.c;
    let pixels = windows.par_chunks_exact_mut(direct::depth(c)).enumerate();
    pixels.with_min_len(PARTS).for_each(|(pixel, window)| {
        let (image, pixel) = (pixel / o.pixels(), pixel % o.pixels());
        let (y, x) = (pixel / o.w * c.stride, pixel % o.w * c.stride);
        for (k, to) in window.chunks_exact_mut(run).enumerate() {
            let at = image * p.len() + ((y + k) * p.w + x) * p.c;
            to.copy_from_slice(&inputs[at..at + run]);
        }
    });
    windows
}

fn pad<'a>(level: Level, c: &ConvStep, x: &'a [f32], padded: &'a mut Buffer) -> &'a [f32] {
    if !direct::needs_padding(c, false) {
        return x;
    }
    let (from, to) = (c.input.len(), direct::padded(c).len());
    let padded = padded.resize(x.len() / from * to);
    let images = x.chunks_exact(from).zip(padded.chunks_exact_mut(to));
    images.for_each(|(image, out)| level.run(Pad { c, image, out }));
    padded
}

struct Pad<'a> {
    c: &'a ConvStep,
    image: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Pad<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        direct::pad(s, self.c, self.image, None, self.out)
    }
}

fn by_lines(level: Level, c: &ConvStep, packed: &[f32], inputs: &[f32], y: &mut [f32]) {
    let (o, lines) = (c.output, share(c.output.h));
    let images = y.par_chunks_exact_mut(o.len()).enumerate();
    images.for_each(|(image, y)| {
        let parts = y.par_chunks_mut(lines * o.w * o.c).enumerate();
        parts.for_each(|(k, y)| {
            let count = y.len() / (o.w * o.c);
            level.run(Lines {
                c,
                part: Part {
                    image,
                    lines: k * lines..k * lines + count,
                },
                packed,
                inputs,
                y,
            })
        });
    });
}

/// Some lines of an image, all channels of them.
struct Lines<'a> {
    c: &'a ConvStep,
    part: Part,
    packed: &'a [f32],
    inputs: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Lines<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let co = self.c.output.c;
        for (panel, first) in (0..co).step_by(2 * S::LANES).enumerate() {
            let weights = (self.packed, panel);
            direct::part::<S>(
                self.c,
                self.inputs,
                &self.part,
                weights,
                (self.y, first, co),
            );
        }
    }
}

fn by_channels(
    level: Level,
    c: &ConvStep,
    packed: &[f32],
    windows: &[f32],
    y: &mut [f32],
    panels: &mut Buffer,
) {
    let (o, width) = (c.output, 2 * level.lanes());
    let size = y.len() / o.c * width;
    let panels = panels.resize(o.c.div_ceil(width) * size);
    let parts = panels.par_chunks_exact_mut(size).enumerate();
    parts.for_each(|(panel, out)| {
        let (depth, rows) = (direct::depth(c), size / width);
        level.run(Multiply {
            a: windows,
            left: Rows::dense(0, depth, depth),
            rows,
            b: (packed, panel * depth * width),
            how: Store::Set,
            c: out,
            to: Target {
                start: 0,
                row: width,
                cols: width,
            },
        })
    });
    let panels = &*panels;
    let pixels = y.par_chunks_exact_mut(o.c).enumerate();
    pixels.with_min_len(PARTS).for_each(|(pixel, y)| {
        for (panel, y) in panels.chunks_exact(size).zip(y.chunks_mut(width)) {
            y.copy_from_slice(&panel[pixel * width..][..y.len()]);
        }
    });
}

/// The largest of each window, by lines.
pub(super) fn largest(p: &PoolStep, x: &[f32], y: &mut [f32]) {
    let lines = share(p.output.h);
    let images = y.par_chunks_exact_mut(p.output.len());
    let images = images.zip(x.par_chunks_exact(p.input.len()));
    images.for_each(|(y, x)| {
        let parts = y.par_chunks_mut(lines * p.output.w * p.output.c);
        parts
            .enumerate()
            .for_each(|(k, y)| pool::max_of_lines(p, k * lines, x, y, &mut []));
    });
}
