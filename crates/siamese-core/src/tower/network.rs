//! A network as it runs: chains of the kernels' layers, and what lies between them.

use candle_core::{Module, Result, Tensor};
use candle_nn::{Linear, ModuleT, ops};
use rand::Rng;
use siamese_kernels::{Layer, Precision, Sequential, linear};

#[cfg(feature = "transformers")]
use super::dino_v2::run::Transformer;
use super::drop_block::DropBlock;

/// One step of a network.
pub(crate) enum Step {
    /// A layer of the kernels.
    Kernel(Layer),
    /// What the kernels do not know.
    Op(Op),
}

/// A step that is made of Candle's operations.
#[derive(Clone)]
pub(crate) enum Op {
    /// A fully connected layer over all values of an image.
    Linear(Linear),
    Sigmoid,
    /// The generalised mean over all pixels, with its exponent `(1)`.
    GeneralisedMean(Tensor),
    /// The share of the values that training drops.
    Dropout(f32),
    DropBlock(DropBlock),
    #[cfg(feature = "transformers")]
    Transformer(Transformer),
}

/// A step of a tower as it is used once it is trained, for whoever writes it in another form.
pub enum TowerStep<'a> {
    /// Layers of the kernels, one after another.
    Chain(&'a [Layer]),
    /// A fully connected layer over all values of an image.
    Linear {
        /// (out, in)
        weight: &'a Tensor,
        /// (out)
        bias: Option<&'a Tensor>,
    },
    /// The logistic function of each value.
    Sigmoid,
    /// `(mean (x + 1e-6)ᵖ)^(1/p)` over the pixels of each channel; `p` is of shape (1).
    GeneralisedMean(&'a Tensor),
    /// What has no other form than the one in which it runs, in words.
    Whole(String),
}

/// Steps in their order. Clones share their weights.
#[derive(Clone, Default)]
pub(crate) struct Network {
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Chain(Sequential),
    Op(Op),
}

impl Network {
    /// Neighbouring layers of the kernels become one chain.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let mut parts = Vec::new();
        for step in steps {
            match (step, parts.last_mut()) {
                (Step::Kernel(layer), Some(Part::Chain(chain))) => chain.push(layer),
                (Step::Kernel(layer), _) => parts.push(Part::Chain(Sequential::new(vec![layer]))),
                (Step::Op(op), _) => parts.push(Part::Op(op)),
            }
        }
        Self { parts }
    }

    pub(crate) fn set_precision(&mut self, precision: Precision) {
        for part in &mut self.parts {
            if let Part::Chain(chain) = part {
                chain.set_precision(precision);
            }
        }
    }

    pub(crate) fn prepack(&mut self) {
        for part in &mut self.parts {
            match part {
                Part::Chain(chain) => chain.prepack(),
                #[cfg(feature = "transformers")]
                Part::Op(Op::Transformer(transformer)) => transformer.prepack(),
                Part::Op(_) => (),
            }
        }
    }

    /// Bytes of working memory that training on a CPU keeps for each image like `x`, `(1, C, H, W)`.
    pub(crate) fn kept_bytes(&self, x: &Tensor) -> Result<usize> {
        let (mut x, mut bytes) = (x.clone(), 0);
        for part in &self.parts {
            let input = x;
            (x, bytes) = match part {
                Part::Chain(chain) => {
                    let input = pixels(&input)?;
                    let kept = chain.kept_bytes(&input)?;
                    (chain.forward_t(&input, false)?.detach(), bytes + kept)
                }
                Part::Op(op) => {
                    let output = op.infer(&input)?.detach();
                    let kept = 4 * output.elem_count();
                    (output, bytes + kept)
                }
            };
        }
        Ok(bytes)
    }

    /// What [`Self::infer`] does, step by step.
    pub(crate) fn steps(&self) -> impl Iterator<Item = TowerStep<'_>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Chain(chain) => Some(TowerStep::Chain(chain.layers())),
            Part::Op(op) => op.step(),
        })
    }

    /// As a trained network is used: running statistics, nothing dropped.
    pub(crate) fn infer(&self, x: &Tensor) -> Result<Tensor> {
        let step = |x: Tensor, part: &Part| match part {
            Part::Chain(chain) => chain.forward_t(&pixels(&x)?, false),
            Part::Op(op) => op.infer(&x),
        };
        self.parts.iter().try_fold(x.clone(), step)
    }

    /// As in training: the batch's statistics, masks drawn from `rng`.
    pub(crate) fn train(&self, x: &Tensor, rng: &mut impl Rng) -> Result<Tensor> {
        let step = |x: Tensor, part: &Part| match part {
            Part::Chain(chain) => chain.forward_t(&pixels(&x)?, true),
            Part::Op(Op::Linear(layer)) => {
                linear(&x.flatten_from(1)?, layer.weight(), layer.bias())
            }
            Part::Op(Op::Dropout(share)) => dropout(&x, *share, rng),
            Part::Op(Op::DropBlock(block)) => block.drop(&x, rng),
            Part::Op(op) => op.infer(&x),
        };
        self.parts.iter().try_fold(x.clone(), step)
    }
}

impl Op {
    /// `None` for what only training does.
    fn step(&self) -> Option<TowerStep<'_>> {
        match self {
            Self::Linear(layer) => Some(TowerStep::Linear {
                weight: layer.weight(),
                bias: layer.bias(),
            }),
            Self::Sigmoid => Some(TowerStep::Sigmoid),
            Self::GeneralisedMean(p) => Some(TowerStep::GeneralisedMean(p)),
            Self::Dropout(_) | Self::DropBlock(_) => None,
            #[cfg(feature = "transformers")]
            Self::Transformer(body) => Some(TowerStep::Whole(body.to_string())),
        }
    }

    fn infer(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Linear(layer) => layer.forward(&x.flatten_from(1)?),
            Self::Sigmoid => ops::sigmoid(x),
            Self::GeneralisedMean(p) => generalised_mean(x, p),
            Self::Dropout(_) | Self::DropBlock(_) => Ok(x.clone()),
            #[cfg(feature = "transformers")]
            Self::Transformer(body) => body.infer(x),
        }
    }
}

/// `(B, F)` as images of one pixel, which the kernels take.
fn pixels(x: &Tensor) -> Result<Tensor> {
    match *x.dims() {
        [batch, values] => x.reshape((batch, values, 1, 1)),
        _ => Ok(x.clone()),
    }
}

/// `(B, C, H, W)`, none negative → `(B, C, 1, 1)`
fn generalised_mean(x: &Tensor, p: &Tensor) -> Result<Tensor> {
    let p = p.reshape((1, 1, 1, 1))?;
    // as published: the logarithm of 0 is none
    let powers = (x.contiguous()? + 1e-6)?.log()?.broadcast_mul(&p)?.exp()?;
    let mean = powers.mean_keepdim(3)?.mean_keepdim(2)?;
    mean.log()?.broadcast_div(&p)?.exp()
}

/// Inverted dropout: a share `p` of the values becomes 0, the others grow by 1 / (1 − p).
pub(super) fn dropout(x: &Tensor, p: f32, rng: &mut impl Rng) -> Result<Tensor> {
    if p == 0.0 {
        return Ok(x.clone());
    }
    let kept = 1.0 / (1.0 - p);
    // 16 bits for each value, which tell shares apart well enough
    let mut bytes = vec![0u8; 2 * x.elem_count()];
    rng.fill_bytes(&mut bytes);
    let dropped = (p * 65536.0).round() as u32;
    let draws = bytes
        .as_chunks()
        .0
        .iter()
        .map(|draw| u16::from_le_bytes(*draw));
    let factor = |draw| if u32::from(draw) < dropped { 0.0 } else { kept };
    siamese_kernels::times_constants(x, draws.map(factor).collect())
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn dropout_keeps_the_mean_and_drops_its_share() -> Result<()> {
        let ones = Tensor::ones((100, 100), candle_core::DType::F32, &Device::Cpu)?;
        let dropped = dropout(&ones, 0.25, &mut ChaCha8Rng::seed_from_u64(9))?;
        let values = dropped.flatten_all()?.to_vec1::<f32>()?;
        let zeros = values.iter().filter(|&&v| v == 0.0).count() as f32 / 1e4;
        let mean = values.iter().sum::<f32>() / 1e4;
        assert!(
            (zeros - 0.25).abs() < 0.02 && (mean - 1.0).abs() < 0.03,
            "{zeros} {mean}"
        );
        Ok(())
    }

    #[test]
    fn the_generalised_mean_is_the_mean_for_1_and_nears_the_maximum() -> Result<()> {
        let x = Tensor::new(&[[[[1f32, 3.0, 0.0]], [[4.0, 4.0, 4.0]]]], &Device::Cpu)?;
        let mean = |p: f32| -> Result<Vec<f32>> {
            let p = Tensor::new(&[p], &Device::Cpu)?;
            generalised_mean(&x, &p)?.flatten_all()?.to_vec1()
        };
        // ((1 + 27) / 3)^(1/3)
        for (p, first) in [(1.0, 4.0 / 3.0), (3.0, 2.105), (60.0, 2.946)] {
            let found = mean(p)?;
            assert!(
                (found[0] - first).abs() < 1e-3 && (found[1] - 4.0).abs() < 1e-3,
                "{found:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn the_generalised_mean_has_a_finite_gradient_where_all_is_0() -> Result<()> {
        let x = Var::zeros((1, 2, 2, 3), candle_core::DType::F32, &Device::Cpu)?;
        let p = Var::new(&[3f32], &Device::Cpu)?;
        let grads = generalised_mean(&x, &p)?.sum_all()?.backward()?;
        for var in [&x, &p] {
            let grad = grads.get(var).map(|g| g.flatten_all()?.to_vec1::<f32>());
            let grad = grad.transpose()?.unwrap_or_default();
            assert!(
                !grad.is_empty() && grad.iter().all(|g| g.is_finite()),
                "{grad:?}"
            );
        }
        Ok(())
    }
}
