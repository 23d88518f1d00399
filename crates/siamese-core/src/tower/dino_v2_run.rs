//! How DINOv2 runs: candle-transformers' model, given weights so that it computes what its authors' and timm's does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Module, Result, Shape, Tensor, bail};
use candle_nn::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};
use candle_transformers::models::dinov2::DinoVisionTransformer;
use rayon::prelude::*;

use super::{DinoV2, Tokens};
use crate::tower::layers::Layers;
use crate::tower::network::{Op, Step};

/// What the residual stream is multiplied by, √10: candle's LayerNorms add 1e-5 to a variance, where the published
/// weights are for 1e-6, and `(10·var + 1e-5) / 10` is `var + 1e-6`. Every sum is of such multiples, and the LayerNorms
/// that read it do not see the factor.
const STREAM: f64 = 3.162_277_660_168_379_5;

/// A transformer that is used and not trained. Clones share their weights.
#[derive(Clone)]
pub(crate) struct Transformer {
    config: DinoV2,
    /// Patches along a side of an image.
    side: usize,
    weights: Arc<HashMap<String, Tensor>>,
    /// What runs, where the weights will not change any more.
    kept: Option<Arc<OnceLock<DinoVisionTransformer>>>,
}

pub(super) fn add(
    config: DinoV2,
    side: usize,
    weights: Vec<(String, Tensor)>,
    layers: &mut Layers,
) -> Result<()> {
    layers.list.push(Step::Op(Op::Transformer(Transformer {
        config,
        side,
        weights: Arc::new(weights.into_iter().collect()),
        kept: None,
    })));
    Ok(())
}

impl Transformer {
    /// See [`Tower::prepack`](crate::Tower::prepack).
    pub(crate) fn prepack(&mut self) {
        self.kept = Some(Arc::default());
    }

    /// Images `(B, 3, H, H)` → features `(B, F)`, without a graph.
    ///
    /// On a CPU image by image, so that they are spread over the cores and have the same bits in any company.
    pub(crate) fn infer(&self, images: &Tensor) -> Result<Tensor> {
        let images = images.detach().contiguous()?;
        let batch = images.dim(0)?;
        if !images.device().is_cpu() {
            return self.network(batch)?.forward(&images);
        }
        let lasting = self.kept.as_deref();
        let made;
        let network = match lasting.map(|kept| (kept, kept.get())) {
            Some((_, Some(network))) => network,
            Some((kept, None)) => {
                let network = self.network(1)?;
                kept.get_or_init(|| network)
            }
            None => {
                made = self.network(1)?;
                &made
            }
        };
        let one = |i| network.forward(&images.narrow(0, i, 1)?);
        let features: Vec<Tensor> = (0..batch).into_par_iter().map(one).collect::<Result<_>>()?;
        Tensor::cat(&features, 0)
    }

    /// candle-transformers' model with these weights, for so many images at once.
    fn network(&self, batch: usize) -> Result<DinoVisionTransformer> {
        let (width, blocks, heads) = self.config.size.dims();
        let class = self.weight("cls_token")?;
        let device = class.device().clone();
        let weights = Weights {
            batch,
            of: self.clone(),
        };
        let vb = VarBuilder::from_backend(Box::new(weights), DType::F32, device);
        DinoVisionTransformer::new(vb, blocks, width, heads)
    }

    /// As it is in the file, without a graph.
    fn weight(&self, name: &str) -> Result<Tensor> {
        match self.weights.get(name) {
            Some(tensor) => Ok(tensor.detach()),
            None => bail!("DINOv2 has no tensor {name}"),
        }
    }

    /// `(1, 1 + side², D)`: the class token's, then the patches' brought from G×G to side×side as timm does it.
    fn positions(&self) -> Result<Tensor> {
        let all = self.weight("pos_embed")?;
        let (from, to) = (self.config.positions, self.side);
        if from == to {
            return Ok(all);
        }
        let width = all.dim(2)?;
        let class = all.narrow(1, 0, 1)?;
        let patches = all.narrow(1, 1, from * from)?;
        let resample = Tensor::from_vec(bicubic(from, to), (to, from), all.device())?;
        let rows = resample.matmul(&patches.reshape((from, from * width))?)?;
        let resample = resample.unsqueeze(0)?.expand((to, to, from))?;
        let both = resample
            .contiguous()?
            .matmul(&rows.reshape((to, from, width))?)?;
        Tensor::cat(&[class, both.reshape((1, to * to, width))?], 1)
    }

    /// What candle calls its classifier: here the features, taken out of `class ++ mean of the patches`.
    fn features(&self, device: &Device) -> Result<Tensor> {
        let (width, ..) = self.config.size.dims();
        let picks = Tensor::eye(2 * width, DType::F32, device)?;
        match self.config.tokens {
            Tokens::Class => picks.narrow(0, 0, width)?.contiguous(),
            Tokens::ClassAndMean => Ok(picks),
        }
    }
}

impl fmt::Display for Transformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.config)
    }
}

/// What candle-transformers' model is given in place of the file's tensors.
///
/// As it stands (0.11.1) it takes single images of 518 pixels, brings the positions to other sizes by nearest neighbours,
/// demands a classifier that the published files lack, and adds 1e-5 where they were made with 1e-6. All of that is in
/// what it asks a builder for, and is put right here. Its GELU is the tanh approximation; that stays, and moves an
/// embedding by less than a thousandth of its largest value (`tests/golden/dino_v2.py`).
struct Weights {
    batch: usize,
    of: Transformer,
}

impl Weights {
    fn repeated(&self, tokens: &Tensor) -> Result<Tensor> {
        let (_, count, width) = tokens.dims3()?;
        let tokens = (tokens * STREAM)?;
        tokens.expand((self.batch, count, width))?.contiguous()
    }
}

impl SimpleBackend for Weights {
    fn get(&self, shape: Shape, name: &str, _: Init, _: DType, device: &Device) -> Result<Tensor> {
        match name {
            "head.weight" => self.of.features(device),
            "head.bias" => Tensor::zeros(self.of.config.features(), DType::F32, device),
            "pos_embed" => self.repeated(&self.of.positions()?),
            "cls_token" => self.repeated(&self.of.weight(name)?),
            name => {
                let weight = self.of.weight(name)?;
                if weight.shape() != &shape {
                    bail!(
                        "{name} has shape {:?}, asked for as {shape:?}",
                        weight.shape()
                    )
                }
                let of_the_stream = name.starts_with("patch_embed.") || name.ends_with(".gamma");
                if of_the_stream {
                    weight * STREAM
                } else {
                    Ok(weight)
                }
            }
        }
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        self.of.weight(name)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.of.weights.contains_key(name)
    }
}

/// `(to, from)`: how much each of `from` samples counts in each of `to`, as PyTorch's antialiased bicubic interpolation has
/// it: Keys' kernel with a = -1/2, stretched where there are fewer samples than before, its weights made to sum to 1.
fn bicubic(from: usize, to: usize) -> Vec<f32> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let mut all = Vec::with_capacity(from * to);
    for i in 0..to {
        let centre = scale * (i as f64 + 0.5);
        let near = |j: usize| keys((j as f64 + 0.5 - centre) / stretch);
        let total: f64 = (0..from).map(near).sum();
        all.extend((0..from).map(|j| (near(j) / total) as f32));
    }
    all
}

/// Keys' cubic kernel (1981), a = -1/2.
fn keys(x: f64) -> f64 {
    let x = x.abs();
    match x {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}
