//! Winograd's minimal filtering (Lavin and Gray 2016): a 3×3 convolution of stride 1 with a fraction of the
//! multiplications, a quarter by F(4×4, 3×3).
//!
//! An M×M tile of the output is `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A` with `d` the N×N input around it, `N = M + 2`. Over
//! many tiles each of the N² products is a matrix product over channels. The weight gradient is
//! `Gᵀ[Σ (Bᵀ d B) ⊙ (A y Aᵀ)]G`, summed over the tiles.
//!
//! Tiles of side 4 save the most, where they cover the output; of a 2×2, 3×3 or 6×6 output smaller ones waste less.

mod filter;
mod tiles;
mod weights;

pub(crate) use tiles::{Order, gradient_transform, input_transform, output_transform};
pub(crate) use weights::{Direction, PackWeights, WeightGradient};

use super::gemm::panel;
use crate::plan::Dims;
use crate::simd::Simd;

/// A run of tiles: numbered along lines, lines down the image, images one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// Tiles per line and lines per image.
    pub(crate) across: usize,
    pub(crate) down: usize,
    /// Pixels of the output on either side of a tile.
    pub(crate) side: usize,
}

impl Tiles {
    /// Tiles in an image of `output` shape: of the sides that there are, that of the fewest products.
    pub(crate) fn of(output: Dims) -> Self {
        let of_side = |side: usize| {
            let (across, down) = (output.w.div_ceil(side), output.h.div_ceil(side));
            Self {
                first: 0,
                count: across * down,
                across,
                down,
                side,
            }
        };
        let [four, three, two] = [4, 3, 2].map(of_side);
        let products = |tiles: &Self| tiles.count * tiles.xi();
        let better = |one: Self, other: Self| match products(&other) < products(&one) {
            true => other,
            false => one,
        };
        better(better(four, three), two)
    }

    /// Elements of a transformed tile.
    pub(crate) fn xi(&self) -> usize {
        (self.side + 2) * (self.side + 2)
    }

    pub(crate) fn per_image(&self) -> usize {
        self.across * self.down
    }

    /// Image, and the upper left output pixel, of the `i`-th tile of the run.
    #[inline(always)]
    fn place(&self, i: usize) -> (usize, usize, usize) {
        let t = self.first + i;
        let (image, t) = (t / self.per_image(), t % self.per_image());
        (
            image,
            t / self.across * self.side,
            t % self.across * self.side,
        )
    }
}

/// Calls `$work::<S, Filter, M, N>` for tiles of side `$side`.
macro_rules! by_side {
    ($side:expr, $work:ident($($arg:expr),*)) => {
        match $side {
            2 => $work::<S, Side2, 2, 4>($($arg),*),
            3 => $work::<S, Side3, 3, 5>($($arg),*),
            _ => $work::<S, Side4, 4, 6>($($arg),*),
        }
    };
}
use by_side;

/// Floats between rows of a transformed matrix with `c` channels.
#[inline(always)]
pub(crate) fn row<S: Simd>(c: usize) -> usize {
    c.next_multiple_of(panel::<S>())
}

/// Floats between the transformed matrices of `tiles` rows: a cache line more than they need,
/// so that their lines do not fall into the same set.
#[inline(always)]
pub(crate) fn plane<S: Simd>(tiles: usize, c: usize) -> usize {
    tiles * row::<S>(c) + 16
}
