//! The three nets of MTCNN, with their weights.

use candle_core::safetensors::load_buffer;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Linear, Module, ModuleT, VarBuilder, ops::softmax_last_dim};
use rayon::prelude::*;
use siamese_kernels::{Conv2d, Conv2dConfig, Sequential};

/// Of facenet-pytorch 2.6.0, MIT: `weights/README.md`.
static WEIGHTS: &[u8] = include_bytes!("../weights/mtcnn.safetensors");

/// The weights of all three.
pub(crate) fn weights() -> Result<VarBuilder<'static>> {
    let tensors = load_buffer(WEIGHTS, &Device::Cpu)?;
    Ok(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
}

/// A convolution without padding, PReLU after it and, by choice, a max-pool of stride 2.
struct Stage {
    convolution: Sequential,
    slopes: Vec<f32>,
    /// Side of the pool's window; windows may reach beyond the lower and right edge (PyTorch's `ceil_mode`).
    pool: Option<usize>,
}

impl Stage {
    fn new(
        vb: &VarBuilder,
        index: usize,
        channels: (usize, usize),
        kernel_size: usize,
        pool: Option<usize>,
    ) -> Result<Self> {
        let name = format!("conv{index}");
        Ok(Self {
            convolution: convolution(vb, &name, channels, kernel_size)?,
            slopes: slopes(vb, index, channels.1)?,
            pool,
        })
    }

    /// (N, C_in, H, W) → (N, C_out, H', W')
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // channels last, as the kernels leave it: nothing is copied into another order
        let y = self
            .convolution
            .forward_t(x, false)?
            .permute((0, 2, 3, 1))?;
        let (n, height, width, c) = y.dims4()?;
        let (window, stride) = self.pool.map_or((1, 1), |window| (window, 2));
        let out = |side: usize| side.saturating_sub(window).div_ceil(stride) + 1;
        let size = (out(height), out(width));
        let values = y.flatten_all()?.to_vec1::<f32>()?;
        let mut pooled = vec![f32::NEG_INFINITY; n * size.0 * size.1 * c];
        let lines = pooled.par_chunks_exact_mut(size.1 * c).enumerate();
        lines.for_each(|(line, out)| {
            let (image, first) = (line / size.0, line % size.0 * stride);
            for y in first..(first + window).min(height) {
                let from = &values[(image * height + y) * width * c..][..width * c];
                self.prelu_pool(from, (window, stride), out);
            }
        });
        let pooled = Tensor::from_vec(pooled, (n, size.0, size.1, c), &Device::Cpu)?;
        pooled.permute((0, 3, 1, 2))
    }

    /// Raises the pixels of a line of the pool to those of a line under its windows, both `(W, C)`. PReLU's slopes may be
    /// negative, so it comes before the maximum.
    fn prelu_pool(&self, from: &[f32], (window, stride): (usize, usize), out: &mut [f32]) {
        let c = self.slopes.len();
        for (x, out) in out.chunks_exact_mut(c).enumerate() {
            let under = from[x * stride * c..].chunks_exact(c).take(window);
            for pixel in under {
                for ((most, &v), slope) in out.iter_mut().zip(pixel).zip(&self.slopes) {
                    *most = most.max(if v > 0.0 { v } else { slope * v });
                }
            }
        }
    }
}

fn convolution(
    vb: &VarBuilder,
    name: &str,
    channels: (usize, usize),
    kernel_size: usize,
) -> Result<Sequential> {
    let config = Conv2dConfig {
        kernel_size,
        padding: 0,
        bias: true,
        ..Default::default()
    };
    let conv = Conv2d::new(channels.0, channels.1, config, vb.pp(name))?;
    let mut chain = Sequential::new(vec![conv.into()]);
    chain.prepack();
    Ok(chain)
}

fn slopes(vb: &VarBuilder, index: usize, channels: usize) -> Result<Vec<f32>> {
    vb.get(channels, &format!("prelu{index}.weight"))?.to_vec1()
}

fn linear(vb: &VarBuilder, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
    candle_nn::linear(inputs, outputs, vb.pp(name))
}

/// What a net says of a window: the probability of a face, and how its box lies within the window.
pub(crate) struct Said {
    pub probability: f32,
    /// Moves of the left, upper, right and lower edge, in parts of the window's size.
    pub moves: [f32; 4],
}

/// The proposal net: fully convolutional, it looks at all windows of 12 pixels, 2 apart.
pub(crate) struct ProposalNet {
    stages: [Stage; 3],
    face: Sequential,
    moves: Sequential,
}

/// What the proposal net says of all windows of an image.
pub(crate) struct Proposals {
    /// Windows in a row.
    pub width: usize,
    /// Row by row.
    pub probabilities: Vec<f32>,
    /// (4, rows, width)
    moves: Vec<f32>,
}

impl Proposals {
    /// The moves of the window at `place`.
    pub(crate) fn moves(&self, place: usize) -> [f32; 4] {
        let plane = self.probabilities.len();
        [0, 1, 2, 3].map(|edge| self.moves[edge * plane + place])
    }
}

impl ProposalNet {
    pub(crate) fn new(vb: &VarBuilder) -> Result<Self> {
        let vb = vb.pp("pnet");
        Ok(Self {
            stages: [
                Stage::new(&vb, 1, (3, 10), 3, Some(2))?,
                Stage::new(&vb, 2, (10, 16), 3, None)?,
                Stage::new(&vb, 3, (16, 32), 3, None)?,
            ],
            face: convolution(&vb, "conv4_1", (32, 2), 1)?,
            moves: convolution(&vb, "conv4_2", (32, 4), 1)?,
        })
    }

    /// (1, 3, H, W), no side shorter than 12.
    pub(crate) fn forward(&self, image: &Tensor) -> Result<Proposals> {
        let mut x = image.clone();
        for stage in &self.stages {
            x = stage.forward(&x)?;
        }
        let width = x.dim(3)?;
        let scores = self
            .face
            .forward_t(&x, false)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        let (none, face) = scores.split_at(scores.len() / 2);
        let probability = |(&none, &face): (&f32, &f32)| 1.0 / (1.0 + (none - face).exp());
        Ok(Proposals {
            width,
            probabilities: none.iter().zip(face).map(probability).collect(),
            moves: self.moves.forward_t(&x, false)?.flatten_all()?.to_vec1()?,
        })
    }
}

/// The two later nets: convolutions, then layers that see all of a window.
struct WindowNet {
    stages: Vec<Stage>,
    dense: Linear,
    slopes: Tensor,
    face: Linear,
    moves: Linear,
}

impl WindowNet {
    /// (N, 3, side, side) → (N, dense)
    fn features(&self, windows: &Tensor) -> Result<Tensor> {
        let mut x = windows.clone();
        for stage in &self.stages {
            x = stage.forward(&x)?;
        }
        // the weights are of a framework that flattens (W, H, C)
        let x = x.permute((0, 3, 2, 1))?.flatten_from(1)?;
        let x = self.dense.forward(&x)?;
        x.relu()? - x.neg()?.relu()?.broadcast_mul(&self.slopes)?
    }

    fn say(&self, features: &Tensor) -> Result<Vec<Said>> {
        let faces = softmax_last_dim(&self.face.forward(features)?)?.to_vec2::<f32>()?;
        let moves = self.moves.forward(features)?.to_vec2::<f32>()?;
        let said = faces.iter().zip(&moves).map(|(face, moves)| Said {
            probability: face[1],
            moves: [moves[0], moves[1], moves[2], moves[3]],
        });
        Ok(said.collect())
    }
}

/// The refining net: looks at windows of 24 pixels.
pub(crate) struct RefineNet(WindowNet);

impl RefineNet {
    /// Side of its windows, in pixels.
    pub(crate) const SIDE: usize = 24;

    pub(crate) fn new(vb: &VarBuilder) -> Result<Self> {
        let vb = vb.pp("rnet");
        Ok(Self(WindowNet {
            stages: vec![
                Stage::new(&vb, 1, (3, 28), 3, Some(3))?,
                Stage::new(&vb, 2, (28, 48), 3, Some(3))?,
                Stage::new(&vb, 3, (48, 64), 2, None)?,
            ],
            dense: linear(&vb, "dense4", 576, 128)?,
            slopes: vb.get(128, "prelu4.weight")?,
            face: linear(&vb, "dense5_1", 128, 2)?,
            moves: linear(&vb, "dense5_2", 128, 4)?,
        }))
    }

    /// (N, 3, 24, 24)
    pub(crate) fn forward(&self, windows: &Tensor) -> Result<Vec<Said>> {
        self.0.say(&self.0.features(windows)?)
    }
}

/// The output net: looks at windows of 48 pixels, and finds eyes, nose and mouth.
pub(crate) struct OutputNet {
    net: WindowNet,
    landmarks: Linear,
}

impl OutputNet {
    /// Side of its windows, in pixels.
    pub(crate) const SIDE: usize = 48;

    pub(crate) fn new(vb: &VarBuilder) -> Result<Self> {
        let vb = vb.pp("onet");
        let net = WindowNet {
            stages: vec![
                Stage::new(&vb, 1, (3, 32), 3, Some(3))?,
                Stage::new(&vb, 2, (32, 64), 3, Some(3))?,
                Stage::new(&vb, 3, (64, 64), 3, Some(2))?,
                Stage::new(&vb, 4, (64, 128), 2, None)?,
            ],
            dense: linear(&vb, "dense5", 1152, 256)?,
            slopes: vb.get(256, "prelu5.weight")?,
            face: linear(&vb, "dense6_1", 256, 2)?,
            moves: linear(&vb, "dense6_2", 256, 4)?,
        };
        Ok(Self {
            net,
            landmarks: linear(&vb, "dense6_3", 256, 10)?,
        })
    }

    /// (N, 3, 48, 48) → what it says, and for each the five landmarks as parts of the window's size: five x, five y.
    pub(crate) fn forward(&self, windows: &Tensor) -> Result<Vec<(Said, Vec<f32>)>> {
        let features = self.net.features(windows)?;
        let landmarks = self.landmarks.forward(&features)?.to_vec2()?;
        Ok(self
            .net
            .say(&features)?
            .into_iter()
            .zip(landmarks)
            .collect())
    }
}
