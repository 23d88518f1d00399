//! The gradient of a convolution's weights, summed over a few images at a time.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::conv::{Algorithm, algorithm, block, pad_all};
use super::direct;
use super::gemm::{MultiplyTransposed, Pixels, Store, Target, panel};
use super::norm::Affine;
use super::winograd::{self, Tiles};
use crate::plan::ConvStep;
use crate::simd::{Kernel, Level, Simd};

/// Adds a few images' share to the (transformed) weight gradient in `du`.
pub(super) struct WeightGradient<'a> {
    pub(super) c: &'a ConvStep,
    pub(super) x: &'a [f32],
    pub(super) pending: Option<Affine<'a>>,
    pub(super) g: &'a [f32],
    pub(super) v: &'a mut Buffer,
    pub(super) m: &'a mut Buffer,
    pub(super) du: &'a mut [f32],
}

/// Floats that [`WeightGradient`] sums into.
pub(super) fn weight_sums(level: Level, c: &ConvStep) -> usize {
    match algorithm(c) {
        Algorithm::Winograd => {
            Tiles::of(c.output).xi() * c.input.c * c.output.c.next_multiple_of(2 * level.lanes())
        }
        Algorithm::Direct => direct::depth(c) * c.output.c,
    }
}

impl Kernel for WeightGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.c;
        match algorithm(c) {
            Algorithm::Winograd => {
                let all = Tiles::of(c.output).count * (self.g.len() / c.output.len());
                let channels = (c.input.c, c.output.c);
                for first in (0..all).step_by(block(c)) {
                    let count = block(c).min(all - first);
                    let tiles = Tiles {
                        first,
                        count,
                        ..Tiles::of(c.output)
                    };
                    let (size_v, size_m) = (
                        winograd::plane::<S>(count, channels.0),
                        winograd::plane::<S>(count, channels.1),
                    );
                    let xis = tiles.xi();
                    let (v, m) = (self.v.resize(xis * size_v), self.m.resize(xis * size_m));
                    let (x, pending) = (self.x, self.pending);
                    winograd::input_transform(
                        S::LEVEL,
                        (x, c.input),
                        c.padding,
                        tiles,
                        pending,
                        size_v,
                        v,
                    );
                    winograd::gradient_transform(S::LEVEL, self.g, c.output, tiles, size_m, m);
                    let pixels = Pixels {
                        lines: 1,
                        width: count,
                        a_line: 0,
                        a_pixel: winograd::row::<S>(channels.0),
                        g_line: 0,
                        g_pixel: winograd::row::<S>(channels.1),
                    };
                    let size = self.du.len() / xis;
                    for (xi, du) in self.du.chunks_exact_mut(size).enumerate() {
                        let v = (&v[xi * size_v..][..size_v], 0);
                        let d = &m[xi * size_m..][..size_m];
                        for start in (0..channels.1).step_by(panel::<S>()) {
                            let to = Target {
                                start,
                                row: pixels.g_pixel,
                                cols: panel::<S>(),
                            };
                            let d = (d, start);
                            S::LEVEL.run(MultiplyTransposed {
                                a: v,
                                rows: channels.0,
                                g: d,
                                pixels,
                                c: &mut *du,
                                to,
                            });
                        }
                    }
                }
            }
            Algorithm::Direct => {
                let inputs = pad_all(s, c, self.x, self.pending, self.v);
                let size = inputs.len() / (self.x.len() / c.input.len());
                for (input, g) in inputs
                    .chunks_exact(size)
                    .zip(self.g.chunks_exact(c.output.len()))
                {
                    direct::weight_gradient::<S>(c, input, g, self.du);
                }
            }
        }
    }
}

/// Turns the sums of [`WeightGradient`] by Winograd's filters into `(C_out, C_in, 3, 3)`.
pub(super) struct FinishWeights<'a> {
    pub(super) c: &'a ConvStep,
    pub(super) du: &'a [f32],
    pub(super) dw: &'a mut [f32],
}

impl Kernel for FinishWeights<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (ci, co) = (self.c.input.c, self.c.output.c);
        for (i, dw) in self.dw.chunks_mut(S::LANES * ci * 9).enumerate() {
            let first = i * S::LANES;
            S::LEVEL.run(winograd::WeightGradient {
                du: self.du,
                row: winograd::row::<S>(co),
                first,
                side: Tiles::of(self.c.output).side,
                rows: 0..ci,
                channels: (ci, S::LANES.min(co - first)),
                how: Store::Set,
                dw,
            });
        }
    }
}

/// The sums of a direct [`WeightGradient`], `(k, k, C_in, C_out)`, as `(C_out, C_in, k, k)`.
pub(super) fn reorder_weights(c: &ConvStep, du: &[f32]) -> Vec<f32> {
    const COLUMNS: usize = 16;
    let (ci, co, taps) = (c.input.c, c.output.c, c.kernel * c.kernel);
    let mut dw = vec![0.; du.len()];
    dw.par_chunks_mut(COLUMNS * ci * taps)
        .enumerate()
        .for_each(|(block, dw)| {
            let columns = dw.len() / (ci * taps);
            for (i, k) in (0..ci).flat_map(|i| (0..taps).map(move |k| (i, k))) {
                let from = &du[(k * ci + i) * co + block * COLUMNS..][..columns];
                for (j, &x) in from.iter().enumerate() {
                    dw[(j * ci + i) * taps + k] = x;
                }
            }
        });
    dw
}
