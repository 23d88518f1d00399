//! Convolutions of a few images at a time, by Winograd's filters or directly.

use super::buffer::Buffer;
use super::chunks;
use super::direct;
use super::gemm::{Multiply, Rows, Store, Target, panel};
use super::norm::{Affine, Moments};
use super::winograd::{self, Order, Tiles};
use crate::plan::ConvStep;
use crate::simd::{Kernel, Simd};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Algorithm {
    Winograd,
    Direct,
}

/// Fewest channels on either side for which Winograd's transforms pay.
const WINOGRAD_CHANNELS: usize = 16;

pub(super) fn algorithm(c: &ConvStep) -> Algorithm {
    let small = c.input.c.min(c.output.c) < WINOGRAD_CHANNELS;
    if c.kernel != 3 || c.stride != 1 || c.padding > 2 || small {
        return Algorithm::Direct;
    }
    Algorithm::Winograd
}

/// Weights from which a direct convolution runs in few large chunks, to read them less often.
const HEAVY: usize = 1 << 16;
const HEAVY_CHUNKS: usize = 8;

/// Images per chunk of the batch.
pub(super) fn per_chunk(c: &ConvStep, batch: usize) -> usize {
    let heavy = direct::depth(c) * c.output.c >= HEAVY;
    match algorithm(c) {
        Algorithm::Direct if heavy => batch.div_ceil(HEAVY_CHUNKS),
        _ => chunks::per_chunk(batch),
    }
}

/// Channels in times out from which a convolution runs wide, see [`super::wide`].
const WIDE_WEIGHTS: usize = 256 * 256;
/// Tiles that a chunk of the batch needs, not to run wide.
const CHUNK_TILES: usize = 32;
/// Images that a batch needs, not to run wide: fewer are too few tasks.
const CHUNK_IMAGES: usize = 3;

/// Whether many images are transformed together rather than each chunk on its own.
pub(super) fn is_wide(c: &ConvStep, batch: usize) -> bool {
    let few =
        batch < CHUNK_IMAGES || Tiles::of(c.output).count * chunks::per_chunk(batch) < CHUNK_TILES;
    algorithm(c) == Algorithm::Winograd && (few || c.input.c * c.output.c >= WIDE_WEIGHTS)
}

/// Images to run at once: enough tiles to use each transformed weight often, few enough for the cache.
pub(super) fn group(c: &ConvStep) -> usize {
    let most = match algorithm(c) {
        Algorithm::Winograd => block(c) / Tiles::of(c.output).count.max(1),
        Algorithm::Direct => (1 << 17) / (direct::padded(c).len() + c.output.len()),
    };
    most.max(1)
}

/// Tiles that are transformed, multiplied and transformed back together.
pub(super) fn block(c: &ConvStep) -> usize {
    (4096 / c.input.c.max(c.output.c)).clamp(32, 128)
}

/// `y = conv(x)` for a few images.
pub(super) struct Forward<'a> {
    pub(super) c: &'a ConvStep,
    pub(super) packed: &'a [f32],
    pub(super) x: &'a [f32],
    /// A norm to apply to `x` as it is read.
    pub(super) pending: Option<Affine<'a>>,
    pub(super) y: &'a mut [f32],
    /// Where to add each channel's sum and sum of squares `(2, C_out)`, if anywhere.
    pub(super) moments: Option<&'a mut [f64]>,
    pub(super) v: &'a mut Buffer,
    pub(super) m: &'a mut Buffer,
    pub(super) sums: &'a mut Buffer,
}

impl Kernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.c;
        let co = c.output.c;
        match algorithm(c) {
            Algorithm::Winograd => {
                let stride = winograd::row::<S>(co);
                let wanted = if self.moments.is_some() {
                    2 * stride
                } else {
                    0
                };
                let sums = self.sums.zeros(wanted);
                let pass = Pass {
                    from: c.input,
                    to: c.output,
                    padding: c.padding,
                    block: block(c),
                    packed: self.packed,
                    pending: self.pending,
                    how: Store::Set,
                };
                pass.run::<S>(self.x, self.y, sums, self.v, self.m);
                if let Some(moments) = self.moments {
                    fold(&mut moments[..co], &sums[..co]);
                    fold(&mut moments[co..], &sums[stride..stride + co]);
                }
            }
            Algorithm::Direct => {
                let inputs = pad_all(s, c, self.x, self.pending, self.v);
                direct::forward::<S>(c, inputs, self.packed, self.y);
                if let Some(moments) = self.moments {
                    let sums = self.sums.zeros(3 * co);
                    let (pivot, sums) = sums.split_at_mut(co);
                    let (x, pivot) = (&*self.y, &*pivot);
                    Moments { x, pivot, sums }.run(s);
                    fold(moments, sums);
                }
            }
        }
    }
}

/// Adds f32 sums of a few images to f64 sums of the batch.
pub(super) fn fold(to: &mut [f64], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, &x)| *to += x as f64);
}

/// Padded copies of the images, or the images themselves where no padding is needed.
#[inline(always)]
pub(super) fn pad_all<'a, S: Simd>(
    s: S,
    c: &ConvStep,
    x: &'a [f32],
    pending: Option<Affine<'_>>,
    v: &'a mut Buffer,
) -> &'a [f32] {
    if !direct::needs_padding(c, pending.is_some()) {
        return x;
    }
    let size = direct::padded(c).len();
    let v = v.resize(x.len() / c.input.len() * size);
    for (image, out) in x.chunks_exact(c.input.len()).zip(v.chunks_exact_mut(size)) {
        direct::pad(s, c, image, pending, out);
    }
    v
}

/// A Winograd convolution, forward or back: only shapes, padding and weights differ.
struct Pass<'a> {
    from: crate::plan::Dims,
    to: crate::plan::Dims,
    padding: usize,
    block: usize,
    packed: &'a [f32],
    pending: Option<Affine<'a>>,
    how: Store,
}

impl Pass<'_> {
    #[inline(always)]
    fn run<S: Simd>(
        &self,
        x: &[f32],
        y: &mut [f32],
        sums: &mut [f32],
        v: &mut Buffer,
        m: &mut Buffer,
    ) {
        let all = Tiles::of(self.to).count * (y.len() / self.to.len());
        let channels = (self.from.c, self.to.c);
        for first in (0..all).step_by(self.block) {
            let count = self.block.min(all - first);
            let tiles = Tiles {
                first,
                count,
                ..Tiles::of(self.to)
            };
            let (size_v, size_m) = (
                winograd::plane::<S>(count, channels.0),
                winograd::plane::<S>(count, channels.1),
            );
            let xis = tiles.xi();
            let (v, m) = (v.resize(xis * size_v), m.resize(xis * size_m));
            let input = (x, self.from);
            winograd::input_transform(
                S::LEVEL,
                input,
                self.padding,
                tiles,
                self.pending,
                size_v,
                v,
            );
            let width = panel::<S>();
            let left = Rows::dense(0, winograd::row::<S>(channels.0), channels.0);
            let row = winograd::row::<S>(channels.1);
            let planes = v.chunks_exact(size_v).zip(m.chunks_exact_mut(size_m));
            for (xi, (v, m)) in planes.enumerate() {
                for (index, start) in (0..channels.1).step_by(width).enumerate() {
                    let at = (index * xis + xi) * channels.0 * width;
                    let to = Target {
                        start,
                        row,
                        cols: width,
                    };
                    S::LEVEL.run(Multiply {
                        a: v,
                        left,
                        rows: count,
                        b: (self.packed, at),
                        how: Store::Set,
                        c: &mut *m,
                        to,
                    });
                }
            }
            let order = Order {
                first: 0,
                row,
                plane: size_m,
                panel: width,
            };
            let m = (&*m, order);
            winograd::output_transform(S::LEVEL, m, self.to, tiles, self.how, y, sums);
        }
    }
}

/// The gradient of a few images' input, put into or added to `dx`.
pub(super) struct InputGradient<'a> {
    pub(super) c: &'a ConvStep,
    pub(super) packed: &'a [f32],
    pub(super) g: &'a [f32],
    pub(super) add: bool,
    pub(super) dx: &'a mut [f32],
    pub(super) v: &'a mut Buffer,
    pub(super) m: &'a mut Buffer,
}

impl Kernel for InputGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.c;
        match algorithm(c) {
            Algorithm::Winograd => {
                let pass = Pass {
                    from: c.output,
                    to: c.input,
                    padding: 2 - c.padding,
                    block: block(c),
                    packed: self.packed,
                    pending: None,
                    how: if self.add { Store::Add } else { Store::Set },
                };
                pass.run::<S>(self.g, self.dx, &mut [], self.v, self.m);
            }
            Algorithm::Direct => {
                let (images, size) = (self.g.len() / c.output.len(), direct::padded(c).len());
                let unrolled = self.m.resize(direct::unrolled(c, images));
                let padded = self.v.zeros(images * size);
                direct::input_gradient(s, c, self.g, self.packed, unrolled, padded);
                let all = self.dx.chunks_exact_mut(c.input.len());
                for (dx, padded) in all.zip(padded.chunks_exact(size)) {
                    direct::unpad(s, c, padded, self.add, dx);
                }
            }
        }
    }
}
