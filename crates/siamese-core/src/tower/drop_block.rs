//! DropBlock (Ghiasi, Lin and Le 2018): dropout of whole squares of a feature map.

use candle_core::{Result, Tensor};
use rand::Rng;

/// Training sets squares of a feature map to 0, and what is left grows so that the mean stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DropBlock {
    /// Share of the values to drop, about.
    pub(crate) share: f32,
    /// Side of a square, in pixels; smaller where the map is.
    pub(crate) size: usize,
}

impl DropBlock {
    /// `(B, C, H, W)` → the same
    pub(crate) fn drop(&self, x: &Tensor, rng: &mut impl Rng) -> Result<Tensor> {
        if self.share == 0.0 {
            return Ok(x.clone());
        }
        let (b, c, h, w) = x.dims4()?;
        let mut mask = vec![1f32; b * c * h * w];
        mask.chunks_exact_mut(h * w)
            .for_each(|map| self.cut(map, (h, w), rng));
        let kept = mask.iter().map(|&m| f64::from(m)).sum::<f64>();
        let scale = (mask.len() as f64 / kept.max(1.0)) as f32;
        mask.iter_mut().for_each(|m| *m *= scale);
        siamese_kernels::times_constants(x, mask)
    }

    /// Sets squares of one map to 0.
    fn cut(&self, map: &mut [f32], (h, w): (usize, usize), rng: &mut impl Rng) {
        let size = self.size.min(h).min(w);
        let (rows, columns) = (h - size + 1, w - size + 1);
        // γ of the paper: so many corners of squares as drop the share, were no two to overlap
        let gamma = self.share * (h * w) as f32 / (size * size * rows * columns) as f32;
        for corner in 0..rows * columns {
            if rng.random::<f32>() >= gamma {
                continue;
            }
            let (top, left) = (corner / columns, corner % columns);
            for row in top..top + size {
                map[row * w + left..][..size].fill(0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn squares_are_dropped_and_the_mean_stays() -> Result<()> {
        let ones = Tensor::ones((40, 8, 9, 11), DType::F32, &Device::Cpu)?;
        let block = DropBlock {
            share: 0.1,
            size: 3,
        };
        let dropped = block.drop(&ones, &mut ChaCha8Rng::seed_from_u64(4))?;
        let values = dropped.flatten_all()?.to_vec1::<f32>()?;
        let zeros = values.iter().filter(|&&v| v == 0.0).count() as f64 / values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        assert!((0.07..0.11).contains(&zeros), "{zeros}");
        assert!((mean - 1.0).abs() < 1e-5, "{mean}");
        // a map with a hole has at least a square of it
        for map in values.chunks_exact(9 * 11) {
            let holes = map.iter().filter(|&&v| v == 0.0).count();
            assert!(holes == 0 || holes >= 9, "{holes}");
        }
        Ok(())
    }

    #[test]
    fn a_map_smaller_than_a_square_is_dropped_whole_or_not_at_all() -> Result<()> {
        let ones = Tensor::ones((300, 1, 2, 2), DType::F32, &Device::Cpu)?;
        let block = DropBlock {
            share: 0.5,
            size: 5,
        };
        let dropped = block.drop(&ones, &mut ChaCha8Rng::seed_from_u64(4))?;
        let values = dropped.flatten_all()?.to_vec1::<f32>()?;
        let maps = values.chunks_exact(4);
        let holes: Vec<usize> = maps
            .map(|map| map.iter().filter(|&&v| v == 0.0).count())
            .collect();
        assert!(holes.contains(&0) && holes.contains(&4));
        assert!(holes.iter().all(|&h| h == 0 || h == 4));
        Ok(())
    }
}
