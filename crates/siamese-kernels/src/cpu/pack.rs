//! A convolution's weights in the order in which its products read them.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::conv::{Algorithm, algorithm};
use super::direct;
use super::winograd::{Direction, PackWeights, Tiles};
use crate::plan::ConvStep;
use crate::simd::{Kernel, Level, Simd};

/// Floats of one packed panel, and how many panels there are.
fn panels(
    c: &ConvStep,
    algorithm: Algorithm,
    direction: Direction,
    width: usize,
) -> (usize, usize) {
    let xi = |to| Tiles::of(to).xi();
    let (rows, columns) = match (algorithm, direction) {
        (Algorithm::Winograd, Direction::Forward) => (xi(c.output) * c.input.c, c.output.c),
        (Algorithm::Winograd, Direction::Backward) => (xi(c.input) * c.output.c, c.input.c),
        (Algorithm::Direct, Direction::Forward) => (direct::depth(c), c.output.c),
        (Algorithm::Direct, Direction::Backward) => (c.output.c, direct::depth(c)),
    };
    (rows * width, columns.div_ceil(width))
}

/// Weights in the order in which a convolution reads them, each output channel times `scale`.
pub(super) fn pack(
    level: Level,
    c: &ConvStep,
    w: &[f32],
    scale: &[f32],
    direction: Direction,
    packed: &mut Buffer,
) {
    pack_for(algorithm(c), level, c, (w, scale), direction, packed);
}

/// As [`pack`], for an algorithm that is not the usual one.
pub(super) fn pack_for(
    algorithm: Algorithm,
    level: Level,
    c: &ConvStep,
    (w, scale): (&[f32], &[f32]),
    direction: Direction,
    packed: &mut Buffer,
) {
    let (size, count) = panels(c, algorithm, direction, 2 * level.lanes());
    let packed = packed.resize(size * count);
    packed
        .par_chunks_mut(size)
        .enumerate()
        .for_each(|(index, out)| {
            level.run(Pack {
                c,
                algorithm,
                w,
                scale,
                direction,
                index,
                out,
            })
        });
}

struct Pack<'a> {
    c: &'a ConvStep,
    algorithm: Algorithm,
    w: &'a [f32],
    scale: &'a [f32],
    direction: Direction,
    index: usize,
    out: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (c, index) = (self.c, self.index);
        let channels = (c.input.c, c.output.c);
        match (self.algorithm, self.direction) {
            (Algorithm::Winograd, direction) => {
                let (rows, to) = match direction {
                    Direction::Forward => (0..c.input.c, c.output),
                    Direction::Backward => (0..c.output.c, c.input),
                };
                S::LEVEL.run(PackWeights {
                    w: self.w,
                    channels,
                    side: Tiles::of(to).side,
                    direction,
                    scale: self.scale,
                    index,
                    rows,
                    u: self.out,
                })
            }
            (Algorithm::Direct, Direction::Forward) => {
                direct::pack_weights::<S>(c, self.w, self.scale, index, self.out)
            }
            (Algorithm::Direct, Direction::Backward) => {
                direct::pack_transposed::<S>(c, self.w, index, self.out)
            }
        }
    }
}
