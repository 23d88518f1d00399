//! Winograd's convolution over many images at once, parallel within each of its steps.
//!
//! Where weights are large or images small, a chunk of the batch has too few tiles to use each
//! transformed weight often. Here the tiles of many images are transformed first; then each panel
//! of channels is a task that transforms its weights, in cache, and multiplies all tiles with them.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, Scratch, Scratches};
use super::conv::fold;
use super::gemm::{self, Pixels, Rows, Store, Target, panel};
use super::norm::Affine;
use super::winograd::{self, Direction, Order, PackWeights, Tiles};
use crate::plan::{ConvStep, Dims};
use crate::simd::{Kernel, Level, Simd};

/// Tiles that one task transforms.
const BLOCK: usize = 16;
/// Floats of transformed tiles held at once; few in tests, so that batches are cut there too.
const HELD: usize = if cfg!(test) { 1 << 17 } else { 6 << 20 };
/// Rows of a panel whose transforms are held at once: for AVX-512 at most 1.1 MiB.
const DEPTH: usize = if cfg!(test) { 48 } else { 256 };

/// Transformed tiles, kept for reuse.
#[derive(Debug, Default)]
pub(super) struct Space {
    v: Buffer,
    m: Buffer,
    other: Buffer,
}

impl Space {
    /// Memory for whoever else needs some.
    pub(super) fn buffers(&mut self) -> [&mut Buffer; 3] {
        [&mut self.v, &mut self.m, &mut self.other]
    }
}

/// Images whose transformed tiles are held at once.
pub(super) fn images_at_once(c: &ConvStep) -> usize {
    let products = |d| Tiles::of(d).count * Tiles::of(d).xi();
    let per_image = products(c.output).max(products(c.input));
    (HELD / ((c.input.c + c.output.c) * per_image)).max(1)
}

/// A convolution forward, or back from an output's gradient to the input's.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) c: &'a ConvStep,
    pub(super) weight: &'a [f32],
    /// The weights as [`pack`](super::pack::pack) gives them, where that was done before.
    pub(super) packed: Option<&'a [f32]>,
    pub(super) direction: Direction,
    pub(super) pending: Option<Affine<'a>>,
    pub(super) how: Store,
}

impl Pass<'_> {
    fn from(&self) -> Dims {
        match self.direction {
            Direction::Forward => self.c.input,
            Direction::Backward => self.c.output,
        }
    }

    fn to(&self) -> Dims {
        match self.direction {
            Direction::Forward => self.c.output,
            Direction::Backward => self.c.input,
        }
    }

    fn padding(&self) -> usize {
        match self.direction {
            Direction::Forward => self.c.padding,
            Direction::Backward => 2 - self.c.padding,
        }
    }
}

/// `y = conv(x)` for the images of `x`; `moments`, if not empty, receives `(2, C)` sums per image.
pub(super) fn convolve(
    level: Level,
    pass: &Pass<'_>,
    x: &[f32],
    y: &mut [f32],
    moments: &mut [f64],
    space: &mut Space,
    scratches: &Scratches,
) {
    let (from, to, width) = (pass.from(), pass.to(), 2 * level.lanes());
    let tiles = all_tiles(to, y.len() / to.len());
    let v = space
        .v
        .resize(blocks(tiles) * tiles.xi() * block_plane(level, from.c));
    transform(
        level,
        (x, from),
        Some(pass.padding()),
        tiles,
        pass.pending,
        v,
    );
    let order = Order {
        first: 0,
        row: width,
        plane: tiles.count * width + 16,
        panel: tiles.xi() * (tiles.count * width + 16),
    };
    let m = space.m.resize(to.c.div_ceil(width) * order.panel);
    let v = &*v;
    m.par_chunks_exact_mut(order.panel)
        .enumerate()
        .for_each(|(index, m)| {
            scratches.with(|scratch| {
                level.run(Multiply {
                    pass,
                    tiles,
                    v,
                    index,
                    plane: order.plane,
                    m,
                    scratch,
                })
            })
        });
    let m = &*m;
    let how = pass.how;
    let output = |first: usize, y: &mut [f32], moments: &mut [f64]| {
        let h = y.len() / (to.w * to.c);
        let down = h.div_ceil(tiles.side);
        scratches.with(|scratch| {
            level.run(Output {
                d: Dims { h, ..to },
                tiles: Tiles {
                    count: tiles.across * down,
                    down,
                    ..tiles
                },
                how,
                m,
                order: Order { first, ..order },
                y,
                moments,
                sums: &mut scratch.sums,
            })
        })
    };
    let images = y.par_chunks_exact_mut(to.len());
    if !moments.is_empty() {
        let images = images.zip(moments.par_chunks_exact_mut(2 * to.c));
        images
            .enumerate()
            .for_each(|(i, (y, moments))| output(i * tiles.per_image(), y, moments));
        return;
    }
    images.enumerate().for_each(|(i, y)| {
        let lines = y.par_chunks_mut(tiles.side * to.w * to.c).enumerate();
        lines.for_each(|(k, y)| output((i * tiles.down + k) * tiles.across, y, &mut []));
    });
}

fn all_tiles(d: Dims, images: usize) -> Tiles {
    let one = Tiles::of(d);
    Tiles {
        count: one.count * images,
        ..one
    }
}

fn blocks(tiles: Tiles) -> usize {
    tiles.count.div_ceil(BLOCK)
}

/// Floats between the planes of a block of tiles.
fn block_plane(level: Level, c: usize) -> usize {
    BLOCK * c.next_multiple_of(2 * level.lanes()) + 16
}

/// Transforms all tiles of images, in blocks `(block, N², tile, c)`; without padding given, as
/// gradients of an output.
fn transform(
    level: Level,
    (images, d): (&[f32], Dims),
    padding: Option<usize>,
    tiles: Tiles,
    pending: Option<Affine<'_>>,
    v: &mut [f32],
) {
    let plane = block_plane(level, d.c);
    v.par_chunks_exact_mut(tiles.xi() * plane)
        .enumerate()
        .for_each(|(block, v)| {
            let first = block * BLOCK;
            let tiles = Tiles {
                first,
                count: BLOCK.min(tiles.count - first),
                ..tiles
            };
            match padding {
                Some(padding) => {
                    let images = (images, d);
                    winograd::input_transform(level, images, padding, tiles, pending, plane, v)
                }
                None => winograd::gradient_transform(level, images, d, tiles, plane, v),
            }
        });
}

/// All tiles times one panel of the weights.
struct Multiply<'a> {
    pass: &'a Pass<'a>,
    tiles: Tiles,
    v: &'a [f32],
    index: usize,
    plane: usize,
    m: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl Kernel for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (pass, c) = (self.pass, self.pass.c);
        let (tiles, xis) = (self.tiles.count, self.tiles.xi());
        let (from, width) = (pass.from().c, panel::<S>());
        let row = winograd::row::<S>(from);
        let block_plane = BLOCK * row + 16;
        for start in (0..from).step_by(DEPTH) {
            let depth = DEPTH.min(from - start);
            let (weights, at, step) = match pass.packed {
                Some(packed) => {
                    let row = self.index * xis * from + start;
                    (packed, row * width, from * width)
                }
                None => {
                    let u = self.scratch.du.resize(xis * depth * width);
                    S::LEVEL.run(PackWeights {
                        w: pass.weight,
                        channels: (c.input.c, c.output.c),
                        side: self.tiles.side,
                        direction: pass.direction,
                        scale: &[],
                        index: self.index,
                        rows: start..start + depth,
                        u: &mut *u,
                    });
                    (&*u, 0, depth * width)
                }
            };
            let how = if start == 0 { Store::Set } else { Store::Add };
            for xi in 0..xis {
                for (block, first) in (0..tiles).step_by(BLOCK).enumerate() {
                    let left = Rows::dense((block * xis + xi) * block_plane + start, row, depth);
                    let to = Target {
                        start: xi * self.plane + first * width,
                        row: width,
                        cols: width,
                    };
                    S::LEVEL.run(gemm::Multiply {
                        a: self.v,
                        left,
                        rows: BLOCK.min(tiles - first),
                        b: (weights, at + xi * step),
                        how,
                        c: &mut *self.m,
                        to,
                    });
                }
            }
        }
    }
}

struct Output<'a> {
    d: Dims,
    tiles: Tiles,
    how: Store,
    m: &'a [f32],
    order: Order,
    y: &'a mut [f32],
    moments: &'a mut [f64],
    sums: &'a mut Buffer,
}

impl Kernel for Output<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let c = self.d.c;
        let stride = winograd::row::<S>(c);
        let sums = self.sums.zeros(if self.moments.is_empty() {
            0
        } else {
            2 * stride
        });
        let m = (self.m, self.order);
        winograd::output_transform(S::LEVEL, m, self.d, self.tiles, self.how, self.y, sums);
        if !self.moments.is_empty() {
            fold(&mut self.moments[..c], &sums[..c]);
            fold(&mut self.moments[c..], &sums[stride..stride + c]);
        }
    }
}

/// Adds these images' share to the weight gradient `dw`; `x` may have a norm pending.
pub(super) fn weight_gradient(
    level: Level,
    c: &ConvStep,
    (x, pending): (&[f32], Option<Affine<'_>>),
    g: &[f32],
    dw: &mut [f32],
    space: &mut Space,
    scratches: &Scratches,
) {
    let tiles = all_tiles(c.output, g.len() / c.output.len());
    let v = space
        .v
        .resize(blocks(tiles) * tiles.xi() * block_plane(level, c.input.c));
    transform(level, (x, c.input), Some(c.padding), tiles, pending, v);
    let d = space
        .m
        .resize(blocks(tiles) * tiles.xi() * block_plane(level, c.output.c));
    transform(level, (g, c.output), None, tiles, None, d);
    let (v, d) = (&*v, &*d);
    let size = 2 * level.lanes() * c.input.c * 9;
    dw.par_chunks_mut(size).enumerate().for_each(|(index, dw)| {
        scratches.with(|scratch| {
            let sum = Sum {
                c,
                tiles,
                v,
                d,
                index,
            };
            level.run(MultiplyTransposed { sum, dw, scratch })
        })
    });
}

/// A sum over tiles of products of transformed inputs with a panel of transformed gradients.
#[derive(Clone, Copy)]
struct Sum<'a> {
    c: &'a ConvStep,
    tiles: Tiles,
    v: &'a [f32],
    d: &'a [f32],
    index: usize,
}

/// One panel of the weight gradient.
struct MultiplyTransposed<'a> {
    sum: Sum<'a>,
    dw: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl Kernel for MultiplyTransposed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (sum, c, width) = (self.sum, self.sum.c, panel::<S>());
        let (ci, co) = (c.input.c, c.output.c);
        for start in (0..ci).step_by(DEPTH) {
            let rows = start..ci.min(start + DEPTH);
            let du = self.scratch.du.zeros(sum.tiles.xi() * rows.len() * width);
            for (xi, du) in du.chunks_exact_mut(rows.len() * width).enumerate() {
                sum_tiles::<S>(sum, xi, rows.clone(), du);
            }
            for (half, dw) in self.dw.chunks_mut(S::LANES * ci * 9).enumerate() {
                let first = half * S::LANES;
                S::LEVEL.run(winograd::WeightGradient {
                    du: &*du,
                    row: width,
                    first,
                    side: sum.tiles.side,
                    rows: rows.clone(),
                    channels: (ci, S::LANES.min(co - sum.index * width - first)),
                    how: Store::Add,
                    dw,
                });
            }
        }
    }
}

/// `du += vᵀ · d` over all tiles, for some rows and one panel of columns.
#[inline(always)]
fn sum_tiles<S: Simd>(work: Sum<'_>, xi: usize, rows: Range<usize>, du: &mut [f32]) {
    let width = panel::<S>();
    let row = (
        winograd::row::<S>(work.c.input.c),
        winograd::row::<S>(work.c.output.c),
    );
    let plane = (BLOCK * row.0 + 16, BLOCK * row.1 + 16);
    let (tiles, xis) = (work.tiles.count, work.tiles.xi());
    let (whole, rest) = (tiles / BLOCK, tiles % BLOCK);
    for (block, lines, tiles) in [(0, whole, BLOCK), (whole, 1, rest)] {
        if lines * tiles == 0 {
            continue;
        }
        let pixels = Pixels {
            lines,
            width: tiles,
            a_line: xis * plane.0,
            a_pixel: row.0,
            g_line: xis * plane.1,
            g_pixel: row.1,
        };
        let v = (block * xis + xi) * plane.0 + rows.start;
        let d = (block * xis + xi) * plane.1 + work.index * width;
        let to = Target {
            start: 0,
            row: width,
            cols: width,
        };
        S::LEVEL.run(gemm::MultiplyTransposed {
            a: (work.v, v),
            rows: rows.len(),
            g: (work.d, d),
            pixels,
            c: &mut *du,
            to,
        });
    }
}
