//! Direct convolutions of one or two images: split within an image, where chunks of a batch are too few tasks.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::direct::{self, Part};
use crate::plan::ConvStep;
use crate::simd::{Kernel, Level, Simd};

/// Images up to which work is split within them.
const IMAGES: usize = 2;
/// Parts that an image's lines or pixels are split into, if it has as many: the same whatever the number of threads.
const PARTS: usize = 8;

pub(super) fn is_few(batch: usize) -> bool {
    batch <= IMAGES
}

/// Lines, or pixels, of an image that one task takes.
pub(super) fn share(all: usize) -> usize {
    all.div_ceil(PARTS)
}

/// `y = conv(x)`, by lines of the output, or by its channels where the weights are more than what they are used for.
pub(super) fn convolve(
    level: Level,
    c: &ConvStep,
    packed: &[f32],
    x: &[f32],
    y: &mut [f32],
    (padded, panels): (&mut Buffer, &mut Buffer),
) {
    let inputs = pad(level, c, x, padded);
    if c.output.pixels() >= direct::depth(c) {
        by_lines(level, c, packed, inputs, y);
    } else {
        by_channels(level, c, packed, inputs, y, panels);
    }
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
    inputs: &[f32],
    y: &mut [f32],
    panels: &mut Buffer,
) {
    let (o, width) = (c.output, 2 * level.lanes());
    let images = y.len() / o.len();
    let size = images * o.pixels() * width;
    let panels = panels.resize(o.c.div_ceil(width) * size);
    let parts = panels.par_chunks_exact_mut(size).enumerate();
    parts.for_each(|(panel, out)| {
        level.run(Panel {
            c,
            images,
            packed: (packed, panel),
            inputs,
            out,
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

/// One panel of channels, all pixels of it, `(B · H · W, 2 · LANES)`.
struct Panel<'a> {
    c: &'a ConvStep,
    images: usize,
    packed: (&'a [f32], usize),
    inputs: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Panel<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (o, width) = (self.c.output, 2 * S::LANES);
        let images = self.out.chunks_exact_mut(o.pixels() * width);
        for (image, out) in images.take(self.images).enumerate() {
            let lines = 0..o.h;
            let part = Part { image, lines };
            direct::part::<S>(self.c, self.inputs, &part, self.packed, (out, 0, width));
        }
    }
}
