//! Initial weights, drawn from a seed: Candle's CPU device cannot be seeded.

use candle_core::{Result, Shape};
use candle_nn::init::{Init, NormalOrUniform};
use rand::{Rng, SeedableRng, distr::Uniform};
use rand_chacha::ChaCha8Rng;
use rand_distr::Normal;

/// Values for one parameter, a function of the seed, its name and its shape alone.
pub(crate) fn draw(init: Init, shape: &Shape, seed: u64, name: &str) -> Result<Vec<f32>> {
    let count = shape.elem_count();
    let mut rng = stream(seed, name);
    let mut normal = |mean: f64, std: f64| -> Result<Vec<f32>> {
        let normal = Normal::new(mean, std).map_err(candle_core::Error::wrap)?;
        Ok((0..count).map(|_| rng.sample(normal) as f32).collect())
    };
    match init {
        Init::Const(value) => Ok(vec![value as f32; count]),
        Init::Randn { mean, stdev } => normal(mean, stdev),
        Init::Uniform { lo, up } => uniform(seed, name, lo, up, count),
        Init::Kaiming {
            dist,
            fan,
            non_linearity,
        } => {
            let std = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
            match dist {
                NormalOrUniform::Normal => normal(0.0, std),
                NormalOrUniform::Uniform => {
                    let bound = 3f64.sqrt() * std;
                    uniform(seed, name, -bound, bound, count)
                }
            }
        }
    }
}

fn uniform(seed: u64, name: &str, low: f64, high: f64, count: usize) -> Result<Vec<f32>> {
    let range = Uniform::new_inclusive(low, high).map_err(candle_core::Error::wrap)?;
    let mut rng = stream(seed, name);
    Ok((0..count).map(|_| rng.sample(range) as f32).collect())
}

/// The stream of a parameter: ChaCha8 keyed by the seed and the hash of the name.
fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut hash = Fnv::default();
    hash.write(name.as_bytes());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(hash.0);
    rng
}

/// The 64-bit FNV-1a hash: the same on every machine and in every version.
pub(crate) struct Fnv(pub(crate) u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::init::DEFAULT_KAIMING_NORMAL;

    #[test]
    fn the_same_seed_and_name_give_the_same_weights() -> Result<()> {
        let shape = Shape::from((4, 3, 3, 3));
        let draw = |seed, name| draw(DEFAULT_KAIMING_NORMAL, &shape, seed, name);
        assert_eq!(draw(1, "a")?, draw(1, "a")?);
        assert_ne!(draw(1, "a")?, draw(1, "b")?);
        assert_ne!(draw(1, "a")?, draw(2, "a")?);
        Ok(())
    }

    #[test]
    fn kaiming_weights_have_the_deviation_that_their_fan_in_asks_for() -> Result<()> {
        let shape = Shape::from((64, 32, 3, 3));
        let weights = draw(DEFAULT_KAIMING_NORMAL, &shape, 7, "w")?;
        let variance = weights.iter().map(|w| w * w).sum::<f32>() / weights.len() as f32;
        let expected = 2.0 / (32.0 * 9.0);
        assert!((variance / expected - 1.0).abs() < 0.05, "{variance}");
        Ok(())
    }
}
